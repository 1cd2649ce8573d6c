"""Work of many sizes, in a process of its own: ``python -m tests.tools.benchmarks.sizes learn|generate|hold ...``.

``learn JSON TIMES`` and ``generate JSON TIMES`` take a list of `Size` fields and print the seconds of each, the best of
so many; ``hold COPIES`` begins to learn the text so many times over, for the memory that it takes.
"""

import json
import sys
import time
from dataclasses import dataclass

import numpy as np

from kerasgen.text.vocab import CharVocab
from kerasgen.text.windows import WindowBatches
from tests.tools.benchmarks.prose_task import BATCH, SEQ_LEN, STRIDE, ProseTask, forward_flops, training_flops

VOCAB_SIZE = 38


@dataclass(frozen=True)
class Size:
    """A piece of work.

    Attributes:
        length: characters of the text that is learned, in whole windows, or of each text that is generated.
        units: of each of the two layers.
        batch: windows a step, or texts side by side.
    """

    length: int
    units: int
    batch: int

    def flops(self, action: str) -> float:
        """Return the floating-point operations of the whole work: ``"learn"`` an epoch, or ``"generate"``."""
        if action == "generate":
            return self.batch * self.length * forward_flops(self.units, VOCAB_SIZE)
        return self.steps * training_flops(self.units, VOCAB_SIZE, self.batch, SEQ_LEN)

    @property
    def steps(self) -> int:
        """The training steps of an epoch, the last one filled up."""
        return -(-(self.length // SEQ_LEN) // self.batch)


def learn(size: Size, times: int) -> float:
    """Return the seconds of the best of some epochs over a random text, in windows that lie end to end."""
    ids = np.random.RandomState(0).randint(VOCAB_SIZE, size=size.length + SEQ_LEN)  # room for the windows' offset
    batches = WindowBatches(ids, SEQ_LEN, batch_size=size.batch)
    ends: list[float] = []
    first_and_epochs = [1 + batches.steps_per_epoch * number for number in range(times + 1)]  # one step compiles
    _fit(batches, size.units, first_and_epochs, on_epoch_end=lambda epoch, logs: ends.append(time.perf_counter()))
    return float(min(np.diff(ends)))


def generate(size: Size, times: int) -> float:
    """Return the seconds of the best of some calls after a first one."""
    from kerasgen.generation.generator import Generator
    from kerasgen.models.prose import ProseLSTM, stacked_lstm

    vocab = CharVocab([chr(ord("0") + i) for i in range(VOCAB_SIZE)])
    generator = Generator(ProseLSTM(stacked_lstm(VOCAB_SIZE, size.units)), vocab)
    ends = []
    for _ in range(1 + times):
        generator.generate(size.batch, max_length=size.length)
        ends.append(time.perf_counter())
    return float(min(np.diff(ends)))


def hold(copies: int) -> None:
    """Begin an epoch over copies of the text, in the course's windows, with a model that takes no memory itself."""
    task = ProseTask()
    batches = WindowBatches(task.vocab.encode(task.text * copies), SEQ_LEN, stride=STRIDE, batch_size=BATCH)
    _fit(batches, 8, [batches.steps_per_epoch], stop=True)


def _fit(batches, units, epoch_ends, stop=False, **hooks):
    """Train as the command does; with `stop`, no further than the first chunk."""
    from kerasgen.models.backend import keras
    from kerasgen.models.prose import ProseLSTM, stacked_lstm
    from kerasgen.training import fit as training

    model = stacked_lstm(VOCAB_SIZE, units, dropout=0.0)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss=loss)
    if stop:
        hooks["on_train_batch_end"] = lambda step, logs: setattr(model, "stop_training", True)
    training.fit(
        ProseLSTM(model, seed=0),
        batches,
        epoch_ends=epoch_ends,
        callbacks=[keras.callbacks.LambdaCallback(**hooks)],
        chunk=20,
    )


if __name__ == "__main__":
    action, argument, *times = sys.argv[1:]
    if action == "hold":
        hold(int(argument))
    else:
        work = {"learn": learn, "generate": generate}[action]
        print(json.dumps({"seconds": [work(Size(**size), int(times[0])) for size in json.loads(argument)]}))
