"""The fast passes over time of stacked LSTM layers.

Everything is time-major and compiled by XLA. The loops over time hold nothing but the one product that needs the step
before; all other products are made once for all steps; no variable is read or written inside a loop.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from kerasgen.models.backend import tf


class Passes(NamedTuple):
    """A way to compute the passes of `lstm_stack`; see `LOOPS`."""

    forward: Callable
    backward: Callable
    weight_gradients: Callable


def lstm_stack(ids, layers, states, *, masks=(), passes=None):
    """Run stacked LSTM layers over time, all of them in one loop; a gradient through it is a second loop, made by hand.

    With z[t] = x[t] K + h[t-1] R + b, cut into i, f, g, o as in Keras, and x[t] the one-hot character or the layer
    below's h[t]::

        c[t] = sigmoid(f) * c[t-1] + sigmoid(i) * tanh(g)        h[t] = sigmoid(o) * tanh(c[t])

    (Hochreiter and Schmidhuber 1997; the forget gate of Gers et al. 2000). The first layer's x[t] K is a row of K. In
    the others, x[t] and h[t-1] stand side by side, so that a step is one product, and the gradient of K and R together
    is one product after the loop. As sigmoid(z) = (1 + tanh(z / 2)) / 2, a step's four gates are one tanh.

    Args:
        ids: int32 ``(time, batch)``; -1 is the zero input.
        layers: for each layer its kernel K ``(inputs, 4 units)``, recurrent kernel R ``(units, 4 units)`` and bias b
            ``(4 units,)``, as in Keras.
        states: for each layer h and c before the first step, ``(batch, units)`` each.
        masks: for each layer but the last the dropout mask of its output, ``(time, batch, units)``, or None. No
            gradient flows into them.
        passes: how to compute; None for `LOOPS`.

    Returns:
        The last layer's h, ``(time, batch, units)``, and for each layer its last h and c.
    """
    passes = passes or LOOPS
    biases, matrices = _side_by_side(layers)
    depth = len(layers)
    ids = tf.where(ids < 0, biases[0].shape[0] - 1, ids)
    masks = [*masks, *[None] * (depth - len(masks))]

    @tf.custom_gradient
    def run(*given):
        biases, matrices, before = given[:depth], given[depth : 2 * depth], given[2 * depth :]
        start = [before[2 * n : 2 * n + 2] for n in range(depth)]
        kept, last = passes.forward(ids, biases, matrices, start, masks)

        def gradient(d_top, *d_last):
            ends = [d_last[2 * n : 2 * n + 2] for n in range(depth)]
            all_dz, d_start = passes.backward(d_top, ends, matrices, start, kept, masks)
            return *passes.weight_gradients(ids, biases, kept, all_dz), *tf.nest.flatten(d_start)

        return (kept[-1].outputs, *tf.nest.flatten(last)), gradient

    top, *last = run(*biases, *matrices, *tf.nest.flatten(states))
    return top, tuple(tuple(last[2 * n : 2 * n + 2]) for n in range(depth))


class _Kept(NamedTuple):
    """What the forward pass of a layer keeps for the backward pass, time first.

    Attributes:
        inputs: what the step's matrix multiplies, ``(time, batch, inputs + units)``, or ``(time, batch, units)`` below.
        gates: tanh of z, halved where a gate is a sigmoid, ``(time, batch, 4 units)``.
        cells: c, ``(time, batch, units)``.
        outputs: h, ``(time, batch, units)``.
    """

    inputs: Any
    gates: Any
    cells: Any
    outputs: Any


def _array(like, time, width):
    return tf.TensorArray(like.dtype, time, element_shape=(like.shape[0], width))


def _forward(ids, biases, matrices, start, masks):
    """Go through all steps; return what each layer keeps, and its last h and c."""
    time = ids.shape[0]
    half_biases, half_matrices = halved(biases), halved(matrices)

    def step(t, states, kept):
        x, new, now_kept = None, [], []
        for n, ((h, c), arrays) in enumerate(zip(states, kept, strict=True)):
            side_by_side = h if n == 0 else tf.concat([x, h], axis=-1)
            from_below = tf.gather(half_biases[0], tf.gather(ids, t)) if n == 0 else half_biases[n]
            gate, new_h, new_c = cell(from_below + tf.matmul(side_by_side, half_matrices[n]), c)
            values = (side_by_side, gate, new_c, new_h)
            now_kept.append([array.write(t, value) for array, value in zip(arrays, values, strict=True)])
            new.append([new_h, new_c])
            x = new_h if masks[n] is None else new_h * tf.gather(masks[n], t)
        return t + 1, new, now_kept

    kept = []
    for matrix, (h, _) in zip(matrices, start, strict=True):
        units = h.shape[1]
        kept.append([_array(h, time, width) for width in (matrix.shape[0], 4 * units, units, units)])
    _, last, kept = tf.while_loop(lambda t, *_: t < time, step, (0, [list(pair) for pair in start], kept))
    return [_Kept(*(array.stack() for array in arrays)) for arrays in kept], last


def _backward(d_top, d_last, matrices, start, kept, masks):
    """Go back through all steps; return each layer's dz, ``(time * batch, 4 units)``, and the gradients of `start`."""
    time, batch = d_top.shape[:2]
    cells_before = [tf.concat([c[None], layer.cells[:-1]], axis=0) for (_, c), layer in zip(start, kept, strict=True)]

    def step(t, d_states, all_dz):
        from_above = tf.gather(d_top, t)
        new: list = []
        now_dz: list = []
        for n in reversed(range(len(matrices))):
            d_h, d_c = d_states[n]
            dz, new_d_c = _cell_gradient(t, d_h + from_above, d_c, kept[n], cells_before[n])
            d_inputs = tf.matmul(dz, matrices[n], transpose_b=True)
            units = d_h.shape[1]
            if n:
                from_above = d_inputs[:, :-units]
                if masks[n - 1] is not None:
                    from_above *= tf.gather(masks[n - 1], t)
            new.insert(0, [d_inputs[:, -units:], new_d_c])
            now_dz.insert(0, all_dz[n].write(t, dz))
        return t - 1, new, now_dz

    arrays = [_array(h, time, 4 * h.shape[1]) for h, _ in start]
    begin = (time - 1, [list(pair) for pair in d_last], arrays)
    _, d_start, all_dz = tf.while_loop(lambda t, *_: t >= 0, step, begin)
    return [tf.reshape(dz.stack(), (time * batch, -1)) for dz in all_dz], d_start


def _cell_gradient(t, d_h, d_c, kept, cells_before):
    """Return the gradients of z ``(batch, 4 units)`` and of the c before, ``(batch, units)``."""
    batch, units = d_h.shape
    # Cut from the whole array, or XLA would make a slow kernel of it.
    i, f, g, o = (tf.slice(kept.gates, (t, 0, k * units), (1, batch, units))[0] for k in range(4))
    return gate_gradients((i, f, g, o), d_h, d_c, tf.tanh(tf.gather(kept.cells, t)), tf.gather(cells_before, t))


def gate_gradients(gates, d_h, d_c, tanh_c, c_before):
    """Return the gradients of a step's z ``(batch, 4 units)`` and of the c before it, ``(batch, units)``.

    Args:
        gates: i, f, g, o: tanh of z, halved where a gate is a sigmoid, ``(batch, units)`` each.
        d_h: the gradient of the step's h.
        d_c: that of its c, without what comes by way of h.
        tanh_c: tanh of its c.
        c_before: the c before it.
    """
    i, f, g, o = gates
    d_c += d_h * (0.5 + 0.5 * o) * (1 - tanh_c * tanh_c)
    parts = [
        d_c * g * (1 - i * i) * 0.25,
        d_c * c_before * (1 - f * f) * 0.25,
        d_c * (0.5 + 0.5 * i) * (1 - g * g),
        d_h * tanh_c * (1 - o * o) * 0.25,
    ]
    return tf.concat(parts, axis=-1), d_c * (0.5 + 0.5 * f)


def _weight_gradients(ids, biases, kept, all_dz):
    """Return the gradients of `_side_by_side`'s biases and matrices: one product a layer."""
    one_hot = tf.one_hot(tf.reshape(ids, [-1]), biases[0].shape[0], dtype=biases[0].dtype)
    d_biases = [tf.matmul(one_hot, all_dz[0], transpose_a=True)]
    d_biases += [tf.reduce_sum(dz, axis=0) for dz in all_dz[1:]]
    flat_inputs = [tf.reshape(layer.inputs, (dz.shape[0], -1)) for layer, dz in zip(kept, all_dz, strict=True)]
    return *d_biases, *(tf.matmul(x, dz, transpose_a=True) for x, dz in zip(flat_inputs, all_dz, strict=True))


LOOPS = Passes(_forward, _backward, _weight_gradients)  # to be compiled by XLA with everything around them


def lstm_step(ids, layers, states, vectors=None):
    """Do one step: `lstm_stack` for one character, without a loop.

    Args:
        ids: int32 ``(batch,)``; -1 is the zero input.
        layers: as for `lstm_stack`.
        states: as for `lstm_stack`.
        vectors: of the characters, ``(vocab, inputs)``; None for one-hot ones.

    Returns:
        The last layer's h, ``(batch, units)``, and for each layer its new h and c.
    """
    if vectors is None:
        biases, matrices = map(halved, _side_by_side(layers))
        ids, x = tf.where(ids < 0, biases[0].shape[0] - 1, ids), None
    else:
        biases = halved([bias for _, _, bias in layers])
        matrices = halved([tf.concat([kernel, recurrent], axis=0) for kernel, recurrent, _ in layers])
        x = tf.where(ids[:, None] < 0, tf.zeros((), vectors.dtype), tf.gather(vectors, tf.maximum(ids, 0)))
    new = []
    for n, (h, c) in enumerate(states):
        from_below = tf.gather(biases[0], ids) if x is None else biases[n]
        _, x, c = cell(from_below + tf.matmul(h if x is None else tf.concat([x, h], axis=-1), matrices[n]), c)
        new.append((x, c))
    return x, tuple(new)


def _side_by_side(layers):
    """Return what a step adds and what it multiplies by: below a table with a row a character, above K over R."""
    (kernel, recurrent, bias), *upper = layers
    table = tf.concat([kernel + bias, bias[None]], axis=0)  # its last row is for the zero input
    matrices = [recurrent, *(tf.concat([kernel, recurrent], axis=0) for kernel, recurrent, _ in upper)]
    return [table, *(bias for _, _, bias in upper)], matrices


def halved(tensors):
    """Halve the columns of the three gates that are sigmoids."""
    return [x * tf.repeat(tf.constant([0.5, 0.5, 1, 0.5], x.dtype), x.shape[-1] // 4) for x in tensors]


def cell(z, c):
    """Return tanh of z, halved where a gate is a sigmoid, ``(batch, 4 units)``; the new h and c."""
    gate = tf.tanh(z)
    i, f, g, o = tf.split(gate, 4, axis=-1)
    c = 0.5 * ((1 + f) * c + (1 + i) * g)
    return gate, (0.5 + 0.5 * o) * tf.tanh(c), c
