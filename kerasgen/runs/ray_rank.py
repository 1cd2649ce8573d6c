"""What each worker that Ray started does, and the desk where it hands in what it prints and how it ended.

Importing this module imports neither Ray nor TensorFlow.
"""

import contextlib
import copy
import io
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from kerasgen.base.errors import BadInputError, FailedError, KerasgenError, LostError, StoppedError, failure
from kerasgen.runs import signals

if TYPE_CHECKING:  # it imports NumPy, which --help does not wait for
    from kerasgen.tasks.task import Task

PAUSE = 0.2  # seconds from one message to the next
_SILENCE = 10.0  # seconds after which a chief that says nothing is taken to be gone


@dataclass(frozen=True)
class Plan:
    """What each worker is to do.

    Attributes:
        task: what is trained.
        work: trains it, and saves the model where this process is the chief.
        folder: the current folder meanwhile.
        terminals: of standard output and error, those that a person sees.
        environment: variables by which what is printed is laid out.
    """

    task: "Task"
    work: Callable[["Task"], Any]
    folder: str
    terminals: frozenset[str]
    environment: Mapping[str, str]


@dataclass(frozen=True)
class Outcome:
    """How the work of one rank ended.

    Attributes:
        rank: 0 is the chief.
        message: what was wrong; nothing where all went well.
        code: the exit code of the error.
    """

    rank: int
    message: str = ""
    code: int = 0

    def error(self) -> KerasgenError:
        """Return the error that it was."""
        if self.code > 128:
            return StoppedError(self.message, self.code - 128)
        return (BadInputError if self.code == BadInputError.exit_code else FailedError)(self.message)


class Desk:
    """Stands between the workers and the process that asked for them, as an actor of Ray's that outlives any of them.

    Ray's own way, by log files, adds its prefixes, and brings what TensorFlow and Ray write along.
    """

    def __init__(self) -> None:
        self._printed: list[tuple[str, str]] = []
        self._outcomes: list[Outcome] = []
        self._starts, self._signal, self._heard = 0, 0, float("-inf")

    def begin(self, rank: int) -> int | None:
        """Return how often the chief began before; None where the work is done, and only a worker died after it."""
        if self.outcome():
            return None
        self._starts += rank == 0
        self._heard = time.monotonic()
        return max(0, self._starts - 1)

    def hand_in(self, printed: list[tuple[str, str]]) -> int:
        """Take what the chief printed, each with the name of its stream; return the signal that is to stop it, or 0."""
        self._printed += printed
        self._heard = time.monotonic()
        return self._signal

    def end(self, outcome: Outcome) -> None:
        """Take how the work of one rank ended."""
        self._outcomes.append(outcome)

    def outcome(self) -> Outcome | None:
        """Return how all ended: wrong use, which may be one rank's only, else as the chief says."""
        order = sorted(self._outcomes, key=lambda one: (one.code != BadInputError.exit_code, one.rank))
        return order[0] if order else None

    def take(self, signal: int) -> tuple[list[tuple[str, str]], int, bool]:
        """Return what was printed since, how often the chief began, and whether it is there.

        Args:
            signal: the number of the one that is to stop the chief, or 0.
        """
        printed, self._printed, self._signal = self._printed, [], signal
        return printed, self._starts, time.monotonic() - self._heard < _SILENCE


def work(plan: Plan, desk: Any) -> None:
    """Train as one of the workers, whose cluster Ray has described in ``TF_CONFIG``.

    Args:
        plan: what to do.
        desk: the actor that is a `Desk`.

    Raises:
        LostError: another worker is gone, and Ray starts all of them again.
    """
    import ray
    import ray.train

    rank = ray.train.get_context().get_world_rank()
    before = ray.get(desk.begin.remote(rank))
    if before is None:
        return
    logging.getLogger("tensorflow").setLevel("WARNING")  # Ray lets all loggers say more
    os.chdir(plan.folder)
    os.environ.update(plan.environment)
    task, settings = copy.copy(plan.task), plan.task.settings
    resume = None if before and settings.resume == "no" else settings.resume  # it was started over once
    task.settings = replace(settings, strategy="multiworker", num_workers=None, resume=resume)
    with _handed_in(ray, desk, plan.terminals) if rank == 0 else contextlib.nullcontext():
        outcome = _outcome(rank, task, plan.work)
    if rank == 0 or outcome.code:
        ray.get(desk.end.remote(outcome))


def _outcome(rank: int, task: "Task", train: Callable[["Task"], Any]) -> Outcome:
    try:
        task.tune_process()
        train(task)
    except LostError:
        raise
    except KerasgenError as error:
        return Outcome(rank, str(error), error.exit_code)
    except Exception as error:
        if not (message := failure(error)):
            raise
        return Outcome(rank, message, 1)
    return Outcome(rank)


@contextlib.contextmanager
def _handed_in(ray: Any, desk: Any, terminals: frozenset[str]) -> Iterator[None]:
    """Hand in what the block prints, and note the signals that come to who asked for it."""
    printed: list[tuple[str, str]] = []
    over = threading.Event()

    def talk() -> None:
        last = False
        while not last:
            last = over.wait(PAUSE)
            count = len(printed)
            some, printed[:count] = printed[:count], []
            if number := ray.get(desk.hand_in.remote(some)):
                signals.note(number)

    thread = threading.Thread(target=talk, daemon=True)
    thread.start()
    out, err = (_Printed(name, printed, name in terminals) for name in ("stdout", "stderr"))
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            yield
    finally:
        over.set()
        thread.join()


class _Printed(io.TextIOBase):
    """A stream whose texts are kept, each with its name."""

    def __init__(self, name: str, printed: list[tuple[str, str]], terminal: bool):
        self._name, self._printed, self._terminal = name, printed, terminal

    def write(self, text: str) -> int:
        self._printed.append((self._name, text))
        return len(text)

    def isatty(self) -> bool:
        return self._terminal

    def writable(self) -> bool:
        return True
