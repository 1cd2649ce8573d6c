"use strict";
// From logits to ids: the uniform numbers and the draw of kerasgen/generation/chain.py.

/**
 * How characters are drawn.
 * @typedef {object} Knobs
 * @property {number} temperature
 * @property {number} topK 0 for all
 * @property {number} topP 1 for all
 */


const GREEDY = 1e-30; // temperatures below are zero
const BLOCK = 1024; // rows that are drawn from one key
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
 * Return the likeliest ids, each followed by its probability; the one that was taken is among them.
 * @param {Float64Array} probs
 * @param {number} [taken]
 */
function likeliest(probs, taken) {
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
  if (taken !== undefined && !found.some((id, place) => place % 2 === 0 && id === taken)) {
    found.splice(2 * ALTERNATIVES - 2, 2, taken, probs[taken] / sum);
  }
  return found;
}
