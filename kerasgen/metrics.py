"""Scores: nats and bits per character, the n-gram baseline, and how new a generated text is."""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

LONGEST = 5_000_000  # characters of a text whose copying is measured: the spans of longer ones take gigabytes


@dataclass(frozen=True)
class Score:
    """How well a model predicts a text.

    Attributes:
        nats: the summed cross-entropy, in nats.
        chars: the number of predicted characters, stop characters included.
    """

    nats: float
    chars: int

    @property
    def nats_per_char(self) -> float:
        """The cross-entropy in nats per character (NaN where there is no character)."""
        return self.nats / self.chars if self.chars else math.nan

    @property
    def bits_per_char(self) -> float:
        """The cross-entropy in bits per character: total nats / (characters x ln 2)."""
        return self.nats_per_char / math.log(2)

    def __str__(self) -> str:
        return f"{self.nats_per_char:.4f} nats/char ({self.bits_per_char:.4f} bits/char)"


def score_rows(logits_of: Callable[[np.ndarray], np.ndarray], rows: np.ndarray, batch_size: int = 256) -> Score:
    """Score rows of ids under a model.

    Args:
        logits_of: maps ids, int32 ``(batch, time)``, to logits ``(batch, time, vocab)``.
        rows: int32 ``(rows, time + 1)``; each position is predicted from those before it, -1 means "no character".
        batch_size: how many rows to compute at once.

    Returns:
        The summed nats over all characters; float64 sums, so that the order of the rows does not matter.
    """
    nats, chars = 0.0, 0
    for start in range(0, len(rows), batch_size):
        part = rows[start : start + batch_size]
        logits = np.asarray(logits_of(part[:, :-1]), dtype=np.float64)  # (batch, time, vocab)
        targets = part[:, 1:]
        picked = np.take_along_axis(_log_softmax(logits), np.maximum(targets, 0)[..., None], axis=-1)[..., 0]
        nats -= float(picked[targets >= 0].sum())
        chars += int((targets >= 0).sum())
    return Score(nats, chars)


def score_stream(
    advance: Callable[[np.ndarray, Any], tuple[np.ndarray, Any]],
    ids: np.ndarray,
    *,
    before: int,
    state: Any,
    chunk: int = 512,
) -> Score:
    """Score a text read as one stream, with the state carried along.

    Args:
        advance: maps ids, int32 ``(1, chunk)``, and a state to logits ``(chunk, vocab)`` and the state after them.
        ids: int32 ``(characters,)``; every one is predicted from all before it.
        before: the id that stands before the first.
        state: the state before that.
        chunk: how many characters to compute at once; the last part is filled up and cut again.
    """
    inputs, nats = np.concatenate([[before], ids[:-1]]).astype(np.int32), 0.0
    for first in range(0, len(ids), chunk):
        targets = ids[first : first + chunk]
        part = np.zeros((1, chunk), np.int32)
        part[0, : len(targets)] = inputs[first : first + chunk]
        logits, state = advance(part, state)
        logits = np.asarray(logits, np.float64)[: len(targets)]
        nats -= float(_log_softmax(logits)[np.arange(len(targets)), targets].sum())
    return Score(nats, len(ids))


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


class NgramModel:
    """Interpolated Witten-Bell n-grams over ids: the baseline that a network has to beat.

    The probability of a character after a context is ``(count + types * p(shorter context)) / (total + types)``, where
    ``types`` is the number of different characters seen after that context (Witten and Bell 1991, in the interpolated
    form of Chen and Goodman 1998); below the empty context lies the uniform distribution. Every sequence begins with
    ``order`` marks of its beginning, so that the first characters know where they stand.

    Args:
        sequences: the training sequences of ids, stop characters included.
        order: the number of characters looked at before the predicted one.
        vocab_size: the number of ids.
    """

    def __init__(self, sequences: Iterable[Sequence[int]], order: int, vocab_size: int):
        self.order, self.vocab_size = order, vocab_size
        self._counts: dict[tuple[int, ...], Counter[int]] = defaultdict(Counter)
        for sequence in sequences:
            for context, char in self._grams(sequence):
                for start in range(order + 1):
                    self._counts[context[start:]][char] += 1

    def _grams(self, sequence: Sequence[int]) -> Iterator[tuple[tuple[int, ...], int]]:
        marked = (*[-1] * self.order, *sequence)
        for i, char in enumerate(sequence):
            yield marked[i : i + self.order], char

    def probability(self, context: tuple[int, ...], char: int) -> float:
        """Return the probability of an id after the `order` ids before it (-1 before the beginning)."""
        p = 1.0 / self.vocab_size
        for start in reversed(range(len(context) + 1)):  # from the empty context to the longest
            counts = self._counts.get(context[start:])
            if counts is None:
                break
            types = len(counts)
            p = (counts[char] + types * p) / (counts.total() + types)
        return p

    def score(self, sequences: Iterable[Sequence[int]]) -> Score:
        """Score sequences of ids, each from its own beginning."""
        grams = [gram for sequence in sequences for gram in self._grams(sequence)]
        return Score(-math.fsum(math.log(self.probability(*gram)) for gram in grams), len(grams))


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
