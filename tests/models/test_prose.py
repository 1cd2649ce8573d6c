"""The fast LSTM and the passes of the prose model: against stock Keras and TensorFlow's own differentiation."""

import numpy as np
import pytest

from kerasgen.generation.scoring import Scorer
from kerasgen.models.backend import keras, tf
from kerasgen.models.dropout import dropout_mask
from kerasgen.models.lstm_passes import lstm_stack
from kerasgen.models.lstm_unrolled import unrolled
from kerasgen.models.prose import ProseLSTM, stacked_lstm
from kerasgen.text.windows import WindowBatches
from kerasgen.training import fit as training

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


WIDE = 6  # units of the second layer: no shape is another by chance


def given(batch, depth=2, scale=1.0):
    """Random weights of each layer, initial states, in this order; all float64."""
    flat, inputs = [], VOCAB
    for n, units in enumerate([UNITS, WIDE][:depth]):
        for k, shape in enumerate([(inputs, 4 * units), (units, 4 * units), (4 * units,)]):
            flat.append(random(*shape, scale=scale * 0.8, seed=10 * n + k))
        inputs = units
    for n, units in enumerate([UNITS, WIDE][:depth]):
        flat += [random(batch, units, scale=0.5, seed=20 + n), random(batch, units, seed=30 + n)]
    return [tf.constant(x) for x in flat]


def letters(batch):
    """Ids with a zero input among them."""
    return np.random.RandomState(4).randint(-1, VOCAB, (TIME, batch)).astype(np.int32)


def dropout_of(batch):
    return tf.constant((np.random.RandomState(5).rand(TIME, batch, UNITS) < 0.7) / 0.7)


def result(ours, flat, batch, depth, dropped, passes=None):
    """Outputs, last states, and the gradients by every weight and initial state of a sum that looks at all of them."""
    layers = [flat[3 * n : 3 * n + 3] for n in range(depth)]
    states = [flat[3 * depth + 2 * n :][:2] for n in range(depth)]
    factors = [dropout_of(batch)] if dropped else []
    with tf.GradientTape() as tape:
        tape.watch(flat)
        if ours:
            top, last = lstm_stack(letters(batch), layers, states, masks=factors, passes=passes)
        else:
            top, last = stock(letters(batch), layers, states, factors)
        seen = [tf.cast(top, tf.float64), *tf.nest.flatten(last)]
        total = sum(tf.reduce_sum(x * random(*x.shape, seed=5 + i)) for i, x in enumerate(seen))
    return [*seen, *tape.gradient(total, flat)]


def stock(ids, layers, states, factors):
    """Go through Keras' own layers."""
    x, last = tf.transpose(tf.one_hot(ids, VOCAB, dtype=tf.float64), [1, 0, 2]), []
    for n, (weights, before) in enumerate(zip(layers, states, strict=True)):
        layer = keras.layers.LSTM(before[0].shape[1], return_sequences=True, return_state=True, dtype="float64")
        layer.build((None, TIME, x.shape[-1]))
        fixed = [v.value for v in layer.non_trainable_variables]
        (x, *state), _ = layer.stateless_call(weights, fixed, x, initial_state=before)
        last += state
        top = tf.transpose(x, [1, 0, 2])
        x = x * tf.transpose(factors[n], [1, 0, 2]) if n < len(factors) else x
    return top, last


compiled = tf.function(result, jit_compile=True)


@pytest.mark.parametrize("dropped", [False, True], ids=["", "dropout"])
@pytest.mark.parametrize("batch", [1, 3])
def test_float64_outputs_and_gradients_agree_with_stock_keras(batch, dropped):
    case = given(batch), batch, 2, dropped
    expected = result(False, *case)
    assert relative(result(True, *case), expected) < 1e-6
    assert relative(compiled(True, *case), expected) < 1e-6


def test_one_layer_agrees_with_stock_keras():
    case = given(4, depth=1), 4, 1, False
    assert relative(result(True, *case), result(False, *case)) < 1e-6


graph = tf.function(result, autograph=False)


@pytest.mark.parametrize("batch, depth, dropped", [(3, 2, True), (1, 2, False), (4, 1, False)])
def test_unrolled_outputs_and_gradients_agree_with_stock_keras(batch, depth, dropped):
    case = given(batch, depth), batch, depth, dropped
    expected = result(False, *case)
    assert relative(graph(True, *case, unrolled(tf.float64)), expected) < 1e-6
    assert relative(graph(True, *case, unrolled(tf.bfloat16)), expected) < 0.03  # a factor has 8 bits


def test_saturated_gates_stay_finite_and_exact():
    case = given(2, scale=200), 2, 2, False
    found = result(True, *case)
    assert all(np.isfinite(x).all() for x in found)
    assert relative(found[:5], result(False, *case)[:5]) < 1e-6


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
    ProseLSTM(model, seed=seed).loss_and_gradients(values(model), rows_of(), ProseLSTM(model).initial_state(4), 0)


@pytest.mark.parametrize("batch", [1, 3])
def test_logits_are_those_of_the_stock_model(batch):
    model, ids = model_of(dropout=0.5), rows_of(batch)
    passes = ProseLSTM(model)
    logits, _ = passes.logits(ids, passes.initial_state(batch))
    assert logits.shape == (batch, TIME + 1, VOCAB)
    np.testing.assert_allclose(logits, model(ids, training=False), rtol=0, atol=1e-5)


def test_step_by_step_gives_the_logits_and_the_state_of_the_whole():
    model, ids = model_of(), rows_of(3, time=40)
    passes = ProseLSTM(model)
    state, each = passes.initial_state(3), []
    for t in range(ids.shape[1]):
        logits, state = passes.step(tf.constant(ids[:, t]), state)
        each.append(logits)
    np.testing.assert_allclose(np.stack(each, axis=1), model(ids), rtol=0, atol=1e-5)
    whole, last = passes.logits(ids, passes.initial_state(3))
    np.testing.assert_allclose(np.stack(each, axis=1), whole, rtol=0, atol=1e-5)
    for a, b in zip(tf.nest.flatten(state), tf.nest.flatten(last), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-5)


def test_reading_in_stretches_is_reading_at_once():
    model, ids = model_of(), rows_of(1, time=20)
    passes = ProseLSTM(model)
    read, state, parts = tf.function(passes.logits, jit_compile=True), passes.initial_state(1), []
    for first in range(0, 21, 7):
        logits, state = read(tf.constant(ids[:, first : first + 7]), state)
        parts.append(logits)
    np.testing.assert_allclose(np.concatenate(parts, axis=1), model(ids), rtol=0, atol=1e-5)


def test_the_outputs_of_a_state_are_those_of_each_layer():
    passes = ProseLSTM(model_of())
    logits, state = passes.logits(rows_of(3), passes.initial_state(3))
    first, second = passes.hidden(state)
    assert first.shape == second.shape == (3, UNITS)
    kernel, bias = passes.out.kernel, passes.out.bias
    np.testing.assert_allclose(second @ kernel + bias, logits[:, -1], rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("batch", "cores", "shards"), [(128, 2, 2), (4, 2, 2), (5, 2, 1), (16, 64, 2), (128, 64, 16), (1, 1, 1)]
)
def test_a_batch_is_cut_for_the_cores_that_there_are(batch, cores, shards, monkeypatch):
    monkeypatch.setattr("kerasgen.models.prose.machine.cores", lambda: cores)
    model = model_of()
    assert ProseLSTM(model).shards(batch) == shards
    assert ProseLSTM(model, fused=False).shards(batch) == 1


@pytest.mark.parametrize("jit", [False, True], ids=["eager", "jit"])
@pytest.mark.parametrize("target", ["every", "next"])
def test_gradients_are_those_of_a_tape_through_the_stock_model(target, jit):
    model, rows = model_of(dtype="float64"), rows_of()
    passes = ProseLSTM(model, target=target)
    call = tf.function(passes.loss_and_gradients, jit_compile=jit)
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
        passes = ProseLSTM(model, target=target, recurrent_dropout=kind.get("recurrent_dropout", 0.0), seed=seed)
        return float(passes.loss_and_gradients(values(model), rows_of(), passes.initial_state(4), tf.constant(step))[0])

    losses = {(seed, step): loss(seed, step) for seed in (0, 1) for step in (0, 1, 10**6)}
    assert len(set(losses.values())) == 6
    assert {key: loss(*key) for key in losses} == losses


def test_dropout_hides_its_share_and_keeps_the_mean():
    def mask(seed, step):
        return np.asarray(dropout_mask(tf.range(200_000), 0.3, seed, tf.constant(step), "float32"))

    first, others = mask((0, 1), 7), [mask((0, 1), 8), mask((0, 3), 7), mask((1, 1), 7)]
    assert set(np.unique(first)) == {0.0, np.float32(1 / 0.7)}
    assert (first == 0).mean() == pytest.approx(0.3, abs=0.005)
    for other in others:  # steps, layers and seeds are independent of each other, and neighbours, too
        assert np.mean((first == 0) & (other == 0)) == pytest.approx(0.09, abs=0.005)
    assert np.mean((first[1:] == 0) & (first[:-1] == 0)) == pytest.approx(0.09, abs=0.005)


@pytest.mark.parametrize("target", ["every", "next"])
def test_the_parts_of_a_batch_add_up_to_the_whole(target):
    model = model_of(dropout=0.5, dtype="float64")
    passes = ProseLSTM(model, target=target, recurrent_dropout=0.2)

    def gradients(rows, *part):
        state = passes.initial_state(len(rows))
        loss, found, _ = passes.loss_and_gradients(values(model), tf.constant(rows), state, tf.constant(3), *part)
        return [loss, *found]

    rows = rows_of(6)
    parts = [gradients(rows[3 * k : 3 * k + 3], tf.constant(k), 2) for k in (0, 1)]
    assert relative([(a + b) / 2 for a, b in zip(*parts, strict=True)], gradients(rows)) < 1e-9


@pytest.mark.parametrize("target", ["every", "next"])
def test_without_fused_passes_the_stock_layers_learn_the_same(target):
    def train(fused):
        model = model_of(dropout=0.4, dtype="float64")
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(optimizer=keras.optimizers.AdamW(0.01, global_clipnorm=0.5), loss=loss)
        passes = ProseLSTM(model, target=target, recurrent_dropout=0.2, seed=4, fused=fused)
        batches = WindowBatches(np.random.RandomState(1).randint(0, VOCAB, 300), TIME, batch_size=8)
        training.fit(passes, batches, epoch_ends=[6], chunk=3)
        return model.get_weights()

    assert relative(train(True), train(False)) < 1e-6


@pytest.mark.parametrize("clip", [None, 0.05])
def test_plain_keras_fit_gives_the_same_weights(float64, clip):
    batches = WindowBatches(np.random.randint(0, VOCAB, 300), TIME, stride=4, batch_size=8, seed=2)

    def compiled_model():
        model = model_of(dtype="float64")
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(optimizer=keras.optimizers.AdamW(0.01, global_clipnorm=clip), loss=loss)
        return model

    ours, plain = compiled_model(), compiled_model()
    training.fit(ProseLSTM(ours), batches, epoch_ends=[7, 12], chunk=5)
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
    passes = ProseLSTM(model)
    losses = training.fit(passes, batches, epoch_ends=[10, 40], chunk=20).history["loss"]
    assert losses[1] < 0.7 * losses[0]
    assert {v.dtype for v in model.trainable_variables} == {"float32"}
    (nats,) = Scorer(passes, "/CPU:0").nats([[0, 1, 2, 3] * 20], before=3)
    assert nats.mean() < losses[0]


def test_bfloat16_steps_follow_those_of_float32(monkeypatch):
    monkeypatch.setattr("kerasgen.base.machine.multiplies_bfloat16", lambda: True)  # right on any processor
    text = np.random.RandomState(0).choice(VOCAB, 4000, p=[0.4, 0.2, 0.1, 0.1, 0.1, 0.05, 0.05])
    text[1::2] = text[::2]  # something to learn: every character comes twice
    losses, programs = {}, {}
    for dtype in ["float32", "mixed_bfloat16"]:
        model = stacked_lstm(VOCAB, 16, dropout=0.2, dtype=dtype, seed=1)
        model.compile(optimizer=keras.optimizers.AdamW(0.01), loss="mse")
        passes = ProseLSTM(model, recurrent_dropout=0.1)
        batches = WindowBatches(text, 20, batch_size=16)
        losses[dtype] = np.array(training.fit(passes, batches, epoch_ends=range(20, 120, 20), chunk=20).history["loss"])
        programs[dtype] = passes.xla
    assert programs == {"float32": True, "mixed_bfloat16": False}
    assert losses["float32"][-1] < 0.8 * losses["float32"][0]
    np.testing.assert_allclose(losses["mixed_bfloat16"], losses["float32"], rtol=0.01)


def test_a_processor_without_products_of_bfloat16_learns_in_float32(monkeypatch):
    monkeypatch.setattr("kerasgen.base.machine.multiplies_bfloat16", lambda: False)
    ours = ProseLSTM(model_of(0.3, "mixed_bfloat16"), recurrent_dropout=0.2)
    other = ProseLSTM(model_of(0.3), recurrent_dropout=0.2)
    rows, step = tf.constant(rows_of()), tf.constant(3)
    found = [m.loss_and_gradients(values(other.keras_model()), rows, m.initial_state(4), step) for m in (ours, other)]
    (loss, gradients, _), (expected, true, _) = found
    assert ours.xla and float(loss) == float(expected)
    assert relative(gradients, true) == 0


def test_a_tiny_text_is_learned_by_heart():
    text = np.random.RandomState(3).randint(0, VOCAB, 60)
    batches = WindowBatches(text, 20, stride=1, batch_size=10)
    model = stacked_lstm(VOCAB, 32, dropout=0.0, seed=1)
    model.compile(optimizer=keras.optimizers.AdamW(0.01), loss=keras.losses.SparseCategoricalCrossentropy(True))
    passes = ProseLSTM(model)
    training.fit(passes, batches, epoch_ends=[600], chunk=100)
    (nats,) = Scorer(passes, "/CPU:0").nats([text[1:]], before=text[0])
    assert len(nats) == 59 and nats.mean() < 0.1 * np.log(2)


MANY, SHORT = 40, 3  # characters, and the size of their vectors


def embedded(dtype="float64", dropout=0.3):
    return stacked_lstm(MANY, UNITS, embedding=SHORT, dropout=dropout, dtype=dtype, seed=2)


def test_learned_vectors_give_what_keras_gives():
    model = embedded()
    assert [v.shape for v in model.trainable_variables][:2] == [(MANY, SHORT), (SHORT, 4 * UNITS)]
    assert len(model.weights) == len(model.trainable_variables)
    ours, ids = ProseLSTM(model), np.random.RandomState(0).randint(0, MANY, (4, TIME)).astype(np.int32)
    expected = model(ids).numpy()
    found, state = ours.logits(tf.constant(ids), ours.initial_state(4))
    assert relative([found], [expected]) < 1e-14
    stepped = ours.initial_state(4)
    for time in range(TIME):
        logits, stepped = ours.step(tf.constant(ids[:, time]), stepped)
        assert relative([logits], [expected[:, time]]) < 1e-13
    assert relative(tf.nest.flatten(stepped), tf.nest.flatten(state)) < 1e-13
    nothing, zeros = tf.constant([[-1]]), ours.initial_state(1)
    assert relative(ours.step(nothing[:, 0], zeros)[:1], ours.logits(nothing, zeros)[0]) < 1e-13


@pytest.mark.parametrize("target", ["every", "next"])
def test_learned_vectors_have_the_gradients_of_keras_layers(target):
    model, rows = embedded(), tf.constant(np.random.RandomState(1).randint(0, MANY, (4, TIME + 1)).astype(np.int32))
    found = [
        ProseLSTM(model, target=target, recurrent_dropout=0.2, fused=fused).loss_and_gradients(
            values(model), rows, ProseLSTM(model).initial_state(4), tf.constant(3)
        )
        for fused in (True, False)
    ]
    assert relative([found[0][0]], [found[1][0]]) < 1e-13
    assert relative(*([tf.convert_to_tensor(gradient) for gradient in one[1]] for one in found)) < 1e-12
