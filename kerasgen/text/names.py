"""Text to batches: a list of names becomes rows of ids, in an order that is a function of (seed, epoch)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kerasgen.base.errors import BadInputError
from kerasgen.text.order import Batches, Orders
from kerasgen.text.vocab import CharVocab

STOP = "\n"
LONGEST_NAME = 256
MANY = 1_000_000  # names that are learned; of more, no list of strings is kept, and no order
_BLOCK = 100_000  # names that are made ids at once


@dataclass(frozen=True)
class NameSplit:
    """A list of names, divided.

    Attributes:
        train: what is learned from, in the list's order, repeated names kept.
        validation: distinct names to choose by; none of them is in `train`.
        test: distinct names for the number that is reported; none of them is in `train`.
    """

    train: Sequence[str]
    validation: list[str]
    test: list[str]


def read_names(text: str, source: str) -> list[str]:
    """Take the names out of a text: one a line, stripped; blank lines are left out.

    Raises:
        BadInputError: there are fewer than two different names, or one is longer than 256 characters.
    """
    names = [line.strip() for line in text.split("\n")]
    for number, name in enumerate(names, 1):
        if len(name) > LONGEST_NAME:
            raise BadInputError(
                f"a name has at most {LONGEST_NAME} characters; line {number} of {source} has {len(name)}; "
                "put one name on each line"
            )
    names = [name for name in names if name]
    check_different(names, source)
    return names


def check_different(names: Sequence[str], source: str) -> None:
    """Raise BadInputError where a list has fewer than two different names."""
    if all(name == names[0] for name in names):
        found = f"only {names[0]!r}" if names else "none"
        raise BadInputError(f"a list must have at least two different names, one a line; {source} has {found}")


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


class NameRows:
    """Names as rows of ids, int32 ``(names, time + 1)``, which are made when they are asked for by their numbers.

    A row is -1 (the zero input before the first letter), the letters, the stop character, and -1 to the end. ``time``
    is a multiple of 16, so that lists of about the same length share a compiled program. What is kept is one id after
    another, in a byte or two, and where each name ends.

    Args:
        names: the list.
        vocab: its characters.

    Attributes:
        shape: of all rows together.
        chars: the letters and stop characters of all.

    Raises:
        BadInputError: a character is not in the vocabulary.
    """

    def __init__(self, names: Sequence[str], vocab: CharVocab):
        self._vocab, ids = vocab, [np.empty(0, np.min_scalar_type(len(vocab)))]
        for first in range(0, len(names), _BLOCK):
            block = names[first : first + _BLOCK]
            try:
                ids.append(vocab.ids("".join(name + STOP for name in block)).astype(ids[0].dtype))
            except BadInputError:
                for name in block:
                    vocab.encode(name + STOP)  # raises with the name
                raise
        self._ids = np.concatenate(ids)
        lengths = np.fromiter((len(name) + 1 for name in names), np.uint16, len(names))
        self._ends = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)])
        self.shape = len(names), (int(lengths.max(initial=1)) + 15) // 16 * 16 + 1
        self.chars = len(self._ids)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, which: int | np.ndarray) -> np.ndarray:
        """Return the rows of some numbers, int32 ``(*which, time + 1)``."""
        numbers = np.ravel(which)
        begins, ends = self._ends[numbers, None], self._ends[numbers + 1, None]
        rows = np.full((len(numbers), self.shape[1]), -1, np.int32)
        places = begins + np.arange(self.shape[1] - 1)
        letters = places < ends
        rows[:, 1:][letters] = self._ids[places[letters]]
        return rows.reshape(*np.shape(which), -1)

    def name(self, number: int) -> str:
        """Return the name of a number."""
        return self._vocab.decode(self._ids[self._ends[number] : self._ends[number + 1] - 1])


class LongList(Sequence[str]):
    """A list of very many names, of which each is made when it is asked for.

    Args:
        rows: of the names.
    """

    def __init__(self, rows: NameRows):
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, which):
        if isinstance(which, slice):
            return [self._rows.name(number) for number in range(*which.indices(len(self)))]
        if which >= len(self):
            raise IndexError(which)
        return self._rows.name(which)


class NameBatches(Batches):
    """The training batches of a list of names: any of them can be asked for, in any order, any number of times.

    Batch `step` holds the examples ``step * batch_size ...`` of an endless sequence of passes over the list, so every
    batch is full; the order within pass `epoch` is drawn from the key ``(seed, epoch)``.

    Args:
        rows: the names, `NameRows` or an array of such rows.
        batch_size: names a batch.
        seed: the key of the orders.
        order: one order for every pass instead, an int array ``(names,)``.
    """

    def __init__(
        self, rows: NameRows | np.ndarray, batch_size: int = 1, *, seed: int = 0, order: np.ndarray | None = None
    ):
        self.rows, self.batch_size, self.seed = rows, batch_size, seed
        self._orders = Orders(len(rows), seed, order, keyed=order is None and len(rows) > MANY)

    @property
    def steps_per_epoch(self) -> int:
        """The number of batches that one pass over the list takes, rounded up."""
        return -(-len(self.rows) // self.batch_size)

    def __call__(self, first: int, count: int) -> np.ndarray:
        """Return the batches of the steps ``first ... first + count - 1``, int32 ``(count, batch, time + 1)``."""
        passes = self._orders.walk(first * self.batch_size, (first + count) * self.batch_size)
        chosen = np.concatenate([examples for _, examples in passes])
        return self.rows[chosen].reshape(count, self.batch_size, -1)
