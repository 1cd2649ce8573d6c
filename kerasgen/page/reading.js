"use strict";
// What people type to ids, ids to what people read, and what a page carries to bytes.

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
