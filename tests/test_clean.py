"""``python -m kerasgen.clean``: what it lists, what it removes, and what it never touches."""

import io
import json
import os
import shutil
import time

import numpy as np
import pytest

from kerasgen import clean
from kerasgen.base import console
from kerasgen.runs import checkpoints
from kerasgen.runs import run as runs


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A folder with a model, an old run and a new one, a log, and a folder of the user's own among the logs."""
    monkeypatch.chdir(tmp_path)
    for name, days in (("old-00000000", 9), ("new-11111111", 0)):
        folder = runs.home("saved_models") / name
        checkpoints.write(folder, 1200, {"losses": np.zeros(2)}, {})
        (folder / "config.json").write_text(json.dumps({"settings": {"steps": 3000}, "text": {}, "origin": ""}))
        for path in (*folder.iterdir(), folder):
            os.utime(path, (time.time() - 86400 * days,) * 2)
    (tmp_path / "saved_models" / "my-old.keras").write_text("a model")
    (tmp_path / "logs" / "old_units64" / "train").mkdir(parents=True)
    (tmp_path / "logs" / "old_units64" / "train" / "events.out.tfevents.1").write_text("")
    (tmp_path / "logs" / "old_units64" / ".kerasgen-log").touch()
    (tmp_path / "logs" / "mine").mkdir()
    return tmp_path


def names(home):
    return sorted(path.name for folder in ("saved_models/runs", "logs") for path in (home / folder).glob("*"))


def run(capsys, *arguments):
    code = console.run_command(clean.main, list(arguments))
    done = capsys.readouterr()
    return code, done.out, done.err


def test_it_lists_and_removes_nothing_unasked(home, capsys):
    before = names(home)
    code, out, err = run(capsys)
    assert (code, err) == (0, "") and names(home) == before
    assert "old-00000000  step 1,200 of 3,000" in out and " 1 w" in out and "old_units64" in out and "mine" not in out


@pytest.mark.parametrize(
    ("flags", "left"),
    [
        (["--runs"], ["mine", "old_units64"]),
        (["--logs"], ["mine", "new-11111111", "old-00000000"]),
        (["--all"], ["mine"]),
        (["--runs", "--older-than", "7d"], ["mine", "new-11111111", "old_units64"]),
        (["--all", "--older_than", "7d"], ["mine", "new-11111111", "old_units64"]),
        (["new-11111111", "old_units64"], ["mine", "old-00000000"]),
    ],
)
def test_what_was_asked_for_goes_and_models_stay(home, capsys, flags, left):
    code, out, err = run(capsys, *flags, "--yes")
    assert (code, err) == (0, "") and names(home) == left
    assert (home / "saved_models" / "my-old.keras").read_text() == "a model"


def test_folders_of_somebody_else_stay_wherever_it_looks(home, capsys):
    for folder in ("logs/theirs/tb", "saved_models/runs/holidays-20260801", "saved_models/runs/old-00000000/kept"):
        (home / folder).mkdir(parents=True)
        (home / folder / "events.out.tfevents.1").write_text("precious")
    (home / "logs" / "old_units64" / "notes.txt").write_text("precious")
    (home / "logs" / "old_units64" / "train" / "more").symlink_to(home / "logs" / "theirs")
    code, out, err = run(capsys, "--all", "--yes")
    assert (code, err) == (0, "")
    assert "removed logs/old_units64: all but notes.txt, train" in out
    assert (
        "removed saved_models/runs/old-00000000: all but kept" in out and "holidays" not in out and "theirs" not in out
    )
    assert len([path for path in home.rglob("events.out.tfevents.1") if path.read_text() == "precious"]) == 3
    assert (home / "logs" / "old_units64" / "notes.txt").exists() and not list(home.rglob("*.checkpoint"))
    assert run(capsys, "--log-dir", ".", "--save-dir", "logs", "--all", "--yes")[0] == 0
    (home / "logs" / "\x1b]0;evil").mkdir()
    (home / "logs" / "\x1b]0;evil" / ".kerasgen-log").touch()
    out = run(capsys)[1] + run(capsys, "--logs", "--yes")[1]
    assert "\x1b" not in out and out.count("\\x1b]0;evil") == 3
    assert len(list(home.rglob("events.out.tfevents.1"))) == 3


def test_a_run_that_ends_meanwhile_is_no_traceback(home, capsys, monkeypatch):
    found = runs.unfinished("saved_models")
    shutil.rmtree(home / "saved_models" / "runs")
    assert [(run.step, run.diverged) for run in found] == [(0, "")] * 2
    assert runs.unfinished("saved_models") == []
    monkeypatch.setattr(runs, "unfinished", lambda _: found)
    code, out, err = run(capsys)
    assert (code, err) == (0, "") and "old-00000000" in out


def test_a_run_that_is_being_trained_stays(home, capsys):
    with runs.lock("saved_models", "old"):
        code, out, err = run(capsys, "--runs", "--yes")
    assert code == 0 and "old-00000000 stays: another process" in err and len(err.splitlines()) == 1
    assert "old-00000000" in names(home) and "new-11111111" not in names(home)


@pytest.mark.parametrize(
    ("flags", "words"),
    [(["--all"], "--yes"), (["nope"], "'nope'"), (["--older-than", "soon"], "'soon'"), (["--al"], "--al")],
)
def test_what_cannot_be_done_is_one_line_and_removes_nothing(home, capsys, monkeypatch, flags, words):
    monkeypatch.setattr("sys.stdin", io.StringIO())
    before = names(home)
    code, _, err = run(capsys, *flags)
    assert code == 2 and words in err and len(err.splitlines()) == 1 and names(home) == before
