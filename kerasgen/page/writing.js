"use strict";
// Whole texts: the same as Python's, from the same seed.

/** @typedef {{ids: number[], bits: number[], tops: number[][]}} Written ids, and for each its bits and alternatives */

const PATIENCE = 50 * BLOCK; // rows without a single one that is wanted

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
  written.tops.push(likeliest(probs, id));
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
