"""Whole texts by their rows: row i of a thousand is row i of ten."""

import itertools
import sys
import time
import warnings
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from kerasgen.base import console
from kerasgen.base.errors import BadInputError, TooFewError, TooFewWarning
from kerasgen.generation.automaton import Automaton
from kerasgen.generation.guided import Guided
from kerasgen.generation.loop import BLOCK, BUFFERS, Loop, Start
from kerasgen.generation.sampling import Sampling, require
from kerasgen.text.vocab import CharVocab

_SECONDS = 10  # of a search, between two lines that say how it goes
_PATIENCE = 50  # blocks without a single text that is wanted; then there are hardly any more
_RARE = 0.02  # of a block's rows; where fewer are wanted, looking ahead is faster than leaving the others out


def checked(uniforms: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return numbers to draw with, as an array.

    Raises:
        BadInputError: they have another shape, or are not all in [0, 1).
    """
    uniforms = np.asarray(uniforms)
    if uniforms.shape != shape:
        raise BadInputError(f"uniforms must be {shape} numbers; received {uniforms.shape}")
    wrong = uniforms[~((uniforms >= 0) & (uniforms < 1))]
    require("uniforms", wrong[:1].tolist(), not wrong.size, "in [0, 1)")
    return uniforms


class Rows:
    """Turns the loop's ids into texts, a block of rows at a time.

    Args:
        loop: generates the ids.
        vocab: the characters.
        guided: generates those of rare texts; None where texts have no end.
    """

    def __init__(self, loop: Loop, vocab: CharVocab, guided: Guided | None):
        self._loop, self._vocab, self._guided = loop, vocab, guided

    def cut(self, start: Start, sampling: Sampling, wanted: int | None = None) -> Iterator[list[str]]:
        """Yield texts, without what stands before `start`, by blocks; they end at `max_length` at the latest.

        Args:
            start: what all of them continue.
            sampling: how.
            wanted: how many there shall be; None for no end.
        """
        for block in itertools.count():
            count = BLOCK if wanted is None else min(BLOCK, wanted - block * BLOCK)
            if count <= 0:
                return
            yield self._decode(self._block(block, count, start, sampling))

    def drawn_with(self, uniforms: np.ndarray, start: Start, sampling: Sampling) -> Iterator[list[str]]:
        """Yield a text for every row of `uniforms`, ``(texts, max_length)``, drawn with its numbers; cut likewise."""
        for first in range(0, len(uniforms), BLOCK):
            part = uniforms[first : first + BLOCK]
            yield self._decode(self._block(0, len(part), start, sampling, part))

    def whole(
        self, start: Start, sampling: Sampling, automaton: Automaton, wanted: int | None = None
    ) -> Iterator[list[str]]:
        """Yield texts that end by themselves and are as they shall be, by blocks; others are left out.

        Where those are rare, the texts are proposed by looking ahead; the first block decides.

        Args:
            start: what all of them continue.
            sampling: how; the lengths are among what they shall be.
            automaton: and this, in its state after the prefix.
            wanted: how many will be asked for; None if nobody knows.
        """
        # One character more lets a text of the greatest length end. That a text has one character at the fewest is
        # drawn rather than waited for, which comes to the same.
        here = start.position
        longer = replace(sampling, max_length=sampling.max_length + 1, min_length=min(sampling.min_length, here + 1))

        def block(number: int, count: int) -> list[str]:
            ids = self._block(number, count, start, longer)
            lengths = (ids >= 0).sum(axis=1)
            ended = (ids[:, -1] < 0) & (lengths + here >= sampling.min_length)
            return self._decode(ids[ended if anything else ended & automaton.wanted(ids, lengths)])

        anything, size = automaton.accepts.all(), 1 if sampling.greedy else BLOCK
        if wanted is not None and wanted < size and sampling.min_length <= here + 1 and anything:
            texts = block(0, wanted)
            if len(texts) == wanted:
                yield texts
                return
        texts = block(0, size)
        if len(texts) < _RARE * size:
            chosen = replace(longer, min_length=sampling.min_length)
            for ids in self._guided.blocks(start, chosen, automaton) if self._guided else []:
                yield self._decode(ids)
            return
        for number in itertools.count(1):
            yield texts
            texts = texts if sampling.greedy else block(number, size)

    def chosen(
        self,
        prefix: str,
        blocks: Iterator[list[str]],
        wanted: int,
        *,
        unique: bool = False,
        refused: Container[str] | None = None,
        alike: bool = False,
    ) -> list[str]:
        """Take texts in the order of their rows, leaving out what is not asked for.

        Args:
            prefix: what every text begins with.
            blocks: what follows that, by blocks.
            wanted: how many.
            unique: leave out repetitions.
            refused: what else to leave out.
            alike: the texts are all the same.

        Returns:
            The texts; fewer than `wanted`, with a warning, where there are hardly any more.
        """
        chosen: list[str] = []
        seen: set[str] = set()
        since = 0
        for block in _watched(blocks, chosen, wanted):
            since += 1
            for text in block:
                text = prefix + text
                if (unique and text in seen) or (refused is not None and text in refused):
                    continue
                if unique:
                    seen.add(text)
                chosen.append(text)
                since = 0
                if len(chosen) == wanted:
                    return chosen
            if since == _PATIENCE or (alike and since):
                break
        warnings.warn(str(TooFewError(len(chosen), wanted)), TooFewWarning, stacklevel=3)
        return chosen

    def _block(self, number, count, start, sampling, uniforms=None) -> np.ndarray:
        """Generate the ids of the first `count` rows of a block."""
        size, key = next(size for size in BUFFERS if size >= count), (int(sampling.seed) << 32) + number
        if uniforms is not None:
            uniforms = np.pad(uniforms, ((0, size - count), (0, 0)))
        pieces = [piece[:count] for piece in self._loop.pieces(start, size, key, sampling, uniforms=uniforms)]
        return np.concatenate(pieces, axis=1)

    def _decode(self, ids: np.ndarray) -> list[str]:
        """Turn ids ``(rows, length)`` into texts; -1 stands only after their ends."""
        if "\0" in self._vocab:
            return [self._vocab.decode(row) for row in ids]
        table = np.array([*self._vocab.chars, "\0"])  # the last entry is that of id -1; NumPy drops NULs at the end
        return np.ascontiguousarray(table[ids]).view(f"<U{ids.shape[1]}")[:, 0].tolist()


def _watched(blocks: Iterable[list[str]], chosen: Sequence[str], wanted: int) -> Iterator[list[str]]:
    """Yield what comes; where that takes long, say in a terminal how many of the wanted texts are chosen so far."""
    told = time.monotonic()
    for number, block in enumerate(blocks):
        if time.monotonic() - told > _SECONDS and sys.stderr and sys.stderr.isatty():
            console.note(f"{len(chosen):,} of the {wanted:,} texts after {number * BLOCK:,} were generated")
            told = time.monotonic()
        yield block
