"""What a page knows of a model: plain values for JSON, and the weights as bytes; imports no TensorFlow."""

import base64
import unicodedata
from dataclasses import asdict
from functools import cache
from typing import Any

import numpy as np

from kerasgen.base import console
from kerasgen.modelfile import store
from kerasgen.modelfile.blueprint import VECTORS
from kerasgen.tasks.prose import OPENING
from kerasgen.tasks.registry import KINDS
from kerasgen.text.casing import Casing
from kerasgen.text.twins import twin
from kerasgen.text.vocab import CharVocab

DEFAULTS = ("temperature", "num_samples", "length", "min_length", "max_length")  # of the commands, where no flag is
_KERNEL = "layers/lstm/cell/vars/0"
_CELL = "/cell/vars/1"  # of a layer, its recurrent kernel
_TYPED = (range(0x3100), range(0xFB00, 0xFB07), range(0xFF00, 0xFFF0))  # what people type that has a twin


def plan(contents: store.Contents) -> dict[str, Any]:
    """Return what `kerasgen/page/model.js` calls a plan.

    Args:
        contents: of a model file, from `store.read`.
    """
    card, vocab, casing = contents.card, contents.vocab, Casing.of_card(contents.card)
    (settings,) = (asdict(kind.settings()) for kind in KINDS if contents.is_of(kind.name))
    ends = "stop" in card
    capitals = {"capitals": casing.after, "notebook": "" if ends else None}.get(casing.shown)
    titles = {char: Casing("lower", "capitals").show(char) for char in vocab.chars}
    layers = [shape for path, shape in contents.blueprint.shapes.items() if path.endswith(_CELL)]
    twins, opening = _twins(vocab)
    size = f"{contents.blueprint.parameters:,} weights"
    return {
        "name": console.one_line(contents.path.stem),
        "about": console.one_line(f"learned from {store.text_name(card)}; {size}; {store.score_sentence(card)}"),
        "chars": list(vocab.chars),
        "start": vocab.end_id(card.get("start")),
        "stop": vocab.end_id(card.get("stop")),
        "dtype": np.dtype(contents.blueprint.dtype).name,
        "layers": [{"units": units, "gates": outputs // units} for units, outputs in layers],
        "opening": "" if ends else OPENING,
        "folding": {
            "lower": casing.learned == "lower",
            "refuse": settings.get("on_unknown", "twin") == "twin",
            "dots": "." not in vocab and "…" in vocab,
            "twins": twins,
            "opening": opening,
        },
        "capitals": capitals,
        "titles": {char: title for char, title in titles.items() if title != char},
        "defaults": {name: settings[name] for name in DEFAULTS if name in settings},
        "known": base64.b64encode(bytes.fromhex(contents.known.digits)).decode(),
    }


def weights(contents: store.Contents) -> bytes:
    """Return the weights that a model generates with, in the order of its file, the lowest byte of each first.

    Raises:
        BadInputError: they are damaged.
    """
    arrays, _ = store.arrays(contents, quiet=True)
    named = {p: array for p, array in zip(contents.blueprint.shapes, arrays, strict=True) if p.startswith("layers/")}
    vectors = named.pop(VECTORS, None)
    if vectors is not None and not contents.blueprint.one_hot:  # as a kernel of one-hot characters
        named[_KERNEL] = vectors @ named[_KERNEL]
    return b"".join(array.tobytes() for array in named.values())


def approximation(contents: store.Contents) -> str:
    """Say why a page's texts may differ from Python's; nothing where they are the same."""
    dtype = contents.blueprint.arguments["dtype"]
    if not dtype.startswith("mixed_"):
        return ""
    return f"{contents.path} computes in {dtype}, and a page in single precision: its texts differ from Python's"


@cache
def _twins(vocab: CharVocab) -> tuple[dict[str, str], dict[str, str]]:
    """Return what each unknown character is read as; and the same at the beginning of a word, where that differs."""
    twins, opening = {}, {}
    for code in (code for codes in _TYPED for code in codes):
        char = chr(code)
        if char in vocab or unicodedata.normalize("NFC", char) != char:
            continue
        if read := twin(char, vocab, "x"):
            twins[char] = read
        if (first := twin(char, vocab, " ")) and first != read:
            opening[char] = first
    return twins, opening
