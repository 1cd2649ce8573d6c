"""The order of training examples: a function of (seed, epoch)."""

from collections.abc import Iterator

import numpy as np


class Batches:
    """What both kinds of batches share: steps first to end, a stretch at a time."""

    def chunks(self, first: int, end: int, size: int) -> Iterator[np.ndarray]:
        """Yield the batches of the steps from `first` to before `end`, up to `size` of them at a time.

        Cutting what a second of training takes needs less than a millisecond, so no pipeline does it ahead.
        """
        return (self(start, min(size, end - start)) for start in range(first, end, size))

    def __call__(self, first: int, count: int) -> np.ndarray:
        """Return the batches of the steps ``first ... first + count - 1``, int32 ``(count, batch, time + 1)``."""
        raise NotImplementedError


class Orders:
    """Endless passes over some examples, each in an order that is a function of (seed, epoch); the last few are kept.

    Args:
        count: the number of examples.
        seed: the key of the orders.
        fixed: one order for every pass instead.
    """

    def __init__(self, count: int, seed: int, fixed: np.ndarray | None = None):
        self.count, self.seed, self.fixed = count, seed, fixed
        self._kept: dict[int, np.ndarray] = {}

    def __call__(self, epoch: int) -> np.ndarray:
        """Return the order of a pass, ints ``(count,)``."""
        if self.fixed is not None:
            return self.fixed
        if epoch not in self._kept:
            order = generator_of(self.seed, epoch).permutation(self.count)
            self._kept = {**dict(list(self._kept.items())[-3:]), epoch: order}
        return self._kept[epoch]

    def walk(self, first: int, end: int) -> Iterator[tuple[int, np.ndarray]]:
        """Yield the examples at the places ``first ... end - 1`` of the endless sequence, pass by pass.

        Yields:
            The number of a pass and those of its examples that lie between, ints; one pass at the least.
        """
        for epoch in range(first // self.count, max(first, end - 1) // self.count + 1):
            begin = epoch * self.count
            yield epoch, self(epoch)[max(first - begin, 0) : end - begin]


def generator_of(seed: int, epoch: int, stream: int = 0) -> np.random.Generator:
    """Return the generator of a pass: a function of (seed, epoch, stream) alone."""
    return np.random.Generator(np.random.Philox(key=np.array([seed, 2 * epoch + stream], np.uint64)))
