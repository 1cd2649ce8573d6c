"""The page's JavaScript in an engine of its own, without a browser."""

import base64
import itertools
import json
from functools import cached_property
from pathlib import Path

import pytest

from kerasgen.modelfile import store
from kerasgen.page.page import ENGINE, FOLDER
from kerasgen.page.plan import plan, weights

# What a browser has and the bare language has not, and what the tests ask for.
HARNESS = """
function atob(text) {
  const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  let [found, bits, count] = ["", 0, 0];
  for (const digit of text.replace(/=+$/, "")) {
    bits = ((bits << 6) | digits.indexOf(digit)) & 0xffff;
    count += 6;
    if (count >= 8) found += String.fromCharCode((bits >> (count -= 8)) & 255);
  }
  return found;
}
let model;
function load(plan, weights) {
  model = new Model(plan, decoded(weights).buffer);
}
function continued(prompt, knobs, seed, length) {
  const { ids } = fold(prompt || model.plan.opening, model.plan);
  const written = { ids: [], bits: [], tops: [] };
  const writer = prose(model, ids, knobs, seed, written);
  for (let i = 0; i < length; i++) writer.next();
  const before = prompt ? shown(ids, model.plan, "").at(-1) : "\\n";
  return shown(written.ids, model.plan, before).join("");
}
function invented(prefix, end, knobs, seed, count) {
  const read = [prefix, end].map((text) => fold(text, model.plan).ids);
  const found = [];
  for (const name of names(model, read[0], knobs, seed, read[1])) {
    if (!name) continue;
    found.push({ ...name, text: shown(name.ids.slice(0, -1), model.plan, "").join("") });
    if (found.length === count) break;
  }
  return found;
}
function next(prefix, knobs) {
  return Array.from(kept(begin(model, fold(prefix, model.plan).ids, knobs).logits, knobs));
}
"""


class Engine:
    """The scripts of `kerasgen/page/` that need no browser, with one model.

    Args:
        path: the model's file.
    """

    def __init__(self, path: Path):
        racer = pytest.importorskip("py_mini_racer", reason="mini-racer is not installed: no JavaScript can run")
        self._js = racer.MiniRacer()
        self._js.eval("".join((FOLDER / name).read_text(encoding="utf-8") for name in ENGINE) + HARNESS)
        self.contents = store.read(path)
        self.call("load", self.plan, base64.b64encode(weights(self.contents)).decode())

    @cached_property
    def plan(self):
        """What the page knows of the model."""
        return plan(self.contents)

    def call(self, function, *arguments):
        """Call a function of the engine's, or of the harness, with values for JSON; return what it returns."""
        given = ",".join(map(json.dumps, arguments))
        found = self._js.eval(f"JSON.stringify(({function})({given})) ?? 'null'")
        return json.loads(found)

    def continued(self, prompt, length, seed, **knobs):
        """Return what a model of prose writes after a prompt."""
        return self.call("continued", prompt, knobs_of(**knobs), seed, length)

    def names(self, count, seed, prefix="", end="", **knobs):
        """Return some names."""
        given = prefix, end, knobs_of(**knobs), seed, count
        return self.call("(...given) => invented(...given).map(({ text }) => text)", *given)

    def is_close(self, before, row, seed, **knobs):
        """Tell whether the number that is drawn with after a text is within 1e-5 of a boundary of the distribution."""
        probs = self.call("next", before, knobs_of(**knobs))
        total = sum(probs)
        number = self.call("uniform", seed, row, len(before), self.plan["dtype"] == "float64")
        return min(abs(bound / total - number) for bound in itertools.accumulate(probs)) < 1e-5


def knobs_of(temperature=1.0, top_k=None, top_p=None):
    """Return the knobs as the page has them."""
    return {"temperature": temperature, "topK": top_k or 0, "topP": 1 if top_p is None else top_p}
