"""See it learn: TensorBoard's logs and a picture of the loss curves, written by one Keras callback."""

import functools
import itertools
import math
import re
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from kerasgen.base import markdown
from kerasgen.base.figures import say
from kerasgen.generation.generator import Generator
from kerasgen.models.backend import keras, tf
from kerasgen.runs import run as runs
from kerasgen.runs.curves import save_curves
from kerasgen.tasks.task import Task
from kerasgen.text.file_names import file_name
from kerasgen.training.progress import Progress

TEMPERATURES = (0.4, 0.7, 1.0, 1.3)  # of the samples; both commands' own are among them
LONGEST = 180  # bytes of a corpus' name in that of a log folder; the settings there take up to 60
PROBED = 32  # names or windows that gradients and hidden states are measured on


def run_name(task: Task, now: datetime) -> str:
    """Name a run so that many of them compare well side by side: ``dinos_units64_lr0.015_seed0_1121-213005``.

    Args:
        task: what is trained.
        now: when it begins.
    """
    corpus = file_name(re.sub(r"[^\w.-]+", "-", task.corpus.name)[:60], LONGEST)
    return f"{corpus}_units{task.units}_lr{task.learning_rate:g}_seed{task.settings.seed}_{now:%m%d-%H%M%S}"


def run_folder(log_dir: str | Path, task: Task, now: datetime | None = None) -> Path:
    """Make the folder of a new run, with the mark of a log of ours; a name that is taken gets a number.

    Where it can't be made, its path is returned all the same, and the `Monitor` says what is wrong.
    """
    name = run_name(task, now or datetime.now())
    for number in itertools.count(1):
        folder = Path(log_dir) / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir(parents=True)
            (folder / runs.LOG_MARK).touch()
        except FileExistsError:
            continue
        except OSError:
            pass
        break
    return folder


def _harmless(hook: Callable) -> Callable:
    """Let a hook fail without harm to the training: say so once, and log no more."""

    @functools.wraps(hook)
    def safe(self, *args, **kwargs):
        if self.failed:
            return
        try:
            hook(self, *args, **kwargs)
        except Exception as error:  # whatever it is: hours of training are worth more than their log
            self.failed = True
            say(f"logging in {str(self.folder)!r} failed", error, "; the training continues without logs")

    return safe


class Monitor(keras.callbacks.Callback):
    """Logs a training for TensorBoard, and draws its loss curves at the end.

    At the end of every epoch, real or virtual, it writes to the runs ``train``, ``validation`` and ``ngrams`` in the
    folder: the losses in bits a character (all in one chart; no n-grams in sample), learning rate, speed, norm and
    clipped share of the gradients, samples with their novelty, histograms of weights and hidden states. The x axis is
    the number of training steps. Nothing that goes wrong in it stops the training.

    Args:
        folder: where to write; see `run_folder`.
        task: what is trained.
        generator: writes the samples.
        progress: that of the training; the epochs before an interruption belong to the curves.

    Attributes:
        history: for every epoch, its logs and the number of steps behind it, ``step``.
        failed: whether logging has stopped, since something went wrong in it.
    """

    def __init__(self, folder: str | Path, task: Task, generator: Generator, progress: Progress | None = None):
        super().__init__()
        self.folder, self.task, self.generator, self._progress = Path(folder), task, generator, progress
        self.config = {**asdict(task.settings), "data": task.corpus.name, "steps": task.steps}
        self.history: list[dict[str, float]] = []
        self.failed = False
        self._writers: dict[str, Any] = {}  # opened when training begins

    @_harmless
    def on_train_begin(self, logs=None):
        """Open the folder; write the settings and the graph of the generator's step."""
        self.history = list(self._progress.epochs) if self._progress else []
        self._marks: list[tuple[int, float]] = []  # steps and seconds, between which characters are counted
        self._probe = tf.function(self._probed, jit_compile=self.generator.char_model.xla, autograph=False)
        self.folder.mkdir(parents=True, exist_ok=True)
        state = tf.nest.map_structure(tf.TensorSpec.from_tensor, self.generator.char_model.initial_state(1))
        ids, number = tf.TensorSpec((1,), tf.int32, "ids"), tf.TensorSpec((1,), tf.float32, "uniform")
        temperature = tf.TensorSpec((), tf.float32, "temperature")
        traced = self.generator.step.get_concrete_function(ids, state, number, temperature)
        with self._writer("train").as_default(self._step()):
            tf.summary.text("config", markdown.table(("setting", "value"), self.config.items()))
            tf.summary.graph(traced.graph)

    @_harmless
    def on_epoch_begin(self, epoch, logs=None):
        """Start the clock; in the first epoch it starts after a chunk, whose time is that of compiling."""
        self._marks = [self._mark()] if self._marks else []

    @_harmless
    def on_train_batch_end(self, batch, logs=None):
        """Read the clock after a chunk of steps."""
        self._marks.append(self._mark())

    @_harmless
    def on_epoch_end(self, epoch, logs=None):
        """Write everything that is known now."""
        step = self._step()
        self.history.append({"step": step, **logs})
        for run, loss in self._losses(logs).items():
            with self._writer(run).as_default(step):
                tf.summary.scalar("loss/bits_per_char", loss)
        with self._writer("train").as_default(step):
            tf.summary.scalar("training/learning_rate", float(self.model.optimizer.learning_rate))
            if len(self._marks) > 1:  # fewer, where the epoch is its first chunk, or was over but for this end of it
                (first, begun), (last, ended) = self._marks[0], self._marks[-1]
                chars = (last - first) * self.task.chars_per_step
                tf.summary.scalar("training/chars_per_second", chars / (ended - begun))
            self._probes(step)
            for variable in self.model.trainable_variables:
                _histogram(f"weights/{variable.path}", variable.numpy())
            for temperature in TEMPERATURES:
                tf.summary.text(f"samples/temperature_{temperature}", self.task.sample(self.generator, temperature))
        for writer in self._writers.values():  # what a checkpoint knows shall be in the logs
            writer.flush()

    @_harmless
    def on_train_end(self, logs=None):
        """Close the logs and draw the curves."""
        while self._writers:
            self._writers.popitem()[1].close()
        if self.history:
            save_curves(self.folder / runs.PICTURE, self.history, self.task)

    def _step(self) -> int:
        return int(self.model.optimizer.iterations)

    def _mark(self) -> tuple[int, float]:
        return self._step(), time.perf_counter()

    def _writer(self, run: str):
        if run not in self._writers:
            self._writers[run] = tf.summary.create_file_writer(str(self.folder / run))
        return self._writers[run]

    def _losses(self, logs) -> dict[str, float]:
        """Return the losses of each run, in bits a character."""
        found = {"train": logs["bits_per_char"]}
        if "val_bits_per_char" in logs:
            found["validation"] = logs["val_bits_per_char"]
        if self.task.unseen:
            found["ngrams"] = self.task.baseline().bits_per_char
        return found

    def _probes(self, step: int) -> None:
        """Measure gradients and hidden states on the batches that come next."""
        batches = self.task.batches
        rows = np.asarray(batches(step, max(1, PROBED // batches.batch_size)))
        norms, shares, hidden = self._probe(tf.constant(rows), tf.constant(step, tf.int64))
        tf.summary.scalar("training/gradient_norm", tf.reduce_mean(norms))
        tf.summary.scalar("training/clipped_share", tf.reduce_mean(shares))
        real = rows.reshape(-1, rows.shape[-1])[:PROBED, 1:].T >= 0  # (time, rows)
        for number, state in enumerate(hidden, 1):
            _histogram(f"hidden_state/magnitude_layer_{number}", state.numpy()[real])

    def _probed(self, rows, first):
        """Return the gradients' norms and clipped shares ``(batches,)``, and each layer's |h| ``(time, rows, units)``.

        Every batch begins with the state that the next one will begin with.
        """
        model = self.generator.char_model
        weights = [tf.convert_to_tensor(v.value) for v in self.model.trainable_variables]
        state = model.initial_state(rows.shape[1])
        if model.carried:
            state = tf.cast(model.carried[0].value, model.compute_dtype)

        def measure(i):
            step = first + tf.cast(i, first.dtype)
            _, gradients, _ = model.loss_and_gradients(weights, tf.gather(rows, i), state, step)
            gradients = [tf.cast(g, tf.float32) for g in gradients]
            return tf.linalg.global_norm(gradients), clipped_share(gradients, self.model.optimizer)

        norms, shares = tf.map_fn(measure, tf.range(rows.shape[0]), fn_output_signature=(tf.float32, tf.float32))
        inputs = tf.reshape(rows, (-1, rows.shape[-1]))[:PROBED, :-1]  # (rows, time)
        states = tf.scan(
            lambda state, ids: model.step(ids, state)[1], tf.transpose(inputs), model.initial_state(inputs.shape[0])
        )
        return norms, shares, [tf.abs(h) for h in model.hidden(states)]


def _histogram(tag: str, values) -> None:
    """Write a histogram that NumPy has counted: ``tf.summary.histogram`` takes a byte for every value and bucket."""
    from tensorboard.plugins.histogram.metadata import create_summary_metadata

    counts, edges = np.histogram(values.astype(float), bins=30)
    buckets = np.stack([edges[:-1], edges[1:], counts], axis=1)  # (buckets, 3)
    tf.summary.write(tag, buckets, metadata=create_summary_metadata(display_name=None, description=None))


def clipped_share(gradients, optimizer):
    """Return the share of the gradients' elements that the optimizer's clipping changes, between 0 and 1.

    Args:
        gradients: list of float32 tensors, not clipped.
        optimizer: a Keras optimizer, whose ``clipvalue`` or ``global_clipnorm`` is the limit.
    """
    if optimizer.global_clipnorm:
        over = tf.linalg.global_norm(gradients) > optimizer.global_clipnorm
        changed = [tf.fill(g.shape, over) for g in gradients]
    else:
        changed = [tf.abs(g) > (optimizer.clipvalue or math.inf) for g in gradients]
    return tf.reduce_mean(tf.concat([tf.reshape(tf.cast(c, tf.float32), [-1]) for c in changed], axis=0))
