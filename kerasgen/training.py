"""The one way to fit: whole chunks of steps in one compiled program, between ordinary Keras callbacks."""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from kerasgen import checkpoints, console
from kerasgen.backend import keras, tf
from kerasgen.errors import DivergedError, FailedError, StoppedError
from kerasgen.updates import PlainUpdate, learning_rate_function

SMOOTHING = 0.999  # the notebook's: loss = 0.999 * loss + 0.001 * step_loss
OFTEN, SELDOM = 2.0, 30.0  # seconds between checkpoints: at the least, and (within an epoch) at the most
PATIENCE = 10.0  # seconds that a chunk may take: Ctrl-C and checkpoints wait for its end


@dataclass
class Progress:
    """Where a training is, beside the variables of model and optimizer; `fit` keeps it up to date.

    Attributes:
        smoothed_loss: the notebook's running mean; None before the first step.
        losses: of the steps of the running epoch; none where an epoch has just ended.
        epochs: the logs of each epoch that has ended, and the number of steps behind it, ``step``.
        stopped: whether a callback has ended the training.
    """

    smoothed_loss: float | None = None
    losses: list[float] = field(default_factory=list)
    epochs: list[dict[str, float]] = field(default_factory=list)
    stopped: bool = False


def epoch_ends(steps: int, every: int) -> Iterator[int]:
    """Yield the ends of virtual epochs: after the first step, after each `every` steps more, and at the end.

    The first comes so early because the notebooks report after the steps number 0, 2000, 4000, ...
    """
    yield from range(1, steps, every)
    yield steps


def notebook_first_loss(vocab_size: int, names: int) -> float:
    """Return where the notebook's running mean begins: seven characters at the loss of a blind guess, in nats."""
    return -math.log(1.0 / vocab_size) * names


def fit(
    model: keras.Model,
    batches,
    *,
    epoch_ends: Iterable[int],
    passes=None,
    validate: Callable[[], dict[str, float]] | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    first_smoothed_loss: float | None = None,
    chunk: int = 500,
    progress: Progress | None = None,
) -> keras.callbacks.History:
    """Train a compiled model, from the step that its optimizer has reached to the last of `epoch_ends`.

    A step is ``model.gradients`` (a pure function of weights, batch, carried state and step number), then the place
    where those of several workers are added up, then the update. A chunk of steps is one program that carries
    everything as plain tensors; the model's and the optimizer's variables are read before and written after it. Where
    `passes` asks for it, a batch is cut into parts whose gradients are computed side by side, on a core each.

    Args:
        model: compiled.
        batches: ``batches.chunks(first, end, size)`` gives the batches of the steps from `first` to before `end`, up to
            `size` of them at a time, int32 ``(steps, batch, time + 1)``; ``batches(0, 1)`` gives the first.
        epoch_ends: the step numbers after which an epoch, real or virtual, ends: the callbacks' rhythm.
        passes: has ``gradients(weights, rows, state, step)``, ``carried`` (the list of carried-state variables, empty
            where each batch begins anew), ``initial_state(batch_size)``, ``compute_dtype``, ``fused`` (whether XLA is
            to compile it) and ``parts(batch_size)``; where that is above 1, ``gradients`` takes the number of its part
            and their count, too. None for the model itself.
        validate: called at the end of an epoch; what it returns is added to the logs.
        callbacks: ordinary Keras callbacks. Batch hooks are called once a chunk, as with ``steps_per_execution``. The
            logs have ``loss`` (the mean over the steps of the epoch so far; after an epoch, of that epoch), and
            ``smoothed_loss``, the notebook's running mean.
        first_smoothed_loss: where the running mean begins; None for the first step's loss.
        chunk: how many steps a program makes at the most; where they take more than 10 seconds, it makes fewer.
        progress: that of the training to go on with, whose model and optimizer have been brought back by the caller;
            None for a new one. With it, the result is bit for bit that of a training without interruption.

    Returns:
        The `History`: the logs of every epoch.

    Raises:
        DivergedError: the loss is NaN or infinite; the model is left as it was after the last chunk before that.
    """
    program = _Program(model, passes or model, batches(0, 1).shape[1:], chunk)
    history = keras.callbacks.History()
    hooks = keras.callbacks.CallbackList([*callbacks, history], model=model)
    progress = progress or Progress(first_smoothed_loss)
    step = int(model.optimizer.iterations)
    model.stop_training = progress.stopped
    hooks.on_train_begin()
    for epoch, row in enumerate(progress.epochs):
        history.on_epoch_end(epoch, {key: value for key, value in row.items() if key != "step"})
    logs: dict[str, float] = {}
    for epoch, end in enumerate(epoch_ends):
        if model.stop_training:
            break
        if step > end or (step == end and not progress.losses):  # with losses, the epoch's end is still to come
            continue
        hooks.on_epoch_begin(epoch)
        for rows in _chunks(batches, step, end, chunk):
            hooks.on_train_batch_begin(step)
            new = program.run(np.asarray(rows))
            for loss in new:
                before = progress.smoothed_loss
                progress.smoothed_loss = loss if before is None else SMOOTHING * before + (1 - SMOOTHING) * loss
            progress.losses += new
            step += len(new)
            hooks.on_train_batch_end(step - 1, _logs(progress))
            if model.stop_training:
                break
        logs = {**_logs(progress), **(validate() if validate else {})}
        progress.losses = []
        progress.epochs.append({"step": step, **logs})
        hooks.on_epoch_end(epoch, dict(logs))
    model.optimizer.finalize_variable_values(model.trainable_variables)
    hooks.on_train_end(logs)
    return history


class Keeper(keras.callbacks.Callback):
    """Writes checkpoints, brings a training back from one, and ends it where a signal asks for that.

    A checkpoint comes at the end of an epoch, where the last is 2 seconds old (an epoch of names takes milliseconds),
    and within an epoch, where it is 30 seconds old. It must be the last of the callbacks, so that what it keeps of the
    others is what they have after an epoch.

    Args:
        folder: of the checkpoints.
        model: compiled.
        passes: as for `fit`.
        progress: as for `fit`.
        stopping: the callback that stops early and keeps the best weights, where there is one.
        signalled: returns the number of the signal that asks to stop, or 0.

    Attributes:
        seconds: what the training has taken so far, also before an interruption.
        saved: the number of steps behind the last checkpoint.
    """

    STOPPING = ("wait", "stopped_epoch", "best", "best_epoch")

    def __init__(self, folder, model, passes, progress, stopping=None, signalled=lambda: 0):
        super().__init__()
        self.folder, self.progress, self.stopping, self.signalled = folder, progress, stopping, signalled
        if not model.optimizer.built:
            model.optimizer.build(model.trainable_variables)
        groups = {
            "weights": model.trainable_variables,
            "carried": passes.carried,
            "optimizer": model.optimizer.variables,
        }
        self.variables = {f"{name}/{n}/{v.name}": v for name, group in groups.items() for n, v in enumerate(group)}
        self.best = [v.numpy() for v in model.weights] if stopping else []
        self._iterations = model.optimizer.iterations
        self.seconds, self.saved, self._failed = 0.0, -1, False
        self._facts: dict[str, Any] = {}

    def restore(self) -> list[str]:
        """Bring model, optimizer and progress back from the newest checkpoint that can be read, if there is one.

        Returns:
            What is wrong with newer ones.
        """
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

    def _perhaps(self, age: float) -> None:
        signal = self.signalled()
        if signal or time.perf_counter() - self._last >= age:
            self._save()
        if signal:
            raise StoppedError(f"stopped at step {self.step:,}", signal)

    def _save(self) -> None:
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
            checkpoints.write(self.folder, self.step, {**arrays, **self._best(), "losses": losses}, facts)
            self.saved, self._failed = self.step, False
        except FailedError as error:  # hours of training are worth more than their checkpoint
            if not self._failed:
                console.note(f"no checkpoint at step {self.step:,}: {error}; the training goes on")
            self._failed = True
        self._last = time.perf_counter()

    def _best(self) -> dict[str, np.ndarray]:
        return {f"best/{n}": np.asarray(array) for n, array in enumerate(self.best)}


def _logs(progress: Progress) -> dict[str, float]:
    return {"loss": math.fsum(progress.losses) / len(progress.losses), "smoothed_loss": progress.smoothed_loss or 0.0}


def _chunks(batches, step: int, end: int, size: int) -> Iterator[np.ndarray]:
    """Yield the batches of an epoch, in smaller chunks once they take long; where they are cut does not show."""
    slow, compiled = True, False
    while slow and step < end:
        slow = False
        for rows in batches.chunks(step, end, size):
            started = time.perf_counter()
            yield rows
            step, seconds = step + len(rows), time.perf_counter() - started
            if compiled and seconds > PATIENCE and size > 1:  # the first one is compiled as well
                slow, size = True, max(1, int(size * PATIENCE / 2 / seconds))
                break
            compiled = True


class _Program:
    """A chunk of training steps, compiled once.

    Args:
        model: the compiled model.
        passes: what computes its gradients.
        shape: ``(batch, time + 1)`` of a batch.
        chunk: the number of batches that the program has room for.
    """

    def __init__(self, model, passes, shape, chunk):
        self.model, self.passes, self.shape, self.chunk = model, passes, tuple(shape), chunk
        optimizer = model.optimizer
        if not optimizer.built:
            optimizer.build(model.trainable_variables)
        self._plain = PlainUpdate(optimizer) if PlainUpdate.fits(optimizer) else None
        self._variables = [v.value for v in model.trainable_variables]
        self._slots = [v.value for v in self._plain.slots] if self._plain else []
        self._carried = [v.value for v in passes.carried]
        # Side by side, two programs keep two cores busier than one program does, whose loops over time are sequential.
        self._parts = passes.parts(self.shape[0])
        self._whole = tf.function(self._steps, jit_compile=passes.fused and self._parts == 1)
        self._part = tf.function(self._part_gradients, jit_compile=True)
        self._update: Any = self._plain
        if self._plain and self._parts > 1:
            self._update = tf.function(self._plain.__call__, jit_compile=True)

    def run(self, rows: np.ndarray) -> list[float]:
        """Make one step for each of the batches ``(count, batch, time + 1)`` and return their losses."""
        count = len(rows)
        padded = np.full((self.chunk, *self.shape), -1, np.int32)  # one shape, so one compilation
        padded[:count] = rows
        first = int(self.model.optimizer.iterations)
        before = [tf.identity(v) for v in self._written()]
        losses = self._whole(tf.constant(padded), tf.constant(count)).numpy()[:count].astype(float)
        if not np.isfinite(losses).all():
            for variable, value in zip(self._written(), before, strict=True):
                variable.assign(value)
            bad = int(np.flatnonzero(~np.isfinite(losses))[0])
            raise DivergedError(
                f"the loss became {losses[bad]} at step {first + bad}; try a lower --learning-rate or stronger clipping"
            )
        return losses.tolist()

    def _written(self):
        return [*self._variables, *self._carried, *(v.value for v in self.model.optimizer.variables)]

    def _steps(self, rows, count):
        optimizer, iterations = self.model.optimizer, self.model.optimizer.iterations.value
        first, rate = tf.convert_to_tensor(iterations), learning_rate_function(optimizer)
        weights = [tf.convert_to_tensor(v) for v in self._variables] if self._plain else []
        slots = [tf.convert_to_tensor(v) for v in self._slots]
        state = [tf.cast(v, self.passes.compute_dtype) for v in self._carried]
        losses = tf.zeros((self.chunk,), tf.float64 if self.model.variable_dtype == "float64" else tf.float32)

        def body(i, weights, slots, state, losses):
            step = first + tf.cast(i, first.dtype)
            now = weights if self._plain else [tf.convert_to_tensor(v) for v in self._variables]
            # `rows[i]` would make the batches a constant of the program, which would be compiled anew at every call.
            loss, gradients, state = self._gradients(now, tf.gather(rows, i), state, step)
            if self._plain:
                weights, slots = self._update(weights, gradients, slots, rate(step), step)
            else:
                optimizer.apply(gradients, self.model.trainable_variables)
            losses = tf.tensor_scatter_nd_update(losses, [[i]], [tf.cast(loss, losses.dtype)])
            return i + 1, weights, slots, state, losses

        carried = (tf.constant(0), weights, slots, state, losses)
        more = lambda i, *_: i < count  # noqa: E731
        _, weights, slots, state, losses = tf.while_loop(more, body, carried, parallel_iterations=1)
        if self._plain:
            for variable, value in zip([*self._variables, *self._slots], [*weights, *slots], strict=True):
                variable.assign(value)
            iterations.assign(first + tf.cast(count, first.dtype))
        for variable, value in zip(self._carried, state, strict=True):
            variable.assign(tf.cast(value, variable.dtype))
        return losses

    def _gradients(self, weights, rows, state, step):
        """Compute loss and gradients of a batch, and the carried state (a list of one tensor, or empty)."""
        if self._parts == 1:
            before = state[0] if state else self.passes.initial_state(rows.shape[0])
            loss, gradients, last = self.passes.gradients(weights, rows, before, step)
            return loss, gradients, [last] * len(state)
        parts = tf.split(rows, self._parts)
        found = [self._part(weights, part, step, tf.constant(k)) for k, part in enumerate(parts)]
        losses, gradients = zip(*found, strict=True)
        # Here several workers would add up theirs, too.
        return tf.add_n(losses) / self._parts, [tf.add_n(g) / self._parts for g in zip(*gradients, strict=True)], []

    def _part_gradients(self, weights, rows, step, part):
        state = self.passes.initial_state(rows.shape[0])
        return self.passes.gradients(weights, rows, state, step, part, self._parts)[:2]
