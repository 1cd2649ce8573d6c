"""One HTML file that shows a text as a model sees it: markup, style and JavaScript from beside this module."""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any

import numpy as np

from kerasgen.base.files import whole
from kerasgen.base.version import __version__
from kerasgen.metrics import surprisal
from kerasgen.page.markup import json_inside, policy
from kerasgen.scoring import colours
from kerasgen.scoring.given import Given
from kerasgen.scoring.passes import EXPECTED, Piece
from kerasgen.scoring.report import LN2

BITS = 500  # parts of a bit; 16 bits hold up to 131
_FOLDER = Path(__file__).parent


class Kept:
    """Keeps what a page shows of each character, in arrays.

    Args:
        given: what is read.
        units: those whose output is kept, by layer and number, from 1.
        vocab_size: the number of characters that the model knows.
    """

    def __init__(self, given: Given, units: Sequence[tuple[int, int]], vocab_size: int):
        self.units, self._top = list(units), min(EXPECTED, vocab_size)
        lengths = [len(item) + len(given.ends) for item in given.items]
        self._starts = np.concatenate([[0], np.cumsum(lengths)])
        count = int(self._starts[-1])
        narrow = np.uint16 if vocab_size <= 1 << 16 else np.uint32
        self._ids, self._bits = np.zeros(count, narrow), np.zeros(count, np.uint16)
        self._expected = np.zeros((count, self._top), narrow)
        self._chances = np.zeros((count, self._top), np.uint16)
        self._values = np.zeros((len(self.units), count), np.int8)

    def add(self, piece: Piece) -> None:
        """Take a piece."""
        first = int(self._starts[piece.item]) + piece.first
        here = slice(first, first + len(piece.ids))
        self._ids[here] = piece.ids
        self._bits[here] = np.clip(np.rint(piece.nats / LN2 * BITS), 0, 65535)
        self._expected[here], chances = surprisal.alternatives(piece.logits, self._top)
        self._chances[here] = np.rint(chances * 65535)
        for row, (layer, unit) in zip(self._values, self.units, strict=True):
            row[here] = np.rint(127 * np.clip(piece.hidden[layer - 1][:, unit - 1], -1, 1))

    def of(self, order: Sequence[int]) -> dict[str, Any]:
        """Return the arrays, the items in an order, as text that JavaScript turns into arrays again."""
        places = np.concatenate([np.arange(self._starts[item], self._starts[item + 1]) for item in order])
        arrays = {"ids": self._ids, "bits": self._bits, "expected": self._expected, "chances": self._chances}
        return {
            **{name: _packed(array[places]) for name, array in arrays.items()},
            "count": self._top,
            "values": [_packed(values[places]) for values in self._values],
        }


def write(path: Path, result: Mapping[str, Any], given: Given, kept: Kept, vocab: Any, sentence: str) -> None:
    """Write the page, whole or not at all.

    Args:
        path: of the file.
        result: what came out, as for JSON; of names, in the order in which they are shown.
        given: what was read.
        kept: of each character.
        vocab: the model's characters.
        sentence: says the score.

    Raises:
        FailedError: it can't be written.
    """
    numbers = {name: number for number, name in enumerate(given.shown)}
    names = result.get("names")
    order = [numbers[row["name"]] for row in names] if names else [0]
    about: dict[tuple[int, int], list[str]] = {unit: [] for unit in kept.units}
    for one in result["find"]:
        for unit in one["units"]:
            layer, number = map(int, unit["unit"].split(":"))
            about[layer, number].append(f"{one['find']} {unit['correlation']:+.2f}")
    data = {
        "model": Path(result["model"]).name,
        "sentence": sentence,
        "chars": vocab.chars,
        "items": [given.shown[number] + given.ends for number in order],
        "ends": given.ends,
        "scores": [[row["bits_per_char"], row["novelty"]] for row in names or []],
        "partsOfABit": BITS,
        "units": [[f"{layer}:{unit}", ", ".join(said)] for (layer, unit), said in about.items()],
        "find": [[one["find"], one["characters"], [list(u.values()) for u in one["units"]]] for one in result["find"]],
        "places": [[order.index(one.item), one.index] for one in result["surprises"]],
        "temperatures": result.get("temperatures", []),
        "steps": [colours.STEPS, colours.SIGNED],
        **kept.of(order),
    }
    style, script = _part("page.css") + colours.rules(), _part("page.js")
    page = Template(_part("page.html")).substitute(
        policy=policy(script, style), version=__version__, style=style, script=script, data=json_inside(data)
    )
    with whole(path) as temporary:
        temporary.write_text(page, encoding="utf-8", newline="\n")


def _packed(array: np.ndarray) -> str:
    return base64.b64encode(array.astype(array.dtype.newbyteorder("<")).tobytes()).decode()


def _part(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")
