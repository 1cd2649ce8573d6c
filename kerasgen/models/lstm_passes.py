"""Fast forward and backward passes over time, on plain tensors.

Everything is time-major and compiled by XLA. What makes it fast: the loops over time hold nothing but the one product
that needs the step before; all other products are made once for all steps; nothing is done past the end of the longest
name of a batch; no variable is read or written inside a loop. For single names, whose products are tiny, calling them
costs more than making them: there everything is inside the two loops, and XLA makes one kernel of all of it.
"""

from kerasgen.models.backend import tf


def lstm_stack(ids, layers, states, *, factors=(), present=None):
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
        factors: for each layer but the last what its output is multiplied by on its way up, ``(time, batch, units)``
            (dropout), or None. No gradient flows into them.
        present: bool ``(time, batch)``, False where the states shall pass unchanged; None for everywhere.

    Returns:
        The last layer's h, ``(time, batch, units)``, and for each layer its last h and c.
    """
    biases, matrices = _side_by_side(layers)
    depth, (time, batch) = len(layers), ids.shape
    ids = tf.where(ids < 0, biases[0].shape[0] - 1, ids)
    units = [recurrent.shape[0] for _, recurrent, _ in layers]
    dtype, numbers = matrices[0].dtype, range(depth)
    factors = [*factors, *[None] * (depth - len(factors))]

    def room(width):
        return tf.TensorArray(dtype, time, element_shape=(batch, width))

    @tf.custom_gradient
    def run(*given):
        biases, matrices, before = given[:depth], given[depth : 2 * depth], given[2 * depth :]
        start = [before[2 * n : 2 * n + 2] for n in numbers]
        half_biases, half_matrices = _halved(biases), _halved(matrices)

        def forward(t, states, kept):
            x, new, now_kept = None, [], []
            for n, ((h, c), (inputs, gates, cells, outputs)) in enumerate(zip(states, kept, strict=True)):
                side_by_side = h if n == 0 else tf.concat([x, h], axis=-1)
                from_below = tf.gather(half_biases[0], tf.gather(ids, t)) if n == 0 else half_biases[n]
                gate, new_h, new_c = _cell(from_below + tf.matmul(side_by_side, half_matrices[n]), c)
                if present is not None:
                    here = tf.gather(present, t)[:, None]
                    new_h, new_c = tf.where(here, new_h, h), tf.where(here, new_c, c)
                values = (side_by_side, gate, new_c, new_h)
                arrays = (inputs, gates, cells, outputs)
                now_kept.append([array.write(t, value) for array, value in zip(arrays, values, strict=True)])
                new.append([new_h, new_c])
                x = new_h if factors[n] is None else new_h * tf.gather(factors[n], t)
            return t + 1, new, now_kept

        kept = [[room(m.shape[0]), room(4 * u), room(u), room(u)] for m, u in zip(matrices, units, strict=True)]
        _, last, kept = tf.while_loop(lambda t, *_: t < time, forward, (0, [list(s) for s in start], kept))
        kept = [[array.stack() for array in arrays] for arrays in kept]

        def gradient(d_top, *d_last):
            cells_before = [tf.concat([start[n][1][None], kept[n][2][:-1]], axis=0) for n in numbers]

            def backward(t, d_states, all_dz):
                from_above = tf.gather(d_top, t)
                new: list = []
                now_dz: list = []
                for n in reversed(numbers):
                    _, gates, cells, _ = kept[n]
                    d_h, d_c = d_states[n]
                    d_h += from_above
                    here = None if present is None else tf.gather(present, t)[:, None]
                    d_out, d_cell = (d_h, d_c) if here is None else (tf.where(here, d_h, 0), tf.where(here, d_c, 0))
                    # Cut from the whole array, or XLA would make a slow kernel of it.
                    i, f, g, o = (tf.slice(gates, (t, 0, k * units[n]), (1, batch, units[n]))[0] for k in range(4))
                    tanh_c = tf.tanh(tf.gather(cells, t))
                    d_cell += d_out * (0.5 + 0.5 * o) * (1 - tanh_c * tanh_c)
                    parts = [
                        d_cell * g * (1 - i * i) * 0.25,
                        d_cell * tf.gather(cells_before[n], t) * (1 - f * f) * 0.25,
                        d_cell * (0.5 + 0.5 * i) * (1 - g * g),
                        d_out * tanh_c * (1 - o * o) * 0.25,
                    ]
                    dz = tf.concat(parts, axis=-1)
                    d_inputs = tf.matmul(dz, matrices[n], transpose_b=True)
                    new_d_h, new_d_c = d_inputs[:, -units[n] :], d_cell * (0.5 + 0.5 * f)
                    if here is not None:
                        new_d_h, new_d_c = tf.where(here, new_d_h, d_h), tf.where(here, new_d_c, d_c)
                    if n:
                        from_above = d_inputs[:, : -units[n]]
                        if factors[n - 1] is not None:
                            from_above *= tf.gather(factors[n - 1], t)
                    new.insert(0, [new_d_h, new_d_c])
                    now_dz.insert(0, all_dz[n].write(t, dz))
                return t - 1, new, now_dz

            ends = [list(d_last[2 * n : 2 * n + 2]) for n in numbers]
            begin = (time - 1, ends, [room(4 * u) for u in units])
            _, d_start, all_dz = tf.while_loop(lambda t, *_: t >= 0, backward, begin)
            flat_dz = [tf.reshape(dz.stack(), (time * batch, -1)) for dz in all_dz]
            flat_inputs = [tf.reshape(arrays[0], (time * batch, -1)) for arrays in kept]
            one_hot = tf.one_hot(tf.reshape(ids, [-1]), biases[0].shape[0], dtype=dtype)
            d_biases = [tf.matmul(one_hot, flat_dz[0], transpose_a=True)]
            d_biases += [tf.reduce_sum(dz, axis=0) for dz in flat_dz[1:]]
            d_matrices = [tf.matmul(x, dz, transpose_a=True) for x, dz in zip(flat_inputs, flat_dz, strict=True)]
            return *d_biases, *d_matrices, *tf.nest.flatten(d_start)

        return (kept[-1][3], *tf.nest.flatten(last)), gradient

    top, *last = run(*biases, *matrices, *tf.nest.flatten(states))
    return top, [last[2 * n : 2 * n + 2] for n in numbers]


def lstm_step(ids, layers, states):
    """Go one step on: `lstm_stack` for one character, without a loop.

    Args:
        ids: int32 ``(batch,)``; -1 is the zero input.
        layers: as for `lstm_stack`.
        states: as for `lstm_stack`.

    Returns:
        The last layer's h, ``(batch, units)``, and for each layer its new h and c.
    """
    biases, matrices = map(_halved, _side_by_side(layers))
    ids = tf.where(ids < 0, biases[0].shape[0] - 1, ids)
    x, new = None, []
    for n, (h, c) in enumerate(states):
        from_below = tf.gather(biases[0], ids) if n == 0 else biases[n]
        _, x, c = _cell(from_below + tf.matmul(h if n == 0 else tf.concat([x, h], axis=-1), matrices[n]), c)
        new.append([x, c])
    return x, new


def _side_by_side(layers):
    """Return what a step adds and what it multiplies by: below a table with a row a character, above K over R."""
    (kernel, recurrent, bias), *upper = layers
    table = tf.concat([kernel + bias, bias[None]], axis=0)  # its last row is for the zero input
    matrices = [recurrent, *(tf.concat([kernel, recurrent], axis=0) for kernel, recurrent, _ in upper)]
    return [table, *(bias for _, _, bias in upper)], matrices


def _halved(tensors):
    """Halve the columns of the three gates that are sigmoids."""
    return [x * tf.repeat(tf.constant([0.5, 0.5, 1, 0.5], x.dtype), x.shape[-1] // 4) for x in tensors]


def _cell(z, c):
    """Return tanh of z, halved where a gate is a sigmoid, ``(batch, 4 units)``; the new h and c."""
    gate = tf.tanh(z)
    i, f, g, o = tf.split(gate, 4, axis=-1)
    c = 0.5 * ((1 + f) * c + (1 + i) * g)
    return gate, (0.5 + 0.5 * o) * tf.tanh(c), c
