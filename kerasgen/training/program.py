"""A chunk of training steps as one compiled program."""

import functools

import numpy as np

from kerasgen.base.errors import DivergedError, LostError
from kerasgen.models.backend import tf
from kerasgen.models.contract import CharModel
from kerasgen.training.replicas import Replicas
from kerasgen.training.updates import PlainUpdate


class Program:
    """A chunk of training steps, compiled once.

    It carries weights, slots and state as plain tensors; the variables are read before and written after the loop.

    Args:
        model: its Keras model is compiled.
        shape: ``(batch, time + 1)`` of a batch.
        chunk: the most batches that one call takes.
        replicas: who computes which shards; None for this process alone.

    Attributes:
        state: the variables that a training goes on from: weights, carried state, the optimizer's.

    Raises:
        BadInputError: the optimizer is one that `PlainUpdate` does not know.
    """

    def __init__(self, model: CharModel, shape, chunk: int, replicas: Replicas | None = None):
        self.model, self.shape, self.chunk, self._replicas = model, tuple(shape), chunk, replicas or Replicas()
        keras_model = model.keras_model()
        self.optimizer = keras_model.optimizer
        if not self.optimizer.built:
            self.optimizer.build(keras_model.trainable_variables)
        self._update = PlainUpdate(self.optimizer)
        self._variables = [v.value for v in keras_model.trainable_variables]
        self._slots = [v.value for v in self._update.slots]
        self._carried = [v.value for v in model.carried]
        self.state = [*keras_model.trainable_variables, *model.carried, *self.optimizer.variables]
        # Side by side, one program a shard keeps more cores busy than one program does, whose loops are sequential.
        self._shards = self._replicas.shards(model, self.shape[0])
        compiled_with_all = model.xla and self._shards == 1
        # Without AutoGraph, whose conversion takes seconds and which nothing here needs.
        plain = functools.partial(tf.function, autograph=False)
        self._whole = plain(self._steps, jit_compile=compiled_with_all)
        self._one_shard = plain(self._shard, jit_compile=model.xla)
        self._apply = self._update if compiled_with_all else plain(self._update.__call__, jit_compile=True)

    def run(self, rows: np.ndarray) -> list[float]:
        """Make one step for each of the batches ``(count, batch, time + 1)``, with all workers; return the losses.

        Raises:
            DivergedError: a loss is NaN or infinite; all variables are as they were before the call.
            LostError: another worker has ended; likewise.
        """
        self._replicas.lead(len(rows), self._update.constant_rate)
        return self.make(rows)

    def make(self, rows: np.ndarray) -> list[float]:
        """Make the steps, as `run` does, while the other workers are making them."""
        count = len(rows)
        padded = np.full((self.chunk, *self.shape), -1, np.int32)  # one shape, so one compilation
        padded[:count] = rows
        first = int(self.optimizer.iterations)
        written = [*self._variables, *self._carried, *(v.value for v in self.optimizer.variables)]
        before = [tf.identity(v) for v in written]
        try:
            with self._replicas.alive():
                losses = self._whole(tf.constant(padded), tf.constant(count)).numpy()[:count].astype(float)
        except LostError:  # the number of steps may be written already, as it does not wait for the loop
            _assign(written, before)
            raise
        if not np.isfinite(losses).all():
            _assign(written, before)
            bad = int(np.flatnonzero(~np.isfinite(losses))[0])
            raise DivergedError(
                f"the loss became {losses[bad]} at step {first + bad}; try a lower --learning-rate or stronger clipping"
            )
        return losses.tolist()

    def _steps(self, rows, count):
        iterations = self.optimizer.iterations.value
        first, rate = tf.convert_to_tensor(iterations), self._update.learning_rate()
        weights = [tf.convert_to_tensor(v) for v in self._variables]
        slots = [tf.convert_to_tensor(v) for v in self._slots]
        state = [tf.cast(v, self.model.compute_dtype) for v in self._carried]
        losses = tf.zeros((self.chunk,), tf.float64 if weights[0].dtype == tf.float64 else tf.float32)

        def body(i, weights, slots, state, losses):
            step = first + tf.cast(i, first.dtype)
            # `rows[i]` would make the batches a constant of the program, which would be compiled anew at every call.
            loss, gradients, state = self._gradients(weights, tf.gather(rows, i), state, step)
            weights, slots = self._apply(weights, gradients, slots, rate(step), step)
            losses = tf.tensor_scatter_nd_update(losses, [[i]], [tf.cast(loss, losses.dtype)])
            return i + 1, weights, slots, state, losses

        carried = (tf.constant(0), weights, slots, state, losses)
        more = lambda i, *_: i < count  # noqa: E731
        _, weights, slots, state, losses = tf.while_loop(more, body, carried, parallel_iterations=1)
        for variable, value in zip([*self._variables, *self._slots], [*weights, *slots], strict=True):
            variable.assign(value)
        iterations.assign(first + tf.cast(count, first.dtype))
        for variable, value in zip(self._carried, state, strict=True):
            variable.assign(tf.cast(value, variable.dtype))
        return losses

    def _gradients(self, weights, rows, state, step):
        """Compute loss and gradients of a batch, and the carried state (a list of one tensor, or empty)."""
        if self._shards == 1:
            before = state[0] if state else self.model.initial_state(rows.shape[0])
            loss, gradients, last = self.model.loss_and_gradients(weights, rows, before, step)
            return loss, list(gradients), [last] * len(state)
        found, rows = [], tf.split(rows, self._shards)
        for k in self._replicas.own(self._shards):
            with self._replicas.device(k):
                found.append(self._one_shard(weights, rows[k], step, tf.constant(k)))
        losses, parts = zip(*found, strict=True)
        sums = [tf.add_n(each) for each in (losses, *zip(*parts, strict=True))]
        loss, *gradients = (each / self._shards for each in self._replicas.sum(sums))  # the synchronisation point
        return loss, gradients, []

    def _shard(self, weights, rows, step, shard):
        state = self.model.initial_state(rows.shape[0])
        return self.model.loss_and_gradients(weights, rows, state, step, shard, self._shards)[:2]


def _assign(variables, values):
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
