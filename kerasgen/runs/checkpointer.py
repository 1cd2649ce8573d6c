"""The callback that writes checkpoints and restores a training from one."""

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from kerasgen.base import console
from kerasgen.base.errors import FailedError, StoppedError
from kerasgen.models.backend import keras
from kerasgen.models.contract import CharModel
from kerasgen.runs import checkpoints
from kerasgen.training.progress import Progress

OFTEN, SELDOM = 2.0, 30.0  # seconds between checkpoints: at the least, and (within an epoch) at the most


class Checkpointer(keras.callbacks.Callback):
    """Writes checkpoints, restores a training from one, and ends it where a signal asks for that.

    A checkpoint comes at the end of an epoch, where the last is 2 seconds old (an epoch of names takes milliseconds),
    and within an epoch, where it is 30 seconds old. It must be the last of the callbacks, so that what it keeps of the
    others is what they have after an epoch.

    Args:
        folder: of the checkpoints; None to write none.
        model: as for `fit`, like `progress`.
        progress: see `fit`.
        stopping: the callback that stops early and keeps the best weights, where there is one.
        signalled: returns the number of the signal that asks to stop, or 0.

    Attributes:
        seconds: what the training has taken so far, also before an interruption.
        saved: the number of steps behind the last checkpoint.
    """

    STOPPING = ("wait", "stopped_epoch", "best", "best_epoch")

    def __init__(self, folder: Path | None, model: CharModel, progress: Progress, stopping=None, signalled=lambda: 0):
        super().__init__()
        self.folder, self.progress, self.stopping, self.signalled = folder, progress, stopping, signalled
        self.keras_model = keras_model = model.keras_model()
        optimizer = keras_model.optimizer
        if not optimizer.built:
            optimizer.build(keras_model.trainable_variables)
        groups = {
            "weights": keras_model.trainable_variables,
            "carried": model.carried,
            "optimizer": optimizer.variables,
        }
        self.variables = {f"{name}/{n}/{v.name}": v for name, group in groups.items() for n, v in enumerate(group)}
        self.best = [v.numpy() for v in keras_model.weights] if stopping else []
        self._iterations = optimizer.iterations
        self.seconds, self.saved, self._failed = 0.0, -1, False
        self._started = time.perf_counter()
        self._facts: dict[str, Any] = {}

    def restore(self) -> list[str]:
        """Restore model, optimizer and progress from the newest checkpoint that can be read, if there is one.

        Returns:
            What is wrong with newer ones.
        """
        if self.folder is None:
            return []
        arrays = {**{name: v.numpy() for name, v in self.variables.items()}, **self._best()}
        shapes: checkpoints.Shapes = {name: (a.dtype.str, a.shape) for name, a in arrays.items()}
        shapes["losses"] = (np.dtype(float).str, (None,))
        found, facts, wrong = checkpoints.newest(self.folder, shapes)
        if found is None:
            return wrong
        for name, variable in self.variables.items():
            variable.assign(found[name])
        self.best = [found[name].copy() for name in self._best()]
        self.progress.losses = found["losses"].tolist()
        for name in ("smoothed_loss", "epochs", "stopped"):
            setattr(self.progress, name, facts[name])
        self.seconds, self.saved, self._facts = facts["seconds"], self.step, facts
        return wrong

    def take_best(self) -> None:
        """Give the model the best weights of the checkpoint that was restored, where something chose them."""
        if self.stopping and self._facts["stopping"]["best"] is not None:
            self.keras_model.set_weights(self.best)

    @property
    def step(self) -> int:
        """The number of steps that the optimizer has behind it."""
        return int(self._iterations)

    def on_train_begin(self, logs=None):
        """Start the clocks; give the callback that stops early what it knew."""
        self._started = time.perf_counter() - self.seconds
        self._last = time.perf_counter()
        if self.stopping and self._facts:
            for name in self.STOPPING:
                setattr(self.stopping, name, self._facts["stopping"][name])
            self.stopping.best_weights = self.best if self.stopping.best is not None else None

    def on_train_batch_end(self, batch, logs=None):
        """Save once in a while, and where a signal asks to stop."""
        self._perhaps(SELDOM)

    def on_epoch_end(self, epoch, logs=None):
        """Save, and stop where a signal asks for that."""
        self._perhaps(OFTEN)

    def on_train_end(self, logs=None):
        """Stop the clock."""
        self.seconds = time.perf_counter() - self._started

    def keep(self) -> None:
        """Save what there is, where the last checkpoint is older: another worker is gone."""
        if self.folder and self.step > self.saved:
            self._save(self.folder)

    def _perhaps(self, age: float) -> None:
        signal = self.signalled()
        if self.folder and (signal or time.perf_counter() - self._last >= age):
            self._save(self.folder)
        if signal:
            raise StoppedError(f"stopped at step {self.step:,}", signal)

    def _save(self, folder: Path) -> None:
        self.seconds = time.perf_counter() - self._started
        self.progress.stopped = bool(self.model.stop_training)
        if self.stopping and self.stopping.best_weights is not None:
            self.best = self.stopping.best_weights
        facts = {"seconds": self.seconds, **asdict(self.progress)}
        losses = np.array(facts.pop("losses"), float)
        if self.stopping:
            facts["stopping"] = {name: getattr(self.stopping, name) for name in self.STOPPING}
        arrays = {name: v.numpy() for name, v in self.variables.items()}
        try:
            checkpoints.write(folder, self.step, {**arrays, **self._best(), "losses": losses}, facts)
            self.saved, self._failed = self.step, False
        except FailedError as error:  # hours of training are worth more than their checkpoint
            if not self._failed:
                console.note(f"no checkpoint at step {self.step:,}: {error}; the training continues")
            self._failed = True
        self._last = time.perf_counter()

    def _best(self) -> dict[str, np.ndarray]:
        return {f"best/{n}": np.asarray(array) for n, array in enumerate(self.best)}
