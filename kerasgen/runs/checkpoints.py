"""Checkpoints: arrays and facts in one file that is whole, verified, and read without running anything in it.

A file is two lines and raw bytes: the SHA-256 of all that follows it; JSON with the facts and each array's name, dtype
and shape; the arrays, one after another.
"""

import contextlib
import errno
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerasgen.base.errors import BadInputError, FailedError, reason
from kerasgen.base.files import listed, remove_leftovers, sha256, whole

if TYPE_CHECKING:  # `kerasgen clean` does without
    import numpy as np

KEPT = 2  # where the newest is damaged, the one before it is there
_SUFFIX = ".checkpoint"
PATTERN = f"*{_SUFFIX}"
Shapes = dict[str, tuple[str, Sequence[int | None]]]  # name: dtype and shape; a length of None may be any


def write(folder: Path, step: int, arrays: dict[str, "np.ndarray"], facts: dict[str, Any]) -> Path:
    """Write the checkpoint of a step, then remove all but the last two.

    Args:
        folder: is made.
        step: the number of training steps behind it.
        arrays: by name.
        facts: whatever JSON can hold.

    Raises:
        FailedError: it can't be written; the one before is still there.
    """
    import numpy as np

    # A copy with `order="C"`, as `ascontiguousarray` would make a scalar a vector.
    raw = {name: np.array(array, order="C") for name, array in arrays.items()}
    header = {
        "step": step,
        "facts": facts,
        "arrays": [[name, array.dtype.str, list(array.shape)] for name, array in raw.items()],
    }
    content = b"".join([json.dumps(header).encode(), b"\n", *(array.tobytes() for array in raw.values())])
    path = folder / f"{step:012d}{_SUFFIX}"
    remove_leftovers(folder, f"*{_SUFFIX}")
    parts = sha256(content).encode() + b"\n", content
    try:
        _write(path, parts)
    except FailedError as error:
        full = getattr(error.__cause__, "errno", None) in (errno.ENOSPC, errno.EDQUOT)
        if not full or len(stored(folder)) < 2:
            raise
        give_up(folder)  # the newest is still there
        _write(path, parts)
    _remove(stored(folder)[KEPT:])
    return path


def _write(path: Path, parts: Sequence[bytes]) -> None:
    with whole(path) as temporary, open(temporary, "wb") as file:
        file.writelines(parts)


def give_up(folder: Path, all: bool = False) -> None:
    """Remove checkpoints to make room: those before the newest, or all."""
    _remove(stored(folder)[0 if all else 1 :])


def _remove(paths: Sequence[Path]) -> None:
    for path in paths:
        with contextlib.suppress(OSError):  # one too many does no harm
            path.unlink()


def stored(folder: Path) -> list[Path]:
    """Return the checkpoints of a folder, the newest first."""
    found = [path for path in listed(folder, PATTERN) if path.stem.isdecimal()]
    return sorted(found, key=step_of, reverse=True)


def step_of(path: Path) -> int:
    """Return the training steps behind a checkpoint, by its name."""
    return int(path.stem)


def newest(folder: Path, shapes: Shapes) -> tuple[dict[str, "np.ndarray"] | None, dict[str, Any], list[str]]:
    """Read the newest checkpoint that can be read.

    Args:
        folder: need not be there.
        shapes: the arrays that a checkpoint must have, and no others.

    Returns:
        Arrays (None where there is no checkpoint), facts, and what is wrong with the newer ones.
    """
    wrong: list[str] = []
    for path in stored(folder):
        try:
            return *read(path, shapes), wrong
        except BadInputError as error:
            wrong.append(str(error))
    return None, {}, wrong


def weights(folder: Path) -> tuple[list["np.ndarray"], int]:
    """Return the best weights that a training has found so far, or its last where nothing chooses.

    Args:
        folder: of its checkpoints; the training may go on meanwhile.

    Returns:
        The weights in the order of the model's own list, those that are trained or all; and the step that they are of
        at the latest.

    Raises:
        BadInputError: there is no checkpoint, or none that can be read.
    """
    wrong = ""
    for _ in range(KEPT):  # while they are read, the training may remove them
        for path in stored(folder):
            try:
                arrays, facts = read(path)
            except BadInputError as error:
                wrong = str(error)
                continue
            chosen = "best/" if facts.get("stopping", {}).get("best") is not None else "weights/"
            return [arrays[name] for name in arrays if name.startswith(chosen)], step_of(path)
    raise BadInputError(wrong or f"--model must name a model or a run with a checkpoint; {str(folder)!r} has none yet")


def read(path: Path, shapes: Shapes | None = None) -> tuple[dict[str, "np.ndarray"], dict[str, Any]]:
    """Read a checkpoint.

    Args:
        path: where it lies.
        shapes: the arrays that it must have, and no others; None for any.

    Returns:
        Arrays and facts.

    Raises:
        BadInputError: it is damaged, or not one of this training.
    """
    import numpy as np

    try:
        noted, content = path.read_bytes().split(b"\n", 1)
        if noted.decode() != sha256(content):
            raise BadInputError(f"the checkpoint {path} is damaged: its checksum is not the noted one")
        line, raw = content.split(b"\n", 1)
        header = json.loads(line)
        found = {name: (dtype, tuple(shape)) for name, dtype, shape in header["arrays"]}
        if shapes and (found.keys() != shapes.keys() or not all(_fits(found[name], shapes[name]) for name in found)):
            raise BadInputError(f"the checkpoint {path} is not one of this training: it has other arrays")
        arrays, offset = {}, 0
        for name, (dtype, shape) in found.items():
            count = math.prod(shape)
            arrays[name] = np.frombuffer(raw, dtype, count, offset).reshape(shape)
            offset += arrays[name].nbytes
        if offset != len(raw) or header["step"] != step_of(path):
            raise ValueError("its parts do not agree")
        return arrays, header["facts"]
    except BadInputError:
        raise
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise BadInputError(f"the checkpoint {path} is damaged: {reason(error)}") from None


def _fits(found: tuple[str, tuple[int, ...]], expected: tuple[str, Sequence[int | None]]) -> bool:
    (dtype, shape), (expected_dtype, expected_shape) = found, expected
    if dtype != expected_dtype or len(shape) != len(expected_shape):
        return False
    return all(isinstance(n, int) and n >= 0 and e in (None, n) for n, e in zip(shape, expected_shape, strict=True))
