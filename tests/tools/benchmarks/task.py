"""The work that all rivals of the names section do: the notebook's per-name SGD, and how it is timed and checked."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import cached_property

import numpy as np

from kerasgen.text import corpora
from kerasgen.text.names import STOP, read_names
from kerasgen.text.vocab import CharVocab
from tests.support import oracle

UNITS = 50
LEARNING_RATE = 0.01
CLIP = 5.0
STEPS = 35_000
CHECKED = 2001  # steps before the clock starts: they warm up, and end where the notebook prints "Iteration: 2000"


class NotHereError(Exception):
    """What a rival needs is not on this machine; the message says what."""


@dataclass(frozen=True)
class NamesTask:
    """The real names in the notebook's order, and its initial weights.

    Attributes:
        names: what the corpus holds, repeated names included.
    """

    names: list[str] = field(default_factory=lambda: read_names(corpora.read("dinos", "dinos").text.lower(), "dinos"))

    @cached_property
    def vocab(self) -> CharVocab:
        """The 27 characters; the stop character has id 0."""
        return CharVocab.from_text([*"".join(self.names), STOP])

    @cached_property
    def examples(self) -> list[list[int]]:
        """The ids of each name, in the order of the steps."""
        return [self.vocab.encode(name) for name in oracle.shuffled(self.names)]

    def example(self, step: int) -> list[int]:
        """Return the ids of the name that a step learns."""
        return self.examples[step % len(self.examples)]

    def weights(self) -> dict[str, np.ndarray]:
        """Draw the initial weights, float64, with the notebook's names and layout."""
        return oracle.initial_weights(UNITS, len(self.vocab))


@dataclass
class Result:
    """What one run of a rival measured.

    Attributes:
        steps: how many steps were timed.
        seconds: how long they took.
        cpu_seconds: the processor's time for them, of all threads.
        loss: the notebook's smoothed loss after the untimed steps, in nats.
        threads: how many threads it could use.
        compile_seconds: what the first call cost beyond a later one.
        versions: of what it is made with.
    """

    steps: int
    seconds: float
    cpu_seconds: float
    loss: float
    threads: int = 1
    compile_seconds: float | None = None
    versions: dict[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict:
        """Return the fields, ready for JSON."""
        return asdict(self)


class Clock:
    """Wall and processor time since it was made."""

    def __init__(self):
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def read(self) -> tuple[float, float]:
        """Return both, in seconds."""
        return time.perf_counter() - self._wall, time.process_time() - self._cpu


class Smoothed:
    """The notebook's running mean of the losses of the steps."""

    def __init__(self, task: NamesTask):
        self.value = 7 * np.log(len(task.vocab))

    def add(self, *losses: float) -> None:
        """Take in the losses of some steps."""
        for loss in losses:
            self.value = 0.999 * self.value + 0.001 * loss


def time_steps(task: NamesTask, step: Callable[[list[int]], float], steps: int, **told) -> Result:
    """Time a rival that learns one name a call.

    Args:
        task: the work.
        step: learns the name with these ids and returns its summed loss in nats.
        steps: how many to time.
        **told: further fields of the result.
    """
    smoothed = Smoothed(task)
    for j in range(CHECKED):
        smoothed.add(step(task.example(j)))
    loss = float(smoothed.value)
    clock = Clock()
    for j in range(CHECKED, CHECKED + steps):
        smoothed.add(step(task.example(j)))
    return Result(steps, *clock.read(), loss, **told)
