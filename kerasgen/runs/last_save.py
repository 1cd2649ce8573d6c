"""The save at the end of a training: where the disk is full, room is made or waited for, and nothing is lost."""

import contextlib
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from kerasgen.base import console
from kerasgen.base.errors import FailedError, StoppedError, reason
from kerasgen.runs import checkpoints
from kerasgen.runs.run import Run

PAUSE, LONGEST_PAUSE = 5.0, 60.0  # seconds between two attempts to save what waits in memory
_MARGIN = 8192  # bytes: what a disk takes for a file is more than its length


def save(write: Callable[[Path], object], path: Path, run: Run, signalled: Callable[[], int]) -> None:
    """Save a trained model, whatever stands in the way.

    Where it can't be written, a copy goes to another disk, and what the run needed makes room if that is enough. Where
    that does not help, an error says where the copy is. Where there is none either, the older checkpoint makes room;
    else the model waits in memory, and is saved once that can be done.

    Args:
        write: writes the model to a path, whole or not at all.
        path: where it shall be.
        run: that made it.
        signalled: returns the number of the signal that asks to stop, or 0.

    Raises:
        FailedError: the model is where the message says.
        StoppedError: a signal came while it waited.
    """
    try:
        write(path)
        return
    except FailedError as error:
        if not isinstance(error.__cause__, OSError):  # another disk would not help
            raise
        why = reason(error.__cause__)
    copy = _elsewhere(write, path)
    if copy:
        console.note(f"{path} can't be written ({why}); until it is, the trained model is kept as {copy}")
    _make_room(run, copy.stat().st_size + _MARGIN if copy else None)
    try:
        write(path)
    except FailedError as error:
        if copy:
            message = f"the trained model is kept as {copy}: free some space and move it to {path}"
            raise FailedError(f"{path} can't be written ({why}); {message}") from error
        console.note(
            f"{path} can't be written ({why}), and there is no room elsewhere: the trained model waits in memory and "
            "is saved once there is room; Ctrl-C gives it up"
        )
        _wait(write, path, run, signalled)
    if copy:
        shutil.rmtree(copy.parent, ignore_errors=True)


def places() -> Iterator[Path]:
    """Yield the folders where a copy may go: the current one, the user's own, and those for temporary files."""
    with contextlib.suppress(OSError):  # the current folder was removed
        yield Path.cwd()
    with contextlib.suppress(RuntimeError):  # the user has none
        yield Path.home()
    with contextlib.suppress(OSError):  # none can be written to
        yield Path(tempfile.gettempdir())
    yield Path("/dev/shm")  # memory, but it outlives the process


def _elsewhere(write: Callable[[Path], object], path: Path) -> Path | None:
    """Write a model to another disk than that of `path`; return where, or None where no other takes it."""
    for place in places():
        with contextlib.suppress(OSError, FailedError):
            folder = Path(tempfile.mkdtemp(prefix="kerasgen-", dir=place))  # private, as the text may be
            try:
                write(folder / path.name)
                return folder / path.name
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise
    return None


def _make_room(run: Run, needed: int | None) -> None:
    """Remove what a run does without: the checkpoint before the newest; all but its name where that gives the room.

    Args:
        run: whose model has a copy, if any room is known to be needed.
        needed: bytes; None where there is no copy, so that its newest checkpoint must stay.
    """
    spent = [*checkpoints.stored(run.folder), run.model]
    with contextlib.suppress(OSError):
        if needed and shutil.disk_usage(run.folder).free + sum(path.stat().st_size for path in spent) > needed:
            run.model.unlink()
            checkpoints.give_up(run.folder, all=True)
    checkpoints.give_up(run.folder)


def _wait(write: Callable[[Path], object], path: Path, run: Run, signalled: Callable[[], int]) -> None:
    pause = PAUSE
    while True:
        until = time.monotonic() + pause
        while time.monotonic() < until:
            if signal := signalled():
                raise StoppedError(
                    f"stopped; {path} could not be written, and the last checkpoint is that of step {run.step:,}; "
                    f"resume with: {run.resumption}",
                    signal,
                )
            time.sleep(0.2)
        with contextlib.suppress(FailedError):
            write(path)
            return
        pause = min(2 * pause, LONGEST_PAUSE)
