"""The order of training examples: a function of (seed, epoch)."""

from collections.abc import Iterator

import numpy as np

_ROUNDS = 6


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
        keyed: compute each pass' order where it is needed, with `permuted`, for as many examples as there may be.
    """

    def __init__(self, count: int, seed: int, fixed: np.ndarray | None = None, keyed: bool = False):
        self.count, self.seed, self.fixed, self.keyed = count, seed, fixed, keyed
        self._kept: dict[int, np.ndarray] = {}

    def __call__(self, epoch: int, begin: int = 0, end: int | None = None) -> np.ndarray:
        """Return the examples at the places ``begin ... end - 1`` of a pass, ints; all of them, ``(count,)``."""
        if self.keyed:
            return permuted(
                np.arange(begin, min(self.count, self.count if end is None else end)), self.count, self.seed, epoch
            )
        return self._whole(epoch)[begin:end]

    def _whole(self, epoch: int) -> np.ndarray:
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
            yield epoch, self(epoch, max(first - begin, 0), end - begin)


def permuted(places: np.ndarray, count: int, seed: int, epoch: int) -> np.ndarray:
    """Return what stands at some places of an order of ``0 ... count - 1`` that nobody ever wrote down, int64.

    A Feistel network permutes the numbers of as many bits as `count` takes (Luby and Rackoff 1988): half of the bits
    is changed by a hash of the other half, six times. Where that leads beyond `count`, it is permuted again until it
    does not (cycle walking; Black and Rogaway 2002), which is a permutation still.

    Args:
        places: ints of one dimension.
        count: how many there are.
        seed: with `epoch`, the key of the order.
        epoch: see above.
    """
    bits = (count - 1).bit_length()
    low = np.uint64((bits + 1) // 2)
    masks = np.uint64(2 ** (bits // 2) - 1), np.uint64(2 ** int(low) - 1)
    keys = generator_of(seed, epoch).integers(2**64, size=_ROUNDS, dtype=np.uint64)
    found, pending = places.astype(np.uint64), np.arange(len(places))
    while len(pending):
        high, rest = found[pending] >> low, found[pending] & masks[1]
        for number, key in enumerate(keys):
            if number % 2:
                rest ^= _hashed(high + key) & masks[1]
            else:
                high ^= _hashed(rest + key) & masks[0]
        found[pending] = high << low | rest
        pending = pending[found[pending] >= count]
    return found.astype(np.int64)


def _hashed(numbers: np.ndarray) -> np.ndarray:
    """Return uint64 that look drawn at random, one for each number: the last steps of splitmix64 (Steele 2014)."""
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1)):
        numbers = (numbers ^ numbers >> np.uint64(shift)) * np.uint64(factor)
    return numbers


def generator_of(seed: int, epoch: int, stream: int = 0) -> np.random.Generator:
    """Return the generator of a pass: a function of (seed, epoch, stream) alone."""
    return np.random.Generator(np.random.Philox(key=np.array([seed, 2 * epoch + stream], np.uint64)))
