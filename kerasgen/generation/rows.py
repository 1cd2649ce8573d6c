"""Whole texts by their rows: row i of a thousand is row i of ten."""

import itertools
import sys
import time
import warnings
from collections.abc import Container, Iterable, Iterator, Sequence

import numpy as np

from kerasgen.base import console
from kerasgen.base.errors import TooFewError, TooFewWarning
from kerasgen.generation.loop import BLOCK, BUFFERS, Loop, Start
from kerasgen.generation.sampling import Sampling
from kerasgen.text.vocab import CharVocab

_SECONDS = 10  # of a search, between two lines that say how it goes
_PATIENCE = 50 * BLOCK  # rows without a single text that is wanted; then there are hardly any more


class Rows:
    """Turns the loop's ids into texts, a block of rows at a time.

    Args:
        loop: generates the ids.
        vocab: the characters.
    """

    def __init__(self, loop: Loop, vocab: CharVocab):
        self._loop, self._vocab = loop, vocab

    def texts(self, start: Start, sampling: Sampling, wanted: int | None = None) -> Iterator[str]:
        """Yield texts, without what stands before `start`, row by row.

        Args:
            start: what all of them continue.
            sampling: how.
            wanted: how many there shall be; None for no end.
        """
        for block in itertools.count():
            count = BLOCK if wanted is None else min(BLOCK, wanted - block * BLOCK)
            if count <= 0:
                return
            yield from self._block(count, start, (int(sampling.seed) << 32) + block, sampling)

    def drawn_with(self, uniforms: np.ndarray, start: Start, sampling: Sampling) -> Iterator[str]:
        """Yield a text for every row of `uniforms`, ``(texts, max_length)``, drawn with its numbers."""
        for first in range(0, len(uniforms), BLOCK):
            part = uniforms[first : first + BLOCK]
            yield from self._block(len(part), start, 0, sampling, part)

    def chosen(
        self, prefix: str, start: Start, sampling: Sampling, wanted: int, unique: bool, refused: Container[str]
    ) -> list[str]:
        """Take texts in the order of their rows, leaving out what is not asked for.

        Args:
            prefix: what every text begins with.
            start: the end of that.
            sampling: how.
            wanted: how many.
            unique: leave out repetitions.
            refused: what else to leave out.

        Returns:
            The texts; fewer than `wanted`, with a warning, where there are hardly any more.
        """
        chosen: list[str] = []
        seen: set[str] = set()
        since = 0
        for text in _watched(self.texts(start, sampling), chosen, wanted):
            text = prefix + text
            since += 1
            if not (unique and text in seen) and text not in refused:
                seen.add(text)
                chosen.append(text)
                since = 0
            if len(chosen) == wanted:
                return chosen
            if since == _PATIENCE or (sampling.greedy and since):
                break
        warnings.warn(str(TooFewError(len(chosen), wanted)), TooFewWarning, stacklevel=3)
        return chosen

    def _block(self, count, start, key, sampling, uniforms=None) -> list[str]:
        """Generate the first `count` rows of a block."""
        size = next(size for size in BUFFERS if size >= count)
        if uniforms is not None:
            uniforms = np.pad(uniforms, ((0, size - count), (0, 0)))
        pieces = [piece[:count] for piece in self._loop.pieces(start, size, key, sampling, uniforms=uniforms)]
        return self._decode(np.concatenate(pieces, axis=1))

    def _decode(self, ids: np.ndarray) -> list[str]:
        """Turn ids ``(rows, length)`` into texts; -1 stands only after their ends."""
        if "\0" in self._vocab:
            return [self._vocab.decode(row) for row in ids]
        table = np.array([*self._vocab.chars, "\0"])  # the last entry is that of id -1; NumPy drops NULs at the end
        return np.ascontiguousarray(table[ids]).view(f"<U{ids.shape[1]}")[:, 0].tolist()


def _watched(texts: Iterable[str], chosen: Sequence[str], wanted: int) -> Iterator[str]:
    """Yield what comes; where that takes long, say in a terminal how many of the wanted texts are chosen so far."""
    told = time.monotonic()
    for drawn, text in enumerate(texts):
        if drawn % BLOCK == 0 and time.monotonic() - told > _SECONDS and sys.stderr and sys.stderr.isatty():
            console.note(f"{len(chosen):,} of the {wanted:,} texts after {drawn:,} were generated")
            told = time.monotonic()
        yield text
