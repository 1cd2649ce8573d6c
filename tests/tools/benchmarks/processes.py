"""Measured processes: each measurement gets a fresh one."""

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
# A product of 50 numbers is not worth handing to another thread: NumPy is up to a third faster without.
_ONE_THREAD = {name: "1" for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")}


@dataclass(frozen=True)
class Finished:
    """A process that ended well.

    Attributes:
        seconds: its wall time.
        megabytes: the most memory that it held, where the system tells.
        output: what it wrote to standard output.
    """

    seconds: float
    megabytes: float | None
    output: str


def run(arguments: list[str], folder: str | Path = ROOT, python: str = sys.executable, small: bool = True) -> Finished:
    """Run Python on the checkout and measure the process.

    Args:
        arguments: those of Python.
        folder: where it runs.
        python: the interpreter.
        small: the products are those of the names model: NumPy makes them on one thread.

    Raises:
        RuntimeError: it failed; the message has the end of its standard error.
    """
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    env = {**os.environ, **(_ONE_THREAD if small else {}), "PYTHONPATH": path, "TF_CPP_MIN_LOG_LEVEL": "3"}
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        started = time.perf_counter()
        process = subprocess.Popen([python, *arguments], cwd=folder, env=env, stdout=out, stderr=err)
        memory = None
        if hasattr(os, "wait4"):
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            memory = usage.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
        else:
            process.wait()
        seconds = time.perf_counter() - started
        for file in (out, err):
            file.seek(0)
        if process.returncode:
            raise RuntimeError(f"python {' '.join(arguments)} failed:\n{err.read()[-2000:]}")
        return Finished(seconds, memory, out.read())


def answer(module: str, *arguments: object, python: str = sys.executable, small: bool = True) -> dict:
    """Run a module of the benchmark and return the JSON that it prints last."""
    finished = run(["-m", f"tests.tools.benchmarks.{module}", *map(str, arguments)], python=python, small=small)
    return json.loads(finished.output.splitlines()[-1])
