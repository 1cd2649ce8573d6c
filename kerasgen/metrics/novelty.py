"""How new a generated text is."""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

LONGEST = 5_000_000  # characters of a text whose copying is measured: the spans of longer ones take gigabytes


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


def novelty(texts: Sequence[str], is_known: Callable[[str], bool]) -> Novelty:
    """Measure how many of the texts are new and how many are different."""
    if not texts:
        return Novelty(math.nan, math.nan, 0)
    new = sum(not is_known(text) for text in texts)
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
