"""Who chooses a sweep's trials: keras-tuner's oracles, fixed so that no kill, failure or torn file loses a trial.

A board shows the trials: ``begin(trial)`` and ``end(trial)`` tell it of one. Logs keep those that ended:
``write(trial)``.
"""

import contextlib
import json
import math
import shutil
import time
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import kerasgen.models.backend  # noqa: F401  (says which Keras keras-tuner has to take)
from kerasgen.base import console, files
from kerasgen.base.errors import BadInputError, FailedError, reason
from kerasgen.tuning.settings import TuneSettings
from kerasgen.tuning.space import Parameter

import keras_tuner  # isort: skip  (after the backend is set)
from keras_tuner.src import utils  # isort: skip  (these have no public name)
from keras_tuner.src.engine.metrics_tracking import MetricsTracker  # isort: skip
from keras_tuner.src.engine.trial import Trial  # isort: skip

OBJECTIVE = "val_bits_per_char"
SWEEP, REASON = "kerasgen/sweep", "kerasgen/reason"  # sent among a trial's values, as its own message is not
PUT_BACK = "the time is over"
MOST_DEATHS = 2  # of processes that trained a trial, after which it has failed
_MOST_TRIALS = 100_000  # of a sweep


class _Durable(keras_tuner.Oracle):
    """Mixed into an oracle: a trial that has begun survives a kill; the time is watched, and the board is told."""

    trials: dict[str, Trial]
    end_order: list[str]
    deadline: float
    board: Any
    logs: Any

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.starts: Counter[str] = Counter()  # how often a process has begun a trial and not ended it

    @keras_tuner.synchronized
    def create_trial(self, tuner_id):
        if time.monotonic() > self.deadline:
            self.tuner_ids.discard(tuner_id)
            return Trial(self.get_space(), trial_id="", status="STOPPED")
        if tuner_id in self.ongoing_trials:  # a worker of that ID has died, and is there again
            self.release(tuner_id, "started anew")
        trial = super().create_trial(tuner_id)
        if trial.status == "STOPPED" and self.ongoing_trials:  # one of them may still come back to be trained by others
            self.tuner_ids.add(tuner_id)
            trial.status = "IDLE"
        if trial.status == "RUNNING":
            self.starts[trial.trial_id] += 1
            self.save()
            self.board.begin(trial)
        elif trial.status == "IDLE":
            time.sleep(0.1)  # the loop asks again at once
        return trial

    @keras_tuner.synchronized
    def end_trial(self, trial):
        why, kept = trial.hyperparameters.values.pop(REASON, None), self.trials[trial.trial_id]
        if trial.trial_id in self.end_order:  # by another, who got it as this one was taken for lost
            return
        if why == PUT_BACK:
            for tuner_id in [key for key, value in self.ongoing_trials.items() if value is kept]:
                self.release(tuner_id)
        else:
            with contextlib.suppress(ValueError):  # where it was taken for lost
                self._retry_queue.remove(trial.trial_id)
            trial.message, trial.hyperparameters = why, kept.hyperparameters  # a message rounds numbers
            super().end_trial(trial)
            self.logs.write(kept)
        self.board.end(kept)

    @keras_tuner.synchronized
    def release(self, tuner_id, died=""):
        """Take the trial of a worker back, so that another one gets it.

        Args:
            tuner_id: the worker's ID.
            died: what became of the worker; nothing where it ended well.
        """
        self.tuner_ids.discard(tuner_id)
        trial = self.ongoing_trials.pop(tuner_id, None)
        if trial is None:
            return
        if died:
            console.note(f"worker {tuner_id} was {died}; trial {int(trial.trial_id) + 1} will be trained anew")
        else:
            self.starts[trial.trial_id] -= 1
        self._retry_queue.append(trial.trial_id)
        self._give_up()
        self.save()

    def _give_up(self):
        """Count as failed what has ended too many processes."""
        for trial_id in [one for one in self._retry_queue if self.starts[one] >= MOST_DEATHS]:
            self._retry_queue.remove(trial_id)
            trial = self.trials[trial_id]
            trial.status, trial.message = "FAILED", f"its process died {self.starts[trial_id]} times within it"
            self.end_order.append(trial_id)
            self._save_trial(trial)

    def get_state(self):
        return {**super().get_state(), "starts": self.starts}

    def set_state(self, state):
        super().set_state(state)
        self.starts = Counter(state.get("starts", {}))  # sweeps of the first release have none

    def reload(self):
        try:
            self._reload()
        except FailedError:
            raise
        except (AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:  # JSON of another form
            raise FailedError(
                f"what is kept in {self._project_dir} is not what a sweep keeps, or a part of it is missing "
                f"({type(error).__name__}: {reason(error):.100}); remove the folder or name another --directory"
            ) from None

    def _reload(self):
        super().reload()
        # A kill may come between the writing of a trial and that of the oracle, or one of the files may be an older
        # copy. Only the oracle knows which trials were started; one that has not ended for both is trained again.
        self.trials = {name: trial for name, trial in self.trials.items() if name in self.start_order}
        ended = {name for name, trial in self.trials.items() if trial.status in ("COMPLETED", "FAILED")}
        self.end_order = [name for name in self.end_order if name in ended]
        self._retry_queue = [name for name in reversed(self.start_order) if name not in self.end_order]
        for name in self._retry_queue:
            self.trials[name].metrics = MetricsTracker()
        self._give_up()


class _Random(_Durable, keras_tuner.oracles.RandomSearchOracle):
    """Chooses at random, never the same values twice."""


class _Bayesian(_Durable, keras_tuner.oracles.BayesianOptimizationOracle):
    """Chooses where a Gaussian process expects the best."""

    def populate_space(self, trial_id):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # scikit-learn's are for whoever fits the process
            return super().populate_space(trial_id)


class _Hyperband(_Durable, keras_tuner.oracles.HyperbandOracle):
    """Chooses many for few epochs, and the better ones for more."""

    def plan(self) -> list[int]:
        """Return the epochs of every trial that this will make."""
        rounds = [(b, r) for b in range(self._get_num_brackets()) for r in range(self._get_num_rounds(b))]
        return [self._get_epochs(*one) for one in rounds for _ in range(self._get_size(*one))]


class _Grid(_Durable):
    """Chooses every combination in turn; keras-tuner's own forgets where it was when it is resumed."""

    points: dict[str, Sequence]

    def populate_space(self, trial_id):
        shape = [len(points) for points in self.points.values()]
        if int(trial_id) >= math.prod(shape):
            return {"status": "STOPPED"}
        chosen = zip(self.points.items(), np.unravel_index(int(trial_id), shape), strict=True)
        return {"status": "RUNNING", "values": {name: points[int(place)] for (name, points), place in chosen}}


def make(space: Sequence[Parameter], settings: TuneSettings, sweep: str):
    """Make the oracle of ``--tuner``; the caller sets its ``deadline`` (`time.monotonic`), ``board`` and ``logs``.

    Args:
        space: the parameters that are searched.
        settings: those of the command.
        sweep: its name; every trial carries it, so that a worker can tell whether it is its own sweep's.
    """
    utils.save_json, utils.load_json = _save_json, _load_json
    hp = keras_tuner.HyperParameters()
    hp.Fixed(SWEEP, sweep)
    for one in space:
        if one.choices and isinstance(one.choices[0], bool):
            hp.Boolean(one.name)
        elif one.choices:
            hp.Choice(one.name, list(one.choices))
        else:
            kind = hp.Int if isinstance(one.low, int) else hp.Float
            kind(one.name, one.low, one.high, step=one.step, sampling="log" if one.log else "linear")
    common = dict(
        objective=keras_tuner.Objective(OBJECTIVE, "min"),
        hyperparameters=hp,
        seed=settings.seed + 1,  # it takes 0 for no seed
        max_consecutive_failed_trials=10**9,
    )
    total = settings.max_trials or 20
    if settings.tuner == "hyperband":
        oracle = _Hyperband(max_epochs=settings.epochs, **common)
        oracle.max_trials = settings.max_trials
        return oracle
    if settings.tuner == "grid":
        oracle = _Grid(max_trials=settings.max_trials, **common)
        oracle.points = {SWEEP: [sweep], **{one.name: one.points() for one in space}}
        return oracle
    if settings.tuner == "random":
        return _Random(max_trials=total, **common)
    return _Bayesian(max_trials=total, num_initial_points=max(3, total // 3), **common)


def plan(oracle, space: Sequence[Parameter], settings: TuneSettings) -> list[int]:
    """Return the epochs of every trial that will be made."""
    if settings.tuner == "hyperband":
        return oracle.plan()[: settings.max_trials]
    total = math.prod(len(one.points()) for one in space) if settings.tuner == "grid" else 10**9
    if (count := min(total, oracle.max_trials or total)) > _MOST_TRIALS:
        raise BadInputError(
            f"a grid must have at most {_MOST_TRIALS:,} combinations; --space has {count:,}; name --max-trials"
        )
    return [settings.epochs] * count


def _save_json(path: str, content: Any) -> str:
    """Write one of keras-tuner's files whole or not at all, with a copy of it as it was before."""
    text, current = json.dumps(content), Path(path)
    with files.whole(_copy(current)) as temporary:
        if current.exists():
            shutil.copyfile(current, temporary)
        else:
            temporary.write_text(text, encoding="utf-8")
    with files.whole(current) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return text


def _load_json(path: str) -> Any:
    """Read one of keras-tuner's files, or its copy where it is damaged."""
    for file in (Path(path), _copy(Path(path))):
        try:
            return json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            console.note(f"{file} is damaged; the copy of what was there before is used")
    raise FailedError(f"{path} and the copy beside it are damaged; remove the folder or name another --directory")


def _copy(path: Path) -> Path:
    return path.with_name(f"{path.stem}-before{path.suffix}")
