"""The fast passes over time of a SimpleRNN with a softmax on top.

The loops over time hold nothing but the one product that needs the step before; all other products are made once for
all steps, and nothing is done past the end of the longest name of a batch. For single names, whose products are tiny,
calling them costs more than making them: there all but the gradients of the weights is inside the two loops, and XLA
makes one kernel of each.
"""

from kerasgen.models.backend import tf

_LANES = 16  # float32 numbers in the widest vectors of today's processors
_NEVER = -1e4  # the logit of no character: exp of it is zero
FUSED_UNITS = 64  # above, the products made once for all steps win, and fused loops take twice the time


def simple_rnn_gradients(weights, rows, state, *, small_loops_fused=False):
    """Compute the loss of a batch of names and its gradients through a SimpleRNN (tanh) with a softmax on top.

    Forward, with x the one-hot letters::

        h[t] = tanh(x[t] Wx + h[t-1] Wh + b)        p[t] = softmax(h[t] Wy + by)

    and back through time, with y the one-hot targets::

        dlogits[t] = p[t] - y[t]        dz[t] = (dlogits[t] Wy' + dz[t+1] Wh') * (1 - h[t]^2)

    (Werbos 1990, "Backpropagation through time".) Padding needs no mask inside the loops: its dlogits are zero, so
    every dz after a name's end is zero, too.

    Args:
        weights: five tensors in Keras' order: Wx ``(vocab, units)``, Wh ``(units, units)``, b ``(units,)``, Wy
            ``(units, vocab)``, by ``(vocab,)``; their dtype is that of the computation.
        rows: int32 ``(batch, time + 1)``: inputs and, one place further, targets; -1 for "no character". Each row has
            at least one target, and all of them come before its padding.
        state: ``(batch, units)``, the hidden state before the first step; no gradient flows into it.
        small_loops_fused: whether XLA compiles small loops into one kernel (see `backend.fuse_small_loops`).

    Returns:
        The mean over the names of each name's summed cross-entropy in nats (a scalar); the list of its gradients; the
        state after each name's last step, ``(batch, units)``.
    """
    if rows.shape[0] == 1 and weights[1].shape[0] <= FUSED_UNITS and small_loops_fused:
        return _one_name(weights, rows[0], state)
    longest = rows.shape[1] - 1
    lengths = tf.reduce_sum(tf.cast(rows[:, 1:] >= 0, tf.int32), axis=1)  # (batch,)
    count = tf.reduce_max(lengths)

    # Most names are short: the products over all steps are compiled for half of the longest name as well.
    sizes = [longest // 2, longest] if longest % 2 == 0 and longest > 16 else [longest]
    branches = [lambda time=time: _through_time(weights, rows[:, : time + 1], lengths, count, state) for time in sizes]
    chosen = 0 if len(sizes) == 1 else tf.cast(count > sizes[0], tf.int32)
    loss, *gradients, last = branches[0]() if len(sizes) == 1 else tf.switch_case(chosen, branches)
    return loss, gradients, last


def _through_time(weights, rows, lengths, count, state):
    kernel, recurrent, bias, out_kernel, out_bias = weights
    dtype = kernel.dtype
    vocab_size, units = kernel.shape
    batch, time = rows.shape[0], rows.shape[1] - 1
    inputs, targets = tf.transpose(rows[:, :-1]), tf.transpose(rows[:, 1:])  # (time, batch)

    letters = tf.gather(kernel, tf.maximum(inputs, 0)) * tf.cast(inputs >= 0, dtype)[..., None] + bias

    def forward(t, h, states):
        h = tf.tanh(tf.gather(letters, t) + tf.matmul(h, recurrent))
        return t + 1, h, tf.tensor_scatter_nd_update(states, [[t]], h[None])

    states = tf.zeros((time, batch, units), dtype)
    _, _, states = tf.while_loop(lambda t, h, states: t < count, forward, (0, state, states))
    before = tf.concat([state[None], states[:-1]], axis=0)  # (time, batch, units)

    flat = tf.reshape(states, (time * batch, units))
    precise = dtype if dtype.size >= 4 else tf.float32  # sums of half-precision losses would lose their digits
    one_hot_targets = tf.one_hot(tf.reshape(targets, [-1]), vocab_size, dtype=precise)  # (time * batch, vocab)
    logits = tf.cast(tf.matmul(flat, out_kernel) + out_bias, precise)
    log_probs = tf.nn.log_softmax(logits)
    loss = -tf.reduce_sum(log_probs * one_hot_targets) / batch
    is_target = tf.cast(tf.reshape(targets, [-1, 1]) >= 0, precise)
    d_logits = tf.cast((tf.exp(log_probs) * is_target - one_hot_targets) / batch, dtype)
    d_states = tf.reshape(tf.matmul(d_logits, out_kernel, transpose_b=True), (time, batch, units))
    slopes = 1 - states * states

    def backward(t, dz, all_dz):
        dz = (tf.gather(d_states, t) + tf.matmul(dz, recurrent, transpose_b=True)) * tf.gather(slopes, t)
        return t - 1, dz, tf.tensor_scatter_nd_update(all_dz, [[t]], dz[None])

    zero = tf.zeros((batch, units), dtype)
    _, _, all_dz = tf.while_loop(lambda t, dz, all_dz: t >= 0, backward, (count - 1, zero, tf.zeros_like(states)))

    flat_dz = tf.reshape(all_dz, (time * batch, units))
    one_hot_inputs = tf.one_hot(tf.reshape(inputs, [-1]), vocab_size, dtype=dtype)
    gradients = [
        tf.matmul(one_hot_inputs, flat_dz, transpose_a=True),
        tf.matmul(tf.reshape(before, (time * batch, units)), flat_dz, transpose_a=True),
        tf.reduce_sum(flat_dz, axis=0),
        tf.matmul(flat, d_logits, transpose_a=True),
        tf.reduce_sum(d_logits, axis=0),
    ]
    ends = tf.stack([lengths - 1, tf.range(batch)], axis=1)
    return loss, *gradients, tf.gather_nd(states, ends)  # padding does not touch the carried state


def _one_name(weights, row, state):
    """Do the same for one name, ``(time + 1,)``, with a step's work inside the loops, which XLA fuses.

    Logits stand in whole vectors of the processor: a fifth of the time went into what was left of the last one. In
    double precision a training is the notebook's digit for digit, so sums are made in its order and of nothing more.
    """
    kernel, recurrent, bias, out_kernel, out_bias = weights
    dtype = kernel.dtype
    precise = dtype if dtype.size >= 4 else tf.float32
    vocab_size, units = kernel.shape
    time, in_order = row.shape[0] - 1, dtype == tf.float64
    wide = vocab_size if in_order else -(-vocab_size // _LANES) * _LANES
    count = tf.reduce_sum(tf.cast(row[1:] >= 0, tf.int32))
    out_kernel = tf.pad(out_kernel, ((0, 0), (0, wide - vocab_size)))
    out_bias = tf.pad(out_bias, ((0, wide - vocab_size),), constant_values=_NEVER)

    def forward(t, h, states, all_d_logits, loss):
        x, y = tf.gather(row, t), tf.gather(row, t + 1)
        letter = tf.gather(kernel, tf.maximum(x, 0)) * tf.cast(x >= 0, dtype) + bias
        h = tf.tanh(letter[None] + tf.matmul(h, recurrent))
        logits = tf.cast(tf.matmul(h, out_kernel) + out_bias, precise)
        logits -= tf.reduce_max(logits)
        powers = tf.exp(logits)
        total = tf.reduce_sum(powers)
        loss += tf.math.log(total) - tf.gather(logits[0], y)
        d_logits = tf.cast(powers / total - tf.one_hot(y, wide, dtype=precise), dtype)
        return t + 1, h, states.write(t + 1, h), all_d_logits.write(t, d_logits), loss

    states = tf.TensorArray(dtype, time + 1, element_shape=(1, units)).write(0, state)
    d_logits = tf.TensorArray(dtype, time, element_shape=(1, wide))
    start = (0, state, states, d_logits, tf.zeros((), precise))
    _, last, states, d_logits, loss = tf.while_loop(lambda t, *_: t < count, forward, start)
    states, d_logits = states.stack(), d_logits.stack()

    back = _back_step_by_step if in_order else _back_by_products
    d_kernel, d_recurrent, d_bias, d_out_kernel, d_out_bias = back(recurrent, out_kernel, row, states, d_logits, count)
    d_kernel, d_out_kernel, d_out_bias = d_kernel[:vocab_size], d_out_kernel[:, :vocab_size], d_out_bias[:vocab_size]
    return loss, [d_kernel, d_recurrent, d_bias, d_out_kernel, d_out_bias], last


def _back(t, dz, recurrent, out_kernel, states, d_logits):
    """Return dz of a step, given that of the next, and what it follows from: h, and the gradient of the logits."""
    h, d_y = tf.gather(states, t + 1), tf.gather(d_logits, t)
    dz = (tf.matmul(d_y, out_kernel, transpose_b=True) + tf.matmul(dz, recurrent, transpose_b=True)) * (1 - h * h)
    return dz, h, d_y


def _back_step_by_step(recurrent, out_kernel, row, states, d_logits, count):
    """Go back through a name; add the gradients of a step to those of the steps after it."""
    dtype, (units, wide) = recurrent.dtype, out_kernel.shape

    def backward(t, dz, gradients):
        dz, h, d_y = _back(t, dz, recurrent, out_kernel, states, d_logits)
        d_kernel, d_recurrent, d_bias, d_out_kernel, d_out_bias = gradients
        x = tf.gather(row, t)
        gradients = [
            tf.tensor_scatter_nd_add(d_kernel, [[tf.maximum(x, 0)]], dz * tf.cast(x >= 0, dtype)),
            d_recurrent + tf.transpose(tf.gather(states, t)) * dz,
            d_bias + dz[0],
            d_out_kernel + tf.transpose(h) * d_y,
            d_out_bias + d_y[0],
        ]
        return t - 1, dz, gradients

    zeros = [tf.zeros(shape, dtype) for shape in ((wide, units), (units, units), (units,), (units, wide), (wide,))]
    start = (count - 1, tf.zeros((1, units), dtype), zeros)
    return tf.while_loop(lambda t, *_: t >= 0, backward, start)[-1]


def _back_by_products(recurrent, out_kernel, row, states, d_logits, count):
    """Go back through a name; the gradients are two products after that, compiled for names of several lengths."""
    dtype, time, (units, wide) = recurrent.dtype, d_logits.shape[0], out_kernel.shape

    def backward(t, dz, all_dz):
        dz, *_ = _back(t, dz, recurrent, out_kernel, states, d_logits)
        return t - 1, dz, all_dz.write(t, dz)

    all_dz = tf.TensorArray(dtype, time, element_shape=(1, units))
    _, _, all_dz = tf.while_loop(lambda t, *_: t >= 0, backward, (count - 1, tf.zeros((1, units), dtype), all_dz))
    all_dz, states, d_logits, ones = all_dz.stack()[:, 0], states[:, 0], d_logits[:, 0], tf.ones((time, 1), dtype)
    below = tf.concat([tf.one_hot(row[:-1], wide, dtype=dtype), states[:-1], ones], axis=1)
    above = tf.concat([states[1:], ones], axis=1)

    def products(length):
        pairs = (below, all_dz), (above, d_logits)
        return [tf.matmul(left[:length], right[:length], transpose_a=True) for left, right in pairs]

    lengths = sorted({max(1, time * sixths // 6) for sixths in (2, 3, 4, 6)})
    branches = [lambda length=length: products(length) for length in lengths]
    chosen = tf.reduce_sum(tf.cast(count > lengths[:-1], tf.int32))
    d_below, d_above = products(time) if len(lengths) == 1 else tf.switch_case(chosen, branches)
    d_kernel, d_recurrent, d_bias = tf.split(d_below, (wide, units, 1))
    d_out_kernel, d_out_bias = tf.split(d_above, (units, 1))
    return d_kernel, d_recurrent, d_bias[0], d_out_kernel, d_out_bias[0]
