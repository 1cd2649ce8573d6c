"""Whole texts by their rows: row i of a thousand is row i of ten."""

from collections.abc import Callable, Container, Iterator
from dataclasses import replace

import numpy as np

from kerasgen.base.errors import BadInputError
from kerasgen.generation import constraints
from kerasgen.generation.automaton import Automaton
from kerasgen.generation.batches import BLOCK, Batch, Numbered, counted, distinct, filled, taken
from kerasgen.generation.guided import Guided
from kerasgen.generation.loop import BUFFERS, Loop, Start
from kerasgen.generation.sampling import Sampling, require, require_whole
from kerasgen.text.casing import Casing
from kerasgen.text.vocab import CharVocab

_RARE = 0.02  # of a block's rows; where fewer are wanted, looking ahead is faster than leaving the others out
Finished = Callable[[list[str]], list[str]]  # what follows a beginning, to texts; some may be left out


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
        stop: the one that ends a text; None where there is none.
        known: the texts that the model learned from.
        casing: the case that the model learned.
    """

    def __init__(self, loop: Loop, vocab: CharVocab, stop: str | None, known: Container[str], casing: Casing):
        self._loop, self._vocab, self._stop, self._known, self._casing = loop, vocab, stop, known, casing
        self._guided = None if stop is None else Guided(loop, len(vocab), vocab.encode(stop)[0])

    def batches(
        self,
        num_samples: int,
        prefix: str,
        begin: Callable[[str], Start],
        sampling: Sampling,
        *,
        rows: range | None = None,
        unique: bool = False,
        novel_only: bool = False,
        uniforms: np.ndarray | None = None,
    ) -> Iterator[Batch]:
        """Generate texts, as `Generator.batches` does.

        Args:
            num_samples: how many.
            prefix: what each text begins with, in the model's own characters.
            begin: reads that.
            sampling: how; its `ends_with` and `contains` are in the model's own characters.
            rows: of the texts, those to generate; None for all.
            unique: leave out repetitions.
            novel_only: leave out texts that the model learned from.
            uniforms: the numbers to draw with, ``(num_samples, max_length)``; None for those of the seed.

        Raises:
            BadInputError: a value is outside its range, or no text can be what was asked for.
        """
        require_whole("num_samples", num_samples, 1)
        longest, wanted = sampling.max_length, None if unique or novel_only else num_samples
        require("max_length", longest, longest > len(prefix), f"more than the prefix's {len(prefix)} characters")
        if rows is not None and unique:
            raise BadInputError("a part can't be one of texts without repetition, which are known by all of them")

        first = None if rows is None else rows.start

        def finished(texts: list[str]) -> list[str]:
            texts = [prefix + text for text in texts] if prefix else texts
            texts = [text for text in texts if text not in self._known] if novel_only else texts
            return self._casing.show_each(texts)

        if self._stop is None or uniforms is not None:
            constraints.refuse(sampling, "texts that end by themselves; here they are cut at max_length")
            uniforms = None if uniforms is None else checked(uniforms, (num_samples, longest))
            start = begin(prefix)
            if uniforms is not None:
                blocks = self.drawn_with(uniforms, start, sampling, finished)
            else:
                blocks = self.cut(start, sampling, finished, wanted, first or 0)
        else:
            ignore_case = self._casing.learned == "lower"
            automaton = constraints.fulfilling(sampling, self._vocab, self._stop, ignore_case, prefix)
            blocks = self.whole(begin(prefix), sampling, finished, automaton, wanted, first)
        blocks = counted(distinct(blocks)) if unique else blocks
        return taken(blocks, range(num_samples) if rows is None else rows, alike=sampling.greedy)

    def cut(
        self, start: Start, sampling: Sampling, finished: Finished, wanted: int | None = None, first: int = 0
    ) -> Numbered:
        """Yield texts by blocks; they end at `max_length` at the latest.

        Args:
            start: what all of them continue.
            sampling: how.
            finished: makes what is yielded of what follows `start`, and may leave some out.
            wanted: how many there shall be, none of which is left out; None for no end.
            first: the row to begin with, or one before it.
        """

        def block(number: int, row: int) -> list[str]:
            count = BLOCK if wanted is None else min(BLOCK, wanted - row)
            return finished(self._decode(self._block(number, count, start, sampling)))

        if wanted is None:
            return filled(block, first)
        return ((row, block(row // BLOCK, row)) for row in range(first // BLOCK * BLOCK, wanted, BLOCK))

    def drawn_with(self, uniforms: np.ndarray, start: Start, sampling: Sampling, finished: Finished) -> Numbered:
        """Yield a text for every row of `uniforms`, ``(texts, max_length)``, drawn with its numbers; cut likewise."""
        parts = (uniforms[first : first + BLOCK] for first in range(0, len(uniforms), BLOCK))
        ids = (self._block(0, len(part), start, sampling, part) for part in parts)
        return counted(finished(self._decode(block)) for block in ids)

    def whole(
        self,
        start: Start,
        sampling: Sampling,
        finished: Finished,
        automaton: Automaton,
        wanted: int | None = None,
        first: int | None = None,
    ) -> Numbered:
        """Yield texts that end by themselves and are as they shall be, by blocks; others are left out.

        Where those are rare, the texts are proposed by looking ahead; the first block decides.

        Args:
            start: what all of them continue.
            sampling: how; the lengths are among what they shall be.
            finished: as for `cut`.
            automaton: and this, in its state after the prefix.
            wanted: how many will be asked for; None if nobody knows.
            first: as for `cut`, where only a part is asked for.

        Raises:
            BadInputError: only a part is asked for, and the texts are rare: none is found without those before it.
        """
        # One character more lets a text of the greatest length end. That a text has one character at the fewest is
        # drawn rather than waited for, which comes to the same.
        here = start.position
        longer = replace(sampling, max_length=sampling.max_length + 1, min_length=min(sampling.min_length, here + 1))

        def block(number: int, count: int) -> list[str]:
            ids = self._block(number, count, start, longer)
            lengths = (ids >= 0).sum(axis=1)
            ended = (ids[:, -1] < 0) & (lengths + here >= sampling.min_length)
            chosen = ended if anything else ended & automaton.wanted(ids, lengths)
            longest = lengths.max(initial=1)  # most names end far below `max_length`
            return self._decode(np.ascontiguousarray(ids[:, :longest])[chosen])

        def more(number: int, row: int) -> list[str]:
            return finished(begun if sampling.greedy or not number else block(number, size))

        anything, size = automaton.accepts.all(), 1 if sampling.greedy else BLOCK
        if wanted is not None and wanted < size and sampling.min_length <= here + 1 and anything:
            texts = block(0, wanted)
            if len(texts) == wanted:
                yield 0, finished(texts)
                return
        begun = block(0, size)
        if self._guided is None or len(begun) >= _RARE * size:
            yield from filled(more, first or 0)
            return
        if first is not None:
            raise BadInputError(
                f"a part must be one of texts of which the model writes at least {_RARE:.0%} unasked; these are rarer; "
                "ask for all of them at once"
            )
        chosen = replace(longer, min_length=sampling.min_length)
        yield from counted(finished(self._decode(ids)) for ids in self._guided.blocks(start, chosen, automaton))

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
        # `take` of ids in the order of the rows is six times faster than indexing with them as the loop gives them.
        return table.take(np.ascontiguousarray(ids)).view(f"<U{ids.shape[1]}")[:, 0].tolist()
