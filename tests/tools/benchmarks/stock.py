"""Stock Keras as a rival: nothing but its own layers, losses and ``fit``, one name a batch, the state carried over."""

import os

import numpy as np

from tests.support import oracle
from tests.tools.benchmarks.task import CHECKED, CLIP, LEARNING_RATE, UNITS, Clock, NamesTask, Result, Smoothed


def stock_keras(task: NamesTask, steps: int, jit_compile: bool = False) -> Result:
    """Train by ``fit(batch_size=1)`` on arrays: names are padded to the longest, and masked."""
    longest, vocab_size = max(len(ids) for ids in task.examples) + 1, len(task.vocab)
    model = _compiled(task, longest, jit_compile)
    examples = [task.example(j) for j in range(CHECKED + steps)]
    targets = np.full((len(examples), longest), -1, np.int32)
    for row, ids in zip(targets, examples, strict=True):
        row[: len(ids) + 1] = [*ids, 0]
    inputs = np.zeros((*targets.shape, vocab_size), np.float32)
    inputs[:, 1:] = (targets[:, :-1, None] == np.arange(vocab_size)) & (targets[:, 1:, None] >= 0)

    def fit(first, count, callbacks):
        part = slice(first, first + count)
        data = [inputs[part], targets[part] >= 0], targets[part]
        model.fit(*data, batch_size=1, shuffle=False, verbose=0, callbacks=callbacks)

    return _time(task, model, fit, steps)


def stock_keras_jit(task: NamesTask, steps: int) -> Result:
    """Train the same with ``jit_compile=True``."""
    return stock_keras(task, steps, jit_compile=True)


def stock_keras_unpadded(task: NamesTask, steps: int) -> Result:
    """Train by ``fit`` on a data set of batches of one name each, as long as it is: no padding, no mask."""
    model = _compiled(task, None, False)
    import tensorflow as tf

    one_hot = np.eye(len(task.vocab), dtype=np.float32)

    def batches(first, count):
        for j in range(first, first + count):
            ids = task.example(j)
            inputs = np.zeros((1, len(ids) + 1, len(one_hot)), np.float32)
            inputs[0, 1:] = one_hot[ids]
            yield inputs, np.array([[*ids, 0]], np.int32)

    shapes = (tf.TensorSpec((1, None, len(one_hot)), tf.float32), tf.TensorSpec((1, None), tf.int32))

    def fit(first, count, callbacks):
        data = tf.data.Dataset.from_generator(lambda: batches(first, count), output_signature=shapes)
        model.fit(data.prefetch(tf.data.AUTOTUNE), verbose=0, callbacks=callbacks)

    return _time(task, model, fit, steps)


def _compiled(task, time, jit_compile):
    """Make the compiled model of names of `time` letters, masked; None for names of any length, unmasked."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    import keras

    vocab_size = len(task.vocab)
    letters = keras.Input(batch_shape=(1, time, vocab_size))
    present = None if time is None else keras.Input(batch_shape=(1, time), dtype="bool")
    states = keras.layers.SimpleRNN(UNITS, return_sequences=True, stateful=True)(letters, mask=present)
    inputs = letters if present is None else [letters, present]
    model = keras.Model(inputs, keras.layers.Dense(vocab_size)(states))
    for variable, value in zip(model.trainable_variables, oracle.keras_weights(task.weights()), strict=True):
        variable.assign(value)
    model.compile(
        optimizer=keras.optimizers.SGD(LEARNING_RATE, clipvalue=CLIP),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-1, reduction="sum"),
        jit_compile=jit_compile,
    )
    return model


def _time(task, model, fit, steps):
    import keras

    smoothed = Smoothed(task)

    def note(_, logs):
        smoothed.add(logs["loss"])
        model.reset_metrics()  # else Keras would give the mean of the steps so far

    fit(0, CHECKED, [keras.callbacks.LambdaCallback(on_train_batch_end=note)])
    clock = Clock()
    fit(CHECKED, steps, [])
    return Result(steps, *clock.read(), float(smoothed.value), os.cpu_count() or 1)
