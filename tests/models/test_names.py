"""`NameRNN`: one contract for whole sequences and steps, and plain `model.fit` that agrees with `training.fit`."""

import numpy as np
import pytest

from kerasgen.models import names
from kerasgen.models.backend import keras, tf
from kerasgen.models.names import NameRNN, nats_per_name
from kerasgen.tasks.notebook import notebook_weights
from kerasgen.text.names import NameBatches
from kerasgen.training import fit as training
from tests.support import oracle

IDS = np.array([[-1, 3, 1, 4, 2, 2], [-1, 1, 2, -1, -1, -1], [-1, 4, 4, 4, 1, 3]], np.int32)


@pytest.fixture(autouse=True)
def float64():
    """Else the optimizer would keep the learning rate in single precision."""
    before = keras.config.floatx()
    keras.config.set_floatx("float64")
    yield
    keras.config.set_floatx(before)


def model_of(weights=None, vocab_size=5, units=8, optimizer=None, **settings):
    model = NameRNN(vocab_size, units, dtype="float64", **settings)
    set_weights(model, weights or notebook_weights(1, vocab_size, units, 0.3))
    model.compile(
        optimizer=optimizer or keras.optimizers.SGD(0.05, clipvalue=5.0), loss=nats_per_name, auto_scale_loss=False
    )
    return model


def set_weights(model, weights):
    for variable, value in zip(model.trainable_variables, weights, strict=True):
        variable.assign(value)


def weights_of(model):
    return [v.numpy() for v in (*model.trainable_variables, *model.carried)]


def random_state(batch, units=8):
    return np.random.RandomState(4).uniform(-1, 1, (batch, units))


@pytest.mark.parametrize("state", [None, random_state(3)], ids=["zero state", "given state"])
def test_step_by_step_equals_the_whole_sequence(state):
    model = model_of()
    whole, last = model(IDS, state=state, return_state=True)
    now = model.initial_state(3) if state is None else tf.constant(state)
    for t in range(IDS.shape[1]):
        logits, now = model.step(tf.constant(IDS[:, t]), now)
        np.testing.assert_allclose(logits, whole[:, t], rtol=0, atol=1e-14)
    np.testing.assert_allclose(now, last, rtol=0, atol=1e-14)


@pytest.mark.parametrize("state", [np.zeros((3, 8)), random_state(3)], ids=["zero state", "given state"])
def test_the_states_and_probabilities_are_those_of_the_equations(state):
    w = oracle.initial_weights(8, 5, seed=7, scale=0.5)
    model = model_of(oracle.keras_weights(w))
    states, probs = oracle.forward_batch(w, IDS, state)
    logits, last = model(IDS, state=state, return_state=True)
    np.testing.assert_allclose(tf.nn.softmax(logits), probs, rtol=0, atol=1e-14)
    np.testing.assert_allclose(last, states[:, -1], rtol=0, atol=1e-14)


def test_a_masked_step_leaves_the_state_alone():
    model = model_of()
    mask = np.array([[True] * 6, [True] * 3 + [False] * 3, [True] * 6])
    _, last = model(IDS, mask=mask, return_state=True)
    _, short = model(IDS[1:2, :3], return_state=True)
    np.testing.assert_allclose(last[1:2], short, rtol=0, atol=1e-14)


def test_the_shapes_are_ids_in_logits_out():
    model = model_of()
    assert model(IDS).shape == (3, 6, 5)
    assert model.initial_state(4).shape == (4, 8)
    logits, state = model.step(tf.constant([-1, 2]), model.initial_state(2))
    assert logits.shape == (2, 5) and state.shape == (2, 8)


def test_it_is_made_of_stock_layers():
    model = model_of()
    assert type(model.rnn) is keras.layers.SimpleRNN and type(model.out) is keras.layers.Dense
    assert model.count_params() == 5 * 8 + 8 * 8 + 8 + 8 * 5 + 5


def test_its_config_makes_it_again():
    model = model_of(recurrent_dropout=0.2, recurrent_l2=0.1, carry_state=True, batch_size=3, seed=9, name="again")
    config = model.get_config()
    twin = NameRNN.from_config(config)
    assert twin.get_config() == config
    assert (twin.units, twin.vocab_size, twin.recurrent_dropout, twin.seed) == (8, 5, 0.2, 9)
    assert twin.carried[0].shape == (3, 8) and twin.compute_dtype == "float64"
    twin.set_weights(model.get_weights())
    np.testing.assert_array_equal(twin(IDS), model(IDS))


def test_the_initial_weights_are_the_notebooks_draws():
    expected = oracle.keras_weights(oracle.initial_weights(50, 27, seed=1, scale=0.01))
    for found, value in zip(notebook_weights(1, 27, 50), expected, strict=True):
        np.testing.assert_array_equal(found, value)


def test_the_loss_of_padding_is_nothing():
    logits = np.random.RandomState(0).randn(2, 4, 5)
    losses = nats_per_name(np.array([[1, 2, 0, -1], [3, 0, -1, -1]]), tf.constant(logits))
    log_probs = np.log(oracle.softmax(logits))
    expected = [-log_probs[0, [0, 1, 2], [1, 2, 0]].sum(), -log_probs[1, [0, 1], [3, 0]].sum()]
    np.testing.assert_allclose(losses, expected, rtol=1e-14)


def batches_of(batch_size, names=11, time=16):
    rng = np.random.RandomState(2)
    rows = np.full((names, time + 1), -1, np.int32)
    for i, row in enumerate(rows):
        length = 2 + i % 9
        row[1:length] = rng.randint(1, 5, length - 1)
        row[length] = 0
    return NameBatches(rows, batch_size, seed=1)


@pytest.mark.parametrize("recurrent_dropout, recurrent_l2", [(0.0, 0.0), (0.2, 0.0), (0.1, 2**-7)])
@pytest.mark.parametrize("carry_state", [False, True], ids=["reset", "carry"])
@pytest.mark.parametrize("batch_size", [1, 4])
def test_plain_fit_gives_the_same_weights(batch_size, carry_state, recurrent_dropout, recurrent_l2):
    penalties = dict(recurrent_dropout=recurrent_dropout, recurrent_l2=recurrent_l2)
    settings = dict(batch_size=batch_size, carry_state=carry_state, seed=3, **penalties)
    batches, steps = batches_of(batch_size), 25
    fast, plain = model_of(**settings), model_of(**settings)
    training.fit(fast, batches, epoch_ends=[steps], chunk=steps)
    rows = batches(0, steps)
    data = tf.data.Dataset.from_tensor_slices((rows[..., :-1], rows[..., 1:]))
    plain.fit(data, epochs=1, shuffle=False, verbose=0)
    moved = np.abs(weights_of(fast)[0] - notebook_weights(1, 5, 8, 0.3)[0]).max()
    assert moved > 0.01
    assert int(fast.optimizer.iterations) == int(plain.optimizer.iterations) == steps
    for found, expected in zip(weights_of(fast), weights_of(plain), strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("carry_state", [False, True], ids=["reset", "carry"])
def test_without_fused_passes_the_stock_layers_learn_the_same(carry_state):
    penalties = dict(recurrent_dropout=0.2, recurrent_l2=2**-7, batch_size=4, carry_state=carry_state, seed=3)
    fused, stock = model_of(**penalties), model_of(**penalties)
    stock.fused = False
    losses = [training.fit(m, batches_of(4), epoch_ends=[12], chunk=6).history["loss"] for m in (fused, stock)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-9)
    for found, expected in zip(weights_of(fused), weights_of(stock), strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def test_dropout_hides_other_units_at_each_step_and_only_in_training():
    model = model_of(recurrent_dropout=0.5, seed=3, units=40, weights=notebook_weights(1, 5, 40, 0.3))
    weights, rows = [v.value for v in model.trainable_variables], tf.constant(batches_of(1)(0, 1)[0])
    state = tf.ones((1, 40), model.compute_dtype)
    compute = tf.function(model.loss_and_gradients, jit_compile=True)
    hidden = []  # where the gradient of the recurrent kernel has a row of zeros
    for step in range(20):
        _, gradients, _ = compute(weights, rows, state, tf.constant(step, tf.int64))
        hidden.append(np.abs(gradients[1]).max(axis=1) == 0)
    assert len({mask.tobytes() for mask in hidden}) == 20
    assert np.mean(hidden) == pytest.approx(0.5, abs=0.1)
    twin = model_of(units=40, weights=notebook_weights(1, 5, 40, 0.3))
    np.testing.assert_array_equal(model(IDS), twin(IDS))


def test_the_graded_function_optimize():
    rng = np.random.RandomState(1)
    shapes = {"a_prev": (100, 1), "Wax": (100, 27), "Waa": (100, 100), "Wya": (27, 100), "b": (100, 1), "by": (27, 1)}
    w = {name: rng.randn(*shape) for name, shape in shapes.items()}
    a_prev, w["b"], w["by"] = w.pop("a_prev"), w["b"][:, 0], w["by"][:, 0]
    before = oracle.keras_weights(w)
    sgd = keras.optimizers.SGD(0.01, clipvalue=5.0)
    model = model_of(before, 27, 100, optimizer=sgd, carry_state=True)
    model.carried[0].assign(a_prev.T)

    inputs, targets = [[12, 3, 5, 11, 22, 3]], [[4, 14, 11, 22, 25, 26]]  # this list does not begin with a zero input
    logs = model.train_step((tf.constant(inputs), tf.constant(targets)))

    moved = [(b - v.numpy()) / 0.01 for b, v in zip(before, model.trainable_variables, strict=True)]
    dWax, dWaa, db, dWya, dby = (gradient.T.round(11) for gradient in moved)  # in the notebook's layout
    assert float(logs["loss"]) == pytest.approx(126.503975722, abs=1e-9)
    assert dWaa[1][2] == pytest.approx(0.194709315347, abs=1e-11)
    assert np.argmax(dWax) == 93
    assert dWya[1][2] == pytest.approx(-0.007773876032, abs=1e-11)
    assert db[4] == pytest.approx(-0.06809825, abs=1e-8)
    assert dby[1] == pytest.approx(0.01538192, abs=1e-8)
    assert model.carried[0].numpy()[0, 4] == pytest.approx(-1.0, abs=1e-8)


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_other_precisions_train_and_keep_their_variables(dtype):
    keras.config.set_floatx("float32")
    model = NameRNN(5, 8, dtype=dtype, carry_state=True)
    model.compile(optimizer=keras.optimizers.SGD(0.05, clipvalue=5.0), loss=nats_per_name, auto_scale_loss=False)
    losses = training.fit(model, batches_of(1), epoch_ends=[11, 220]).history["loss"]
    assert losses[-1] < losses[0]
    assert {v.dtype for v in (*model.trainable_variables, *model.carried)} == {"float32"}
    rows = batches_of(1)(0, 2)
    plain = model.fit(tf.data.Dataset.from_tensor_slices((rows[..., :-1], rows[..., 1:])), shuffle=False, verbose=0)
    assert np.isfinite(plain.history["loss"]).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_letters_of_a_large_vocabulary_are_looked_up_and_mean_the_same(dtype, monkeypatch):
    model = NameRNN(30, 7, seed=3, dtype=dtype)
    rng = np.random.RandomState(0)
    model.set_weights([rng.randn(*w.shape) for w in model.get_weights()])
    ids = tf.constant(rng.randint(-1, 30, (4, 9)), tf.int32)
    state = tf.constant(rng.randn(4, 7), dtype)
    expected = [*model.logits(ids, state), *model.step(ids[:, 0], state)]
    monkeypatch.setattr(names, "LARGE", 29)
    found = [*model.logits(ids, state), *model.step(ids[:, 0], state)]
    for mine, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-5 if dtype == "float32" else 1e-13)
