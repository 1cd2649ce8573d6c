"""Checkpoints: exactly what was written comes back, or the one before it, whatever happens in between."""

import errno
import io
import os
import shutil

import numpy as np
import pytest

from kerasgen.base import files
from kerasgen.base.errors import BadInputError, FailedError
from kerasgen.runs import checkpoints

ARRAYS = {
    "weights/0/a": np.arange(6, dtype=np.float32).reshape(2, 3),
    "optimizer/0/iterations": np.array(7, np.int64),
    "losses": np.array([0.1, 1 / 3]),
}
SHAPES = {"weights/0/a": ("<f4", (2, 3)), "optimizer/0/iterations": ("<i8", ()), "losses": ("<f8", (None,))}
FACTS = {"smoothed_loss": 1 / 3, "epochs": [{"step": 1, "loss": 0.1 + 0.2}], "stopped": False}


def write(folder, step=7):
    return checkpoints.write(folder, step, {**ARRAYS, "losses": np.full(step, 0.5)}, {**FACTS, "at": step})


def test_what_was_written_comes_back_bit_for_bit(tmp_path):
    arrays, facts = checkpoints.read(checkpoints.write(tmp_path / "run", 7, ARRAYS, FACTS), SHAPES)
    assert facts == FACTS and arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert (arrays[name].dtype, arrays[name].shape) == (array.dtype, array.shape)
        assert arrays[name].tobytes() == array.tobytes()


def test_the_last_two_are_kept(tmp_path):
    for step in (9, 100, 2000, 10**7):
        write(tmp_path, step)
    assert [checkpoints.step_of(path) for path in checkpoints.stored(tmp_path)] == [10**7, 2000]
    assert len(os.listdir(tmp_path)) == 2


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "gone", "longer"])
def test_where_the_newest_is_damaged_the_one_before_it_is_taken_and_that_is_said(tmp_path, damage):
    write(tmp_path, 5)
    path = write(tmp_path, 6)
    content = path.read_bytes()
    flipped = content[:-3] + bytes([content[-3] ^ 1]) + content[-2:]
    path.write_bytes({"cut": content[:-8], "flipped": flipped, "empty": b"", "longer": content + b"x"}.get(damage, b""))
    if damage == "gone":
        path.unlink()
    arrays, facts, wrong = checkpoints.newest(tmp_path, SHAPES)
    assert facts["at"] == 5 and len(arrays["losses"]) == 5
    assert len(wrong) == (damage != "gone") and all(str(path) in line and "damaged" in line for line in wrong)


def test_where_all_are_damaged_or_there_is_none_nothing_is_taken(tmp_path):
    assert checkpoints.newest(tmp_path / "none", SHAPES) == (None, {}, [])
    deep = b"[" * 100_000 + b"\n"
    for content in (b"\x80\x04.", files.sha256(deep).encode() + b"\n" + deep):
        write(tmp_path).write_bytes(content)
        arrays, _, wrong = checkpoints.newest(tmp_path, SHAPES)
        assert arrays is None and len(wrong) == 1 and "damaged" in wrong[0]


@pytest.mark.parametrize(
    "shapes",
    [
        {**SHAPES, "weights/0/a": ("<f4", (3, 2))},
        {**SHAPES, "weights/0/a": ("<f8", (2, 3))},
        {**SHAPES, "more": ("<f4", ())},
        {name: SHAPES[name] for name in ("weights/0/a", "losses")},
    ],
)
def test_other_names_shapes_or_dtypes_are_refused(tmp_path, shapes):
    path = write(tmp_path)
    with pytest.raises(BadInputError, match="other arrays"):
        checkpoints.read(path, shapes)


class Disk:
    """Counts the system calls of a save; lets one of them fail, or the process die before or in it.

    Args:
        patch: pytest's monkeypatch.
        at: the number of the call.
        error: the errno that it fails with; None for the death of the process, after which nothing is done any more.
    """

    class Death(BaseException):
        """The process is dead."""

    def __init__(self, patch, at=None, error=None):
        self.calls, self.at, self.error, self.dead = [], at, error, False
        for name in ("close", "fsync", "replace", "unlink", "open", "mkdir"):
            patch.setattr(os, name, self.counted(name, getattr(os, name)))
        patch.setattr(checkpoints, "open", self.opened, raising=False)

    def counted(self, name, call):
        """Put a count before a call."""

        def fake(*arguments, **options):
            self.check(name)
            return call(*arguments, **options)

        return fake

    def check(self, name, half=lambda: None):
        """Count a call, and fail or die if it is its turn; `half` is the half of it that is done all the same."""
        if self.dead:
            raise self.Death
        self.calls.append(name)
        if len(self.calls) - 1 == self.at:
            half()
            if self.error:
                raise OSError(self.error, os.strerror(self.error))
            self.dead = True
            raise self.Death

    def opened(self, path, mode):
        """Open a file without a buffer, whose writes may be short."""
        disk = self

        class Short(io.FileIO):
            def write(self, data):
                write = super().write
                disk.check("write", lambda: write(data[: len(data) // 2]))
                return write(data)

        return Short(path, mode)


def calls_of_a_save(folder):
    with pytest.MonkeyPatch.context() as patch:
        disk = Disk(patch)
        write(folder, 3)
    return disk.calls


@pytest.fixture
def run(tmp_path):
    for step in (1, 2):
        write(tmp_path / "run", step)
    return tmp_path / "run"


def test_a_save_syncs_before_it_renames_and_the_folder_after_that(run):
    calls = calls_of_a_save(run)
    assert calls.index("fsync") < calls.index("replace") < len(calls) - 1 - calls[::-1].index("fsync")
    assert calls.index("replace") < calls.index("unlink") and calls.count("write") == 2


def test_a_death_at_any_system_call_of_a_save_leaves_what_can_be_gone_on_with(run, tmp_path):
    count = len(calls_of_a_save(shutil.copytree(run, tmp_path / "counted")))
    assert count >= 10
    steps = []
    for at in range(count):
        folder = shutil.copytree(run, tmp_path / f"dead-{at}")
        with pytest.MonkeyPatch.context() as patch, pytest.raises(Disk.Death):
            Disk(patch, at)
            write(folder, 3)
        arrays, facts, wrong = checkpoints.newest(folder, SHAPES)
        assert arrays is not None and wrong == []
        steps.append(facts["at"])
        write(folder, 3)  # the next process goes on, and cleans up
        assert len(os.listdir(folder)) == 2 and checkpoints.newest(folder, SHAPES)[1]["at"] == 3
    assert steps == sorted(steps) and set(steps) == {2, 3}


def test_a_disk_that_is_broken_at_any_call_is_one_clear_error_and_loses_nothing(run, tmp_path):
    error, failed = errno.EIO, 0
    for at in range(len(calls_of_a_save(shutil.copytree(run, tmp_path / "counted")))):
        folder = shutil.copytree(run, tmp_path / f"failed-{at}")
        with pytest.MonkeyPatch.context() as patch:
            Disk(patch, at, error)
            try:
                write(folder, 3)
            except FailedError as raised:
                failed += 1
                assert os.strerror(error) in str(raised) and "\n" not in str(raised)
        arrays, facts, wrong = checkpoints.newest(folder, SHAPES)
        assert arrays is not None and facts["at"] in (2, 3) and wrong == []
    assert failed >= 7


def test_a_full_disk_costs_the_older_checkpoint_and_not_the_new_one(run, tmp_path, monkeypatch):
    def room_for_two(handle):
        if len(os.listdir(run)) > 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", room_for_two)
    monkeypatch.setattr(files, "_sync_folder", lambda folder: None)
    for step in (3, 4):
        write(run, step)
        assert [checkpoints.step_of(path) for path in checkpoints.stored(run)] == [step, step - 1]
    monkeypatch.setattr(checkpoints, "stored", lambda folder: [])  # there is none to give up
    with pytest.raises(FailedError, match="No space left"):
        write(run, 5)


def test_what_killed_processes_left_behind_goes_with_the_next_checkpoint(run):
    half = run / ".000000000001-0a1b2c3d.checkpoint"
    half.write_bytes(b"half")
    write(run, 3)
    assert not half.exists() and len(os.listdir(run)) == 2


def test_a_lock_is_held_by_one_process_and_dies_with_it(tmp_path):
    path = tmp_path / "runs" / "mini.lock"
    reader, writer = os.pipe()
    if not (child := os.fork()):
        with files.locked(path, "trains"):
            os.write(writer, b".")
            os.read(os.pipe()[0], 1)  # until it is killed
    os.read(reader, 1)
    with pytest.raises(FailedError, match=rf"another process \({child}\) trains; "), files.locked(path, "trains"):
        pass
    os.kill(child, 9)
    os.waitpid(child, 0)
    with files.locked(path, "trains"):
        assert path.exists()
    assert os.listdir(tmp_path) == []
