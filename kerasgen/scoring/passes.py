"""One pass over what is to be scored, in bounded pieces, and what is kept of it."""

import heapq
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from kerasgen.generation.reading import Reader
from kerasgen.metrics import surprisal
from kerasgen.metrics.correlation import Correlation
from kerasgen.scoring.given import Given

EXPECTED = 5  # alternatives of a place
_ROWS = (64, 8, 1)  # items side by side, by how much memory each takes


@dataclass(frozen=True)
class Piece:
    """Some characters of an item, one after another.

    Attributes:
        item: its number.
        first: the number of the first character within it.
        ids: of the characters, ``(chars,)``.
        logits: of what may stand at each place, float64 ``(chars, vocab)``.
        hidden: each layer's output after each character, float32 ``(chars, units)``.
        nats: of each character, float64 ``(chars,)``.
    """

    item: int
    first: int
    ids: np.ndarray
    logits: np.ndarray
    hidden: list[np.ndarray]
    nats: np.ndarray


@dataclass(frozen=True)
class Place:
    """A character that a model did not expect.

    Attributes:
        item: the number of its item.
        index: its number within it.
        nats: how surprising it is.
        expected: ids of what was likelier, or as likely, and their probabilities.
    """

    item: int
    index: int
    nats: float
    expected: list[tuple[int, float]]

    @property
    def bits(self) -> float:
        """How surprising it is."""
        return self.nats / math.log(2)


def pieces(generator: Any, given: Given, reader: Reader) -> Iterator[Piece]:
    """Yield all characters of what is to be scored, those of an item in their order.

    Args:
        generator: the `TrainedGenerator`.
        given: its text.
        reader: of its model; it keeps compiled programs from one pass to the next.
    """
    vocab = generator.vocab
    before = vocab.end_id(given.starts)
    if not given.ends:
        state = reader.begin(before)
        (text,) = given.items
        for first in range(0, len(text), reader.stretch):
            ids = vocab.ids(str(text[first : first + reader.stretch]))
            logits, hidden, state = reader.read(ids[None], state)
            yield _piece(0, first, ids, logits[0], [layer[0] for layer in hidden])
        return
    order = sorted(range(len(given.items)), key=lambda number: len(given.items[number]))
    longest = max(32, len(given.items[order[-1]]))
    most = 1 if len(order) == 1 else next(rows for rows in _ROWS if rows == 1 or rows * longest <= reader.stretch)
    for start in range(0, len(order), most):
        numbers = order[start : start + most]
        rows = [vocab.ids(given.items[number] + given.ends) for number in numbers]
        ids = np.full((most, max(map(len, rows))), -1, np.int32)
        for row, one in enumerate(rows):
            ids[row, : len(one)] = one
        logits, hidden, _ = reader.read(ids, reader.begin(before, len(ids)))
        for row, (number, one) in enumerate(zip(numbers, rows, strict=True)):
            here = slice(len(one))
            yield _piece(number, 0, one, logits[row, here], [layer[row, here] for layer in hidden])


def _piece(item: int, first: int, ids: np.ndarray, logits: np.ndarray, hidden: list[np.ndarray]) -> Piece:
    return Piece(item, first, ids, logits, hidden, surprisal.nats(logits, ids))


class Sink(Protocol):
    """Keeps what it wants of a pass."""

    def add(self, piece: Piece) -> None:
        """Take a piece."""


class Total:
    """Adds up a score.

    Attributes:
        nats: of each item.
    """

    def __init__(self, items: int):
        self.nats, self._parts = np.zeros(items), list[float]()

    def add(self, piece: Piece) -> None:
        """Take a piece."""
        whole = math.fsum(piece.nats)
        self.nats[piece.item] += whole
        self._parts.append(whole)

    @property
    def sum(self) -> float:
        """The nats of all."""
        return math.fsum(self._parts)


class Surprises:
    """Keeps the places that surprise most.

    Args:
        count: how many.
    """

    def __init__(self, count: int):
        self._count, self._heap = count, list[tuple[float, int, int, list[tuple[int, float]]]]()

    def add(self, piece: Piece) -> None:
        """Take a piece."""
        order = np.argsort(-piece.nats, kind="stable")[: self._count]
        if len(self._heap) >= self._count:
            order = order[piece.nats[order] > self._heap[0][0]]
        ids, probs = surprisal.alternatives(piece.logits[order], EXPECTED)
        for place, top, chances in zip(order.tolist(), ids.tolist(), probs.tolist(), strict=True):
            expected = list(zip(top, chances, strict=True))
            one = (float(piece.nats[place]), -piece.item, -(piece.first + place), expected)
            heapq.heappush(self._heap, one)
            if len(self._heap) > self._count:
                heapq.heappop(self._heap)

    @property
    def places(self) -> list[Place]:
        """The places, the most surprising first."""
        return [
            Place(-item, -index, nats, expected) for nats, item, index, expected in sorted(self._heap, reverse=True)
        ]


class Found:
    """Correlates the units with something that is true of some characters.

    Args:
        masks: for each item, which of its characters those are; the character that ends it is none.
    """

    def __init__(self, masks: Sequence[np.ndarray]):
        self._masks, self._layers = masks, list[Correlation]()

    def add(self, piece: Piece) -> None:
        """Take a piece."""
        self._layers = self._layers or [Correlation() for _ in piece.hidden]
        mask = self._masks[piece.item][piece.first : piece.first + len(piece.ids)]
        for layer, values in zip(self._layers, piece.hidden, strict=True):
            if len(mask):
                layer.add(values[: len(mask)], mask)

    def best(self, count: int) -> list[tuple[int, int, float]]:
        """Return the units that correlate most, either way: layer and unit, both from 1, and correlation."""
        found = [
            (number, unit + 1, float(layer.of_units[unit]))
            for number, layer in enumerate(self._layers, 1)
            for unit in range(len(layer.of_units))
        ]
        return sorted(found, key=lambda one: -abs(one[2]))[:count]

    @property
    def hits(self) -> int:
        """For how many characters it is true."""
        return self._layers[0].hits if self._layers else 0
