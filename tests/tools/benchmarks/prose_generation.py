"""The ways of generating prose: ``python -m tests.tools.benchmarks.prose_generation WAY QUICK``; QUICK is 0 or 1.

A lap is a number of characters; a way returns the `Laps` of each of its settings.
"""

import json
import os
import sys

import numpy as np

from tests.tools.benchmarks.prose_task import SEQ_LEN, UNITS, UNTIMED, Laps, ProseTask

TIMED = 3  # laps
LENGTHS = {1: 20_000, 64: 2_000, 1024: 400}  # characters of each stream, by the number of streams
STREAMED = 100_000  # characters that come piece by piece


def example(task: ProseTask, quick: bool) -> dict[str, Laps]:
    """Do as the Keras example does: for each character `predict` on a one-hot window, then NumPy's multinomial."""
    keras = _stock()
    vocab_size = len(task.vocab)
    model = keras.Sequential(
        [
            keras.Input((SEQ_LEN, vocab_size)),
            keras.layers.LSTM(UNITS, return_sequences=True),
            keras.layers.LSTM(UNITS),
            keras.layers.Dense(vocab_size, activation="softmax"),
        ]
    )
    model.set_weights(task.weights())
    measured, rng = Laps(5 if quick else 20, os.cpu_count() or 1), np.random.RandomState(0)
    window = task.vocab.encode(task.text[:SEQ_LEN])

    def lap():
        nonlocal window
        for _ in range(measured.work):
            one_hot = np.zeros((1, SEQ_LEN, vocab_size))
            for t, char in enumerate(window):
                one_hot[0, t, char] = 1.0
            probs = np.exp(np.log(model.predict(one_hot, verbose=0)[0].astype("float64")))
            window = [*window[1:], int(np.argmax(rng.multinomial(1, probs / probs.sum())))]

    return {"example": _timed(measured, lap)}


def loop(task: ProseTask, quick: bool) -> dict[str, Laps]:
    """Do as TensorFlow's tutorial does: call one step that takes and returns the state, for each character."""
    keras = _stock()
    import tensorflow as tf

    vocab_size = len(task.vocab)
    layers = [
        keras.layers.LSTM(UNITS, return_sequences=True, return_state=True),
        keras.layers.LSTM(UNITS, return_state=True),
    ]
    out = keras.layers.Dense(vocab_size)

    @tf.function
    def step(ids, states):
        x, new = tf.one_hot(ids, vocab_size)[:, None], []
        for layer, state in zip(layers, states, strict=True):
            x, *state = layer(x, initial_state=state)
            new.append(state)
        return tf.random.categorical(out(x), 1)[:, 0], new

    ids = tf.constant([task.vocab.encode("\n")[0]], tf.int64)
    states = [[tf.zeros((1, UNITS)), tf.zeros((1, UNITS))] for _ in layers]
    step(ids, states)
    for variable, value in zip([w for part in (*layers, out) for w in part.weights], task.weights(), strict=True):
        variable.assign(value)
    measured = Laps(200 if quick else 1_000, os.cpu_count() or 1)

    def lap():
        nonlocal ids, states
        for _ in range(measured.work):
            ids, states = step(ids, states)
            ids.numpy()

    return {"loop": _timed(measured, lap)}


def kerasgen(task: ProseTask, quick: bool) -> dict[str, Laps]:
    """Let `Generator.generate` make one text, and many side by side; and `Generator.stream` one, piece by piece."""
    from kerasgen.generation.generator import Generator
    from kerasgen.models.prose import ProseLSTM, stacked_lstm

    model = stacked_lstm(len(task.vocab), UNITS)
    for variable, value in zip(model.trainable_variables, task.weights(), strict=True):
        variable.assign(value)
    generator, found = Generator(ProseLSTM(model), task.vocab, start="\n"), {}
    for streams, length in LENGTHS.items():
        length //= 2 if quick else 1
        measured = Laps(streams * length, os.cpu_count() or 1)
        found[f"streams_{streams}"] = _timed(
            measured, lambda streams=streams, length=length: generator.generate(streams, max_length=length)
        )
    measured = Laps(STREAMED // (5 if quick else 1), os.cpu_count() or 1)
    found["streamed"] = _timed(measured, lambda: "".join(generator.stream(length=measured.work)))
    return found


def _stock():
    os.environ["KERAS_BACKEND"] = "tensorflow"
    import keras

    return keras


def _timed(measured: Laps, lap) -> Laps:
    for _ in range(UNTIMED + TIMED):
        measured.time(lap)
    return measured


WAYS = {way.__name__: way for way in (example, loop, kerasgen)}


if __name__ == "__main__":
    way, quick = sys.argv[1:]
    print(json.dumps({name: vars(laps) for name, laps in WAYS[way](ProseTask(), quick == "1").items()}))
