"""A trained model is saved at the end, whatever the disk says; a copy waits elsewhere, or the model in memory."""

import errno
import os
import signal
from types import SimpleNamespace

import numpy as np
import pytest

from kerasgen.base import files
from kerasgen.base.errors import FailedError, StoppedError
from kerasgen.runs import checkpoints, last_save
from kerasgen.runs.run import Run

WORDS = "No space left on device"


class Disk:
    """A disk of so many bytes in a folder, and a model of so many to be written to it.

    Args:
        folder: whose files are counted.
        room: bytes.
        model: bytes.
    """

    def __init__(self, folder, room, model):
        self.folder, self.room, self.model, self.attempts = folder, room, model, 0

    @property
    def free(self):
        """The bytes that are left."""
        return self.room - sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())

    def write(self, path):
        """Write the model, where there is room."""
        self.attempts += 1
        with files.whole(path) as temporary:
            if path.is_relative_to(self.folder) and self.free < self.model:
                raise OSError(errno.ENOSPC, WORDS)
            temporary.write_bytes(bytes(self.model))


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A run with two checkpoints of some 8 kB in a folder of models; other folders are there for a copy."""
    monkeypatch.setattr(last_save, "_MARGIN", 0)
    for name in ("models", "elsewhere"):
        (tmp_path / name).mkdir()
    run = Run(tmp_path / "models" / "runs" / "towns-00000000", {"command": "kerasgen dino"})
    for step in (1, 2):
        checkpoints.write(run.folder, step, {"weights": np.zeros(1000)}, {})
    run.model.write_bytes(bytes(1000))
    monkeypatch.setattr(last_save, "places", lambda: [tmp_path / "nowhere", tmp_path / "elsewhere"])
    return SimpleNamespace(
        path=tmp_path / "models" / "my-towns.keras", elsewhere=tmp_path / "elsewhere", run=run, signalled=lambda: 0
    )


def saved(here, room, model, monkeypatch):
    """Save a model of a size on a disk with so much room; return the disk."""
    disk = Disk(here.path.parent, room, model)
    monkeypatch.setattr(last_save.shutil, "disk_usage", lambda _: SimpleNamespace(free=disk.free))
    last_save.save(disk.write, here.path, here.run, here.signalled)
    assert here.path.stat().st_size == model
    return disk


def test_where_there_is_room_nothing_else_happens(here, monkeypatch, capsys):
    assert saved(here, 100_000, 9000, monkeypatch).attempts == 1
    assert here.run.step == 2 and capsys.readouterr().err == "" and os.listdir(here.elsewhere) == []


def test_the_checkpoints_make_room_once_a_copy_is_elsewhere(here, monkeypatch, capsys):
    saved(here, 18_000, 15_000, monkeypatch)
    assert f"{here.path} can't be written ({WORDS}); until it is," in capsys.readouterr().err
    assert here.run.step == 0 and os.listdir(here.elsewhere) == []


def test_where_they_would_not_be_enough_the_newest_stays_and_an_error_says_where_the_copy_is(here, monkeypatch):
    with pytest.raises(FailedError, match=WORDS) as error:
        saved(here, 20_000, 30_000, monkeypatch)
    (copy,) = here.elsewhere.rglob("my-towns.keras")
    assert f"kept as {copy}" in str(error.value) and f"move it to {here.path}" in str(error.value)
    assert copy.stat().st_size == 30_000 and copy.parent.stat().st_mode & 0o077 == 0
    assert here.run.step == 2 and not here.path.exists()


def test_without_a_copy_the_older_checkpoint_makes_room_and_the_newest_stays(here, monkeypatch, capsys):
    monkeypatch.setattr(last_save, "places", lambda: [])
    saved(here, 18_000, 8000, monkeypatch)
    assert [checkpoints.step_of(path) for path in checkpoints.stored(here.run.folder)] == [2]


def test_without_room_anywhere_the_model_waits_until_there_is_some(here, monkeypatch, capsys):
    monkeypatch.setattr(last_save, "places", lambda: [])
    monkeypatch.setattr(last_save, "PAUSE", 0.01)
    ballast = here.path.parent / "ballast"
    ballast.write_bytes(bytes(50_000))
    asked = iter(range(1000))
    here.signalled = lambda: ballast.unlink(missing_ok=True) if next(asked) > 2 else 0
    assert saved(here, 60_000, 20_000, monkeypatch).attempts > 3
    assert "waits in memory" in capsys.readouterr().err and here.run.step == 2


def test_a_signal_gives_up_waiting(here, monkeypatch):
    monkeypatch.setattr(last_save, "places", lambda: [])
    here.signalled = lambda: signal.SIGTERM
    with pytest.raises(StoppedError, match="last checkpoint is that of step 2; resume with: kerasgen dino") as stopped:
        saved(here, 20_000, 30_000, monkeypatch)
    assert stopped.value.exit_code == 143 and here.run.step == 2


def test_what_no_other_disk_would_mend_is_told_at_once(here, monkeypatch):
    def refuse(path):
        raise FailedError("it could not be loaded again")

    with pytest.raises(FailedError, match="it could not be loaded again"):
        last_save.save(refuse, here.path, here.run, here.signalled)
    assert here.run.step == 2 and os.listdir(here.elsewhere) == []


def test_the_places_for_a_copy_are_the_users_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    found = [str(place) for place in last_save.places()]
    assert found[:2] == [str(tmp_path), str(tmp_path / "home")] and found[-1] == "/dev/shm"
