"""The fast LSTM and the passes of the prose model: against stock Keras and TensorFlow's own differentiation."""

import numpy as np
import pytest

from kerasgen import training
from kerasgen.backend import keras, tf
from kerasgen.datasets import WindowBatches
from kerasgen.metrics import score_stream
from kerasgen.models import LSTMPasses, stacked_lstm
from kerasgen.recurrence import lstm

VOCAB, UNITS, TIME = 7, 5, 9


@pytest.fixture
def float64():
    before = keras.config.floatx()
    keras.config.set_floatx("float64")
    yield
    keras.config.set_floatx(before)


def random(*shape, scale=1.0, seed=0):
    return np.random.RandomState(seed).randn(*shape) * scale


def relative(found, expected):
    """The largest difference over the largest value, of the worst of them."""
    found, expected = [[np.asarray(tf.convert_to_tensor(x)) for x in part] for part in (found, expected)]
    return max(np.abs(f - e).max() / (np.abs(e).max() or 1.0) for f, e in zip(found, expected, strict=True))


def weighted(states, last):
    """A scalar that looks at outputs, each with a weight of its own; at the last h and c only where they are given."""
    return sum(tf.reduce_sum(x * random(*x.shape, seed=5 + i)) for i, x in enumerate([states, *last]))


def fast(projected, recurrent, h, c, shards, look_at_last=False):
    """Ask the code under test: states, last state, gradients."""
    with tf.GradientTape() as tape:
        tape.watch([projected, recurrent])
        states, last = lstm(projected, recurrent, (h, c), shards)
        result = weighted(states, last if look_at_last else [])
    return [states, *last, *tape.gradient(result, [projected, recurrent])]


def stock(projected, recurrent, h, c, look_at_last=False):
    """Ask Keras' layer with the identity as its kernel, so that its inputs are what the fast code is given."""
    layer = keras.layers.LSTM(
        UNITS, return_sequences=True, return_state=True, unit_forget_bias=False, kernel_initializer="identity",
        dtype="float64",
    )  # fmt: skip
    layer.build((None, TIME, 4 * UNITS))
    layer.cell.recurrent_kernel.assign(recurrent)
    inputs = tf.transpose(projected, [1, 0, 2])
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        states, *last = layer(inputs, initial_state=[h, c])
        result = weighted(tf.transpose(states, [1, 0, 2]), last if look_at_last else [])
    d_inputs, d_recurrent = tape.gradient(result, [inputs, layer.cell.recurrent_kernel.value])
    return [tf.transpose(states, [1, 0, 2]), *last, tf.transpose(d_inputs, [1, 0, 2]), d_recurrent]


compiled = tf.function(fast, jit_compile=True)


def given(batch):
    return [
        tf.constant(random(TIME, batch, 4 * UNITS, scale=1.5, seed=1)),
        tf.constant(random(UNITS, 4 * UNITS, scale=0.6, seed=2)),
        tf.constant(random(batch, UNITS, scale=0.5, seed=3)),
        tf.constant(random(batch, UNITS, seed=4)),
    ]


@pytest.mark.parametrize("jit", [False, True], ids=["eager", "jit"])
@pytest.mark.parametrize("shards", [1, 2])
@pytest.mark.parametrize("batch", [1, 3, 4])
def test_float64_outputs_and_gradients_agree_with_stock_keras(batch, shards, jit):
    assert relative((compiled if jit else fast)(*given(batch), shards), stock(*given(batch))) < 1e-6


def test_a_gradient_through_the_last_state_is_that_of_stock_keras():
    assert relative(fast(*given(3), 1, look_at_last=True), stock(*given(3), look_at_last=True)) < 1e-6


def test_no_gradient_flows_into_the_first_state():
    projected, recurrent, h, c = given(2)
    with tf.GradientTape() as tape:
        tape.watch([h, c])
        result = weighted(lstm(projected, recurrent, (h, c))[0], [])
    assert tape.gradient(result, [h, c]) == [None, None]


def test_saturated_gates_stay_finite_and_exact():
    projected, *rest = given(2)
    found = fast(projected * 300, *rest, 1)
    assert all(np.isfinite(x).all() for x in found)
    assert relative(found[:3], stock(projected * 300, *rest)[:3]) < 1e-6


def model_of(dropout=0.0, dtype="float32", seed=0):
    """A model with large weights and biases of its own."""
    model = stacked_lstm(VOCAB, UNITS, dropout=dropout, dtype=dtype, seed=seed)
    rng = np.random.RandomState(seed + 1)
    for variable in model.trainable_variables:
        variable.assign(rng.randn(*variable.shape) * 0.7)
    return model


def rows_of(batch=4, time=TIME, seed=0):
    return np.random.RandomState(seed).randint(0, VOCAB, (batch, time + 1)).astype(np.int32)


def values(model):
    return [tf.convert_to_tensor(v.value) for v in model.trainable_variables]


def test_it_is_two_stock_lstm_layers_on_one_hot_letters():
    model = stacked_lstm(38, 128, dropout=0.25)
    kinds = [type(layer) for layer in model.layers if type(layer) is not keras.layers.Dropout]
    assert kinds == [keras.layers.Embedding, keras.layers.LSTM, keras.layers.LSTM, keras.layers.Dense]
    assert [layer.rate for layer in model.layers if type(layer) is keras.layers.Dropout] == [0.25, 0.25]
    np.testing.assert_array_equal(model.layers[0](np.arange(38)), np.eye(38))
    assert "one_hot" not in " ".join(v.path for v in model.trainable_variables)
    assert sum(v.value.shape.num_elements() for v in model.trainable_variables) == (
        4 * 128 * (38 + 128 + 1) + 4 * 128 * (128 + 128 + 1) + 38 * 129
    )
    assert model(np.zeros((2, 3), np.int32)).shape == (2, 3, 38)


def test_the_seed_gives_the_weights():
    first, again, other = (stacked_lstm(VOCAB, UNITS, seed=seed).get_weights() for seed in (3, 3, 4))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    kernels = [i for i, weight in enumerate(first) if weight.ndim == 2 and weight.shape != (VOCAB, VOCAB)]
    assert len(kernels) == 5 and not any(np.array_equal(first[i], other[i]) for i in kernels)


@pytest.mark.parametrize("seed", [2**31, 2**32 - 1])
def test_every_seed_that_the_command_takes_makes_a_model(seed):
    model = stacked_lstm(VOCAB, UNITS, dropout=0.3, seed=seed)
    LSTMPasses(model, seed=seed).gradients(values(model), rows_of(), LSTMPasses(model).initial_state(4), 0)


@pytest.mark.parametrize("shards", [1, 2])
@pytest.mark.parametrize("batch", [1, 3, 4])
def test_logits_are_those_of_the_stock_model(batch, shards):
    model, ids = model_of(dropout=0.5), rows_of(batch)
    passes = LSTMPasses(model, shards=shards)
    logits, _ = passes.logits(values(model), ids, passes.initial_state(batch))
    assert logits.shape == (TIME + 1, batch, VOCAB)
    np.testing.assert_allclose(np.transpose(logits, [1, 0, 2]), model(ids, training=False), rtol=0, atol=1e-5)


def test_step_by_step_gives_the_logits_and_the_state_of_the_whole():
    model, ids = model_of(), rows_of(3, time=40)
    passes = LSTMPasses(model)
    state, each = passes.initial_state(3), []
    for t in range(ids.shape[1]):
        logits, state = passes.step(tf.constant(ids[:, t]), state)
        each.append(logits)
    np.testing.assert_allclose(np.stack(each, axis=1), model(ids), rtol=0, atol=1e-5)
    whole, last = passes.logits(values(model), ids, passes.initial_state(3))
    np.testing.assert_allclose(np.stack(each), whole, rtol=0, atol=1e-5)
    assert len(state) == len(last) == 4
    for a, b in zip(state, last, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-5)


def test_advancing_in_stretches_is_reading_at_once():
    model, ids = model_of(), rows_of(1, time=20)
    passes = LSTMPasses(model)
    state, parts = passes.initial_state(1), []
    for first in range(0, 21, 7):
        logits, state = passes.advance(ids[:, first : first + 7], state)
        parts.append(logits)
    np.testing.assert_allclose(np.concatenate(parts), model(ids)[0], rtol=0, atol=1e-5)


@pytest.mark.parametrize("jit", [False, True], ids=["eager", "jit"])
@pytest.mark.parametrize("target", ["every", "next"])
def test_gradients_are_those_of_a_tape_through_the_stock_model(target, jit):
    model, rows = model_of(dtype="float64"), rows_of()
    passes = LSTMPasses(model, target=target)
    call = tf.function(passes.gradients, jit_compile=jit)
    loss, gradients, _ = call(values(model), tf.constant(rows), passes.initial_state(4), tf.constant(0))
    with tf.GradientTape() as tape:
        logits = model(rows[:, :-1], training=False)
        each = tf.nn.sparse_softmax_cross_entropy_with_logits(rows[:, 1:], logits)
        expected = tf.reduce_mean(each if target == "every" else each[:, -1])
    stock_gradients = tape.gradient(expected, [v.value for v in model.trainable_variables])
    assert relative([loss, *gradients], [expected, *stock_gradients]) < 1e-6


@pytest.mark.parametrize("kind", [dict(dropout=0.5), dict(recurrent_dropout=0.4)], ids=["outputs", "recurrent"])
@pytest.mark.parametrize("target", ["every", "next"])
def test_the_masks_are_a_function_of_seed_and_step(kind, target):
    model = model_of(dropout=kind.get("dropout", 0.0))

    def loss(seed, step):
        passes = LSTMPasses(model, target=target, recurrent_dropout=kind.get("recurrent_dropout", 0.0), seed=seed)
        return float(passes.gradients(values(model), rows_of(), passes.initial_state(4), tf.constant(step))[0])

    losses = {(seed, step): loss(seed, step) for seed in (0, 1) for step in (0, 1, 10**6)}
    assert len(set(losses.values())) == 6
    assert {key: loss(*key) for key in losses} == losses


def test_dropout_hides_its_share_and_keeps_the_mean():
    passes = LSTMPasses(model_of())
    mask = np.asarray(passes._mask((400, 500), 0.3, tf.constant(7), 1))
    assert set(np.unique(mask)) == {0.0, np.float32(1 / 0.7)}
    assert (mask == 0).mean() == pytest.approx(0.3, abs=0.005)
    other = np.asarray(passes._mask((400, 500), 0.3, tf.constant(7), 2))
    assert np.mean((mask == 0) & (other == 0)) == pytest.approx(0.09, abs=0.005)  # the layers' masks are independent


@pytest.mark.parametrize("clip", [None, 0.05])
def test_plain_keras_fit_gives_the_same_weights(float64, clip):
    batches = WindowBatches(np.random.randint(0, VOCAB, 300), TIME, stride=4, batch_size=8, seed=2)

    def compiled_model():
        model = model_of(dtype="float64")
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(optimizer=keras.optimizers.Adam(0.01, global_clipnorm=clip), loss=loss)
        return model

    ours, plain = compiled_model(), compiled_model()
    training.fit(ours, batches, passes=LSTMPasses(ours), epoch_ends=[7, 12], chunk=5)
    rows = tf.data.Dataset.from_tensor_slices(batches(0, 12))
    history = plain.fit(rows.map(lambda row: (row[:, :-1], row[:, 1:])), epochs=1, shuffle=False, verbose=0)
    assert int(plain.optimizer.iterations) == int(ours.optimizer.iterations) == 12
    for a, b in zip(ours.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-7)
    losses = ours.history.history["loss"]
    assert (7 * losses[0] + 5 * losses[1]) / 12 == pytest.approx(history.history["loss"][0], rel=1e-6)
    for a, b in zip(ours.optimizer.variables, plain.optimizer.variables, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-7)


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision_learns_and_is_scored(dtype):
    batches = WindowBatches(np.tile([0, 1, 2, 3], 60), TIME, stride=4, batch_size=8)
    model = stacked_lstm(VOCAB, 8, dropout=0.0, dtype=dtype)
    model.compile(optimizer=keras.optimizers.AdamW(0.02), loss="mse")
    passes = LSTMPasses(model)
    losses = training.fit(model, batches, passes=passes, epoch_ends=[10, 40], chunk=20).history["loss"]
    assert losses[1] < 0.7 * losses[0]
    assert {v.dtype for v in model.trainable_variables} == {"float32"}
    score = score_stream(passes.advance, np.tile([0, 1, 2, 3], 20), before=3, state=passes.initial_state(1), chunk=20)
    assert score.nats_per_char < losses[0]


def test_a_tiny_text_is_learned_by_heart():
    text = np.random.RandomState(3).randint(0, VOCAB, 60)
    batches = WindowBatches(text, 20, stride=1, batch_size=10)
    model = stacked_lstm(VOCAB, 32, dropout=0.0, seed=1)
    model.compile(optimizer=keras.optimizers.AdamW(0.01), loss=keras.losses.SparseCategoricalCrossentropy(True))
    passes = LSTMPasses(model)
    training.fit(model, batches, passes=passes, epoch_ends=[600], chunk=100)
    score = score_stream(passes.advance, text[1:], before=text[0], state=passes.initial_state(1), chunk=64)
    assert score.chars == 59
    late = score_stream(passes.advance, text[1:], before=text[0], state=passes.initial_state(1), chunk=59)
    assert late.bits_per_char == pytest.approx(score.bits_per_char, rel=1e-4)
    assert score.bits_per_char < 0.1
