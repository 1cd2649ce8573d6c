"""A chunk of training steps as one compiled program."""

from typing import Any

import numpy as np

from kerasgen.base.errors import DivergedError
from kerasgen.models.backend import tf
from kerasgen.training.updates import PlainUpdate, learning_rate_function


class Program:
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
