"""A callback that says how long a training will take, once that can be measured."""

import time

from kerasgen.base import console
from kerasgen.models.backend import keras


class Estimate(keras.callbacks.Callback):
    """Says it in one line on standard error after the second chunk of steps; the first one is compiled as well.

    Args:
        last: the number of the step after which the training ends.
        early: whether it may end sooner.
    """

    def __init__(self, last: int, early: bool):
        super().__init__()
        self._last, self._early, self._chunks, self._begun = last, early, 0, (0, 0.0)

    def on_train_batch_begin(self, batch, logs=None):
        """Look at the clock before a chunk."""
        self._begun = batch, time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        """Say after the second chunk what the rest will take."""
        self._chunks += 1
        if self._chunks == 2:
            (first, began), step = self._begun, batch + 1
            seconds = (self._last - step) * (time.perf_counter() - began) / (step - first)
            console.note(estimate(seconds, self._early))


def estimate(seconds: float, early: bool) -> str:
    """Say how long a training goes on, in the unit that fits; `early` where it may end sooner."""
    if seconds < 10:
        return "a few seconds to go"
    return f"about {console.duration(seconds)} to go{', or less where more would not help' if early else ''}"
