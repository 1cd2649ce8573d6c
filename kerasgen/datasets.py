"""Text to batches: a list of names becomes rows of ids, in an order that is a function of (seed, epoch)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from kerasgen.errors import BadInputError
from kerasgen.vocab import CharVocab

STOP = "\n"
LONGEST_NAME = 256


@dataclass(frozen=True)
class NameSplit:
    """A list of names, divided.

    Attributes:
        train: what is learned from, in the list's order, repeated names kept.
        validation: distinct names to choose by; none of them is in `train`.
        test: distinct names for the number that is reported; none of them is in `train`.
    """

    train: list[str]
    validation: list[str]
    test: list[str]


def read_names(text: str, source: str) -> list[str]:
    """Take the names out of a text: one a line, lower-cased, stripped; blank lines are left out.

    Raises:
        BadInputError: there are fewer than two different names, or one is longer than 256 characters.
    """
    names = [line.lower().strip() for line in text.split("\n")]
    for number, name in enumerate(names, 1):
        if len(name) > LONGEST_NAME:
            raise BadInputError(
                f"a name has at most {LONGEST_NAME} characters; line {number} of {source} has {len(name)}; "
                "put one name on each line"
            )
    names = [name for name in names if name]
    if len(set(names)) < 2:
        found = f"only {names[0]!r}" if names else "none"
        raise BadInputError(f"a list must have at least two different names, one a line; {source} has {found}")
    return names


def split_names(names: Sequence[str], holdout: str) -> NameSplit:
    """Hold out a tenth of the distinct names, or two, or none.

    The distinct names in sorted order are permuted by ``np.random.RandomState(0).permutation``; the first tenth is the
    test part, the second the validation part. Lists of fewer than ten names have neither.

    Args:
        names: the list, repeated names included.
        holdout: ``"validation"`` (what a user's run keeps), ``"test"`` (for the number that is reported), ``"both"``
            (for choosing by the validation part while the test part stays untouched) or ``"none"``.
    """
    distinct = sorted(set(names))
    order = np.random.RandomState(0).permutation(len(distinct))
    tenth = len(distinct) // 10
    test = [distinct[i] for i in order[:tenth]] if holdout in ("test", "both") else []
    validation = [distinct[i] for i in order[tenth : 2 * tenth]] if holdout in ("validation", "both") else []
    held_out = {*test, *validation}
    return NameSplit([name for name in names if name not in held_out], validation, test)


def encode_names(names: Sequence[str], vocab: CharVocab) -> np.ndarray:
    """Turn names into rows of ids, int32 ``(names, time + 1)``.

    A row is -1 (the zero input before the first letter), the letters, the stop character, and -1 to the end. ``time``
    is a multiple of 16, so that lists of about the same length share a compiled program.
    """
    longest = max((len(name) for name in names), default=0) + 1
    rows = np.full((len(names), (longest + 15) // 16 * 16 + 1), -1, np.int32)
    for row, name in zip(rows, names, strict=True):
        row[1 : len(name) + 2] = vocab.encode(name + STOP)
    return rows


class _Batches:
    """What both kinds of batches share: steps first to end, a stretch at a time."""

    def chunks(self, first: int, end: int, size: int) -> Iterator[np.ndarray]:
        """Yield the batches of the steps from `first` to before `end`, up to `size` of them at a time.

        Cutting what a second of training takes needs less than a millisecond, so no pipeline does it ahead.
        """
        return (self(start, min(size, end - start)) for start in range(first, end, size))

    def __call__(self, first: int, count: int) -> np.ndarray:
        """Return the batches of the steps ``first ... first + count - 1``, int32 ``(count, batch, time + 1)``."""
        raise NotImplementedError


class NameBatches(_Batches):
    """The training batches of a list of names: any of them can be asked for, in any order, any number of times.

    Batch `step` holds the examples ``step * batch_size ...`` of an endless sequence of passes over the list, so every
    batch is full; the order within pass `epoch` is drawn from the key ``(seed, epoch)``.

    Args:
        rows: int32 ``(names, time + 1)`` from `encode_names`.
        batch_size: names a batch.
        seed: the key of the orders.
        order: one order for every pass instead, an int array ``(names,)``.
    """

    def __init__(self, rows: np.ndarray, batch_size: int = 1, *, seed: int = 0, order: np.ndarray | None = None):
        self.rows, self.batch_size, self.seed = rows, batch_size, seed
        self._orders = _Orders(len(rows), seed, order)

    @property
    def steps_per_epoch(self) -> int:
        """The number of batches that one pass over the list takes, rounded up."""
        return -(-len(self.rows) // self.batch_size)

    def order(self, epoch: int) -> np.ndarray:
        """Return the order of a pass, ints ``(names,)``."""
        return self._orders(epoch)

    def __call__(self, first: int, count: int) -> np.ndarray:
        """Return the batches of the steps ``first ... first + count - 1``, int32 ``(count, batch, time + 1)``."""
        passes = self._orders.walk(first * self.batch_size, (first + count) * self.batch_size)
        chosen = np.concatenate([examples for _, examples in passes])
        return self.rows[chosen].reshape(count, self.batch_size, -1)


@dataclass(frozen=True)
class TextSplit:
    """A text, divided; each part is contiguous, so that nothing leaks through windows."""

    train: str
    validation: str
    test: str


def split_text(text: str, holdout: str) -> TextSplit:
    """Hold out the end of a text.

    Args:
        text: all of it.
        holdout: ``"validation"`` keeps the last tenth to choose the best epoch by (what a user's run does), ``"test"``
            keeps the last tenth for the number that is reported, ``"both"`` keeps the last tenth unseen and the tenth
            before it as the validation part, ``"none"`` keeps nothing.
    """
    if len(set(text)) < 2:
        raise BadInputError(f"a text must have at least two different characters; received only {text[:1]!r}")
    early, late = int(len(text) * 0.8), int(len(text) * 0.9)
    if holdout == "both":
        return TextSplit(text[:early], text[early:late], text[late:])
    if holdout == "none":
        return TextSplit(text, "", "")
    end = text[late:]
    return TextSplit(text[:late], end if holdout == "validation" else "", end if holdout == "test" else "")


class WindowBatches(_Batches):
    """The training batches of a text: windows of `seq_len` characters and the one that follows, by position.

    Args:
        ids: int32 ``(characters,)``.
        seq_len: characters a window.
        stride: characters from one window to the next; None for windows that lie end to end from an offset that is
            drawn anew for each pass.
        batch_size: windows a batch.
        seed: the key of orders and offsets.

    Raises:
        BadInputError: the text is shorter than two windows.
    """

    def __init__(self, ids, seq_len: int, *, stride: int | None = None, batch_size: int = 128, seed: int = 0):
        self.ids, self.seq_len, self.stride = np.asarray(ids, np.int32), seq_len, stride
        self.batch_size, self.seed = batch_size, seed
        last = len(self.ids) - 1 - seq_len  # where the last window may begin
        if stride:
            self.windows, self._offsets = last // stride + 1, 1
        else:
            self.windows = max(2, (last + 1) // seq_len) if last >= seq_len else 0
            self._offsets = min(seq_len, last - (self.windows - 1) * seq_len + 1)
        if self.windows < 2:
            raise BadInputError(
                f"a text must be long enough for two windows of {seq_len} characters; what is left to learn from has "
                f"{len(self.ids)}; give more text or lower --seq-len"
            )
        self._orders = _Orders(self.windows, seed)

    @property
    def steps_per_epoch(self) -> int:
        """The number of batches that one pass over the text takes, rounded up."""
        return -(-self.windows // self.batch_size)

    def starts(self, first: int, count: int) -> np.ndarray:
        """Return where the windows of some steps begin, ints ``(count, batch)``."""
        passes = self._orders.walk(first * self.batch_size, (first + count) * self.batch_size)
        starts = [windows * (self.stride or self.seq_len) + self._offset(epoch) for epoch, windows in passes]
        return np.concatenate(starts).reshape(count, self.batch_size)

    def __call__(self, first: int, count: int) -> np.ndarray:
        """Return the batches of the steps ``first ... first + count - 1``, int32 ``(count, batch, seq_len + 1)``."""
        return self.ids[self.starts(first, count)[..., None] + np.arange(self.seq_len + 1)]

    def _offset(self, epoch: int) -> int:
        return 0 if self.stride else int(_generator(self.seed, epoch, 1).integers(self._offsets))


class _Orders:
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
        if self.fixed is not None:
            return self.fixed
        if epoch not in self._kept:
            order = _generator(self.seed, epoch).permutation(self.count)
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


def _generator(seed: int, epoch: int, stream: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=np.array([seed, 2 * epoch + stream], np.uint64)))


def notebook_order(count: int, seed: int) -> np.ndarray:
    """Return the order that ``np.random.seed(seed); np.random.shuffle(examples)`` gives, ints ``(count,)``."""
    order = list(range(count))  # a list, as in the notebook: NumPy shuffles arrays by another path
    np.random.RandomState(seed).shuffle(order)
    return np.array(order)
