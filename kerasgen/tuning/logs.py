"""A sweep's logs for TensorBoard: the hyperparameters and the result of every trial, and its curves."""

import functools
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from kerasgen.base.figures import say
from kerasgen.models.backend import keras, tf
from kerasgen.tuning.oracles import OBJECTIVE
from kerasgen.tuning.ranking import row_of
from kerasgen.tuning.space import Parameter

LOSS = "loss/bits_per_char"  # as in the logs of a training


def _harmless(write: Callable) -> Callable:
    """Let a log fail without harm to the sweep: say so once, and log no more."""

    @functools.wraps(write)
    def safe(self, *args, **kwargs):
        if self.failed:
            return
        try:
            write(self, *args, **kwargs)
        except Exception as error:  # TensorFlow raises many kinds
            self.failed = True
            say(f"logging in {str(self.folder)!r} failed", error, "; the sweep continues without logs")

    return safe


class TrialLogs:
    """Writes what TensorBoard shows of a sweep; a failure to do so stops no sweep.

    The run ``trial-3`` has the hyperparameters and the result. The runs ``trial-3/train`` and ``trial-3/validation``
    have the loss after every epoch, in bits a character and in one chart; where a trial is trained several times, they
    lie in ``trial-3/execution-1`` and so on. Who chooses the trials calls `write`, who trains them `curves`: in
    parallel, these are two processes.

    Args:
        folder: where to write.
        space: the parameters that are searched.
        epochs: the passes over the text of a trial, where the tuner does not say.

    Attributes:
        failed: whether logging has stopped, since something went wrong in it.
    """

    def __init__(self, folder: Path, space: Sequence[Parameter], epochs: int):
        self.folder, self.space, self.epochs, self.failed = folder, space, epochs, False

    @_harmless
    def write(self, trial) -> None:
        """Write the hyperparameters and the result of a trial that has ended."""
        from tensorboard.plugins.hparams import api, api_pb2
        from tensorboard.plugins.hparams.summary import session_end_pb

        row = row_of(trial, self.space, self.epochs)
        status = api_pb2.STATUS_SUCCESS if row.status == "done" else api_pb2.STATUS_FAILURE
        if not any(self.folder.glob("events.out.*")):  # what the table has for columns
            with tf.summary.create_file_writer(str(self.folder)).as_default():
                api.hparams_config([api.HParam(one.name) for one in self.space], [api.Metric(OBJECTIVE)])
        with tf.summary.create_file_writer(str(self._run(row.trial))).as_default():
            api.hparams(row.values, trial_id=f"trial-{row.trial}")
            if row.bits_per_char is not None:
                tf.summary.scalar(OBJECTIVE, row.bits_per_char, step=row.epochs)
            tf.summary.experimental.write_raw_pb(session_end_pb(status).SerializeToString(), step=row.epochs)

    def curves(self, trial: int, execution: int, executions: int) -> "Curves":
        """Return the Keras callback that logs the losses of a trial while it is trained.

        Args:
            trial: its number, from 1.
            execution: how often it was trained before.
            executions: how often it is trained in all.
        """
        run = self._run(trial)
        if not execution:
            self._remove(run)  # what is left of it, where it was interrupted
        return Curves(self, run if executions == 1 else run / f"execution-{execution + 1}")

    def _run(self, trial: int) -> Path:
        return self.folder / f"trial-{trial}"

    @_harmless
    def _remove(self, run: Path) -> None:
        if run.is_dir():
            shutil.rmtree(run)

    @_harmless
    def write_losses(self, writers: dict, folder: Path, epoch: int, losses: dict[str, float]) -> None:
        """Write the losses of an epoch; what is written gets to the disk.

        Args:
            writers: those that are open, by the name of their run; one is opened where it is missing.
            folder: of the runs.
            epoch: its number, from 1.
            losses: in bits a character, by the name of the run.
        """
        for name, loss in losses.items():
            if name not in writers:
                writers[name] = tf.summary.create_file_writer(str(folder / name))
            with writers[name].as_default(epoch):
                tf.summary.scalar(LOSS, loss)
            writers[name].flush()

    @_harmless
    def close(self, writers: dict) -> None:
        """Close the writers of a trial."""
        while writers:
            writers.popitem()[1].close()


class Curves(keras.callbacks.Callback):
    """Logs the losses of one training of a trial.

    Args:
        logs: writes them.
        folder: of the runs ``train`` and ``validation``.
    """

    def __init__(self, logs: TrialLogs, folder: Path):
        super().__init__()
        self._logs, self._folder = logs, folder
        self._writers: dict = {}

    def on_epoch_end(self, epoch, logs=None):
        """Write the losses of an epoch."""
        found = {"train": "bits_per_char", "validation": OBJECTIVE}
        losses = {run: logs[key] for run, key in found.items() if key in (logs or {})}
        self._logs.write_losses(self._writers, self._folder, epoch + 1, losses)

    def close(self) -> None:
        """Close the logs, also where the trial came to no end."""
        self._logs.close(self._writers)
