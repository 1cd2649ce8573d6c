"use strict";
// Runs in a worker, behind the four scripts of the engine, so that the page itself never waits.

/**
 * What the page asks for.
 * @typedef {object} Asked
 * @property {"load" | "peek" | "write" | "stop"} type
 * @property {number} id answers have it, too
 * @property {Plan} plan of a model to load
 * @property {string} weights likewise, in base64
 * @property {string} text the prompt
 * @property {string} end what names end with
 * @property {Knobs} knobs
 * @property {number} seed
 * @property {number} count characters or names
 */

const SLICE = 30; // milliseconds between two looks at what else the page asks for
const LONGEST_SLICE = 250; // of a long text, which a browser lays out as a whole with each piece
/** @type {Model} */
let model;
let known = new Uint8Array();
let current = 0;

/** Let the page's next request come through. */
function turn() {
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    port1.onmessage = resolve;
    port2.postMessage(0);
  });
}

/**
 * Tell whether a model learned a name.
 * @param {number[]} ids
 */
async function learned(ids) {
  if (!known.length || !self.crypto.subtle) return null;
  const text = ids.map((id) => model.plan.chars[id]).join("");
  const hash = await self.crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return isAmong(new Uint8Array(hash), known);
}

/** @param {Asked} request */
async function write({ id, text, end, knobs, seed, count }) {
  const { plan } = model;
  const read = fold(text, plan);
  const last = fold(plan.stop < 0 ? "" : end, plan);
  const refused = read.refused || last.refused;
  if (refused) {
    postMessage({ type: "refused", id, char: refused });
    return;
  }
  const began = performance.now();
  let due = began + SLICE;
  let characters = 0;
  const done = (/** @type {number} */ found) => {
    const seconds = (performance.now() - began) / 1000;
    postMessage({ type: "done", id, found, characters, seconds, stopped: current !== id });
  };
  if (plan.stop < 0) {
    const ids = read.ids.length ? read.ids : fold(plan.opening, plan).ids;
    let before = read.ids.length ? shown(ids, plan, "").at(-1) : "\n";
    /** @type {Written} */
    const piece = { ids: [], bits: [], tops: [] };
    const writer = prose(model, ids, knobs, seed, piece);
    const send = () => {
      const chars = shown(piece.ids, plan, before ?? "");
      before = chars.at(-1) ?? before;
      postMessage({ type: "piece", id, chars, bits: piece.bits, tops: piece.tops });
      piece.ids = [];
      piece.bits = [];
      piece.tops = [];
    };
    while (characters < count) {
      writer.next();
      characters++;
      if (performance.now() < due) continue;
      send();
      await turn();
      if (current !== id) break;
      due = performance.now() + Math.min(SLICE + characters / 20, LONGEST_SLICE);
    }
    send();
    done(1);
    return;
  }
  let found = 0;
  for (const name of names(model, read.ids, knobs, seed, last.ids)) {
    if (name) {
      characters += name.ids.length;
      const ids = name.ids.slice(0, -1);
      const chars = [...shown(ids, plan, ""), ""];
      postMessage({ type: "name", id, chars, bits: name.bits, tops: name.tops, known: await learned(ids) });
      if (++found === count) break;
    }
    if (performance.now() < due) continue;
    await turn();
    if (current !== id) break;
    due = performance.now() + SLICE;
  }
  done(found);
}

/** @param {Asked} request */
function peek({ id, text, knobs }) {
  const { plan } = model;
  const read = fold(text, plan);
  if (read.refused) {
    postMessage({ type: "refused", id, char: read.refused });
    return;
  }
  const ids = read.ids.length ? read.ids : fold(plan.opening, plan).ids;
  const { logits } = begin(model, ids, knobs);
  if (ids.length < (plan.defaults.min_length ?? 0) && !ids.length) logits[plan.stop] = -Infinity;
  postMessage({ type: "peek", id, top: likeliest(kept(logits, knobs)), changes: read.changes });
}

self.onmessage = (/** @type {MessageEvent<Asked>} */ { data }) => {
  current = data.id;
  if (data.type === "load") {
    model = new Model(data.plan, decoded(data.weights).buffer);
    known = decoded(data.plan.known);
    postMessage({ type: "loaded", id: data.id });
  } else if (data.type === "peek") peek(data);
  else if (data.type === "write") write(data);
};
