"""The workers of a sweep on this machine: started, started again where they die, and ended with their chief.

Importing this module imports no TensorFlow.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace

from kerasgen.base import console
from kerasgen.base.errors import BadInputError, FailedError, StoppedError
from kerasgen.tuning.settings import TuneSettings

AGAIN = 3  # times that a worker is started again
_GRACE = 20.0  # seconds that a worker has to put its trial back


@contextlib.contextmanager
def crew(settings: TuneSettings, arguments: Sequence[str]) -> Iterator[TuneSettings]:
    """Keep the workers of ``--workers`` alive while the block runs, whose sweep this process is the chief of.

    Args:
        settings: of the sweep.
        arguments: those of the command, which the workers get, too.

    Yields:
        The settings of the chief; those that were given, where no workers were asked for.

    Raises:
        FailedError: a worker has died too often.
        BadInputError: the text comes through standard input.
    """
    if not settings.workers:
        yield settings
        return
    numbers = range(1, settings.workers + 1)
    if settings.data == "-":
        raise BadInputError("--workers needs a text that each can read; received --data -; name a file")
    if settings.oracle_address == TuneSettings().oracle_address:
        settings = replace(settings, oracle_address=f"127.0.0.1:{_free_port()}")
    command = [sys.executable, "-m", "kerasgen.tune", *_without_workers(arguments), "--quiet"]
    command += ["--oracle-address", settings.oracle_address, "--worker"]
    over = threading.Event()
    threads = [_Keeper([*command, str(number)], number, over) for number in numbers]
    for thread in threads:
        thread.start()
    try:
        yield replace(settings, workers=None, chief=True)
    except StoppedError:
        if lost := [thread.lost for thread in threads if thread.lost]:
            raise FailedError(lost[0]) from None
        raise
    finally:
        over.set()
        for thread in threads:
            thread.join()


class _Keeper(threading.Thread):
    """Starts a worker, and again where it dies; ends it once `over` is set."""

    def __init__(self, command: list[str], number: int, over: threading.Event):
        super().__init__(daemon=True)
        self.command, self.number, self.over, self.lost = command, number, over, ""

    def run(self) -> None:
        for left in reversed(range(AGAIN + 1)):
            # A session of its own, so that Ctrl-C reaches the chief alone, who ends the workers.
            nowhere = subprocess.DEVNULL
            process = subprocess.Popen(self.command, stdin=nowhere, stdout=nowhere, start_new_session=True)
            while process.poll() is None and not self.over.wait(0.2):
                pass
            if self.over.is_set() or process.returncode == 0:
                break
            if left:
                console.note(f"worker {self.number} has died ({_how(process.returncode)}) and is started again")
        else:
            self.lost = (
                f"worker {self.number} has died {AGAIN + 1} times, the last time {_how(process.returncode)}; the "
                "trials so far are kept; the same command resumes the sweep"
            )
            os.kill(os.getpid(), signal.SIGINT)  # the chief would wait for it
        _end(process)


def _end(process: subprocess.Popen) -> None:
    """End a worker, which puts its trial back first."""
    process.terminate()
    try:
        process.wait(_GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _how(code: int) -> str:
    return f"by signal {-code}" if code < 0 else f"with exit code {code}"


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def _without_workers(arguments: Sequence[str]) -> list[str]:
    kept, before = [], ""
    for word in arguments:
        if word.partition("=")[0] != "--workers" and before != "--workers":
            kept.append(word)
        before = word
    return kept
