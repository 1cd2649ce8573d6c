"""How well the units of a layer go with something that is true of some characters: correlation, in bounded memory."""

import math

import numpy as np


class Correlation:
    """Pearson's correlation of each unit with a mask, added up piece by piece.

    Attributes:
        count: the characters so far.
        hits: those for which the mask is true.
    """

    def __init__(self) -> None:
        self.count = self.hits = 0
        self._sum = self._squares = self._products = np.zeros(0)

    def add(self, values: np.ndarray, mask: np.ndarray) -> None:
        """Take some characters.

        Args:
            values: what the units give out, ``(chars, units)``.
            mask: bool ``(chars,)``.
        """
        values = values.astype(np.float64)
        if not self.count:
            self._sum = self._squares = self._products = np.zeros(values.shape[1])
        self.count += len(values)
        self.hits += int(mask.sum())
        self._sum = self._sum + values.sum(axis=0)
        self._squares = self._squares + (values**2).sum(axis=0)
        self._products = self._products + values[mask].sum(axis=0)

    @property
    def of_units(self) -> np.ndarray:
        """Each unit's correlation, ``(units,)``; 0 where the unit or the mask never changes."""
        n = self.count
        together = n * self._products - self._sum * self.hits
        spread = n * self._squares - self._sum**2
        moves = spread > 1e-12 * n * self._squares  # rounding leaves a little of the spread of one that never changes
        scale = np.sqrt(np.where(moves, spread, 1.0)) * math.sqrt(max(1, self.hits * (n - self.hits)))
        return np.where(moves, together / scale, 0.0) * (0 < self.hits < n)
