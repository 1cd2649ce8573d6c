"""Ray starts the workers of a training, and starts them again where one is killed; needs the extra ``ray``."""

import importlib.util
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import kerasgen
from kerasgen.base.errors import BadInputError, FailedError, StoppedError
from kerasgen.runs import checkpoints, ray_cluster, ray_group, ray_rank, signals
from kerasgen.runs.ray_rank import Desk, Outcome
from tests.support.commands import call, environment
from tests.support.poems import write_text

TINY = (
    "--data", "mini.txt", "--from-scratch", "--units", "8", "--batch-size", "12", "--seq-len", "10", "--no-log",
    "--quiet", "--length", "1", "--dtype", "float64", "--patience", "1000", "--learning-rate", "0.0005",
)  # fmt: skip
RAY = ("--strategy", "ray", "--num-workers", "2")
RUNS = "saved_models/runs"
installed = pytest.mark.skipif(not importlib.util.find_spec("ray"), reason="needs pip install 'kerasgen[ray]'")


def descendants(pid, title):
    """Return the processes below one, whose titles begin so."""
    found = [one for one in ray_cluster.descendants(pid) if ray_cluster.title(one).startswith(title)]
    return sorted(found)


def reached(folder):
    runs = [path for path in (folder / RUNS).glob("mini-*") if path.is_dir()]
    return max((checkpoints.step_of(found) for run in runs for found in checkpoints.stored(run)), default=0)


def holds_the_lock(pid):
    """Tell whether a process is the chief, which holds the lock of the training."""
    links = [os.readlink(one) for one in Path(f"/proc/{pid}/fd").iterdir() if one.is_symlink()]
    return any(link.endswith("mini.lock") for link in links)


@installed
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs /proc, to find the workers")
def test_a_worker_that_is_killed_is_brought_back_and_the_weights_are_those_of_an_undisturbed_run(tmp_path):
    write_text(tmp_path / "mini.txt")
    flags = (*TINY, "--scratch-epochs", "60")
    call(tmp_path, "shakespeare", *flags, "--save-dir", "alone")
    command = [sys.executable, "-m", "kerasgen.shakespeare", *flags, *RAY]
    pipes = dict(stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with subprocess.Popen(command, cwd=tmp_path, env=environment(), **pipes) as process:
        try:
            until = time.monotonic() + 150
            while not (first := reached(tmp_path)):
                assert process.poll() is None and time.monotonic() < until, process.communicate()
                time.sleep(0.1)
            ranks = descendants(process.pid, b"ray::RayTrainWorker")
            (killed,) = [rank for rank in ranks if not holds_the_lock(rank)]
            all_of_ray = descendants(process.pid, b"ray::")
            os.kill(killed, signal.SIGKILL)
            out, err = process.communicate(timeout=200)
        finally:
            process.kill()
    assert process.returncode == 0 and len(ranks) == 2, err
    again = "kerasgen: a worker has died; all are started again, from the last checkpoint ({} of 3 times)\n"
    count = err.count("\n")  # on a busy machine, a start may fail as well
    assert count and err == "".join(again.format(number) for number in range(1, count + 1)), err
    assert len(out) == 2 and not [pid for pid in all_of_ray if ray_cluster.title(pid).startswith(b"ray::")]
    expected, found = (kerasgen.load(tmp_path / name / "my-mini.keras") for name in ("alone", "saved_models"))
    assert found.card["training"]["steps"] == expected.card["training"]["steps"] > first
    for ours, theirs in zip(found.model.get_weights(), expected.model.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5)
    assert os.listdir(tmp_path / "saved_models") == ["my-mini.keras"]


REFUSED = {
    "no number": (("--strategy", "ray"), "belong together"),
    "no strategy": (("--num-workers", "2"), "belong together"),
    "another strategy": (("--strategy", "mirrored", "--num-workers", "2"), "received --strategy mirrored"),
    "none of them": (("--strategy", "ray", "--num-workers", "0"), "--num-workers must be at least 1"),
    "addresses": ((*RAY, "--workers", "a:1,b:2", "--worker-index", "0"), "--strategy multiworker"),
    "chosen GPUs": ((*RAY, "--gpus", "0"), "--device gpu"),
    "uneven": (("--strategy", "ray", "--num-workers", "5"), "multiple of 5"),
    "a client's address": (RAY, "HOST:PORT or auto"),
}


@pytest.mark.parametrize("flags, words", REFUSED.values(), ids=REFUSED)
def test_wrong_use_is_one_clear_line(tmp_path, flags, words):
    write_text(tmp_path / "mini.txt")
    done = call(tmp_path, "shakespeare", *TINY, *flags, code=2, RAY_ADDRESS="ray://head:10001")
    assert done.stderr.count("\n") == 1 and words in done.stderr


def test_names_that_are_learned_one_by_one_are_not_shared(tmp_path):
    (tmp_path / "towns.txt").write_text("\n".join(f"town{n}" for n in range(30)))
    done = call(tmp_path, "dino", "--data", "towns.txt", "--steps", "20", "--units", "8", *RAY, code=2)
    assert "one by one" in done.stderr and done.stderr.count("\n") == 1


def test_without_the_extra_a_line_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.delitem(sys.modules, "ray", raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    write_text(tmp_path / "mini.txt")
    done = call(tmp_path, "shakespeare", *TINY, *RAY, code=2)
    assert "pip install 'kerasgen[ray]'" in done.stderr and done.stderr.count("\n") == 1
    with pytest.raises(BadInputError, match="strategy is not a setting of train_names or train_text"):
        kerasgen.train_text(tmp_path / "mini.txt", strategy="ray", num_workers=2)


def test_the_desk_says_how_all_ended_and_lets_nobody_begin_anew_then():
    desk = Desk()
    assert (desk.begin(0), desk.begin(1), desk.begin(1), desk.begin(0)) == (0, 0, 0, 1)
    desk.end(Outcome(1, "another worker is gone", 1))
    desk.end(Outcome(0, "stopped at step 7", 143))
    assert desk.outcome().message == "stopped at step 7" and desk.begin(0) is None
    desk.end(Outcome(1, "another text", 2))  # only this one can say so
    assert desk.outcome().message == "another text"


@pytest.mark.parametrize("code, kind", [(1, FailedError), (2, BadInputError), (143, StoppedError)])
def test_an_error_of_a_worker_is_that_of_the_command(code, kind):
    error = Outcome(0, "so it was", code).error()
    assert type(error) is kind and error.exit_code == code and str(error) == "so it was"


def test_the_desk_hands_on_what_is_printed_and_signals(monkeypatch):
    desk = Desk()
    desk.begin(0)
    assert desk.take(0) == ([], 1, True)
    assert desk.hand_in([("stdout", "to be")]) == 0
    assert desk.take(signal.SIGTERM) == ([("stdout", "to be")], 1, True)
    assert desk.hand_in([]) == signal.SIGTERM
    monkeypatch.setattr(ray_rank, "_SILENCE", -1.0)
    assert desk.take(0)[2] is False
    monkeypatch.setattr(signals, "_told", [])
    with signals.noted(True) as signalled:
        assert signalled() == 0
        signals.note(signal.SIGTERM)
        assert signalled() == signal.SIGTERM


def test_ray_that_gave_up_says_why(monkeypatch):
    class ControllerError(Exception):
        pass

    class WorkerGroupError(Exception):
        worker_failures = {
            0: RuntimeError("Traceback ...\n  at\nLostError: worker 1 has ended"),
            1: OSError("killed. Some causes are"),
        }

    class FourCores:
        @staticmethod
        def cluster_resources():
            return {"CPU": 4.0}

    monkeypatch.setenv(ray_cluster.PATIENCE, "60")
    late = ray_group.failed(FourCores, [ControllerError("no room")], 9)
    assert late.code == 1 and "could not start 9 workers within 60 s" in late.message and "has 4" in late.message
    died = ray_group.failed(FourCores, [WorkerGroupError("a long story")], 2).message
    assert "workers died 4 times, the last time with: LostError: worker 1 has ended; killed; the same" in died
    assert ray_group.failed(FourCores, [ValueError("so\nthat\n")], 2).message == "Ray has failed: that"
