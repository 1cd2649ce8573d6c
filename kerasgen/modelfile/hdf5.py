"""The arrays of a model file of format 1, which lie in HDF5 only.

A process of its own, `kerasgen.modelfile.places`, says where; the bytes are then taken from there, so that the HDF5
library sees nothing of unknown origin in this process.
"""

import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from kerasgen.base.errors import FailedError
from kerasgen.modelfile.archive import WEIGHTS, Refused, check_arrays, parse

SECONDS = 60  # that it may take in all, on a machine that is busy
_FRAMEWORK = 256 * 1024  # bytes of an HDF5 file that are no numbers; ours have 40,000
_PROGRAM = Path(__file__).with_name("places.py")


def arrays(
    path: Path, place: tuple[int, int], data: bytes, shapes: dict[str, tuple[int, ...]], dtype: str
) -> tuple[list[Any], list[Any]]:
    """Return the weights and the optimizer's state, NumPy arrays ``<f4``, ``<f8`` or ``<i8``.

    Args:
        path: of the model file.
        place: where the member ``model.weights.h5`` begins in it, and its size.
        data: that member.
        shapes: the path and the shape of every weight; the arrays come in this order, then those of the optimizer.
        dtype: that of the weights.

    Raises:
        Refused: the file has anything but one plain array of finite numbers for each weight, and those of an optimizer.
        FailedError: no process could be started.
    """
    answer = ask(path, *place)
    if (words := answer.get("refused")) is not None:
        raise Refused(f"{words!s:.400}")
    found = dict(_array(data, *entry) for entry in answer["arrays"])
    total = sum(array.nbytes for array in found.values())
    if not total <= len(data) <= total + _FRAMEWORK:
        raise Refused(f"has {len(data)} bytes of {WEIGHTS} for {total} bytes of weights")
    return check_arrays(found, shapes, dtype, WEIGHTS)


def _array(data: bytes, path: str, dtype: str, shape: list[int], offset: int) -> tuple[str, Any]:
    """Return a view of an array; what the other process says is checked once more."""
    import numpy as np

    counts = [type(number) is int and 0 <= number <= len(data) for number in [*shape, offset]]
    if dtype not in ("<f4", "<f8", "<i8") or not all(counts):
        raise Refused(f"has no plain numbers in its {WEIGHTS} at {path!r:.100}")
    if offset + math.prod(shape) * np.dtype(dtype).itemsize > len(data):
        raise Refused(f"has no such numbers in its {WEIGHTS} as it says at {path!r:.100}")
    return path, np.frombuffer(data, dtype, math.prod(shape), offset).reshape(shape)


def ask(path: Path, offset: int, size: int) -> dict[str, Any]:
    """Ask the other process where the arrays lie in a part of a file.

    Raises:
        Refused: it died of the file, or took too long.
        FailedError: it could not be started.
    """
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")  # each takes memory
    # It finds h5py where this process would, and nothing in the current folder.
    environment = {**os.environ, **threads, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-P", str(_PROGRAM), str(path), str(offset), str(size)]
    try:
        if not sys.executable or getattr(sys, "frozen", False):
            raise OSError("this program has no Python of its own to start")
        done = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            timeout=SECONDS,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise Refused(f"is damaged: its {WEIGHTS} could not be read within {SECONDS} s") from None
    except OSError as error:
        raise FailedError(f"no process could be started to read {str(path)!r}, a file of format 1 ({error})") from None
    return answer(done.stdout)


def answer(output: bytes) -> dict[str, Any]:
    """Return what the other process answered.

    Raises:
        Refused: it died of the file.
        FailedError: it never began.
    """
    ready, _, line = output.partition(b"\n")
    if ready.strip() != b"ready":
        raise FailedError("files of format 1 are read by a process of their own, which ended at once; is h5py there?")
    if not line:
        raise Refused(f"is damaged: its {WEIGHTS} took more memory or time than any of ours, and was given up")
    return parse(line)
