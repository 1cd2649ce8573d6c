"use strict";
// Colours a text, and shows what was expected at a place. All that a text holds is set as text, never as markup.

/** @typedef {{temperature: number, next: [string, number][], others: number}} Distribution */
/**
 * @typedef {{model: string, sentence: string, chars: string[], items: string[], ends: string, count: number,
 *   scores: [number, string][], partsOfABit: number, units: [string, string][], places: [number, number][],
 *   find: [string, number, [string, number][]][], temperatures: Distribution[], steps: [number, number],
 *   ids: string, bits: string, expected: string, chances: string, values: string[]}} Data
 */

/**
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} type
 * @returns {T}
 */
function find(id, type) {
  const element = document.getElementById(id);
  if (!(element instanceof type)) throw new TypeError(id);
  return element;
}

/**
 * @param {Element | DocumentFragment} parent
 * @param {string} tag
 * @param {string} kind its class
 * @param {string} text
 */
function add(parent, tag, kind = "", text = "") {
  const element = document.createElement(tag);
  if (kind) element.className = kind;
  if (text) element.textContent = text;
  parent.append(element);
  return element;
}

/** @param {string} packed */
function bytes(packed) {
  return Uint8Array.from(atob(packed), (char) => char.charCodeAt(0)).buffer;
}

/** @type {Data} */
const data = JSON.parse(document.getElementById("data")?.textContent ?? "{}");
const { chars, count, steps } = data;
const Ids = chars.length > 1 << 16 ? Uint32Array : Uint16Array;
const ids = new Ids(bytes(data.ids));
const bits = Float32Array.from(new Uint16Array(bytes(data.bits)), (value) => value / data.partsOfABit);
const expected = new Ids(bytes(data.expected));
const chances = Float32Array.from(new Uint16Array(bytes(data.chances)), (value) => value / 65535);
const values = data.values.map((packed) => Float32Array.from(new Int8Array(bytes(packed)), (value) => value / 127));

const WORDS = new Map([[" ", "space"], ["\n", "line end"], ["\t", "tab"], ["\u00a0", "hard space"]]);
const SIGNS = new Map([["\n", "⏎"], ["\t", "⇥"]]);
const UNSEEN = /^[\p{C}\p{Zl}\p{Zp}]$/u; // nothing of it may turn the direction of what stands around it

const text = find("text", HTMLDivElement);
const by = find("by", HTMLSelectElement);
/** @type {string[]} */
const shown = []; // each character as it was given
/** @type {HTMLElement[]} */
const spans = [];
/** @type {number[]} */
const lineOf = [];
/** @type {number[]} */
const lines = []; // the first place of each
/** @type {number[]} */
const items = []; // likewise
let chosen = 0;

/** @param {string} char */
const number = (char) => `U+${char.codePointAt(0)?.toString(16).toUpperCase().padStart(4, "0")}`;

/** Return a character, or what it is called where it can't be seen. @param {string} char */
function worded(char) {
  if (data.ends && char === data.ends) return "the end";
  return WORDS.get(char) ?? (UNSEEN.test(char) || /^\p{Z}$/u.test(char) ? number(char) : char);
}

/** Return a character as it stands in a line with others. @param {string} char */
const seen = (char) => SIGNS.get(char) ?? (UNSEEN.test(char) ? number(char) : char);

/** @param {number} chance */
function percent(chance) {
  const share = 100 * chance;
  return share >= 10 ? `${share.toFixed(0)} %` : share >= 0.1 ? `${share.toFixed(1)} %` : "< 0.1 %";
}

/** The class of a place's colour. @param {number} place */
function colour(place) {
  if (!by.selectedIndex) return `s${Math.min(Math.floor(bits[place] + 0.5), steps[0] - 1)}`;
  if (data.ends && shown[place] === data.ends) return ""; // it is never read
  return `a${Math.round(((values[by.selectedIndex - 1][place] + 1) / 2) * (steps[1] - 1))}`;
}

function paint() {
  spans.forEach((span, place) => {
    const kind = shown[place] in { "\n": 1, "\t": 1 } || UNSEEN.test(shown[place]) ? " sign" : "";
    span.className = `c ${colour(place)}${kind}${place === chosen ? " chosen" : ""}`;
  });
  const legend = find("legend", HTMLParagraphElement);
  legend.replaceChildren();
  if (!by.selectedIndex) {
    for (let step = 0; step < steps[0]; step++) add(legend, "span", `s${step}`, step < steps[0] - 1 ? `${step}` : `${step}+`);
    add(legend, "span", "unit", "bits of surprise: one more is half as likely");
    return;
  }
  for (let step = 0; step < steps[1]; step++) {
    const middle = (steps[1] - 1) / 2;
    const label = step % middle ? "" : `${step < middle ? "−1" : step > middle ? "+1" : "0"}`;
    add(legend, "span", `a${step}`, label);
  }
  add(legend, "span", "unit", "what the unit gives out once it has read the character");
}

/**
 * Draw bars.
 * @param {Element} parent
 * @param {[string, number][]} rows characters and their probabilities
 * @param {string} here the character that stands there
 */
function bars(parent, rows, here = "") {
  parent.replaceChildren();
  for (const [char, chance] of rows) {
    const line = add(parent, "li", here && char === here ? "here" : "");
    add(line, "span", "char", char === "others" ? "others" : worded(char));
    const bar = add(line, "span", "bar");
    bar.style.setProperty("--share", String(chance));
    bar.setAttribute("aria-hidden", "true");
    add(line, "span", "share", percent(chance));
  }
}

/** Return the characters that were likeliest at a place. @param {number} place */
function alternatives(place) {
  /** @type {[string, number][]} */
  const rows = [];
  for (let i = place * count; i < (place + 1) * count; i++) rows.push([chars[expected[i]], chances[i]]);
  return rows;
}

/** Say how surprising a place is. @param {number} place */
function told(place) {
  const chance = 2 ** -bits[place];
  const unit = by.selectedIndex && colour(place) ? `, unit ${data.units[by.selectedIndex - 1][0]} gives ${values[by.selectedIndex - 1][place].toFixed(2)}` : "";
  return `${bits[place].toFixed(1)} bits, ${percent(chance)}${unit}`;
}

/** Show what was expected at a place. @param {number} place */
function show(place) {
  const here = chars[ids[place]];
  const rows = alternatives(place);
  if (!rows.some(([char]) => char === here)) rows.push([here, 2 ** -bits[place]]);
  const before = shown.slice(Math.max(lines[lineOf[place]], place - 14), place).map(seen).join("");
  find("what", HTMLHeadingElement).textContent = `${worded(shown[place])}${before ? `, after “${before}”` : ", first of its line"}`;
  find("how", HTMLParagraphElement).textContent = told(place);
  bars(find("expected", HTMLOListElement), rows, here);
}

/**
 * Go to a place; only it can be reached by Tab, and only it is read out.
 * @param {number} place
 * @param {boolean} focus
 */
function choose(place, focus = true) {
  const before = spans[chosen];
  before.classList.remove("chosen");
  for (const name of ["tabindex", "role", "aria-label"]) before.removeAttribute(name);
  chosen = Math.max(0, Math.min(place, spans.length - 1));
  const span = spans[chosen];
  span.classList.add("chosen");
  span.tabIndex = 0;
  span.setAttribute("role", "img");
  const likely = alternatives(chosen).map(([char, chance]) => `${worded(char)} ${percent(chance)}`);
  span.setAttribute("aria-label", `${worded(shown[chosen])}: ${told(chosen)}; expected ${likely.join(", ")}`);
  show(chosen);
  if (focus) span.focus();
}

/** Return the place that is as far into another line. @param {number} lead */
function across(lead) {
  const line = lineOf[chosen];
  const other = Math.max(0, Math.min(line + lead, lines.length - 1));
  const end = (lines[other + 1] ?? spans.length) - 1;
  return Math.min(lines[other] + chosen - lines[line], end);
}

/** Lay out the text, a line a block, a character a span. */
function build() {
  const all = document.createDocumentFragment();
  data.items.forEach((item, index) => {
    items.push(spans.length);
    let line = null;
    for (const char of item) {
      if (!line) {
        line = add(all, "div", "line");
        lines.push(spans.length);
      }
      lineOf.push(lines.length - 1);
      const span = add(line, "span", "", char === "\t" ? "⇥\t" : seen(char));
      span.dataset.place = String(spans.length);
      shown.push(char);
      spans.push(span);
      if (char !== "\n") continue;
      if (data.scores.length) add(line, "span", "mark", `${data.scores[index][0].toFixed(2)} bits/char, ${data.scores[index][1]}`);
      line = null;
    }
  });
  text.append(all);
}

/** List the places that surprise most. */
function list() {
  const all = find("places", HTMLOListElement);
  for (const [item, index] of data.places) {
    const place = items[item] + index;
    const start = Math.max(items[item], place - 16);
    const button = add(add(all, "li"), "button");
    const [before, after] = [shown.slice(start, place), shown.slice(place + 1, Math.min(place + 9, items[item + 1] ?? shown.length))];
    button.append(`${bits[place].toFixed(1)} bits: ${before.map(seen).join("")}`);
    add(button, "b", "", `[${seen(shown[place])}]`);
    button.append(after.map(seen).join(""));
    button.addEventListener("click", () => choose(place));
  }
}

/** Show the units that were found, and what temperature does. */
function extras() {
  find("found", HTMLElement).hidden = !data.find.length;
  for (const [what, hits, units] of data.find) {
    const part = add(find("units", HTMLDivElement), "div");
    add(part, "h3", "", `${what} (${hits} characters)`);
    const all = add(part, "ul");
    for (const [unit, correlation] of units) {
      const sign = correlation < 0 ? "−" : "+";
      const button = add(add(all, "li"), "button", "", `unit ${unit}, correlation ${sign}${Math.abs(correlation).toFixed(2)}`);
      button.addEventListener("click", () => {
        by.selectedIndex = 1 + data.units.findIndex(([name]) => name === unit);
        by.dispatchEvent(new Event("change"));
        by.focus();
      });
    }
  }
  find("next", HTMLElement).hidden = !data.temperatures.length;
  for (const { temperature, next, others } of data.temperatures) {
    const part = add(find("temperatures", HTMLDivElement), "div");
    add(part, "h3", "", `temperature ${temperature}`);
    bars(add(part, "ol", "bars"), others > 0 ? [...next, ["others", others]] : next);
  }
}

const what = data.ends ? (data.items.length > 1 ? "these names" : "this name") : "this text";
document.title = find("title", HTMLHeadingElement).textContent = `What ${data.model} thinks of ${what}`;
find("sentence", HTMLParagraphElement).textContent = data.sentence;
add(by, "option", "", "surprise");
for (const [unit, about] of data.units) add(by, "option", "", `unit ${unit}${about ? ` (${about})` : ""}`);
by.selectedIndex = data.units.length ? 1 : 0; // units are there because they were asked for
by.hidden = !data.units.length;
if (by.hidden) find("by-label", HTMLLabelElement).textContent = "Coloured by surprise";
build();
paint();
list();
extras();
choose(data.places.length ? items[data.places[0][0]] + data.places[0][1] : 0, false);

by.addEventListener("change", () => {
  paint();
  choose(chosen, false);
});
text.addEventListener("mouseover", ({ target }) => {
  if (target instanceof HTMLElement && target.dataset.place) show(Number(target.dataset.place));
});
text.addEventListener("mouseleave", () => show(chosen));
text.addEventListener("click", ({ target }) => {
  if (target instanceof HTMLElement && target.dataset.place) choose(Number(target.dataset.place));
});
text.addEventListener("keydown", (event) => {
  const line = lines[lineOf[chosen]];
  /** @type {Record<string, number>} */
  const moves = {
    ArrowLeft: chosen - 1, ArrowRight: chosen + 1, ArrowUp: across(-1), ArrowDown: across(1), PageUp: across(-10),
    PageDown: across(10), Home: event.ctrlKey ? 0 : line,
    End: (event.ctrlKey ? spans.length : (lines[lineOf[chosen] + 1] ?? spans.length)) - 1,
  };
  if (!(event.key in moves) || event.altKey || event.metaKey) return;
  event.preventDefault();
  choose(moves[event.key]);
});
