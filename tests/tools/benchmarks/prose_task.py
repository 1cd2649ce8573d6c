"""The work that all rivals of the prose sections do: the course's two LSTM layers, its windows, its arithmetic."""

import json
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from kerasgen.text import corpora
from kerasgen.text.vocab import CharVocab
from kerasgen.text.windows import WindowBatches

UNITS, SEQ_LEN, STRIDE, BATCH = 128, 40, 3, 128
LEARNING_RATE = 1.0  # of plain SGD
TARGETS = ("every", "next")  # a loss at every position of a window, or at its end only
UNTIMED = 2  # laps before the clock counts: they compile and warm up, and after them the losses must agree


def forward_flops(units: int, vocab_size: int, outputs: float = 1) -> float:
    """Return the floating-point operations of one character on its way through two LSTM layers and a softmax.

    Only products count, a multiplication and an addition for each element of a matrix: R1, W2 and R2, ``(units, 4
    units)`` each, and the output kernel ``(units, vocab)``. W1 times a one-hot vector is a look-up and counts nothing.

    Args:
        units: the size of each layer's state.
        vocab_size: the number of characters.
        outputs: the share of the characters at which the softmax is computed.
    """
    return 2 * (3 * 4 * units * units + outputs * units * vocab_size)


def training_flops(units: int, vocab_size: int, batch_size: int, seq_len: int, target: str = "every") -> float:
    """Return those of one training step: for each product on the way forward two on the way back.

    Args:
        units: as for `forward_flops`.
        vocab_size: as for `forward_flops`.
        batch_size: windows a step.
        seq_len: characters a window.
        target: ``"every"`` or ``"next"``.
    """
    outputs = 1 if target == "every" else 1 / seq_len
    return 3 * batch_size * seq_len * forward_flops(units, vocab_size, outputs)


@dataclass(frozen=True)
class ProseTask:
    """The real text, its batches, and initial weights.

    Attributes:
        text: all of the corpus, in lower case.
    """

    text: str = field(default_factory=lambda: corpora.read("shakespeare", "shakespeare").text.lower())

    @cached_property
    def vocab(self) -> CharVocab:
        """Its 38 characters."""
        return CharVocab.from_text(self.text)

    @cached_property
    def batches(self) -> WindowBatches:
        """The course's 31,412 windows, in the order that kerasgen gives them."""
        return WindowBatches(self.vocab.encode(self.text), SEQ_LEN, stride=STRIDE, batch_size=BATCH)

    def batch(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the inputs of a step and the character that follows each of them, int32 ``(batch, time)`` both."""
        rows = self.batches(step, 1)[0]
        return rows[:, :-1], rows[:, 1:]

    def weights(self) -> list[np.ndarray]:
        """Draw initial weights, float32, in Keras' order and layout."""
        rng, limit, vocab_size = np.random.RandomState(0), UNITS**-0.5, len(self.vocab)
        shapes = []
        for inputs in (vocab_size, UNITS):
            shapes += [(inputs, 4 * UNITS), (UNITS, 4 * UNITS), (4 * UNITS,)]
        shapes += [(UNITS, vocab_size), (vocab_size,)]
        return [rng.uniform(-limit, limit, shape).astype(np.float32) for shape in shapes]


def torch_weights(weights: list[np.ndarray]) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Turn the weights round for PyTorch: those of an `nn.LSTM` and of an `nn.Linear`, by name.

    The gates stand in the same order there (i, f, g, o), matrices are transposed, and of the two biases that are
    added one has to be zero.
    """
    *layers, out_kernel, out_bias = weights
    lstm = {}
    for number in range(len(layers) // 3):
        kernel, recurrent, bias = layers[3 * number : 3 * number + 3]
        lstm[f"weight_ih_l{number}"], lstm[f"weight_hh_l{number}"] = kernel.T, recurrent.T
        lstm[f"bias_ih_l{number}"], lstm[f"bias_hh_l{number}"] = bias, np.zeros_like(bias)
    return lstm, {"weight": out_kernel.T, "bias": out_bias}


@dataclass
class Laps:
    """The times of a run's laps; all laps are the same amount of work.

    Attributes:
        work: what a lap is, in steps or characters.
        threads: how many it could use.
        versions: of what it is made with.
        seconds: of each lap; the first ones count for nothing but `compile_seconds`.
        losses: the mean loss of each lap, in nats a target, where something was learned.
    """

    work: int
    threads: int = 1
    versions: dict[str, str] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)

    def time(self, lap: Callable):
        """Time a lap and return what it returns."""
        started = time.perf_counter()
        result = lap()
        self.seconds.append(time.perf_counter() - started)
        return result

    def callback(self):
        """Return the Keras callback that takes each epoch for a lap."""
        import keras

        begun: list[float] = []

        def end(epoch, logs):
            self.seconds.append(time.perf_counter() - begun[-1])
            self.losses.append(float(logs["loss"]))

        return keras.callbacks.LambdaCallback(
            on_epoch_begin=lambda epoch, logs: begun.append(time.perf_counter()), on_epoch_end=end
        )

    def as_json(self) -> str:
        """Return what the parent process reads."""
        return json.dumps(vars(self))

    @property
    def rate(self) -> float:
        """Work a second in the best lap: other processes can slow a lap down, nothing can speed it up."""
        return self.work / min(self.seconds[UNTIMED:])

    @property
    def unrest(self) -> float:
        """By how much of it the median lap took longer than the best."""
        timed = self.seconds[UNTIMED:]
        return statistics.median(timed) / min(timed) - 1

    @property
    def compile_seconds(self) -> float:
        """What the first lap cost beyond a later one."""
        return max(0.0, self.seconds[0] - statistics.median(self.seconds[1:]))
