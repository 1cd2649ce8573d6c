"use strict";
// A model: ids in, logits out.

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
    const used = (lowest ? 0 : inputs) + units;
    this.width = used + (used % 2); // two inputs are multiplied at a time
    /** What is added for each character (the last is the zero input), or the bias: by unit, then gate. */
    this.table = new Float64Array(lowest ? (inputs + 1) * units * gates : units * gates);
    /** By unit, then input, then gate, so that it is read from its beginning to its end; as narrow as the weights. */
    const Numbers = kernel instanceof Float64Array ? Float64Array : Float32Array;
    this.matrix = new Numbers(this.width * units * gates);
    for (let unit = 0; unit < units; unit++) {
      for (let gate = 0; gate < gates; gate++) {
        const column = gate * units + unit;
        const place = unit * gates + gate;
        for (let id = 0; lowest && id < inputs; id++) {
          this.table[id * units * gates + place] = kernel[id * units * gates + column] + bias[column];
        }
        this.table[this.table.length - units * gates + place] = bias[column];
        for (let input = 0; input < used; input++) {
          const row = lowest || input < inputs ? input : input - inputs;
          const from = lowest || input >= inputs ? recurrent : kernel;
          this.matrix[(unit * this.width + input) * gates + gate] = from[row * units * gates + column];
        }
      }
    }
    /** The input from below, if any, then the output before. */
    this.x = new Float64Array(this.width);
    this.below = used - units;
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
    x.set(h, this.below);
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
      for (let k = 0; k < width; k += 2, at += 8) {
        const one = x[k];
        const two = x[k + 1];
        i += matrix[at] * one + matrix[at + 4] * two;
        f += matrix[at + 1] * one + matrix[at + 5] * two;
        g += matrix[at + 2] * one + matrix[at + 6] * two;
        o += matrix[at + 3] * one + matrix[at + 7] * two;
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
