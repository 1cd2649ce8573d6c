"""How new a generated text is."""

import math
import re
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from kerasgen.base.files import sha256

LONGEST = 5_000_000  # characters of a text whose copying is measured: the spans of longer ones take gigabytes
DIGITS = 16  # hexadecimal, of a known text's hash: one false hit in 10^16 texts


class KnownTexts:
    """The texts that a model learned from, kept as hashes: ``text in known``.

    Args:
        hashes: of `DIGITS` hexadecimal digits each.
    """

    def __init__(self, hashes: Iterable[str] = ()):
        self.hashes = frozenset(hashes)

    @classmethod
    def of(cls, texts: Iterable[str]) -> "KnownTexts":
        """Keep the hashes of some texts."""
        return cls(map(_fingerprint, texts))

    def __contains__(self, text: object) -> bool:
        return isinstance(text, str) and _fingerprint(text) in self.hashes

    def __len__(self) -> int:
        return len(self.hashes)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, KnownTexts) and self.hashes == other.hashes

    def __hash__(self) -> int:
        return hash(self.hashes)


def _fingerprint(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass"))[:DIGITS]


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


def copying(generated: str, learned: str, width: int = 20) -> Copying:
    """Measure how much of `generated` stands in `learned`; both as the model sees them (lower-cased, say)."""
    spans = _spans(learned, width)
    mine = [generated[i : i + width] for i in range(len(generated) - width + 1)]
    known, words = _known_words(learned), _words(generated)
    longest = ""
    for start in range(len(generated)):
        while (end := start + len(longest) + 1) <= len(generated) and generated[start:end] in learned:
            longest = generated[start:end]
    return Copying(
        longest,
        sum(span in spans for span in mine) / len(mine) if mine else 0.0,
        sum(word in known for word in words) / len(words) if words else 0.0,
        width,
    )


@lru_cache(maxsize=1)
def _spans(text: str, width: int) -> frozenset[str]:
    return frozenset(text[i : i + width] for i in range(len(text) - width + 1))


@lru_cache(maxsize=1)
def _known_words(text: str) -> frozenset[str]:
    return frozenset(_words(text))


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W\d_]+(?:'[^\W\d_]+)*", text)


def unmeasured(learned: str, name: str) -> str:
    """Say why copying is not measured, or nothing where it can be; `name` is that of the text `learned`."""
    return f"novelty: not measured, since {name} has over {LONGEST:,} characters" if len(learned) > LONGEST else ""


def mean_copying(found: Sequence[Copying]) -> Copying:
    """Return the mean shares of several texts, and the longest span of all."""
    return Copying(
        max((one.longest for one in found), key=len),
        sum(one.share for one in found) / len(found),
        sum(one.words for one in found) / len(found),
        found[0].width,
    )
