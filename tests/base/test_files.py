"""What is written appears whole or not at all."""

import contextlib
import glob
import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasgen.base import files
from kerasgen.base.errors import FailedError
from tests.conftest import ROOT


def test_a_finished_block_replaces_the_file(tmp_path):
    path = tmp_path / "model.keras"
    path.write_text("old")
    with files.whole(path) as temporary:
        assert temporary.parent == path.parent and temporary.suffix == ".keras"
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_missing_folders_are_made(tmp_path):
    path = tmp_path / "a" / "b" / "names.txt"
    with files.whole(path) as temporary:
        temporary.write_text("here")
    assert path.read_text() == "here"


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_the_users_umask_says_who_may_read_a_file(tmp_path, umask):
    before = os.umask(umask)
    try:
        with files.whole(tmp_path / "x.txt") as temporary:
            temporary.write_text("")
    finally:
        os.umask(before)
    assert (tmp_path / "x.txt").stat().st_mode & 0o777 == 0o666 & ~umask


@pytest.mark.parametrize("target", ["nowhere/at/all", "the user's own.txt"])
def test_a_link_in_the_place_of_a_lock_is_one_clear_error_and_not_followed(tmp_path, target):
    (tmp_path / "the user's own.txt").write_text("precious")
    (tmp_path / "mini.lock").symlink_to(target)
    with pytest.raises(FailedError, match="mini.lock can't be written"), files.locked(tmp_path / "mini.lock", "trains"):
        pytest.fail("the block must not begin")
    assert (tmp_path / "the user's own.txt").read_text() == "precious"


def test_what_is_gone_holds_nothing(tmp_path):
    assert files.listed(tmp_path / "gone", "*") == []
    files.remove_leftovers(tmp_path / "gone")


def test_only_what_a_killed_process_left_is_removed(tmp_path):
    for name in (".my-[a]-0a1b2c3d.keras", ".my-b-0a1b2c3d.keras", ".my-[a]-notes.keras", "my-[a].keras"):
        (tmp_path / name).write_text("")
    files.remove_leftovers(tmp_path, glob.escape("my-[a].keras"))
    assert sorted(os.listdir(tmp_path)) == [".my-[a]-notes.keras", ".my-b-0a1b2c3d.keras", "my-[a].keras"]
    files.remove_leftovers(tmp_path)
    assert sorted(os.listdir(tmp_path)) == [".my-[a]-notes.keras", "my-[a].keras"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_exception_leaves_the_old_file_and_no_temporary(tmp_path, error):
    path = tmp_path / "model.keras"
    path.write_text("old")
    with pytest.raises(error), files.whole(path) as temporary:
        temporary.write_text("half")
        raise error("stop")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_exception_leaves_nothing_where_nothing_was(tmp_path):
    with contextlib.suppress(ValueError), files.whole(tmp_path / "model.keras") as temporary:
        temporary.write_text("half")
        raise ValueError
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_text("I am no folder")
    with pytest.raises(FailedError, match="can't be written") as caught, files.whole(tmp_path / "file" / "x.txt"):
        pytest.fail("the block must not begin")
    assert str(tmp_path / "file" / "x.txt") in str(caught.value)
    assert "\n" not in str(caught.value)
    assert (tmp_path / "file").read_text() == "I am no folder"


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_a_read_only_folder_is_one_clear_error():
    with tempfile.TemporaryDirectory() as folder:  # not tmp_path, which only its owner may enter
        os.chmod(folder, 0o555)
        code = f"""
import os, pathlib
from kerasgen.base import errors, files
if os.geteuid() == 0:
    os.seteuid(65534)  # root may write everywhere, nobody may not
try:
    with files.whole(pathlib.Path({folder!r}) / "x.txt"):
        print("the block must not begin")
except errors.FailedError as error:
    print(error)
"""
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
        assert done.stderr == ""
        assert done.stdout.startswith(f"{folder}/x.txt can't be written (Permission denied)")
        assert os.listdir(folder) == []


def test_a_folder_in_the_place_of_the_file_stays(tmp_path):
    (tmp_path / "model.keras" / "inside").mkdir(parents=True)
    with pytest.raises(FailedError, match="can't be written"), files.whole(tmp_path / "model.keras") as temporary:
        temporary.write_text("new")
    assert [path.name for path in tmp_path.iterdir()] == ["model.keras"]
    assert (tmp_path / "model.keras" / "inside").is_dir()


@pytest.mark.skipif(os.name == "nt", reason="POSIX limits")
def test_a_full_disk_leaves_the_old_file_and_no_temporary(tmp_path):
    path = tmp_path / "model.keras"
    path.write_text("old")
    code = f"""
import pathlib, resource
from kerasgen.base import errors, files
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    with files.whole(pathlib.Path({str(path)!r})) as temporary:
        temporary.write_bytes(bytes(5000))
except errors.FailedError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    assert done.stdout.startswith(f"{path} can't be written (File too large)") and done.stdout.count("\n") == 1
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no handle for folders")
def test_bytes_reach_the_disk_before_the_name_does(tmp_path, monkeypatch):
    calls, sync, replace = [], os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda handle: (calls.append("sync"), sync(handle)))
    monkeypatch.setattr(os, "replace", lambda *paths: (calls.append("rename"), replace(*paths)))
    with files.whole(tmp_path / "x.txt") as temporary:
        temporary.write_text("new")
    assert calls == ["sync", "rename", "sync"]  # the file's bytes, its name, the folder that holds the name


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_a_killed_process_leaves_the_old_file(tmp_path):
    path = tmp_path / "model.keras"
    path.write_text("old")
    code = f"""
import os, pathlib, signal
from kerasgen.base import files
with files.whole(pathlib.Path({str(path)!r})) as temporary:
    temporary.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, timeout=60)
    assert done.returncode == -9
    assert path.read_text() == "old"


@given(st.binary(max_size=200))
def test_sha256_is_the_standard_one(data):
    assert files.sha256(data) == hashlib.sha256(data).hexdigest()


def test_ours_are_found_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert files.ours(Path("configs/dino.toml")) == ROOT / "configs" / "dino.toml"
    assert files.bundled("data/genera.txt").is_file()


@pytest.mark.parametrize("path", ["configs/mine.toml", "dino.toml", "other/configs/dino.toml", "/configs/dino.toml"])
def test_other_paths_stay_as_they_are(path):
    assert files.ours(Path(path)) == Path(path)
