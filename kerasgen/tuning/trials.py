"""Sweeps with keras-tuner: how a trial is trained, in one process or in several.

A board shows the trials: ``begin(trial)``, ``epoch(number)`` and ``end(trial)`` tell it of one of keras-tuner's, and it
is a context manager around the search, after ``open(rows, planned)``: a function that gives the `Row` of every trial,
and the epochs of each that will be made.
"""

import contextlib
import io
import math
import os
import statistics
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from kerasgen.base import console
from kerasgen.base.errors import BadInputError, FailedError, KerasgenError, reason
from kerasgen.models.backend import keras
from kerasgen.tasks import limits
from kerasgen.tasks.task import Task
from kerasgen.training import fit as training
from kerasgen.tuning import oracles, workers
from kerasgen.tuning.logs import TrialLogs
from kerasgen.tuning.oracles import OBJECTIVE, PUT_BACK, REASON, SWEEP
from kerasgen.tuning.ranking import Row, epochs_of, rank
from kerasgen.tuning.settings import TuneSettings, seconds
from kerasgen.tuning.space import Parameter

import keras_tuner  # isort: skip  (after the backend is set)


class OutOfTime(Exception):
    """The time limit was reached within a trial."""


class Trainer:
    """Makes the model of a trial and trains it in the one way to fit.

    Args:
        task: of the settings that are not searched.
    """

    def __init__(self, task: Task):
        self._base = self._task = task

    def build(self, values: dict[str, Any], epochs: int, execution: int):
        """Make a model, compiled.

        Args:
            values: the settings of the trial that are searched.
            epochs: the passes over the text.
            execution: how often this trial was trained before; each time has another seed.
        """
        settings = replace(self._base.settings, **values, seed=self._base.settings.seed + execution)
        self._task = self._base.with_settings(settings.with_epochs(epochs))
        limits.check(self._task.sizes, saved=False)
        return self._task.build()

    def fit(self, model, callbacks: Sequence[keras.callbacks.Callback]) -> float:
        """Train the model that `build` made last; return the validation score of its best epoch."""
        task, every = self._task, self._task.batches.steps_per_epoch
        generator = task.generator(model)
        history = training.fit(
            generator.char_model,
            task.batches,
            epoch_ends=range(every, task.steps + 1, every),
            validate=lambda: task.validate(generator),
            callbacks=callbacks,
            first_smoothed_loss=task.first_smoothed_loss,
            chunk=task.chunk,
            chars_per_loss=task.chars_per_loss,
        )
        return min(history.history[OBJECTIVE])


class Trials(keras_tuner.HyperModel):
    """What keras-tuner trains.

    Args:
        trainer: a `Trainer`, or what can do the same.
        space: the parameters that are searched.
        epochs: the passes over the text, where the tuner does not say.
        deadline: the `time.monotonic` after which a trial is put back.
        board: is told of every epoch.
        logs: have its losses.
    """

    def __init__(
        self, trainer: Trainer, space: Sequence[Parameter], epochs: int, deadline: float, board: Any, logs: TrialLogs
    ):
        super().__init__()
        self._trainer, self.space, self.epochs, self.deadline, self.board = trainer, space, epochs, deadline, board
        self.logs, self.execution = logs, 0

    def build(self, hp):
        """Make the model of a trial, compiled."""
        values = {parameter.name: parameter.value(hp.values[parameter.name]) for parameter in self.space}
        return self._trainer.build(values, epochs_of(hp.values, self.epochs), self.execution)

    def fit(self, hp, model, curves):
        """Train the model that `build` made last; return the validation score of its best epoch.

        Args:
            hp: the trial's values.
            model: from `build`.
            curves: from `TrialLogs.curves`.

        Raises:
            FailedError: the loss or the score is not a number.
            OutOfTime: the deadline has come.
        """
        watch = keras.callbacks.LambdaCallback(
            on_train_batch_end=lambda batch, logs: self.check_time(),
            on_epoch_end=lambda epoch, logs: self.board.epoch(epoch + 1),
        )
        try:
            best = self._trainer.fit(model, [watch, curves])
        finally:
            curves.close()
        if not math.isfinite(best):
            raise FailedError(f"the validation score became {best}")
        return best

    def check_time(self) -> None:
        """Raise OutOfTime once the deadline has come."""
        if time.monotonic() > self.deadline:
            raise OutOfTime(PUT_BACK)


class _Tuner(keras_tuner.Tuner):
    """keras-tuner's loop; what it keeps is the oracle's alone, and every failure has its reason."""

    def _populate_initial_space(self):
        """Build no model to find out the space: the oracle has it."""

    def _get_tuner_fname(self):
        return os.path.join(self.project_dir, "oracle.json")

    def save(self):
        if not self._is_worker():
            self.oracle.save()

    def reload(self):
        if not self._is_worker():
            self.oracle.reload()

    def pre_create_trial(self):
        self.hypermodel.check_time()

    def run_trial(self, trial):
        found = []
        for execution in range(self.executions_per_trial):
            self.hypermodel.execution = execution
            model = self._try_build(trial.hyperparameters)
            curves = self.hypermodel.logs.curves(int(trial.trial_id) + 1, execution, self.executions_per_trial)
            found.append(self.hypermodel.fit(trial.hyperparameters, model, curves=curves))
        return {OBJECTIVE: float(np.float32(statistics.fmean(found)))}  # what a worker's message can carry

    def _try_run_and_update_trial(self, trial):
        try:
            sweep, ours = trial.hyperparameters.values.get(SWEEP), self.project_name
            if sweep != ours:
                raise BadInputError(
                    f"a worker must have its chief's flags, files and data; this one has the sweep {ours}, and the "
                    f"chief has {sweep}"
                )
            self._run_and_update_trial(trial)
            trial.status = "COMPLETED"
        except OutOfTime:
            trial.hyperparameters.values[REASON] = PUT_BACK
        except KeyboardInterrupt:  # this process ends well: the trial is not to blame
            trial.hyperparameters.values[REASON] = PUT_BACK
            self.oracle.end_trial(trial)
            raise
        except Exception as error:
            if type(error).__module__.startswith("grpc") or isinstance(error, BadInputError) and sweep != ours:
                raise
            trial.status = "FAILED"
            name = "" if isinstance(error, KerasgenError) else f"{type(error).__name__}: "
            trial.hyperparameters.values[REASON] = (name + reason(error))[:300]

    def on_trial_end(self, trial):
        if self._is_worker():
            console.note(f"trial {int(trial.trial_id) + 1}: {trial.hyperparameters.values.get(REASON, 'done')}")
        super().on_trial_end(trial)


def search(trainer: Trainer, space: Sequence[Parameter], settings: TuneSettings, folder: Path, board: Any) -> list[Row]:
    """Make the trials that are still to be made, and return all, the best first.

    Args:
        trainer: makes and trains the models.
        space: the parameters that are searched.
        settings: those of the command.
        folder: of this sweep alone; its name says what is swept, and is the same for a chief and its workers.
        board: shows the trials.

    Raises:
        BadInputError: a worker's sweep is not its chief's.
        FailedError: the folder is damaged, or chief and worker can't reach each other.
    """
    deadline = time.monotonic() + seconds(settings.time_limit) if settings.time_limit else math.inf
    host, port = settings.oracle_address.rsplit(":", 1)
    place = {"TUNER_ID": "chief" if settings.chief else settings.worker, "ORACLE_IP": host, "ORACLE_PORT": port}
    for name, value in place.items():
        if settings.chief or settings.worker:
            os.environ[f"KERASTUNER_{name}"] = str(value)
        else:
            os.environ.pop(f"KERASTUNER_{name}", None)
    oracle = oracles.make(space, settings, folder.name)
    logs = TrialLogs(folder / "logs", space, settings.epochs)
    oracle.deadline, oracle.board, oracle.logs = deadline, board, logs
    oracle.verbose = 0
    with contextlib.redirect_stdout(io.StringIO()):  # it says that it reloads
        tuner = _Tuner(
            oracle,
            Trials(trainer, space, settings.epochs, deadline, board, logs),
            executions_per_trial=settings.executions_per_trial,
            directory=str(folder.parent),
            project_name=folder.name,
        )
    board.open(lambda: rank(oracle.trials.values(), space, settings.epochs), oracles.plan(oracle, space, settings))
    try:
        with board:
            if settings.chief:
                tuner.save()
                workers.serve(oracle, settings.oracle_address)
                tuner.save()
            elif settings.worker:
                workers.work(tuner, settings.oracle_address, settings.worker)
            else:
                tuner.search()
    except OutOfTime:
        pass
    except KeyboardInterrupt:  # of a chief, whose workers' trials are not to blame
        for tuner_id in list(oracle.ongoing_trials):
            oracle.release(tuner_id)
        raise
    return [] if settings.worker else rank(oracle.trials.values(), space, settings.epochs)
