"""`Score`: how well a model predicts a text, in nats and bits a character."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True, eq=False)
class Score:
    """How well a model predicts a text.

    Attributes:
        each: the nats of every predicted character, stop characters included, in their order; float64 ``(chars,)``.
    """

    each: np.ndarray

    @classmethod
    def total(cls, scores: Iterable["Score"]) -> "Score":
        """Return the score of several texts together."""
        return cls(np.concatenate([np.empty(0), *(score.each for score in scores)]))

    @cached_property
    def nats(self) -> float:
        """The summed cross-entropy in nats; the order of the characters does not matter to its last digit."""
        return math.fsum(self.each)

    @property
    def chars(self) -> int:
        """The number of predicted characters, stop characters included."""
        return len(self.each)

    @property
    def nats_per_char(self) -> float:
        """The cross-entropy in nats per character (NaN where there is no character)."""
        return self.nats / self.chars if self.chars else math.nan

    @property
    def bits_per_char(self) -> float:
        """The cross-entropy in bits per character: total nats / (characters x ln 2)."""
        return self.nats_per_char / math.log(2)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Score) and np.array_equal(self.each, other.each)

    def __hash__(self) -> int:
        return hash(self.each.tobytes())

    def __str__(self) -> str:
        return f"{self.bits_per_char:.4f} bits/char"
