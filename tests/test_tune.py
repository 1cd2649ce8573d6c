"""Sweeps: every trial is made once and none is lost, by one process or by several, and the commands take the winner."""

import contextlib
import csv
import dataclasses
import functools
import gc
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import tomllib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import kerasgen
from kerasgen import dino, tune
from kerasgen.base import console, files
from kerasgen.base.console import duration
from kerasgen.base.errors import BadInputError, FailedError, StoppedError
from kerasgen.base.flags import parse
from kerasgen.base.settings import searchable
from kerasgen.modelfile import store
from kerasgen.tasks.registry import KINDS
from kerasgen.tasks.settings import NamesSettings, ProseSettings
from kerasgen.text.corpora import Text
from kerasgen.tuning import crew, ranking
from kerasgen.tuning.picture import picture
from kerasgen.tuning.settings import TuneSettings, seconds
from kerasgen.tuning.space import Parameter, read_space
from tests.support.poems import environment, write_text

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:keras_tuner.*")  # threading.currentThread

SPACE = """units = [3, 4, 5]
learning_rate = {min = 0.01, max = 0.1, sampling = "log"}
schedule = ["constant", "cosine"]
"""
LOSS, RUNS = "loss/bits_per_char", ("train", "validation")
BASE = "units = 4\nepochs = 2\nbatch_size = 8\nrecurrent_dropout = 0.1\n"
FLAGS = ("--data", "towns.txt", "--space", "space.toml", "--config", "base.toml", "--epochs", "1", "--max-trials", "2")


def write_inputs(folder):
    """Write a list of 60 names, what is searched, and the other settings."""
    rng = np.random.RandomState(0)
    names = ["".join(rng.choice([*"abcde"], rng.randint(3, 8))) for _ in range(60)]
    (folder / "towns.txt").write_text("\n".join(names), encoding="utf-8")
    (folder / "space.toml").write_text(SPACE, encoding="utf-8")
    (folder / "base.toml").write_text(BASE, encoding="utf-8")
    return folder


@pytest.fixture
def folder(tmp_path):
    return write_inputs(tmp_path)


def run(command, folder, *arguments, **options):
    """Run a command in this process and in a folder: exit code, standard output, standard error."""
    main = functools.partial(command.main, **options)
    out, error = io.StringIO(), io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
        code = console.run_command(main, list(map(str, arguments)))
    return code, out.getvalue(), error.getvalue()


def sweep_folder(folder):
    (found,) = (folder / "sweeps").iterdir()
    return found


def rows_of(folder):
    return json.loads((sweep_folder(folder) / "ranking.json").read_text(encoding="utf-8"))["trials"]


def start(folder, *arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "kerasgen.tune", "dino", *FLAGS, "--no-final", *map(str, arguments)],
        cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


class Pretended:
    """Trains nothing: a trial's score follows from its hyperparameters; one of over 8 units has no memory.

    It stands where a `Trainer` does.
    """

    def __init__(self, task):
        import keras

        self.settings, self.model, self.epochs = task.settings, keras.Sequential([keras.Input((1,))]), 0

    def build(self, values, epochs, execution):
        """Take the trial's values."""
        from kerasgen.models.backend import tf

        self.settings, self.epochs = dataclasses.replace(self.settings, **values), epochs
        if self.settings.units > 8:
            raise tf.errors.ResourceExhaustedError(None, None, "no memory")
        return self.model

    def fit(self, model, callbacks):
        """Make no step; return a score."""
        scores = [self.settings.learning_rate + self.settings.units / 100 - i / 1000 for i in range(self.epochs)]
        for epoch, score in enumerate(scores):
            for callback in callbacks:
                callback.on_train_batch_end(0, {})
                callback.on_epoch_end(epoch, {"bits_per_char": 2 * score, "val_bits_per_char": score})
        return scores[-1]


@pytest.fixture
def pretend(folder, monkeypatch):
    """Sweep with a `Pretended` trainer, or another: ``pretend(*arguments)`` gives code, output, standard error."""
    monkeypatch.setattr(tune, "save_picture", lambda *arguments: None)  # it takes a second
    gc.collect()
    gc.freeze()  # keras-tuner collects garbage before each trial: half a second in a process as large as this
    yield lambda *arguments, trainer=Pretended: run(tune, folder, "dino", *arguments, trainer=trainer)
    gc.unfreeze()


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder in which a sweep of two trials was made, and its winner trained, with what was printed."""
    folder = write_inputs(tmp_path_factory.mktemp("sweep"))
    code, out, error = run(tune, folder, "dino", *FLAGS)
    assert code == 0, error
    return folder, out, error


def test_the_ranking_is_printed_and_kept(finished):
    folder, out, error = finished
    rows = rows_of(folder)
    assert sorted(row["trial"] for row in rows) == [1, 2] and {row["status"] for row in rows} == {"done"}
    scores = [row["bits_per_char"] for row in rows]
    assert scores == sorted(scores) and len(set(scores)) > 1
    assert [line.split()[:3] for line in out.splitlines()[:2]] == [
        ["rank", "trial", "bits/char"],
        ["1", str(rows[0]["trial"]), f"{scores[0]:.4f}"],
    ]
    with open(sweep_folder(folder) / "ranking.csv", newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    assert [float(row["bits_per_char"]) for row in table] == scores
    assert [int(row["units"]) for row in table] == [row["values"]["units"] for row in rows]
    assert "trial 2 of 2:" in error and f"the best is trial {rows[0]['trial']} with {scores[0]:.4f}" in error
    assert "Reloading" not in out + error and "Search:" not in out + error


def test_a_picture_shows_the_trials(finished):
    picture = sweep_folder(finished[0]) / "trials.png"
    assert picture.read_bytes().startswith(b"\x89PNG") and picture.stat().st_size > 5000


def test_the_command_makes_the_winner_s_model_from_its_configuration(finished):
    folder, out, _ = finished
    best = sweep_folder(folder) / "best.toml"
    about = " ".join(best.read_text(encoding="utf-8").split("\n")[:2])
    assert "The best of 2 trials" in about and "--tuner random" in about and sweep_folder(folder).name in about
    settings = parse(NamesSettings, "dino", "a\n\nb", "configs/dino.toml", ["--config", str(best)])
    values = rows_of(folder)[0]["values"]
    assert {key: getattr(settings, key) for key in values} == values
    assert (settings.batch_size, settings.epochs, settings.holdout) == (8, 2, "validation")
    code, _, error = run(
        dino, folder, "--data", "towns.txt", "--config", best, "--save-dir", "again", "--quiet", "--no-log"
    )
    assert code == 0, error
    ours, theirs = (kerasgen.load(folder / name / "my-towns.keras") for name in ("saved_models", "again"))
    assert len(ours.generate(3)) == 3 and ours.card["scores"] == theirs.card["scores"]
    for one, other in zip(ours.model.get_weights(), theirs.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert store.score_sentence(ours.card) in out
    (curves,) = (sweep_folder(folder) / "logs").glob("towns_*/curves.png")
    assert curves.stat().st_size > 5000 and not (folder / "logs").exists()
    assert not list((folder / "saved_models").glob("runs/*")) and not (sweep_folder(folder) / "lock").exists()


def events_of(run):
    """Return what TensorBoard's reader finds in the folder of a run, and the curve of a tag: ``{step: value}``."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util import tensor_util

    events = EventAccumulator(str(run))
    events.Reload()

    def curve(tag):
        return {one.step: float(tensor_util.make_ndarray(one.tensor_proto)) for one in events.Tensors(tag)}

    return events, curve


def test_tensorboard_has_the_hyperparameters_and_results(finished):
    from tensorboard.plugins.hparams import plugin_data_pb2

    logs = sweep_folder(finished[0]) / "logs"
    for row in rows_of(finished[0]):
        events, curve = events_of(logs / f"trial-{row['trial']}")
        content = events.summary_metadata["_hparams_/session_start_info"].plugin_data.content
        info = plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info
        found = {name: getattr(value, value.WhichOneof("kind")) for name, value in info.hparams.items()}
        assert found == row["values"]
        assert curve("val_bits_per_char") == {row["epochs"]: pytest.approx(row["bits_per_char"], abs=1e-5)}
        losses = [events_of(logs / f"trial-{row['trial']}" / run)[1](LOSS) for run in RUNS]
        assert [list(one) for one in losses] == [[1], [1]]
        assert losses[1][1] == pytest.approx(row["bits_per_char"], abs=1e-5)
        assert 1 < losses[0][1] < 4  # of 6 characters


def test_tensorboard_has_the_curves_of_every_trial(folder, pretend):
    flags = [*FLAGS[:-4], "--epochs", 3, "--no-final", "--max-trials"]
    code, _, error = pretend(*flags, 2)
    assert code == 0, error
    code, _, error = pretend(*flags, 1, "--executions-per-trial", 2)
    assert code == 0, error
    once, twice = sorted((folder / "sweeps").iterdir(), key=lambda path: len(list(path.glob("logs/trial-*"))))[::-1]
    rows = json.loads((once / "ranking.json").read_text(encoding="utf-8"))["trials"]
    assert {path.name for path in once.glob("logs/trial-*/*") if path.is_dir()} == set(RUNS)
    for row in rows:
        train, validation = (events_of(once / f"logs/trial-{row['trial']}/{run}")[1](LOSS) for run in RUNS)
        score = row["values"]["learning_rate"] + row["values"]["units"] / 100
        expected = {epoch: pytest.approx(score - (epoch - 1) / 1000, abs=1e-6) for epoch in (1, 2, 3)}
        assert validation == expected and validation[3] == pytest.approx(row["bits_per_char"], abs=1e-5)
        assert train == {epoch: pytest.approx(2 * value, abs=1e-6) for epoch, value in validation.items()}
    for execution in (1, 2):
        for run in RUNS:
            assert list(events_of(twice / f"logs/trial-1/execution-{execution}/{run}")[1](LOSS)) == [1, 2, 3]


def test_a_trial_that_is_trained_anew_has_one_curve(tmp_path):
    from kerasgen.tuning.logs import TrialLogs

    logs = TrialLogs(tmp_path / "logs", [], 3)
    for last in (2, 3):  # the first time it was interrupted
        curves = logs.curves(1, 0, 1)
        for epoch in range(last):
            curves.on_epoch_end(epoch, {"bits_per_char": last, "val_bits_per_char": last})
        curves.close()
    assert events_of(tmp_path / "logs" / "trial-1" / "train")[1](LOSS) == {1: 3, 2: 3, 3: 3}


def test_the_test_part_is_never_seen(folder):
    kind, config = tune.COMMANDS["dino"], str(folder / "base.toml")
    base = tune.base_settings(kind, Text("towns", "rex", "rex"), TuneSettings(config=config))
    assert base.holdout == "both" and base.epochs == 2


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_what_would_make_trials_incomparable_is_not_searched(kind):
    by_the_sweep = {"holdout", "seed", "dtype", "from_scratch", "epochs", "scratch_epochs", "next_learning_rate"}
    by_the_sweep |= {"patience", "case", "steps", "sample_every"}
    assert not set(searchable(kind.settings)) & by_the_sweep
    assert {"units", "learning_rate", "batch_size", "schedule"} <= set(searchable(kind.settings))


def test_a_sweep_goes_on_though_files_are_torn(folder, pretend):
    code, _, error = pretend(*FLAGS, "--no-final")
    assert code == 0, error
    place, before = sweep_folder(folder), {row["trial"]: row for row in rows_of(folder)}
    for name in ("oracle.json", "trial_1/trial.json"):
        (place / name).write_bytes((place / name).read_bytes()[:100])
    shutil.rmtree(place / "logs")
    (place / "logs").write_text("in the way")
    code, _, error = pretend(*FLAGS[:-1], 3, "--no-final")
    assert code == 0 and "oracle.json is damaged" in error and "trial 3 of 3" in error
    assert error.count("continues without logs") == 1
    after = {row["trial"]: row for row in rows_of(folder)}
    assert sorted(after) == [1, 2, 3] and {row["status"] for row in after.values()} == {"done"}
    assert all({**after[trial], "rank": row["rank"]} == row for trial, row in before.items())
    code, _, error = pretend(*FLAGS[:-1], 3, "--no-final")
    assert code == 0 and "resuming: 3 of 3" in error and "trial 3 of 3" not in error


@pytest.mark.parametrize("content", ["{}", "[]", '{"ongoing_trials": 5}', "null", None])
@pytest.mark.parametrize("name", ["oracle.json", "trial_0/trial.json"])
def test_files_of_a_sweep_that_say_something_else_are_one_line(folder, pretend, name, content):
    assert pretend(*FLAGS, "--no-final")[0] == 0
    file = sweep_folder(folder) / name
    for one in (file, file.with_name(f"{file.stem}-before.json")):
        if content is None:
            one.unlink(missing_ok=True)
        else:
            one.write_text(content, encoding="utf-8")
    code, _, error = pretend(*FLAGS[:-1], 3, "--no-final")
    assert "Traceback" not in error and code in (0, 1)
    assert code == 0 or "remove the folder or name another --directory" in error.splitlines()[-1]


def test_a_second_sweep_in_the_same_folder_is_refused(folder, pretend):
    code, _, _ = pretend(*FLAGS, "--no-final")
    assert code == 0
    with files.locked(sweep_folder(folder) / "lock", "sweeps"):
        code, out, error = pretend(*FLAGS, "--no-final")
    assert (code, out) == (1, "") and f"another process ({os.getpid()}) sweeps in sweeps/towns-" in error


def test_what_is_swept_names_the_folder(finished):
    folder, _, _ = finished
    settings = TuneSettings(space=str(folder / "space.toml"), config=str(folder / "base.toml"))

    def name(settings, text="rex"):
        corpus = Text("towns", text, text)
        base = tune.base_settings(tune.COMMANDS["dino"], corpus, settings)
        return tune.fingerprint(base, read_space(settings.space, base), corpus, settings)

    other_space = folder / "other.toml"
    other_space.write_text(SPACE.replace("5", "6"), encoding="utf-8")
    changes = [{"epochs": 3}, {"tuner": "grid"}, {"seed": 1}, {"executions_per_trial": 2}, {"space": str(other_space)}]
    names = [name(TuneSettings(**{"space": settings.space, "config": settings.config, **one})) for one in changes]
    assert len({name(settings), name(settings, "minmi"), *names}) == 2 + len(changes)
    assert name(TuneSettings(space=settings.space, config=settings.config, max_trials=9)) == name(settings)


def test_failed_trials_are_told_and_the_sweep_goes_on(folder, pretend):
    flags = [*FLAGS[:-2], "--tuner", "grid", "--no-final"]
    (folder / "space.toml").write_text("units = [9, 10, 4]\nlearning_rate = [0.01, 0.05]\n", encoding="utf-8")
    code, out, error = pretend(*flags)
    assert code == 0, error
    rows = rows_of(folder)
    assert [row["status"] for row in rows] == ["done"] * 2 + ["failed"] * 4
    assert rows[0]["values"] == {"units": 4, "learning_rate": 0.01}
    assert {row["reason"] for row in rows[2:]} == {"ResourceExhaustedError: no memory"}
    assert "failed: ResourceExhaustedError" in out and "trial 1 of 6: ResourceExhaustedError: no memory" in error
    figure = picture([ranking.Row(**{key: row[key] for key in row if key != "rank"}) for row in rows], "towns")
    assert "6 trials, the best 0.0500" in figure.get_suptitle() and "crosses: failed" in figure.get_suptitle()
    (folder / "space.toml").write_text("units = [9, 10]\n", encoding="utf-8")
    code, _, error = pretend(*flags)
    assert code == 1 and "no trial finished; the first failed with: ResourceExhaustedError" in error


def test_a_trial_that_diverges_has_failed(folder):
    (folder / "space.toml").write_text("learning_rate = [3e38, 0.05]\n", encoding="utf-8")
    (folder / "base.toml").write_text(BASE + "clipvalue = 1e38\n", encoding="utf-8")
    code, _, error = run(tune, folder, "dino", *FLAGS[:-1], 1, "--tuner", "grid", "--no-final")
    assert code == 1 and "no trial finished; the first failed with: the loss became" in error
    assert [row["status"] for row in rows_of(folder)] == ["failed"]


def test_the_time_limit_puts_the_running_trial_back(folder, pretend, monkeypatch):
    from kerasgen.tuning import oracles, trials

    now = [0]
    clock = SimpleNamespace(monotonic=lambda: now[0])

    class Slow(Pretended):
        def fit(self, model, callbacks):
            now[0] += 2400  # the limit is reached within the second trial
            return super().fit(model, callbacks)

    flags = [*FLAGS[:-1], 4, "--no-final"]
    with monkeypatch.context() as patch:
        patch.setattr(trials, "time", clock)
        patch.setattr(oracles, "time", clock)
        code, out, _ = pretend(*flags, "--time-limit", "1h", trainer=Slow)
    assert code == 0 and [row["status"] for row in rows_of(folder)] == ["done", "unfinished"] and "unfinished" in out
    code, _, error = pretend(*flags)
    assert code == 0 and "resuming: 1 of 4" in error and len(rows_of(folder)) == 4
    code, _, error = pretend(*flags, "--seed", 1, "--time-limit", "0.000001")
    assert code == 1 and "no trial finished: the time was over" in error
    assert f"a new sweep beside {Path('sweeps')}" in error


def test_a_trial_that_was_interrupted_is_put_back_and_not_to_blame(folder, pretend):
    class Stopped(Pretended):
        def fit(self, model, callbacks):
            raise KeyboardInterrupt

    for _ in range(3):
        code, _, error = pretend(*FLAGS, "--no-final", trainer=Stopped)
        assert code == 130 and "the same command resumes the sweep" in error
        kept = json.loads(read(folder, "oracle.json"))
        assert (kept["retry_queue"], kept["starts"], kept["end_order"]) == (["0"], {"0": 0}, [])
    assert pretend(*FLAGS, "--no-final")[0] == 0 and [row["status"] for row in rows_of(folder)] == ["done"] * 2


def test_hyperband_trains_the_better_ones_longer(folder, pretend):
    (folder / "space.toml").write_text("units = {min = 3, max = 8}\n", encoding="utf-8")
    flags = [*FLAGS[:-4], "--epochs", 3, "--tuner", "hyperband", "--max-trials", 4, "--no-final"]
    code, _, error = pretend(*flags)
    assert code == 0, error
    rows = rows_of(folder)
    assert sorted(row["epochs"] for row in rows) == [1, 1, 1, 3]
    first = [row for row in rows if row["epochs"] == 1]
    assert next(row["values"] for row in rows if row["epochs"] == 3) == first[0]["values"]


def test_bayesian_goes_where_it_expects_the_best(folder, pretend):
    (folder / "space.toml").write_text("learning_rate = {min = 0.01, max = 1.0}\n", encoding="utf-8")
    code, _, error = pretend(*FLAGS[:-1], 4, "--tuner", "bayesian", "--no-final")
    assert code == 0, error
    rates = [row["values"]["learning_rate"] for row in sorted(rows_of(folder), key=lambda row: row["trial"])]
    assert rates[3] < min(rates[:3])  # those are random


def make_oracle(folder, trials=3):
    from kerasgen.tuning import oracles

    oracle = oracles.make([Parameter("units", (3, 4, 5))], TuneSettings(max_trials=trials), "towns")
    oracle._set_project_dir(folder, "towns")
    oracle.deadline, oracle.verbose = time.monotonic() + 100, 0
    oracle.board = SimpleNamespace(begin=lambda trial: None, end=lambda trial: None)
    oracle.logs = SimpleNamespace(write=lambda trial: None)
    return oracle


def end(oracle, trial):
    oracle.update_trial(trial.trial_id, {"val_bits_per_char": 2.0})
    trial.status = "COMPLETED"
    oracle.end_trial(trial)


def test_a_worker_that_comes_back_gets_its_trial_again(tmp_path, capsys):
    oracle = make_oracle(tmp_path)
    first, other = oracle.create_trial("a"), oracle.create_trial("b")
    assert oracle.create_trial("a").trial_id == first.trial_id != other.trial_id
    assert "worker a was started anew; trial 1 will be trained anew" in capsys.readouterr().err


def test_a_trial_that_kills_its_process_twice_has_failed(tmp_path):
    names = []
    for _ in range(3):  # each is a process that is killed in its trial
        oracle = make_oracle(tmp_path)
        if names:
            oracle.reload()
        names.append(oracle.create_trial("tuner0").trial_id)
    assert names == ["0", "0", "1"] and oracle.end_order == ["0"]
    failed = oracle.trials["0"]
    assert (failed.status, failed.message) == ("FAILED", "its process died 2 times within it")
    oracle.release("tuner0")  # Ctrl-C is no death, however often
    for _ in range(3):
        oracle = make_oracle(tmp_path)
        oracle.reload()
        assert oracle.create_trial("tuner0").trial_id == "1"
        oracle.release("tuner0")


def test_a_chief_hands_on_the_trial_of_a_worker_that_is_silent(tmp_path, monkeypatch, capsys):
    import grpc
    from keras_tuner.src import protos
    from keras_tuner.src.engine.trial import Trial

    from kerasgen.tuning import workers

    monkeypatch.setattr(workers, "PATIENCE", 1.0)
    monkeypatch.setattr(workers, "BEAT", 0.2)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    oracle = make_oracle(tmp_path, trials=1)
    chief = threading.Thread(target=workers.serve, args=(oracle, address), daemon=True)
    chief.start()
    with grpc.insecure_channel(address) as channel:
        ask = protos.get_service_grpc().OracleStub(channel).CreateTrial

        def create(worker):
            return ask(protos.get_service().CreateTrialRequest(tuner_id=worker), wait_for_ready=True, timeout=20).trial

        with workers._beating(channel, "b"):
            assert create("a").trial_id == "0"
            assert Trial.from_proto(create("b")).status == "IDLE"
            time.sleep(2)  # a says nothing meanwhile, and b that it is there
            assert list(oracle.ongoing_trials) == []
            assert create("b").trial_id == "0"
            time.sleep(2)
            assert list(oracle.ongoing_trials) == ["b"]
        end(oracle, oracle.trials["0"])
        end(oracle, oracle.trials["0"])  # a's, which was only slow
        create("b")  # is told that all is done
    chief.join(10)
    assert not chief.is_alive() and oracle.end_order == ["0"]
    assert "worker a was not heard of for 1 s; trial 1 will be trained anew" in capsys.readouterr().err


def test_a_configuration_is_valid_whatever_is_in_it(tmp_path):
    settings = NamesSettings(clipvalue=float("inf"), learning_rate=1e-5)
    about = tune.about_winner(KINDS[0], TuneSettings(), [ranking.Row(1, 2.0, 1, {}, "done")], tmp_path / "a\nb = 1")
    tune.write_config(tmp_path / "best.toml", settings, [], about)
    found = tomllib.loads((tmp_path / "best.toml").read_text(encoding="utf-8"))
    assert found["clipvalue"] == float("inf") and found["learning_rate"] == 1e-5 and "b" not in found


def test_a_sweep_of_prose(folder):
    write_text(folder / "mini.txt", lines=60)
    (folder / "space.toml").write_text("learning_rate = [0.01, 0.02]\n", encoding="utf-8")
    (folder / "base.toml").write_text(
        "units = 4\nseq_len = 10\nbatch_size = 15\nscratch_epochs = 1\nlog = false\n", encoding="utf-8"
    )
    flags = ["--data", "mini.txt", *FLAGS[2:8], "--max-trials", 1, "--tuner", "grid"]
    code, _, error = run(tune, folder, "shakespeare", *flags)
    assert code == 0, error
    assert [row["values"] for row in rows_of(folder)] == [{"learning_rate": 0.01}]
    poet = kerasgen.load(folder / "saved_models" / "my-mini.keras")
    assert poet.card["scores"]["part"] == "validation"
    best, default = sweep_folder(folder) / "best.toml", "configs/shakespeare.toml"
    settings = parse(ProseSettings, "shakespeare", "a\n\nb", default, ["--config", str(best)])
    card = poet.card["config"]
    assert {key: value for key, value in vars(settings).items() if key in card} == card


def test_a_killed_sweep_goes_on_and_ends_as_if_nothing_had_been(finished, folder):
    process = start(folder)
    try:
        until(lambda: "COMPLETED" in read(folder, "trial_1/trial.json"), process)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    code, _, error = run(tune, folder, "dino", *FLAGS, "--no-final")
    assert code == 0 and "trials are already done" in error and "trial 1 of 2" not in error
    assert rows_of(folder) == rows_of(finished[0])


def test_a_chief_and_two_workers_make_every_trial_once(finished, folder, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # nobody listens there
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    chief, *workers = (
        start(folder, "--oracle-address", address, *role)
        for role in (["--chief"], ["--worker", "a"], ["--worker", "b"])
    )
    try:
        outputs = [process.communicate(timeout=120) for process in (*workers, chief)]
    finally:
        for process in (chief, *workers):
            process.kill()
    assert chief.returncode == 0, outputs
    made = [
        line.split(":")[1].split()[1] for _, error in outputs[:2] for line in error.splitlines() if "trial " in line
    ]
    assert sorted(made) == ["1", "2"]
    assert rows_of(folder) == rows_of(finished[0])
    curves = [(events_of(sweep_folder(folder) / f"logs/trial-{trial}/{RUNS[1]}")[1](LOSS)) for trial in (1, 2)]
    assert [list(curve) for curve in curves] == [[1], [1]]  # the workers write them


def until(holds, process):
    deadline = time.monotonic() + 100
    while not holds():
        assert process.poll() is None and time.monotonic() < deadline, process.stderr.read()
        time.sleep(0.02)


def read(folder, name):
    found = list(Path(folder / "sweeps").glob(f"*/{name}"))
    return found[0].read_text(encoding="utf-8") if found else ""


BAD_SPACES = {
    "unts = [3, 4]": "did you mean 'units'",
    "seed = [1, 2]": "unknown key 'seed'",
    "units = 3": "a list of choices, or a range",
    "units = [3]": "at least two different choices",
    "units = [3, 3]": "at least two different choices",
    "units = [3, 4.5]": "whole numbers",
    "units = [3, true]": "whole numbers",
    "units = [0, 4]": "--units must be between 1 and 8192",
    'learning_rate = ["fast", "slow"]': "numbers",
    'schedule = ["constant", "sine"]': "constant, linear, cosine",
    "schedule = {min = 1, max = 2}": "a list of choices",
    "carry_state = [1, 0]": "true, false",
    "units = {min = 9}": "both min and max",
    "units = {min = 9, max = 3}": "min is below its max",
    "units = {min = 3, max = 9, stride = 2}": "without stride",
    "units = {min = 3, max = 9, step = 0}": "number above 0",
    "units = {min = 3, max = 9, step = 7}": "step fits into",
    'units = {min = 3, max = 9, step = 1, sampling = "log"}': "factor above 1",
    'recurrent_l2 = {min = 0.0, max = 1.0, sampling = "log"}': "a range above 0",
    'units = {min = 3, max = 9, sampling = "lin"}': '"linear" or "log"',
    "learning_rate = {min = nan, max = 1.0}": "numbers",
    "": "at least one setting",
}


@pytest.mark.parametrize("text", BAD_SPACES)
def test_a_space_that_makes_no_sense_is_one_clear_line(tmp_path, text):
    (tmp_path / "space.toml").write_text(text, encoding="utf-8")
    with pytest.raises(BadInputError) as caught:
        read_space(str(tmp_path / "space.toml"), NamesSettings())
    assert BAD_SPACES[text] in str(caught.value) and "space.toml" in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "dino or shakespeare"),
        (["dinos"], "did you mean 'dino'"),
        (["dino", "--max-trial", "3"], "--max-trials"),
        (["dino", "--max-trials", "0"], "--max-trials must be between"),
        (["dino", "--time-limit", "soon"], "10m or 1h"),
        (["dino", "--tuner", "luck"], "--tuner"),
        (["dino", "--chief", "--worker", "a"], "received both"),
        (["dino", "--worker", "chief2"], "without the word chief"),
        (["dino", "--oracle-address", "here"], "HOST:PORT"),
        (["dino", "--space", "no.toml"], "--space must name a TOML file"),
        (["dino", "--config", "no.toml"], "--config must name a TOML file"),
        (["dino", "--data", "no.txt"], "there is no 'no.txt'"),
    ],
)
def test_wrong_use_is_one_clear_line(tmp_path, arguments, words):
    code, out, error = run(tune, tmp_path, *arguments)
    assert (code, out) == (2, "") and words in error and len(error.splitlines()) == 1


def test_a_list_without_a_validation_part_is_refused(folder):
    (folder / "towns.txt").write_text("rex\nzuul\n", encoding="utf-8")
    code, _, error = run(tune, folder, "dino", *FLAGS)
    assert code == 2 and "validation part" in error and not (folder / "sweeps").exists()


def test_durations():
    assert [seconds(text) for text in ("90", "90s", "10m", "1.5h", "x", "-1")] == [90, 90, 600, 5400, 0, 0]
    assert [duration(count) for count in (5, 119, 600, 7200)] == ["5 s", "119 s", "10 min", "2 h"]


def test_the_points_of_a_grid():
    assert Parameter("units", (3, 5)).points() == [3, 5]
    assert Parameter("units", (), 3, 9, 3).points() == [3, 6, 9]
    assert Parameter("rate", (), 0.0, 0.3, 0.1).points() == [0.0, 0.1, 0.2, 0.3]
    assert Parameter("rate", (), 0.01, 1.0, 10, True).points() == [0.01, 0.1, 1.0]
    assert Parameter("units", (), 1, 4).points() == [1, 2, 3, 4]
    assert len(Parameter("rate", (), 0.01, 1.0, None, True).points()) == 10


def test_numbers_survive_a_message_of_single_precision():
    rounded = float(np.float32(0.1))
    assert Parameter("dropout", (0.1, 0.2)).value(rounded) == 0.1
    assert Parameter("rate", (), 0.1, 0.5).value(rounded) == 0.1
    assert Parameter("units", (), 3, 9).value(7) == 7 and Parameter("carry_state", (True, False)).value(True)


def test_our_own_spaces_are_in_order():
    for kind in KINDS:
        assert len(read_space(f"configs/tune_{kind.command}.toml", kind.settings())) >= 5


def test_workers_are_started_by_one_command_and_again_where_they_die(finished, folder):
    process = start(folder, "--workers", "2")
    try:
        (first, *_) = until_workers(process)
        os.kill(first, signal.SIGKILL)
        output, error = process.communicate(timeout=200)
    finally:
        process.kill()
    assert process.returncode == 0, error
    assert "has died (by signal 9) and is started again" in error
    assert rows_of(folder) == rows_of(finished[0])


def test_a_signal_ends_the_workers_with_their_chief(folder):
    process = start(folder, "--workers", "2", "--max-trials", "50")
    try:
        workers = until_workers(process)
        until(lambda: list(folder.glob("sweeps/*/trial_*")), process)
        process.send_signal(signal.SIGTERM)
        error = process.communicate(timeout=100)[1]
    finally:
        process.kill()
    assert process.returncode == 128 + signal.SIGTERM, error
    assert "the same command resumes the sweep" in error
    assert not [worker for worker in workers if Path(f"/proc/{worker}").exists()]


def until_workers(process):
    """Wait until a sweep has two workers; return their process IDs."""
    children = Path(f"/proc/{process.pid}/task")
    found = []

    def two():
        ids = [word for task in children.iterdir() for word in (task / "children").read_text().split()]
        found[:] = [int(word) for word in ids if b"--worker\0" in Path(f"/proc/{word}/cmdline").read_bytes()]
        return len(found) == 2

    until(two, process)
    return found


def test_a_worker_that_dies_again_and_again_ends_the_sweep(monkeypatch):
    monkeypatch.setattr(crew.sys, "executable", "/bin/false")
    again = pytest.raises(FailedError, match=r"worker 1 has died 4 times, the last time with exit code 1")
    with again, crew.crew(TuneSettings(workers=1), ["dino", "--workers", "1"]) as role:
        assert role.chief
        try:
            time.sleep(60)
        except KeyboardInterrupt:
            raise StoppedError("stopped", signal.SIGINT) from None
