"""Which run a command resumes, and that none is lost: through the real commands."""

import json
import re
import shlex
import shutil

import numpy as np
import pytest

import kerasgen
from kerasgen.base import console, machine
from kerasgen.modelfile import store
from kerasgen.runs import checkpoints
from kerasgen.runs import run as runs
from kerasgen.runs.checkpointer import Checkpointer
from kerasgen.tasks.registry import make_task
from kerasgen.tasks.settings import NamesSettings
from kerasgen.text.corpora import Text
from tests.support.commands import call
from tests.support.poems import write_text

TINY = ("--data", "book.txt", "--units", 8, "--batch-size", 4, "--seq-len", 10, "--no-log", "--length", 9)


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """A folder with a text and a model of it."""
    folder = tmp_path_factory.mktemp("learned")
    write_text(folder / "book.txt")
    call(folder, "shakespeare", *TINY, "--scratch-epochs", 1, "--prompt", "Et tu")
    return folder


@pytest.fixture
def folder(learned, tmp_path):
    """A copy of that folder, in which anything may be done."""
    shutil.copytree(learned, tmp_path, dirs_exist_ok=True)
    return tmp_path


def fine_tuned(folder, epochs, *more, **expected):
    flags = ("--data", "book.txt", "--no-log", "--seq-len", 10, "--length", 9, "--epochs", epochs, "--prompt", "Et tu")
    return call(folder, "shakespeare", *flags, *more, **expected)


def unfinished(folder):
    return runs.unfinished(folder / "saved_models")


def test_a_run_that_is_killed_right_after_its_model_is_saved_is_known_to_have_ended(folder, monkeypatch):
    with monkeypatch.context() as killed:
        killed.setattr(runs.Run, "remove", lambda run: None)
        fine_tuned(folder, 2)
    assert len(unfinished(folder)) == 1
    steps = store.read(folder / "saved_models" / "my-book.keras").card["training"]["steps"]
    again = fine_tuned(folder, 2)
    assert "this run has ended before, and saved_models/my-book.keras is its model" in again.stderr
    assert store.read(folder / "saved_models" / "my-book.keras").card["training"]["steps"] == steps
    assert "Et tu" in again.stdout and not unfinished(folder)
    fine_tuned(folder, 2)  # asked for once more, it is trained once more
    assert store.read(folder / "saved_models" / "my-book.keras").card["training"]["steps"] > steps


def test_another_training_does_not_take_an_ended_run_for_its_own(folder, monkeypatch):
    with monkeypatch.context() as killed:
        killed.setattr(runs.Run, "remove", lambda run: None)
        fine_tuned(folder, 2)
    other = fine_tuned(folder, 1)
    assert "ended before" not in other.stderr and "beside" not in other.stderr and not unfinished(folder)


def test_an_interrupted_fine_tuning_is_resumed_by_name_when_its_model_is_another_by_then(folder, monkeypatch):
    shutil.copytree(folder, folder / "whole")
    fine_tuned(folder / "whole", 3)
    first = store.read(folder / "saved_models" / "my-book.keras").card["training"]["steps"]
    with monkeypatch.context() as stopped:
        stopped.setattr("kerasgen.runs.checkpointer.SELDOM", 0)
        stopped.setattr("kerasgen.runs.checkpointer.OFTEN", 0)
        stopped.setattr(Checkpointer, "_perhaps", lambda self, age: _stop_at(self, first + 20))
        told = fine_tuned(folder, 3, code=143).stderr
    assert "resume with: python -m kerasgen.shakespeare" in told
    (run,) = unfinished(folder)
    beside = fine_tuned(folder, 1).stderr
    assert "a new run beside the unfinished" in beside
    command = f"python -m kerasgen.shakespeare --resume {run.folder.name} --data book.txt"
    assert command in beside
    words = shlex.split(beside.partition("to resume that one: ")[2].partition("; to remove it")[0])
    done = call(folder, *words[2:3][0].split(".")[1:], *words[3:])
    assert f"resuming saved_models/runs/{run.folder.name} at step" in done.stderr and not unfinished(folder)
    resumed, whole = (kerasgen.load(path / "saved_models" / "my-book.keras") for path in (folder, folder / "whole"))
    assert all(map(np.array_equal, resumed.model.get_weights(), whole.model.get_weights()))


def _stop_at(checkpointer, step):
    from kerasgen.base.errors import StoppedError

    if checkpointer.step >= step:
        checkpointer._save(checkpointer.folder)
        raise StoppedError("stopped", 15)


def test_a_run_of_an_earlier_version_is_not_resumed_without_its_origin(tmp_path):
    run = tmp_path / "saved_models" / "runs" / "book-12345678"
    run.mkdir(parents=True)
    config = {"settings": {"steps": 9}, "text": {"name": "book", "sha256": "0"}, "origin": "1", "command": "x"}
    (run / "config.json").write_text(json.dumps(config), encoding="utf-8")
    write_text(tmp_path / "book.txt")
    done = call(tmp_path, "shakespeare", *TINY, "--resume", run.name, code=2)
    assert "--resume needs a run of the same settings and text" in done.stderr and done.stderr.count("\n") == 1


def test_the_command_of_a_run_is_kept_without_what_resumed_it():
    words = [
        "--resume",
        "book-1",
        "--data=book.txt",
        "--no_resume",
        "--resume=book-2",
        "--epochs",
        "3",
        "--",
        "--resume",
    ]
    assert console.command_line("kerasgen dino", words) == "kerasgen dino --data=book.txt --epochs 3 -- --resume"
    assert console.command_line("kerasgen dino", ["--resume", "--finish"]) == "kerasgen dino --finish"


def test_a_run_says_once_what_differs_from_where_it_began(tmp_path, monkeypatch, capsys):
    task = make_task(NamesSettings(units=3, steps=9), Text("towns", "ada\nbea\ncleo", ""))
    monkeypatch.setenv("XLA_FLAGS", "")
    run = runs.claim(task, tmp_path, "command")
    checkpoints.write(run.folder, 3, {"losses": np.zeros(2)}, {})
    monkeypatch.setenv("XLA_FLAGS", machine.FUSED_LOOPS)  # which kerasgen sets itself
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # equal to the last bit
    runs.claim(task, tmp_path, "command")
    assert "the run began with" not in capsys.readouterr().err
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math=true")
    monkeypatch.setattr(machine, "cores", lambda: 99)
    runs.claim(task, tmp_path, "command")
    told = capsys.readouterr().err
    assert re.search(
        r"the run began with XLA_FLAGS unset, now --xla_cpu_enable_fast_math=true, cores \d+, now 99: ", told
    )
    assert store.versions().items() <= run.config["versions"].items() and "processor" in run.config["machine"]
