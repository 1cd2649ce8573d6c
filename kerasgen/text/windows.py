"""A text to batches of windows."""

from dataclasses import dataclass

import numpy as np

from kerasgen.base.errors import BadInputError
from kerasgen.text.corpus_ids import CorpusIds, LongText, distinct
from kerasgen.text.order import Batches, Orders, generator_of


@dataclass(frozen=True)
class TextSplit:
    """A text, divided; each part is contiguous, so that nothing leaks through windows."""

    train: str | LongText
    validation: str | LongText
    test: str | LongText


def split_text(text: str | LongText, holdout: str) -> TextSplit:
    """Hold out the end of a text.

    Args:
        text: all of it.
        holdout: ``"validation"`` keeps the last tenth to choose the best epoch by (what a user's run does), ``"test"``
            keeps the last tenth for the number that is reported, ``"both"`` keeps the last tenth unseen and the tenth
            before it as the validation part, ``"none"`` keeps nothing.
    """
    if len(distinct(text)) < 2:
        raise BadInputError(f"a text must have at least two different characters; received only {str(text[:1])!r}")
    early, late = int(len(text) * 0.8), int(len(text) * 0.9)
    if holdout == "both":
        return TextSplit(text[:early], text[early:late], text[late:])
    if holdout == "none":
        return TextSplit(text, "", "")
    end = text[late:]
    return TextSplit(text[:late], end if holdout == "validation" else "", end if holdout == "test" else "")


class WindowBatches(Batches):
    """The training batches of a text: windows of `seq_len` characters and the one that follows, by position.

    Args:
        ids: of the text, or ints ``(characters,)``.
        seq_len: characters a window.
        stride: characters from one window to the next; None for windows that lie end to end from an offset that is
            drawn anew for each pass.
        batch_size: windows a batch.
        seed: the key of orders and offsets.

    Raises:
        BadInputError: the text is shorter than two windows.
    """

    def __init__(self, ids, seq_len: int, *, stride: int | None = None, batch_size: int = 128, seed: int = 0):
        self.ids = ids if isinstance(ids, CorpusIds) else CorpusIds(ids)
        self.seq_len, self.stride = seq_len, stride
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
        self._orders = Orders(self.windows, seed, keyed=not self.ids.in_memory)

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
        return self.ids.windows(self.starts(first, count), self.seq_len + 1)

    def _offset(self, epoch: int) -> int:
        return 0 if self.stride else int(generator_of(self.seed, epoch, 1).integers(self._offsets))
