"""How new a generated text is; importing this imports no NumPy, which a file of known names does not need."""

from __future__ import annotations

import math
import operator
import re
import sys
from array import array
from bisect import bisect_left
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING

from kerasgen.base.files import sha256

if TYPE_CHECKING:
    import numpy as np

LONGEST = 1 << 24  # characters in which copies are looked for, at some 6 bytes each; of a longer text, a part
SIEVE = 14  # characters of the spans that are hashed: few of a new text's stand in an old one by chance
_BLOCK = 1 << 20  # characters whose hashes are computed at once
_BASE = 0x9E3779B97F4A7C15  # of those hashes: 2^64 over the golden ratio, odd
DIGITS = 16  # hexadecimal, of a known text's hash: one false hit in 10^16 texts


class KnownTexts:
    """The texts that a model learned from, kept as hashes of eight bytes each: ``text in known``.

    Args:
        hashes: unsigned numbers of 64 bits, in order, each once.
        fold: brings a text to the form that was hashed.
    """

    def __init__(self, hashes: array[int] = array("Q"), fold: Callable[[str], str] = str):  # noqa: B008 (never changed)
        self._hashes, self._fold = hashes, fold

    @classmethod
    def of(cls, texts: Iterable[str]) -> KnownTexts:
        """Keep the hashes of some texts."""
        import numpy as np

        found = array("Q", map(_fingerprint, texts))
        return cls(array("Q", np.unique(np.frombuffer(found, np.uint64)).tobytes()) if found else found)

    @classmethod
    def of_digits(cls, digits: str) -> KnownTexts:
        """Return what `digits` was read from: `DIGITS` hexadecimal digits for each text, in any order.

        Raises:
            ValueError: these are none.
        """
        hashes = array("Q", bytes.fromhex(digits))
        if sys.byteorder == "little":
            hashes.byteswap()
        in_order = all(map(operator.lt, hashes, islice(hashes, 1, None)))
        return cls(hashes if in_order else array("Q", sorted(set(hashes))))

    @property
    def digits(self) -> str:
        """`DIGITS` hexadecimal digits for each text, in order."""
        hashes = array("Q", self._hashes)
        if sys.byteorder == "little":
            hashes.byteswap()
        return hashes.tobytes().hex()

    def folded(self, fold: Callable[[str], str]) -> KnownTexts:
        """Return the same texts, to be asked for in any form that `fold` brings to theirs."""
        return KnownTexts(self._hashes, fold)

    def __contains__(self, text: object) -> bool:
        if not isinstance(text, str):
            return False
        wanted = _fingerprint(self._fold(text))
        place = bisect_left(self._hashes, wanted)
        return place < len(self._hashes) and self._hashes[place] == wanted

    def __len__(self) -> int:
        return len(self._hashes)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, KnownTexts) and self._hashes == other._hashes

    def __hash__(self) -> int:
        return hash(self._hashes.tobytes())


def _fingerprint(text: str) -> int:
    return int(sha256(text.encode("utf-8", "surrogatepass"))[:DIGITS], 16)


@dataclass(frozen=True)
class Novelty:
    """How new a list of generated texts is.

    Attributes:
        new: the share that is not among the known texts, between 0 and 1.
        distinct: the share of different texts, between 0 and 1.
        count: how many texts were looked at.
    """

    new: float
    distinct: float
    count: int

    def __str__(self) -> str:
        return f"of {self.count:,} names, {self.new:.1%} are new and {self.distinct:.1%} are different"


def novelty(texts: Sequence[str], known: Container[str]) -> Novelty:
    """Measure how many of the texts are new and how many are different."""
    if not texts:
        return Novelty(math.nan, math.nan, 0)
    new = sum(text not in known for text in texts)
    return Novelty(new / len(texts), len(set(texts)) / len(texts), len(texts))


@dataclass(frozen=True)
class Copying:
    """How much of a generated text stands in the text that was learned from.

    Attributes:
        longest: the longest span that does, word for word.
        share: the share of its spans of `width` characters that do.
        words: the share of its words that do.
        width: the length of those spans.
    """

    longest: str
    share: float
    words: float
    width: int

    def sentence(self, name: str) -> str:
        """Say so, but for the longest span itself; `name` is that of the text that was learned from."""
        return (
            f"novelty: {self.share:.1%} of its {self.width}-character spans and {self.words:.1%} of its words stand in "
            f"{name}"
        )

    @property
    def figures(self) -> dict[str, str | float]:
        """The same as figures, by name."""
        return {
            "copied_spans": round(self.share, 4), "copied_words": round(self.words, 4), "longest_copy": self.longest
        }  # fmt: skip


def copying(generated: str, learned: str, width: int = 20) -> Copying:
    """Measure how much of `generated` stands in `learned`; both as the model sees them (lower-cased, say)."""
    sieve = _sieve(learned, SIEVE)
    runs = [0] * (len(generated) + 1)  # from each place, how many spans of the sieve's width follow that it lets pass
    for start, passes in reversed(list(enumerate(sieve.passes(generated)))):
        runs[start] = runs[start + 1] + 1 if passes else 0

    def stands(start: int, end: int) -> bool:
        """Tell whether a span stands in `learned`, which few are looked for in."""
        return runs[start] > end - start - SIEVE and generated[start:end] in learned

    mine = [stands(start, start + width) for start in range(len(generated) - width + 1)]
    known, words = _known_words(learned), list(_words(generated))
    longest = ""
    for start in range(len(generated)):
        while (end := start + len(longest) + 1) <= len(generated) and stands(start, end):
            longest = generated[start:end]
    return Copying(
        longest,
        sum(mine) / len(mine) if mine else 0.0,
        sum(word in known for word in words) / len(words) if words else 0.0,
        width,
    )


class _Sieve:
    """The hashes of a text's spans of one width: what it does not let pass does not stand in the text.

    Args:
        text: is looked through once; it takes four bytes a character.
        width: characters of a span.
    """

    def __init__(self, text: str, width: int):
        self.width, self.hashes = width, _hashes(text, width)
        self.hashes.sort()

    def passes(self, text: str) -> list[bool]:
        """Tell for each of a text's spans whether it may stand in the sieve's text."""
        if not len(self.hashes):
            return []
        hashes = _hashes(text, self.width)
        places = self.hashes.searchsorted(hashes).clip(max=len(self.hashes) - 1)
        return (self.hashes[places] == hashes).tolist()


def _hashes(text: str, width: int) -> np.ndarray:
    """Return a hash of each span, uint32 ``(spans,)``.

    Its characters are the digits of a number modulo 2^64, whose upper half hangs on all of them.
    """
    import numpy as np

    found = np.empty(max(0, len(text) - width + 1), np.uint32)
    for first in range(0, len(found), _BLOCK):
        block = text[first : first + _BLOCK + width - 1]
        codes = np.frombuffer(block.encode("utf-32-le", "surrogatepass"), np.uint32)
        hashes = np.zeros(len(codes) - width + 1, np.uint64)
        for place in range(width):
            hashes = hashes * np.uint64(_BASE) + codes[place : place + len(hashes)]
        found[first : first + len(hashes)] = hashes >> np.uint64(32)
    return found


@lru_cache(maxsize=1)
def _sieve(text: str, width: int) -> _Sieve:
    return _Sieve(text, width)


@lru_cache(maxsize=1)
def _known_words(text: str) -> frozenset[str]:
    return frozenset(_words(text))


def _words(text: str) -> Iterator[str]:
    return (found[0] for found in re.finditer(r"[^\W\d_]+(?:'[^\W\d_]+)*", text))


class MeanCopying:
    """The mean of how much several texts copy, of which none is kept.

    Attributes:
        longest: the longest span of all.
        count: how many texts there are.
    """

    def __init__(self) -> None:
        self.longest, self.count, self._share, self._words, self._width = "", 0, 0.0, 0.0, 0

    def add(self, one: Copying) -> Copying:
        """Take one more text into the mean; return it."""
        self.longest, self.count = max(self.longest, one.longest, key=len), self.count + 1
        self._share, self._words, self._width = self._share + one.share, self._words + one.words, one.width
        return one

    @property
    def mean(self) -> Copying:
        """The mean shares, and the longest span; there is at least one text."""
        return Copying(self.longest, self._share / self.count, self._words / self.count, self._width)
