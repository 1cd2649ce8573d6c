"""Reads model files as kerasgen does without TensorFlow, in a process that is measured and may die.

``python -m tests.support.checker`` reads paths from standard input and answers each with a line of JSON. A file of
format 1 is read by a process of its own, as ever, which is only forked rather than started: thousands can be tried.
"""

import contextlib
import io
import json
import os
import select
import subprocess
import sys
import time
import traceback
from pathlib import Path

HANGS = 30  # seconds after which a file is taken to hang
ROOT = Path(__file__).resolve().parents[2]


class Checker:
    """Asks the other process; starts another where one has died."""

    def __init__(self):
        self._process = None

    def __call__(self, path):
        """Return what came of a file: ``outcome`` (accepted, refused, traceback), ``message``, ``seconds``, ``peak``.

        The seconds are those of computing, the peak is that of the bytes of memory, of all processes together.
        """
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.checker"],
                env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, text=True,
            )  # fmt: skip
        self._process.stdin.write(f"{path}\n")
        self._process.stdin.flush()
        ready, _, _ = select.select([self._process.stdout], [], [], HANGS)
        line = self._process.stdout.readline() if ready else ""
        if not line:
            self.close()
            raise AssertionError(f"{path}: the process {'died' if ready else 'hangs'}")
        return json.loads(line)

    def close(self):
        """End the other process."""
        if self._process:
            self._process.kill()
            self._process.communicate()
            self._process = None


def look(path):
    """Read all of a model file that can be read without TensorFlow, and tell of it as the command does."""
    from kerasgen import inspect

    found = inspect.describe(path)
    json.dumps(found)
    assert all(char.isprintable() for _, line in inspect.story(found) for char in line)


def measured(path):
    from kerasgen.base.errors import KerasgenError
    from kerasgen.modelfile import hdf5

    theirs, computed = 0, 0.0

    def forked(path, offset, size):
        nonlocal theirs, computed
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            with contextlib.suppress(BaseException):
                os.dup2(writing, 1)
                places.main(str(path), str(offset), str(size))
            os._exit(1)
        os.close(writing)
        with open(reading, "rb") as pipe:
            output = pipe.read()
        _, _, usage = os.wait4(child, 0)
        theirs, computed = usage.ru_maxrss * 1024, usage.ru_utime + usage.ru_stime
        return hdf5.answer(output)

    from kerasgen.modelfile import places

    hdf5.ask = forked
    Path("/proc/self/clear_refs").write_text("5")  # has the peak measured anew
    outcome, message, began = "accepted", "", time.process_time()
    try:
        with contextlib.redirect_stderr(io.StringIO()):  # the offer to upgrade it
            look(path)
    except KerasgenError as error:
        outcome, message = "refused", str(error)
    except Exception:
        outcome, message = "traceback", traceback.format_exc()
    seconds = time.process_time() - began + computed
    status = Path("/proc/self/status").read_text()
    ours = int(status.split("VmHWM:")[1].split()[0]) * 1024
    return {"outcome": outcome, "message": message, "seconds": seconds, "peak": ours + theirs}


def main():
    """Answer until standard input ends."""
    import resource

    import numpy  # noqa: F401  (so that no file pays for the import)
    import safetensors.numpy  # noqa: F401

    from kerasgen.modelfile import places  # noqa: F401

    limit = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize() + 3_000_000_000
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))  # what takes so much would be found, and harm nobody
    for line in sys.stdin:
        print(json.dumps(measured(Path(line.rstrip("\n")))), flush=True)


if __name__ == "__main__":
    main()
