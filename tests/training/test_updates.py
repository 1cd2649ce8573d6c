"""A compiled optimizer's arithmetic on plain tensors: the same as `optimizer.apply`."""

import numpy as np
import pytest

from kerasgen.base.errors import BadInputError
from kerasgen.models.backend import keras, tf
from kerasgen.training.updates import PlainUpdate

SGD, Adam, AdamW = keras.optimizers.SGD, keras.optimizers.Adam, keras.optimizers.AdamW
schedules = keras.optimizers.schedules
SHAPES = [(4, 3), (3,), (5, 5)]


@pytest.fixture(params=["float32", "float64"])
def dtype(request):
    before = keras.config.floatx()
    keras.config.set_floatx(request.param)
    yield request.param
    keras.config.set_floatx(before)


def variables_of(dtype):
    return [keras.Variable(np.random.RandomState(i).randn(*shape), dtype=dtype) for i, shape in enumerate(SHAPES)]


SETTINGS = {
    "plain": lambda: SGD(0.01),
    "clipvalue": lambda: SGD(0.01, clipvalue=5.0),
    "clipvalue below every gradient": lambda: SGD(0.5, clipvalue=1e-3),
    "momentum": lambda: SGD(0.01, momentum=0.9),
    "momentum, clipvalue": lambda: SGD(0.01, momentum=0.9, clipvalue=5.0),
    "cosine": lambda: SGD(schedules.CosineDecay(0.1, 5), clipvalue=5.0),
    "cosine with warm-up": lambda: SGD(schedules.CosineDecay(0.0, 5, warmup_target=0.1, warmup_steps=3)),
    "polynomial": lambda: SGD(schedules.PolynomialDecay(0.1, 6, end_learning_rate=0.0), momentum=0.5, clipvalue=5.0),
    "global_clipnorm": lambda: SGD(0.01, momentum=0.5, global_clipnorm=1.0),
    "weight_decay": lambda: SGD(0.01, weight_decay=1e-2),
    "AdamW, clipvalue": lambda: AdamW(0.01, beta_2=0.99, epsilon=1e-3, clipvalue=1.0),
    "AdamW without decay": lambda: AdamW(0.01, weight_decay=0.0),
    "AdamW": lambda: AdamW(schedules.CosineDecay(0.1, 6), weight_decay=0.05, global_clipnorm=1.0),
    "exponential": lambda: SGD(schedules.ExponentialDecay(0.1, 3, 0.5), momentum=0.9),
}


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "jit"])
@pytest.mark.parametrize("setting", SETTINGS)
def test_it_does_what_the_optimizer_does(setting, compiled, dtype):
    optimizer, variables = SETTINGS[setting](), variables_of(dtype)
    optimizer.build(variables)
    plain = PlainUpdate(optimizer)
    rate = plain.learning_rate()
    weights = [tf.identity(v.value) for v in variables]
    slots = [tf.identity(v.value) for v in plain.slots]
    update = tf.function(plain, jit_compile=True) if compiled else plain
    rng = np.random.RandomState(9)
    for step in range(8):
        gradients = [tf.constant(rng.randn(*shape) * 6, dtype) for shape in SHAPES]
        weights, slots = update(
            weights, gradients, slots, rate(tf.constant(step, tf.int64)), tf.constant(step, tf.int64)
        )
        optimizer.apply(gradients, variables)
    tolerance = 1e-6 if dtype == "float32" else 1e-14
    for found, expected in zip([*weights, *slots], [*variables, *plain.slots], strict=True):
        np.testing.assert_allclose(found, expected.numpy(), rtol=tolerance, atol=tolerance)


def test_no_momentum_needs_no_slots():
    optimizer = SGD(0.01)
    optimizer.build(variables_of("float32"))
    assert PlainUpdate(optimizer).slots == []


REFUSED = {
    "nesterov": lambda: SGD(0.01, momentum=0.9, nesterov=True),
    "clipnorm": lambda: SGD(0.01, clipnorm=1.0),
    "Adam": lambda: Adam(0.01),
    "use_ema": lambda: SGD(0.01, use_ema=True),
    "loss_scale_factor": lambda: SGD(0.01, loss_scale_factor=8.0),
    "gradient_accumulation_steps": lambda: SGD(0.01, gradient_accumulation_steps=2),
    "amsgrad": lambda: AdamW(amsgrad=True),
    "Adamax": lambda: keras.optimizers.Adamax(),
    "LossScaleOptimizer": lambda: keras.optimizers.LossScaleOptimizer(SGD(0.01)),
    "a subclass of SGD, which may do anything": lambda: type("Mine", (SGD,), {})(0.01),
}


@pytest.mark.parametrize("setting", REFUSED)
def test_an_optimizer_with_more_than_is_known_here_is_refused_by_its_name(setting):
    optimizer = REFUSED[setting]()
    optimizer.build(variables_of("float32"))
    with pytest.raises(BadInputError, match=f"trains with .*SGD or AdamW.*{type(optimizer).__name__}.*plain model.fit"):
        PlainUpdate(optimizer)


@pytest.mark.parametrize("limit, dwaa, dwax, db, dby", [(10, 10.0, -10.0, 10.0, 8.45833407), (5, 5.0, -5.0, 5.0, 5.0)])
@pytest.mark.parametrize("how", ["the optimizer", "PlainUpdate"])
def test_the_notebooks_graded_clip(how, limit, dwaa, dwax, db, dby):
    before = keras.config.floatx()
    keras.config.set_floatx("float64")
    try:
        rng = np.random.RandomState(3)
        gradients = [tf.constant(rng.randn(*shape) * 10) for shape in [(5, 3), (5, 5), (2, 5), (5, 1), (2, 1)]]
        optimizer = SGD(learning_rate=1.0, clipvalue=limit)
        variables = [keras.Variable(np.zeros(g.shape), dtype="float64") for g in gradients]
        optimizer.build(variables)
        if how == "the optimizer":
            optimizer.apply(gradients, variables)
            moved = [v.numpy() for v in variables]
        else:
            moved, _ = PlainUpdate(optimizer)(
                [v.value for v in variables], gradients, [], tf.constant(1.0, tf.float64), 0
            )
    finally:
        keras.config.set_floatx(before)
    clipped = [-np.asarray(m) for m in moved]
    assert clipped[1][1][2] == dwaa
    assert clipped[0][3][1] == dwax
    assert clipped[2][1][2] == pytest.approx(0.29713815361, abs=1e-11)
    assert clipped[3][4] == [db]
    assert clipped[4][1] == pytest.approx([dby], abs=1e-8)


def test_a_learning_rate_that_is_no_schedule_is_read_when_asked_for():
    optimizer = SGD(0.25)
    optimizer.build(variables_of("float32"))
    optimizer.learning_rate = 0.125
    assert float(PlainUpdate(optimizer).learning_rate()(tf.constant(7))) == 0.125
