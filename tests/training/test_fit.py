"""`training.fit`: Keras' own callbacks, chunks that don't show, and training that resumes anywhere."""

import contextlib
import csv

import numpy as np
import pytest

from kerasgen.base.errors import BadInputError, FailedError, LostError
from kerasgen.models.backend import keras, tf
from kerasgen.tasks.names import NamesTask
from kerasgen.tasks.settings import NamesSettings
from kerasgen.text.corpora import Text
from kerasgen.text.names import NameBatches, NameRows
from kerasgen.text.vocab import CharVocab
from kerasgen.training import fit as training
from kerasgen.training.progress import Progress
from kerasgen.training.replicas import Replicas

NAMES = ["ada", "bea", "cleo", "dora", "eve", "fay", "gus", "hal", "ida", "jo", "kit"]
VOCAB = CharVocab.from_text("".join(NAMES) + "\n")
ALL = dict(momentum=0.9, carry_state=True, recurrent_dropout=0.2, schedule="cosine", units=8, init_scale=0.3)


@pytest.fixture(autouse=True)
def floatx():
    before = keras.config.floatx()
    yield
    keras.config.set_floatx(before)


def batches_of(batch_size=1):
    return NameBatches(NameRows(NAMES, VOCAB), batch_size, seed=1)


def model_of(optimizer=None, steps=30, **settings):
    settings = {"units": 8, "init_scale": 0.3, "learning_rate": 0.05, **settings}
    model = NamesTask(NamesSettings(steps=steps, **settings), Text("friends", "\n".join(NAMES), "")).build()
    if optimizer:
        model.compile(optimizer=optimizer, loss=model.loss, auto_scale_loss=False)
    return model


def everything(model):
    """Weights, carried state, momenta, iterations, learning rate."""
    return [v.numpy() for v in (*model.trainable_variables, *model.carried, *model.optimizer.variables)]


def assert_same(a, b, tolerance=0.0):
    for found, expected in zip(everything(a), everything(b), strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance)


def test_callbacks_are_called_in_kerass_order_with_the_documented_logs():
    calls, given = [], []

    class Recorder(keras.callbacks.Callback):
        def __getattribute__(self, name):
            if not name.startswith("on_"):
                return super().__getattribute__(name)

            def record(*numbers_and_logs, logs=None):
                calls.append((name, *(n for n in numbers_and_logs if isinstance(n, int))))
                if name.endswith("_end"):
                    given.append(next((d for d in numbers_and_logs if isinstance(d, dict)), logs))

            return record

    model = model_of()
    training.fit(model, batches_of(), epoch_ends=[1, 6, 8], chunk=3, callbacks=[Recorder()])
    assert calls == [
        ("on_train_begin",),
        ("on_epoch_begin", 0), ("on_train_batch_begin", 0), ("on_train_batch_end", 0), ("on_epoch_end", 0),
        ("on_epoch_begin", 1), ("on_train_batch_begin", 1), ("on_train_batch_end", 3),
        ("on_train_batch_begin", 4), ("on_train_batch_end", 5), ("on_epoch_end", 1),
        ("on_epoch_begin", 2), ("on_train_batch_begin", 6), ("on_train_batch_end", 7), ("on_epoch_end", 2),
        ("on_train_end",),
    ]  # fmt: skip
    assert len(given) == 8
    assert all(set(logs) == {"loss", "bits_per_char", "smoothed_loss"} for logs in given)


def test_the_logged_losses_are_the_mean_of_the_epoch_and_the_running_mean():
    each = training.fit(model_of(), batches_of(), epoch_ends=list(range(1, 9)), chunk=1).history["loss"]
    how = dict(epoch_ends=[1, 8], first_smoothed_loss=23.0, chars_per_loss=5.0)
    history = training.fit(model_of(), batches_of(), **how).history
    assert history["loss"] == pytest.approx([each[0], np.mean(each[1:])], rel=1e-6)
    assert history["bits_per_char"] == pytest.approx(np.array(history["loss"]) / 5 / np.log(2))
    smoothed = 23.0
    for loss in each:
        smoothed = 0.999 * smoothed + 0.001 * loss
    assert history["smoothed_loss"][-1] == pytest.approx(smoothed, rel=1e-6)


def test_a_run_that_an_earlier_version_began_gets_its_losses_in_bits_too():
    model, progress = model_of(), Progress()
    training.fit(model, batches_of(), epoch_ends=[2], progress=progress)
    del progress.epochs[0]["bits_per_char"]
    history = training.fit(model, batches_of(), epoch_ends=[2, 4], progress=progress, chars_per_loss=5.0).history
    assert history["bits_per_char"] == pytest.approx(np.array(history["loss"]) / 5 / np.log(2))
    assert len(history["loss"]) == 2


def test_keras_callbacks_work(tmp_path):
    told = []
    callbacks = [
        keras.callbacks.CSVLogger(str(tmp_path / "log.csv")),
        keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: told.append((epoch, logs["loss"]))),
    ]
    history = training.fit(model_of(), batches_of(), epoch_ends=[2, 4, 6], callbacks=callbacks)
    rows = list(csv.DictReader((tmp_path / "log.csv").read_text().splitlines()))
    assert [float(row["loss"]) for row in rows] == history.history["loss"] == [loss for _, loss in told]
    assert history.epoch == [0, 1, 2]


def test_a_callback_stops_the_training_after_its_chunk():
    stop = keras.callbacks.LambdaCallback()
    stop.on_train_batch_end = lambda batch, logs=None: setattr(stop.model, "stop_training", batch >= 5)
    model = model_of()
    history = training.fit(model, batches_of(), epoch_ends=[10, 20], chunk=3, callbacks=[stop])
    assert int(model.optimizer.iterations) == 6
    assert history.epoch == [0]
    training.fit(model, batches_of(), epoch_ends=[10])
    assert int(model.optimizer.iterations) == 10


def test_a_learning_rate_that_a_callback_changes_takes_effect():
    weights = []
    rate = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: setattr(model.optimizer, "learning_rate", 0.0 if epoch else 0.05)
    )
    keep = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: weights.append(model.rnn.trainable_variables[0].numpy())
    )
    model = model_of()
    start = model.rnn.trainable_variables[0].numpy()
    training.fit(model, batches_of(), epoch_ends=[5, 10], callbacks=[rate, keep])
    assert np.abs(weights[0] - start).max() > 1e-4
    np.testing.assert_array_equal(weights[1], weights[0])


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_a_loss_that_becomes_nan_is_an_error_that_leaves_what_was_before_its_chunk(momentum):
    def broken(chunk):
        model = model_of(learning_rate=1e38, momentum=momentum, carry_state=True)
        kept = []
        keep = keras.callbacks.LambdaCallback(on_train_batch_begin=lambda batch, logs: kept.append(everything(model)))
        with pytest.raises(FailedError) as raised:
            training.fit(model, batches_of(), epoch_ends=[30], chunk=chunk, callbacks=[keep])
        for found, expected in zip(everything(model), kept[-1], strict=True):
            np.testing.assert_array_equal(found, expected)
        return str(raised.value), int(model.optimizer.iterations)

    message, step = broken(chunk=1)
    assert 1 <= step < 30
    assert f"at step {step};" in message and "--learning-rate" in message and "\n" not in message
    assert broken(chunk=30) == (message, 0)


def test_thirty_steps_are_ten_and_twenty_bit_for_bit():
    whole, parts = model_of(**ALL), model_of(**ALL)
    training.fit(whole, batches_of(), epoch_ends=[30])
    training.fit(parts, batches_of(), epoch_ends=[10])
    assert int(parts.optimizer.iterations) == 10
    training.fit(parts, batches_of(), epoch_ends=[10, 30])
    assert int(parts.optimizer.iterations) == 30
    assert_same(parts, whole)


def test_what_is_done_already_is_not_done_again():
    model = model_of()
    training.fit(model, batches_of(), epoch_ends=[10])
    before = everything(model)
    assert training.fit(model, batches_of(), epoch_ends=[5, 10]).epoch == []
    for found, expected in zip(everything(model), before, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_the_size_of_the_chunks_does_not_show():
    models = {chunk: model_of(dtype="float64", **ALL) for chunk in (1, 7, 500)}
    for chunk, model in models.items():
        training.fit(model, batches_of(), epoch_ends=[3, 30], chunk=chunk)
    assert_same(models[1], models[500], 1e-14)
    assert_same(models[7], models[500], 1e-14)


def test_the_carried_state_goes_from_batch_to_batch_row_by_row():
    model = model_of(carry_state=True, batch_size=3)
    training.fit(model, batches_of(3), epoch_ends=[1])
    rows = batches_of(3)(0, 1)[0]
    fresh = model_of()
    _, last = fresh(rows[:, :-1], mask=tf.constant(rows[:, 1:] >= 0), return_state=True)
    np.testing.assert_allclose(model.carried[0].numpy(), last, atol=1e-6)


def test_the_program_is_compiled_once():
    model, traced = model_of(), []
    compute = model.loss_and_gradients
    model.loss_and_gradients = lambda *given: traced.append(1) or compute(*given)
    training.fit(model, batches_of(), epoch_ends=[1, 8, 30], chunk=4)
    assert len(traced) == 1


def test_an_optimizer_that_is_not_known_is_refused_before_anything_is_trained():
    model = model_of(optimizer=keras.optimizers.Adagrad(0.1))
    before = model.get_weights()
    with pytest.raises(BadInputError, match="Adagrad"):
        training.fit(model, batches_of(), epoch_ends=[30])
    for found, expected in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_slow_steps_are_made_in_smaller_chunks_and_it_does_not_show(monkeypatch):
    fast, slow = model_of(**ALL), model_of(**ALL)
    training.fit(fast, batches_of(), epoch_ends=[30], chunk=8)
    monkeypatch.setattr(training, "PATIENCE", 0.0)
    ends = []
    keep = keras.callbacks.LambdaCallback()
    keep.on_train_batch_end = lambda batch, logs=None: ends.append(batch)
    training.fit(slow, batches_of(), epoch_ends=[30], chunk=8, callbacks=[keep])
    assert ends == [7, *range(15, 30)]
    assert_same(fast, slow)


def test_a_chunk_in_which_a_worker_is_lost_leaves_what_was_before_it():
    class Lost(Replicas):
        """Loses a worker at the worst moment: everything is written already."""

        @contextlib.contextmanager
        def alive(self):
            yield
            raise LostError("worker 1 has ended")

    model = model_of(momentum=0.9)
    training.fit(model, batches_of(), epoch_ends=[3])
    before = everything(model)
    with pytest.raises(LostError):
        training.fit(model, batches_of(), epoch_ends=[3, 10], replicas=Lost())
    for found, expected in zip(everything(model), before, strict=True):
        np.testing.assert_array_equal(found, expected)
