"""The fast passes over time: against the stock layers with a GradientTape, and against the oracle's equations."""

from functools import partial

import numpy as np
import pytest

from kerasgen.models.backend import keras, tf
from kerasgen.models.simple_rnn_passes import simple_rnn_gradients
from tests.support import oracle

VOCAB, UNITS, STOP = 7, 12, 0
PATHS = ["eager", "jit", "one kernel"]  # the last is what the command takes for single names of up to 64 units
# one for all tests: a program for each shape
compiled = {
    path: tf.function(partial(simple_rnn_gradients, small_loops_fused=path == "one kernel"), jit_compile=True)
    for path in PATHS[1:]
}


def weights_of(seed=3, scale=0.4):
    """Weights large enough for slopes far from 1, biases included."""
    rng = np.random.RandomState(seed)
    w = oracle.initial_weights(UNITS, VOCAB, seed, scale)
    return {**w, "b": rng.randn(UNITS) * scale, "by": rng.randn(VOCAB) * scale}


def rows_of(lengths, time, seed=0):
    """Rows of random names with these numbers of targets (the stop character is the last), int32 (batch, time + 1)."""
    rows = np.full((len(lengths), time + 1), -1, np.int32)
    for row, length in zip(rows, lengths, strict=True):
        row[1:length] = np.random.RandomState(seed + length).randint(1, VOCAB, length - 1)
        row[length] = STOP
    return rows


def states_of(batch, zero=False):
    return np.zeros((batch, UNITS)) if zero else np.random.RandomState(5).uniform(-1, 1, (batch, UNITS))


def fast(w, rows, state, dtype=tf.float64, path="eager"):
    """Ask the code under test: loss, list of gradients, last state; as NumPy."""
    function = compiled.get(path, simple_rnn_gradients)
    weights = [tf.constant(x, dtype) for x in oracle.keras_weights(w)]
    loss, gradients, last = function(weights, tf.constant(rows), tf.constant(state, dtype))
    return [np.asarray(tf.cast(x, tf.float64)) for x in (loss, *gradients, last)]


def stock(w, rows, state):
    """Ask Keras' own layers and TensorFlow's own differentiation, in float64."""
    rnn = keras.layers.SimpleRNN(UNITS, return_sequences=True, return_state=True, dtype="float64")
    out = keras.layers.Dense(VOCAB, dtype="float64")
    rnn.build((None, None, VOCAB))
    out.build((None, None, UNITS))
    variables = [*rnn.trainable_variables, *out.trainable_variables]
    for variable, value in zip(variables, oracle.keras_weights(w), strict=True):
        variable.assign(value)
    inputs, targets = rows[:, :-1], rows[:, 1:]
    with tf.GradientTape() as tape:
        one_hot = tf.one_hot(inputs, VOCAB, dtype=tf.float64)
        states, last = rnn(one_hot, initial_state=tf.constant(state), mask=tf.constant(targets >= 0))
        each = tf.nn.sparse_softmax_cross_entropy_with_logits(np.maximum(targets, 0), out(states))
        loss = tf.reduce_sum(tf.where(targets >= 0, each, 0)) / len(rows)
    gradients = tape.gradient(loss, [v.value for v in variables])
    return [np.asarray(tf.convert_to_tensor(x)) for x in (loss, *gradients, last)]


def by_equations(w, rows, state):
    """Ask the oracle, name by name: the mean of the losses and gradients, and the last states."""
    parts = []
    for row, a0 in zip(rows, state, strict=True):
        targets = row[1:][row[1:] >= 0]
        parts.append(oracle.loss_and_gradients(w, targets[:-1].tolist(), a0, stop=targets[-1]))
    mean = {name: np.mean([gradients[name] for _, gradients, _ in parts], axis=0) for name in w}
    return [np.mean([loss for loss, *_ in parts]), *oracle.keras_weights(mean), np.stack([a for *_, a in parts])]


def error(found, expected):
    """The largest difference over the largest value, of the worst of loss, gradients and state."""
    return max(np.abs(f - e).max() / (np.abs(e).max() or 1.0) for f, e in zip(found, expected, strict=True))


CASES = {
    "one name": ([5], 8),
    "one name that fills its row": ([8], 8),
    "nothing but the stop": ([1], 8),
    "padding of different lengths": ([3, 8, 1, 6], 8),
    "all of one length": ([7, 7, 7, 7], 8),
    "a wide row, short names: the shorter program": ([4, 16, 9], 32),
    "a wide row, a name just too long for the shorter program": ([4, 17, 9], 32),
    "a wide row, filled": ([32, 2, 31], 32),
    "an odd width over 16": ([19, 3], 19),
}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("zero", [True, False], ids=["from zero", "carried"])
@pytest.mark.parametrize("case", CASES)
def test_float64_agrees_with_stock_keras_and_with_the_equations(case, zero, path):
    lengths, time = CASES[case]
    w, rows, state = weights_of(), rows_of(lengths, time), states_of(len(lengths), zero)
    found = fast(w, rows, state, path=path)
    assert error(found, stock(w, rows, state)) < 1e-9
    assert error(found, by_equations(w, rows, state)) < 1e-9


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("lengths", [[3, 8, 1, 6], [5]], ids=["four names", "one name"])
def test_padding_changes_nothing(lengths, path):
    w, state = weights_of(), states_of(len(lengths))
    narrow = fast(w, rows_of(lengths, 8), state, path=path)
    wide = fast(w, rows_of(lengths, 32), state, path=path)
    assert error(wide, narrow) < 1e-13


def test_the_last_state_is_that_of_each_names_own_last_step():
    lengths = [3, 8, 1, 6]
    w, rows, state = weights_of(), rows_of(lengths, 8), states_of(4)
    states, _ = oracle.forward_batch(w, rows[:, :-1], state)
    ends = states[np.arange(4), np.array(lengths) - 1]
    np.testing.assert_allclose(fast(w, rows, state, path="jit")[-1], ends, rtol=0, atol=1e-14)


def test_a_batch_is_the_mean_of_its_names():
    w, rows, state = weights_of(), rows_of([3, 8, 1, 6], 8), states_of(4)
    together = fast(w, rows, state)
    alone = [fast(w, rows[i : i + 1], state[i : i + 1]) for i in range(4)]
    mean = [np.mean(parts, axis=0) for parts in zip(*alone, strict=True)][:-1]
    assert error(together[:-1], mean) < 1e-12


@pytest.mark.parametrize("zero", [True, False])
def test_the_loss_is_that_of_the_batched_equations(zero):
    rows, state = rows_of([3, 8, 1, 6], 8), states_of(4, zero)
    _, probs = oracle.forward_batch(weights_of(), rows[:, :-1], state)
    targets = rows[:, 1:]
    picked = np.take_along_axis(probs, np.maximum(targets, 0)[..., None], axis=-1)[..., 0]
    expected = -np.log(picked)[targets >= 0].sum() / 4
    assert fast(weights_of(), rows, state)[0] == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("lengths, time", [([3, 8, 1, 6], 8), ([4, 17, 9], 32)], ids=["narrow", "wide"])
def test_float32_agrees_as_far_as_it_can(lengths, time, path):
    w, rows, state = weights_of(), rows_of(lengths, time), states_of(len(lengths))
    assert error(fast(w, rows, state, tf.float32, path), by_equations(w, rows, state)) < 1e-5


@pytest.mark.parametrize("dtype, tolerance", [(tf.bfloat16, 0.1), (tf.float16, 0.02)])
def test_half_precision_runs_and_stays_near(dtype, tolerance):
    w, rows, state = weights_of(), rows_of([3, 15, 9, 6], 16), states_of(4)
    found = fast(w, rows, state, dtype, path="jit")
    assert all(np.isfinite(x).all() for x in found)
    assert error(found, by_equations(w, rows, state)) < tolerance


def test_no_gradient_or_loss_comes_from_a_letter_that_no_name_has():
    rows = np.array([[-1, 1, 2, 1, STOP, -1, -1, -1, -1]], np.int32)
    kernel_gradient = fast(weights_of(), rows, states_of(1))[1]
    assert np.abs(kernel_gradient[[1, 2]]).min() > 0
    np.testing.assert_array_equal(kernel_gradient[[STOP, 3, 4, 5, 6]], 0)


def test_logits_that_are_far_apart_stay_exact():
    w = weights_of(scale=30.0)
    rows, state = rows_of([6], 8), states_of(1)
    found = fast(w, rows, state, path="jit")
    assert all(np.isfinite(x).all() for x in found)
    assert error(found, stock(w, rows, state)) < 1e-9
