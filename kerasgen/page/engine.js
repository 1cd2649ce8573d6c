"use strict";
// The models and the draw: the same texts as Python's, from the same seed. No browser is needed here.

/**
 * What is known of a model; `kerasgen/page/plan.py` writes it.
 * @typedef {object} Plan
 * @property {string} name
 * @property {string} about what it learned from, and its score
 * @property {string[]} chars its characters, in the order of their ids
 * @property {number} start the id that stands before a text; -1 is the zero input
 * @property {number} stop the id that ends a text; -1 where there is none
 * @property {"float32" | "float64"} dtype of the weights and of the uniform numbers
 * @property {{units: number, gates: number}[]} layers 4 gates make an LSTM, 1 makes a SimpleRNN
 * @property {string} opening what a text continues where there is no prompt
 * @property {Folding} folding
 * @property {string | null} capitals the characters that a capital follows, as at the beginning; null for none
 * @property {Record<string, string>} titles the capitals of its characters
 * @property {{temperature: number, num_samples: number, length: number, min_length: number, max_length: number}} defaults
 * @property {string} known the hashes of the names that it learned from, in base64
 */

/**
 * How a text that anyone may have typed is read.
 * @typedef {object} Folding
 * @property {boolean} lower bring it to lower case first
 * @property {boolean} refuse refuse what can't be read, or else leave it out
 * @property {boolean} dots read three dots as one character
 * @property {Record<string, string>} twins what an unknown character is read as
 * @property {Record<string, string>} opening the same at the beginning of a word, where that differs
 */

/**
 * How characters are drawn.
 * @typedef {object} Knobs
 * @property {number} temperature
 * @property {number} topK 0 for all
 * @property {number} topP 1 for all
 */

/** @typedef {{ids: number[], bits: number[], tops: number[][]}} Written ids, and for each its bits and alternatives */

const GREEDY = 1e-30; // temperatures below are zero
const BLOCK = 1024; // rows that are drawn from one key
const PATIENCE = 50 * BLOCK; // rows without a single one that is wanted
const ALTERNATIVES = 8;

/**
 * Return 128 random bits by Philox 4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3").
 * @param {number[]} counter four words
 * @param {number[]} key two words
 */
function philox(counter, key) {
  let [a, b, c, d] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < 10; round++) {
    const first = Math.imul(0xd2511f53, a);
    const second = Math.imul(0xcd9e8d57, c);
    [a, c] = [high(0xcd9e8d57, c) ^ b ^ k0, high(0xd2511f53, a) ^ d ^ k1];
    [b, d] = [second, first];
    k0 = (k0 + 0x9e3779b9) | 0;
    k1 = (k1 + 0xbb67ae85) | 0;
  }
  return [a >>> 0, b >>> 0, c >>> 0, d >>> 0];
}

/**
 * Return the upper 32 bits of the product of two words.
 * @param {number} x
 * @param {number} y
 */
function high(x, y) {
  const [x0, x1, y0, y1] = [x & 0xffff, x >>> 16, y & 0xffff, y >>> 16];
  const middle = x1 * y0 + ((x0 * y0) >>> 16);
  return (x1 * y1 + Math.floor(middle / 65536) + (((middle & 0xffff) + x0 * y1) / 65536)) | 0;
}

/**
 * Return the uniform number in [0, 1) that a seed, a row and a position give, as `tf.random.stateless_uniform` does.
 * @param {number} seed
 * @param {number} row
 * @param {number} position
 * @param {boolean} double whether in double precision
 */
function uniform(seed, row, position, double) {
  const block = Math.floor(row / BLOCK);
  const inside = row % BLOCK;
  const mix = philox([block, seed, position, 0], [0x3ec8f720, 0x02461e29]);
  const words = philox([inside >> (double ? 1 : 2), 0, mix[2], mix[3]], [mix[0], mix[1]]);
  if (!double) return (words[inside & 3] >>> 9) / 2 ** 23;
  const at = 2 * (inside & 1);
  return (words[at + 1] * 2 ** 20 + (words[at] >>> 12)) / 2 ** 52;
}

/** A recurrent layer with its state. */
class Layer {
  /**
   * @param {number} inputs characters, or units of the layer below
   * @param {number} units
   * @param {number} gates
   * @param {boolean} lowest whether it reads characters
   * @param {(count: number) => Float32Array | Float64Array} take gives the next weights
   */
  constructor(inputs, units, gates, lowest, take) {
    const kernel = take(inputs * units * gates);
    const recurrent = take(units * units * gates);
    const bias = take(units * gates);
    this.units = units;
    this.gates = gates;
    this.width = (lowest ? 0 : inputs) + units;
    /** What is added for each character (the last is the zero input), or the bias: by unit, then gate. */
    this.table = new Float64Array(lowest ? (inputs + 1) * units * gates : units * gates);
    /** By unit, then input, then gate, so that it is read from its beginning to its end. */
    this.matrix = new Float64Array(this.width * units * gates);
    for (let unit = 0; unit < units; unit++) {
      for (let gate = 0; gate < gates; gate++) {
        const column = gate * units + unit;
        const place = unit * gates + gate;
        for (let id = 0; lowest && id < inputs; id++) {
          this.table[id * units * gates + place] = kernel[id * units * gates + column] + bias[column];
        }
        this.table[this.table.length - units * gates + place] = bias[column];
        for (let input = 0; input < this.width; input++) {
          const row = lowest || input < inputs ? input : input - inputs;
          const from = lowest || input >= inputs ? recurrent : kernel;
          this.matrix[(unit * this.width + input) * gates + gate] = from[row * units * gates + column];
        }
      }
    }
    /** The input from below, if any, then the output before. */
    this.x = new Float64Array(this.width);
    this.h = new Float64Array(units);
    this.c = new Float64Array(gates > 1 ? units : 0);
  }

  /**
   * Read one character, or the output of the layer below, into `h`.
   * @param {number} id negative for the zero input
   * @param {Float64Array | null} below
   */
  step(id, below) {
    const { units, gates, width, table, matrix, x, h, c } = this;
    if (below) x.set(below);
    x.set(h, width - units);
    const rows = table.length / (units * gates);
    let place = (below || id < 0 ? rows - 1 : id) * units * gates;
    let at = 0;
    for (let unit = 0; unit < units; unit++) {
      if (gates === 1) {
        let sum = table[place++];
        for (let k = 0; k < width; k++) sum += matrix[at++] * x[k];
        h[unit] = Math.tanh(sum);
        continue;
      }
      let i = table[place];
      let f = table[place + 1];
      let g = table[place + 2];
      let o = table[place + 3];
      for (let k = 0; k < width; k++, at += 4) {
        const value = x[k];
        i += matrix[at] * value;
        f += matrix[at + 1] * value;
        g += matrix[at + 2] * value;
        o += matrix[at + 3] * value;
      }
      place += 4;
      c[unit] = c[unit] / (1 + Math.exp(-f)) + Math.tanh(g) / (1 + Math.exp(-i));
      h[unit] = Math.tanh(c[unit]) / (1 + Math.exp(-o));
    }
  }
}

/** A model with its state: ids in, logits out. */
class Model {
  /**
   * @param {Plan} plan
   * @param {ArrayBuffer} bytes the weights: of each layer the kernel, the recurrent kernel, the bias; then the output's
   */
  constructor(plan, bytes) {
    const weights = plan.dtype === "float64" ? new Float64Array(bytes) : new Float32Array(bytes);
    let taken = 0;
    const take = (/** @type {number} */ count) => weights.subarray(taken, (taken += count));
    const size = plan.chars.length;
    let inputs = size;
    this.plan = plan;
    this.layers = plan.layers.map(({ units, gates }, number) => {
      const layer = new Layer(inputs, units, gates, number === 0, take);
      inputs = units;
      return layer;
    });
    const kernel = take(inputs * size);
    this.out = Float64Array.from({ length: inputs * size }, (_, i) => kernel[(i % inputs) * size + Math.floor(i / inputs)]);
    this.bias = Float64Array.from(take(size));
    this.logits = new Float64Array(size);
  }

  /** Go back to the state before a text. */
  reset() {
    for (const { h, c } of this.layers) {
      h.fill(0);
      c.fill(0);
    }
  }

  /** Return a copy of the state. */
  state() {
    return this.layers.map(({ h, c }) => [h.slice(), c.slice()]);
  }

  /**
   * Go back to a state.
   * @param {Float64Array[][]} state
   */
  restore(state) {
    this.layers.forEach(({ h, c }, number) => {
      h.set(state[number][0]);
      c.set(state[number][1]);
    });
  }

  /**
   * Read one character; return the logits of the next, in an array that the next call writes over.
   * @param {number} id
   */
  step(id) {
    /** @type {Float64Array | null} */
    let below = null;
    for (const layer of this.layers) {
      layer.step(id, below);
      below = layer.h;
    }
    const x = /** @type {Float64Array} */ (below);
    const { out, bias, logits } = this;
    for (let char = 0, at = 0; char < logits.length; char++) {
      let sum = bias[char];
      for (let k = 0; k < x.length; k++) sum += out[at++] * x[k];
      logits[char] = sum;
    }
    return logits;
  }
}

/**
 * Return the probabilities that temperature, then top-k, then top-p leave; they add up to at most 1.
 * @param {Float64Array} logits
 * @param {Knobs} knobs
 */
function kept(logits, { temperature, topK, topP }) {
  const best = logits.reduce((a, b) => Math.max(a, b), -Infinity);
  const probs = new Float64Array(logits.length);
  if (temperature < GREEDY) {
    probs[logits.indexOf(best)] = 1;
    return probs;
  }
  let sum = 0;
  for (let i = 0; i < probs.length; i++) sum += probs[i] = Math.exp((logits[i] - best) / temperature);
  for (let i = 0; i < probs.length; i++) probs[i] /= sum;
  if (topK > 0 && topK < probs.length) drop(probs, probs.slice().sort()[probs.length - topK]);
  if (topP < 1) {
    const ordered = probs.slice().sort().reverse();
    const enough = topP * ordered.reduce((a, b) => a + b, 0);
    let before = 0;
    let least = ordered[0];
    for (let i = 0; i < ordered.length && (i === 0 || before < enough); i++) {
      least = ordered[i];
      before += least;
    }
    drop(probs, least);
  }
  return probs;
}

/**
 * Leave nothing to what is less likely than this.
 * @param {Float64Array} probs
 * @param {number} least
 */
function drop(probs, least) {
  for (let i = 0; i < probs.length; i++) if (probs[i] < least) probs[i] = 0;
}

/**
 * Draw an id by inverse CDF: the first whose cumulated probability exceeds the uniform number.
 * @param {Float64Array} probs
 * @param {number} number
 */
function draw(probs, number) {
  let total = 0;
  for (let i = 0; i < probs.length; i++) total += probs[i];
  let sum = 0;
  for (let id = 0; id < probs.length; id++) {
    sum += probs[id];
    if (sum / total > number) return id;
  }
  return probs.length - 1;
}

/**
 * Return the surprisal of a character in bits, by the model's own probabilities.
 * @param {Float64Array} logits
 * @param {number} id
 */
function bitsOf(logits, id) {
  const best = logits.reduce((a, b) => Math.max(a, b), -Infinity);
  const sum = logits.reduce((a, b) => a + Math.exp(b - best), 0);
  return (Math.log(sum) + best - logits[id]) / Math.LN2;
}

/**
 * Return the likeliest ids, each followed by its probability.
 * @param {Float64Array} probs
 */
function likeliest(probs) {
  const sum = probs.reduce((a, b) => a + b, 0);
  const found = [];
  let bound = Infinity;
  let last = -1; // of those as likely as the bound
  while (found.length < 2 * ALTERNATIVES) {
    let best = -1;
    for (let id = 0; id < probs.length; id++) {
      const after = probs[id] < bound || (probs[id] === bound && id > last);
      if (after && probs[id] > 0 && (best < 0 || probs[id] > probs[best])) best = id;
    }
    if (best < 0) break;
    found.push(best, probs[best] / sum);
    bound = probs[best];
    last = best;
  }
  return found;
}

/**
 * Read the beginning of a text; return what is known of each character, and the logits after the last one.
 * @param {Model} model
 * @param {number[]} ids
 * @param {Knobs} knobs
 */
function begin(model, ids, knobs) {
  /** @type {Written} */
  const written = { ids: [], bits: [], tops: [] };
  model.reset();
  let logits = model.step(model.plan.start);
  for (const id of ids) {
    note(written, id, logits, kept(logits, knobs));
    logits = model.step(id);
  }
  return { written, logits: logits.slice() };
}

/**
 * @param {Written} written
 * @param {number} id
 * @param {Float64Array} logits
 * @param {Float64Array} probs
 */
function note(written, id, logits, probs) {
  written.ids.push(id);
  written.bits.push(bitsOf(logits, id));
  written.tops.push(likeliest(probs));
}

/**
 * Continue a text without end; yield after each character, which `written` then holds.
 * @param {Model} model
 * @param {number[]} ids what it begins with
 * @param {Knobs} knobs
 * @param {number} seed
 * @param {Written} written is added to
 */
function* prose(model, ids, knobs, seed, written) {
  const double = model.plan.dtype === "float64";
  let { logits } = begin(model, ids, knobs);
  for (let position = ids.length; ; position++) {
    const probs = kept(logits, knobs);
    const id = draw(probs, uniform(seed, 0, position, double));
    note(written, id, logits, probs);
    yield;
    logits = model.step(id);
  }
}

/**
 * Invent names; yield each that is as it shall be, and undefined for each that is left out.
 * @param {Model} model
 * @param {number[]} ids what each begins with
 * @param {Knobs} knobs
 * @param {number} seed
 * @param {number[]} end what each ends with
 * @returns {Generator<Written | undefined, void, void>}
 */
function* names(model, ids, knobs, seed, end) {
  const { stop, dtype, defaults } = model.plan;
  const { written: beginning, logits: first } = begin(model, ids, knobs);
  const state = model.state();
  let since = 0;
  for (let row = 0; since < PATIENCE; row++) {
    /** @type {Written} */
    const written = { ids: [...ids], bits: [...beginning.bits], tops: [...beginning.tops] };
    model.restore(state);
    let logits = first;
    while (written.ids.length <= defaults.max_length) {
      const position = written.ids.length;
      const allowed = logits.slice();
      if (position < Math.min(defaults.min_length, ids.length + 1)) allowed[stop] = -Infinity;
      const probs = kept(allowed, knobs);
      const id = draw(probs, uniform(seed, row, position, dtype === "float64"));
      note(written, id, logits, probs);
      if (id === stop) break;
      logits = model.step(id);
    }
    const ended = written.ids.at(-1) === stop;
    const text = written.ids.slice(0, -1);
    const right = ended && text.length >= defaults.min_length && text.length >= end.length;
    const wanted = right && end.every((id, place) => id === text[text.length - end.length + place]);
    since = wanted ? 0 : since + 1;
    yield wanted ? written : undefined;
    if (!wanted && knobs.temperature < GREEDY) return;
  }
}

/**
 * Return a text as a model reads it, in ids, and what was read as what.
 * @param {string} text
 * @param {Plan} plan
 * @returns {{ids: number[], changes: string[], refused: string}}
 */
function fold(text, { chars, folding }) {
  const known = new Map(chars.map((char, id) => [char, id]));
  text = folding.lower ? text.toLowerCase() : text;
  /** @type {Set<string>} */
  const changes = new Set();
  if (![...text].every((char) => known.has(char))) {
    text = text.normalize("NFC");
    if (folding.dots && text.includes("...")) {
      text = text.replaceAll("...", "…");
      changes.add("... as …");
    }
  }
  const ids = [];
  let before = " ";
  for (const char of text) {
    const opens = /[\s([{\-–—]/u.test(before) ? folding.opening[char] : undefined;
    const read = known.has(char) ? char : (opens ?? folding.twins[char] ?? "");
    if (!read && folding.refuse) return { ids: [], changes: [], refused: char };
    if (read !== char) changes.add(read ? `${char} as ${read}` : `without ${char}`);
    for (const one of read) ids.push(/** @type {number} */ (known.get(one)));
    before = char;
  }
  return { ids, changes: [...changes], refused: "" };
}

/**
 * Return the characters of some ids as they are shown.
 * @param {number[]} ids
 * @param {Plan} plan
 * @param {string} before the character before them, as it is shown; nothing where the text begins
 */
function shown(ids, { chars, capitals, titles }, before) {
  return ids.map((id) => {
    const char = chars[id];
    const begins = capitals !== null && (!before || before === "\n" || capitals.includes(before));
    before = char;
    return begins && Object.hasOwn(titles, char) ? titles[char] : char;
  });
}

/**
 * Turn base64 into bytes.
 * @param {string} text
 */
function decoded(text) {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

/**
 * Tell whether a hash is among sorted ones.
 * @param {Uint8Array} hash at least 8 bytes
 * @param {Uint8Array} sorted 8 bytes each
 */
function isAmong(hash, sorted) {
  let [low, most] = [0, sorted.length / 8];
  while (low < most) {
    const middle = (low + most) >> 1;
    let place = 0;
    while (place < 8 && sorted[8 * middle + place] === hash[place]) place++;
    if (place === 8) return true;
    if (sorted[8 * middle + place] < hash[place]) low = middle + 1;
    else most = middle;
  }
  return false;
}
