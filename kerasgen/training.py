"""The one way to fit: whole chunks of steps in one compiled program, between ordinary Keras callbacks."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from kerasgen.backend import keras, tf
from kerasgen.errors import FailedError
from kerasgen.updates import PlainUpdate, learning_rate_function

SMOOTHING = 0.999  # the notebook's: loss = 0.999 * loss + 0.001 * step_loss


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
        chunk: how many steps a program makes at the most.

    Returns:
        The `History`: the logs of every epoch.

    Raises:
        FailedError: the loss is NaN or infinite; the model is left as it was after the last chunk before that.
    """
    program = _Program(model, passes or model, batches(0, 1).shape[1:], chunk)
    history = keras.callbacks.CallbackList(list(callbacks), add_history=True, model=model)
    step, smoothed = int(model.optimizer.iterations), first_smoothed_loss
    model.stop_training = False
    history.on_train_begin()
    logs: dict[str, float | None] = {}
    for epoch, end in enumerate(epoch_ends):
        if step >= end:
            continue
        history.on_epoch_begin(epoch)
        losses: list[float] = []
        for rows in batches.chunks(step, end, chunk):
            history.on_train_batch_begin(step)
            new = program.run(np.asarray(rows))
            for loss in new:
                smoothed = loss if smoothed is None else SMOOTHING * smoothed + (1 - SMOOTHING) * loss
            losses += new
            step += len(new)
            logs = {"loss": math.fsum(losses) / len(losses), "smoothed_loss": smoothed}
            history.on_train_batch_end(step - 1, logs)
            if model.stop_training:
                break
        logs = {**logs, **(validate() if validate else {})}
        history.on_epoch_end(epoch, dict(logs))
        if model.stop_training:
            break
    model.optimizer.finalize_variable_values(model.trainable_variables)
    history.on_train_end(logs)
    return model.history


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
        self._update = self._plain
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
            raise FailedError(
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
