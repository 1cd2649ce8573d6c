"""The n-gram baseline that a network has to beat."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from kerasgen.metrics.score import Score


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
        return Score(np.array([-math.log(self.probability(*gram)) for gram in grams]))
