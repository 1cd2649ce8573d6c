"use strict";
// What a person sees and does; the texts come from a worker, so that the page never waits.

/** @typedef {{name: string, about: string, stop: number, chars: string[], defaults: Record<string, number>}} Plan */
/** @typedef {{char: string, bits: number, top: number[], before: string, span: HTMLElement}} Place */

const LEVELS = [1, 2, 3, 4, 6]; // bits from which each darker colour holds
const WORDS = new Map([[" ", "space"], ["\n", "line end"], ["\t", "tab"]]);
const TYPING = 60; // milliseconds that a pause in typing takes

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
 * @param {HTMLElement} parent
 * @param {string} tag
 * @param {string} kind its class
 * @param {string} text
 */
function add(parent, tag, kind, text = "") {
  const element = document.createElement(tag);
  element.className = kind;
  element.textContent = text;
  parent.append(element);
  return element;
}

const form = find("controls", HTMLFormElement);
const choice = find("model", HTMLSelectElement);
const given = find("prompt", HTMLTextAreaElement);
const end = find("end", HTMLInputElement);
const temperature = find("temperature", HTMLInputElement);
const topP = find("top-p", HTMLInputElement);
const topK = find("top-k", HTMLInputElement);
const count = find("count", HTMLInputElement);
const seed = find("seed", HTMLInputElement);
const go = find("go", HTMLButtonElement);
const halt = find("stop", HTMLButtonElement);
const text = find("text", HTMLDivElement);
const after = find("next-after", HTMLParagraphElement);
const next = find("next", HTMLOListElement);
const colours = find("colours", HTMLInputElement);

/** @type {Plan[]} */
const plans = JSON.parse(document.getElementById("plans")?.textContent ?? "[]");
const address = URL.createObjectURL(new Blob([document.getElementById("worker")?.textContent ?? ""]));
const worker = new Worker(address);
/** @type {Place[]} */
let places = [];
let chosen = -1;
let asked = 0; // the number of the last request; older answers are not looked at
let writing = false;
let waiting = 0;

const plan = () => plans[choice.selectedIndex];

/** Return a character, or what it is called where it can't be seen. @param {string} char */
function worded(char) {
  if (char === "" || char === plan().chars[plan().stop]) return "the end";
  return WORDS.get(char) ?? (/^[\p{C}\p{Z}]$/u.test(char) ? `U+${char.codePointAt(0)?.toString(16).toUpperCase()}` : char);
}

/**
 * Ask the worker for something.
 * @param {string} type
 * @param {object} more
 */
function ask(type, more = {}) {
  const knobs = { temperature: temperature.valueAsNumber, topK: topK.valueAsNumber || 0, topP: topP.valueAsNumber };
  const all = { text: given.value, end: end.value, knobs, seed: seed.valueAsNumber, count: count.valueAsNumber };
  worker.postMessage({ type, id: ++asked, ...all, ...more });
}

/** @param {string} message */
function fail(message) {
  find("error", HTMLParagraphElement).textContent = message;
}

/** @param {string} message */
function tell(message) {
  find("status", HTMLParagraphElement).textContent = message;
}

/** @param {boolean} now */
function setWriting(now) {
  writing = now;
  halt.disabled = !now;
  after.setAttribute("aria-live", now ? "off" : "polite");
  text.setAttribute("aria-busy", String(now));
}

/** Begin to write, in place of what stands there. */
function write() {
  if (!form.reportValidity()) return;
  clear();
  fail("");
  tell("Writing …");
  setWriting(true);
  if (plan().stop < 0) add(text, "span", "given", given.value);
  ask("write");
}

function clear() {
  text.replaceChildren();
  places = [];
  chosen = -1;
}

/** Show what can come next, unless something else is going on. */
function peek() {
  clearTimeout(waiting);
  if (writing || !form.checkValidity()) return;
  fail("");
  waiting = setTimeout(() => writing || ask("peek"), TYPING);
}

/** Take the model that is chosen. */
function load() {
  const { name, about, stop: ends, defaults } = plan();
  const names = ends >= 0;
  document.body.classList.toggle("for-names", names);
  find("about", HTMLElement).textContent = about;
  find("prompt-label", HTMLLabelElement).textContent = names ? "Begins with" : "Prompt";
  find("count-label", HTMLLabelElement).textContent = names ? "Names" : "Characters";
  given.rows = names ? 1 : 3;
  given.value = end.value = "";
  temperature.value = String(defaults.temperature);
  count.value = String(names ? defaults.num_samples : defaults.length);
  document.title = `${name} – kerasgen playground`;
  show();
  ask("load", { plan: plan(), weights: document.getElementById(`weights-${choice.selectedIndex}`)?.textContent });
  write();
}

/** Show the values of the sliders. */
function show() {
  find("temperature-value", HTMLOutputElement).value = temperature.valueAsNumber.toFixed(2);
  find("top-p-value", HTMLOutputElement).value = topP.valueAsNumber < 1 ? topP.valueAsNumber.toFixed(2) : "all";
}

/**
 * Add characters to what is shown.
 * @param {HTMLElement} parent
 * @param {{chars: string[], bits: number[], tops: number[][]}} written
 * @param {string} before what stands before them
 */
function append(parent, { chars, bits, tops }, before) {
  chars.forEach((char, number) => {
    const level = LEVELS.filter((least) => bits[number] >= least).length;
    const span = add(parent, "span", `c s${level}${char ? "" : " end"}`, char || "⏎");
    span.dataset.place = String(places.length);
    places.push({ char, bits: bits[number], top: tops[number], before, span });
    before = (before + char).slice(-40);
  });
}

/**
 * Draw the bars.
 * @param {number[]} top ids and their probabilities
 * @param {string} title
 * @param {string} taken the character that stands there
 */
function bars(top, title, taken = "\0") {
  after.textContent = title;
  next.replaceChildren();
  for (let i = 0; i < top.length; i += 2) {
    const char = plan().chars[top[i]];
    const same = worded(char).toLowerCase() === worded(taken).toLowerCase();
    const line = add(next, "li", same ? "taken" : "");
    add(line, "span", "char", worded(char));
    const bar = add(line, "span", "bar");
    bar.setAttribute("aria-hidden", "true");
    bar.style.setProperty("--share", String(top[i + 1]));
    add(line, "span", "share", top[i + 1] < 0.0005 ? "< 0.1 %" : `${(100 * top[i + 1]).toFixed(1)} %`);
  }
}

/** Show the alternatives of a character. @param {number} place */
function choose(place) {
  if (!places.length) return;
  places[chosen]?.span.classList.remove("chosen");
  chosen = Math.max(0, Math.min(place, places.length - 1));
  const { char, bits, top, before, span } = places[chosen];
  span.classList.add("chosen");
  if (!writing) span.scrollIntoView({ block: "nearest" });
  const where = before ? `after “${before.replaceAll("\n", "⏎")}”` : "at the beginning";
  bars(top, `${worded(char)}, ${where}: surprisal ${bits.toFixed(1)} bits`, char);
}

/** @param {any} answer of the worker */
function onAnswer(answer) {
  if (answer.id !== asked && answer.type !== "done") return;
  switch (answer.type) {
    case "piece":
      append(text, answer, places.at(-1) ? (places.at(-1)?.before ?? "") + places.at(-1)?.char : given.value.slice(-40));
      if (places.length) bars(places[places.length - 1].top, "while it writes", places[places.length - 1].char);
      break;
    case "name": {
      const line = add(text, "p", "name");
      append(line, answer, "");
      const bits = answer.bits.reduce((/** @type {number} */ a, /** @type {number} */ b) => a + b, 0) / answer.bits.length;
      if (answer.known !== null) add(line, "span", answer.known ? "mark known" : "mark new", answer.known ? "known" : "new");
      add(line, "span", "mark", `${bits.toFixed(1)} bits/char`);
      break;
    }
    case "peek":
      bars(answer.top, given.value ? `after “${given.value.slice(-40).replaceAll("\n", "⏎")}”` : "at the beginning");
      find("read", HTMLElement).textContent = answer.changes.length ? `read ${answer.changes.join(", ")}` : "";
      find("read", HTMLElement).title = answer.changes.join(", ");
      break;
    case "refused":
      setWriting(false);
      tell("");
      fail(`This model never saw “${answer.char}”; leave it out.`);
      break;
    case "done":
      if (answer.id === asked || answer.stopped) finish(answer);
  }
}

/** @param {{found: number, characters: number, seconds: number, stopped: boolean}} answer */
function finish({ found, characters, seconds, stopped }) {
  if (!writing) return;
  setWriting(false);
  const speed = Math.round(characters / Math.max(seconds, 1e-3));
  const rare = plan().stop >= 0 && found < count.valueAsNumber && !stopped;
  const many = plan().stop >= 0 ? `${found} names, ` : "";
  const how = `${characters.toLocaleString("en")} characters in ${seconds.toFixed(2)} s (${speed.toLocaleString("en")}/s)`;
  tell(`${stopped ? "Stopped: " : ""}${many}${how}${rare ? "; hardly any more are as asked for" : ""}`);
  if (places.length) choose(places.length - 1);
}

plans.forEach(({ name }) => add(choice, "option", "", name));
const scale = find("scale", HTMLSpanElement);
[0, ...LEVELS].forEach((bits, level) => add(scale, "span", `c s${level}`, level ? `${bits}` : "0"));
scale.append(" bits");
setWriting(false);

worker.onmessage = (/** @type {MessageEvent} */ { data }) => onAnswer(data);
worker.onerror = (/** @type {ErrorEvent} */ { message }) => {
  setWriting(false);
  fail(`This browser can't compute the page's models: ${message}`);
};
choice.addEventListener("change", load);
form.addEventListener("submit", (event) => {
  event.preventDefault();
  write();
});
form.addEventListener("input", () => {
  show();
  peek();
});
find("other", HTMLButtonElement).addEventListener("click", () => {
  seed.value = String(crypto.getRandomValues(new Uint32Array(1))[0]);
  write();
});
halt.addEventListener("click", () => ask("stop"));
colours.addEventListener("change", () => text.classList.toggle("plain", !colours.checked));
given.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.isComposing) return;
  if (event.ctrlKey || event.metaKey || plan().stop >= 0) {
    event.preventDefault();
    write();
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && writing) ask("stop");
});
text.addEventListener("click", ({ target }) => {
  if (target instanceof HTMLElement && target.dataset.place) choose(Number(target.dataset.place));
});
text.addEventListener("keydown", (event) => {
  /** @type {Record<string, number>} */
  const moves = { ArrowLeft: chosen - 1, ArrowRight: chosen + 1, Home: 0, End: places.length - 1 };
  if (!(event.key in moves)) return;
  event.preventDefault();
  choose(moves[event.key]);
});
load();
