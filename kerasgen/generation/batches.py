"""Any number of texts as a stream of batches, and parts of it: row i of ten million is row i of ten."""

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from kerasgen.base import console

BLOCK = 1024  # rows that are drawn from one key; also the most that one program generates side by side
SPAN = 64  # blocks; what is left out of their rows is made up for within the span, so that no other one moves
_SPANS = 1 << 14
_SPARE = 1 << 16  # blocks that a span may take besides
_FIRST_SPARE = 1 << 30  # their numbers begin here; those of `Guided` at twice that
_SECONDS = 10  # between two lines that say how it goes
_PATIENCE = 50  # blocks without a single text that is wanted; then there are hardly any more
Numbered = Iterator[tuple[int, list[str]]]  # texts by blocks, each with the row of the first


@dataclass(frozen=True)
class Batch:
    """Texts that were generated together.

    Attributes:
        row: that of the first.
        texts: all of them, whichever rows were asked for: what is computed of them is then the same for any rows.
        own: those that were asked for.
    """

    row: int
    texts: list[str]
    own: slice


def filled(block: Callable[[int, int], list[str]], first: int = 0) -> Numbered:
    """Yield texts by blocks; where a block has fewer than it has rows, more blocks make up for that, span by span.

    Args:
        block: maps a block's number and the row that its first text will have to its texts.
        first: a row; the spans before its own are passed over, as nothing of it depends on them.
    """
    for span in range(first // (SPAN * BLOCK), _SPANS):
        row, end = span * SPAN * BLOCK, (span + 1) * SPAN * BLOCK
        for place in range(SPAN + _SPARE):
            number = span * SPAN + place if place < SPAN else _FIRST_SPARE + (place - SPAN) * _SPANS + span
            texts = block(number, row)[: end - row]
            yield row, texts
            row += len(texts)
            if row == end:
                break
        else:
            return


def counted(blocks: Iterator[list[str]]) -> Numbered:
    """Number the texts of blocks as they come."""
    row = 0
    for texts in blocks:
        yield row, texts
        row += len(texts)


def distinct(blocks: Numbered) -> Iterator[list[str]]:
    """Leave out texts that came before; all are kept in memory."""
    seen: set[str] = set()
    for _, texts in blocks:
        new = [text for text in dict.fromkeys(texts) if text not in seen]
        seen.update(new)
        yield new


def taken(blocks: Numbered, rows: range, alike: bool = False) -> Iterator[Batch]:
    """Yield the batches of some rows; say in a terminal how it goes.

    Args:
        blocks: all texts from there on.
        rows: which; they end sooner where there are hardly any more texts.
        alike: whether the texts are all the same.
    """
    since, told = 0, time.monotonic()
    for number, (row, texts) in enumerate(blocks):
        if time.monotonic() - told > _SECONDS and sys.stderr and sys.stderr.isatty():
            done = max(0, row - rows.start)
            console.note(f"{done:,} of the {len(rows):,} texts after {number * BLOCK:,} were generated")
            told = time.monotonic()
        texts = texts[: rows.stop - row]
        if row + len(texts) > rows.start and texts:
            yield Batch(row, texts, slice(max(0, rows.start - row), len(texts)))
        since = 0 if texts else since + 1
        if row + len(texts) >= rows.stop or since == (1 if alike else _PATIENCE):
            return
