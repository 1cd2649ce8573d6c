"""The passes over time of stacked LSTM layers for bfloat16: unrolled, with the products outside XLA.

On a CPU, XLA widens the factors of a product to float32. TensorFlow's own MatMul gives them to oneDNN as they are, and
that multiplies bfloat16 up to twice as fast with AVX-512, up to three times with AMX. So here every step is in the
graph: products by TensorFlow, and between them one small XLA program for the cells of all layers, each of which is a
step behind the layer below. What is multiplied is bfloat16, and so are the gates that are kept for the way back, as
memory is what a cell waits for; weights, cells and sums are float32.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

from kerasgen.models.backend import tf
from kerasgen.models.lstm_passes import Passes, cell, gate_gradients, halved


def compiled(function: Callable) -> Callable:
    """Return a function that XLA compiles as a part of a graph that it does not."""
    return tf.function(function, jit_compile=True, autograph=False)


class _Kept(NamedTuple):
    """What the forward pass of a layer keeps for the backward pass.

    Attributes:
        inputs: for each step what its matrix multiplies, narrow ``(batch, inputs + units)``.
        gates: for each step tanh of z, halved where a gate is a sigmoid, narrow ``(batch, 4 units)``.
        cells: c before the first step and after each, ``(batch, units)``.
        outputs: the last layer's h, narrow ``(time, batch, units)``.
    """

    inputs: list
    gates: list
    cells: list
    outputs: Any


def unrolled(dtype) -> Passes:
    """Return the passes that multiply in a precision; all else is in that of the weights."""
    return Passes(functools.partial(_forward, dtype), functools.partial(_backward, dtype), _weight_gradients)


def _waves(time, depth):
    """Yield what can be computed side by side, wave by wave: the layers, each with its step."""
    for wave in range(time + depth - 1):
        yield {n: wave - n for n in range(depth) if 0 <= wave - n < time}


def _forward(narrow, ids, biases, matrices, start, masks):
    time, depth, precise = ids.shape[0], len(matrices), matrices[0].dtype
    half_biases = compiled(halved)(biases)
    half_matrices = compiled(lambda given: _cast(halved(given), narrow))(matrices)

    def cells(layers, t, products, cells_before, h_before):
        """Go one step on in some layers; `t` is the step of the lowest, `h_before` what the next layer begins with."""
        gates, new, hs, beside = [], [], [], []
        for n, product, c in zip(layers, products, cells_before, strict=True):
            now = t - (n - layers[0])
            from_below = tf.gather(half_biases[0], tf.gather(ids, now)) if n == 0 else half_biases[n]
            gate, h, c = cell(tf.cast(product, precise) + from_below, c)
            gates.append(tf.cast(gate, narrow))
            new.append(c)
            hs.append(tf.cast(h, narrow))
            if n + 1 < depth:
                beside.append(tf.cast(h if masks[n] is None else h * tf.gather(masks[n], now), narrow))
        own = [*hs[1 if layers[0] == 0 else 0 :], *h_before]
        pairs = [tf.concat(pair, axis=-1) for pair in zip(beside, own, strict=False)]
        return gates, new, hs, pairs

    programs: dict = {}
    inputs = [tf.cast(h, narrow) for h, _ in start]  # what each layer multiplies next
    kept = [_Kept([], [], [tf.cast(c, precise)], []) for _, c in start]
    last_h = list(inputs)
    for active in _waves(time, depth):
        layers = tuple(active)
        products = [tf.matmul(inputs[n], half_matrices[n]) for n in layers]
        for n in layers:
            kept[n].inputs.append(inputs[n])
        following = layers[-1] + 1
        h_before = [last_h[following]] if following < depth else []
        program = programs.setdefault(layers, compiled(functools.partial(cells, layers)))
        t = tf.constant(active[layers[0]])
        gates, new, hs, pairs = program(t, products, [kept[n].cells[-1] for n in layers], h_before)
        for n, gate, c, h in zip(layers, gates, new, hs, strict=True):
            kept[n].gates.append(gate)
            kept[n].cells.append(c)
            last_h[n] = h
        for n, pair in zip(range(layers[0] + 1, depth), pairs, strict=False):
            inputs[n] = pair
        inputs[0] = last_h[0]
        if layers[-1] == depth - 1:
            kept[-1].outputs.append(last_h[-1])
    kept[-1] = kept[-1]._replace(outputs=tf.stack(kept[-1].outputs))
    ends = zip(last_h, kept, start, strict=True)
    return kept, [[tf.cast(h, old.dtype), tf.cast(layer.cells[-1], old.dtype)] for h, layer, (old, _) in ends]


def _backward(narrow, d_top, d_last, matrices, start, kept, masks):
    time, depth, precise = d_top.shape[0], len(matrices), matrices[0].dtype
    turned = compiled(lambda given: _cast(map(tf.transpose, given), narrow))(matrices)

    def cells(layers, t, d_above, d_inputs, d_cells, gates, after, before):
        """Go one step back in some layers; `t` is the step of the highest."""
        all_dz, all_d_c = [], []
        for k, (n, d_from_above, d_after) in enumerate(zip(layers, d_above, d_inputs, strict=True)):
            units, now = d_cells[k].shape[1], t + k
            above = tf.gather(d_from_above, now) if n == depth - 1 else d_from_above[:, :units]
            above = tf.cast(above, precise)
            if n < depth - 1 and masks[n] is not None:
                above *= tf.gather(masks[n], now)
            d_h = tf.cast(d_after[:, -units:], precise) + above
            split = tf.split(tf.cast(gates[k], precise), 4, axis=-1)
            dz, d_c = gate_gradients(split, d_h, d_cells[k], tf.tanh(after[k]), before[k])
            all_dz.append(tf.cast(dz, narrow))
            all_d_c.append(d_c)
        return all_dz, all_d_c

    programs: dict = {}
    below = [matrix.shape[0] - d_h.shape[1] for matrix, (d_h, _) in zip(matrices, d_last, strict=True)]
    d_inputs = [tf.pad(tf.cast(d_h, narrow), ((0, 0), (more, 0))) for more, (d_h, _) in zip(below, d_last, strict=True)]
    d_cells = [tf.cast(d_c, precise) for _, d_c in d_last]
    all_dz: list = [[] for _ in matrices]
    for wave in _waves(time, depth):
        active = {depth - 1 - k: time - 1 - behind for k, behind in wave.items()}
        layers = tuple(active)
        program = programs.setdefault(layers, compiled(functools.partial(cells, layers)))
        above = [d_top if n == depth - 1 else d_inputs[n + 1] for n in layers]
        gates = [kept[n].gates[t] for n, t in active.items()]
        after, before = ([kept[n].cells[t + k] for n, t in active.items()] for k in (1, 0))
        given = above, [d_inputs[n] for n in layers], [d_cells[n] for n in layers], gates, after, before
        dz, d_c = program(tf.constant(active[layers[0]]), *given)
        for n, one, other in zip(layers, dz, d_c, strict=True):
            all_dz[n].append(one)
            d_inputs[n], d_cells[n] = tf.matmul(one, turned[n]), other
    d_start = [
        [tf.cast(d_input[:, -h.shape[1] :], h.dtype), tf.cast(d_c, c.dtype)]
        for d_input, d_c, (h, c) in zip(d_inputs, d_cells, start, strict=True)
    ]
    return [tf.concat(dz[::-1], axis=0) for dz in all_dz], d_start


def _weight_gradients(ids, biases, kept, all_dz):
    precise = biases[0].dtype
    one_hot = tf.one_hot(tf.reshape(ids, [-1]), biases[0].shape[0], dtype=all_dz[0].dtype)
    sums = compiled(lambda given: [tf.reduce_sum(dz, axis=0) for dz in _cast(given, precise)])(all_dz[1:])
    inputs = [one_hot, *(tf.concat(layer.inputs, axis=0) for layer in kept)]
    products = [tf.matmul(x, dz, transpose_a=True) for x, dz in zip(inputs, [all_dz[0], *all_dz], strict=True)]
    table, *d_matrices = _cast(products, precise)
    return table, *sums, *d_matrices


def _cast(tensors, dtype):
    return [tf.cast(x, dtype) for x in tensors]
