"""Toy models whose logits are known, and generators that the tests of a process share, as each compiles programs."""

import functools

import numpy as np

from kerasgen.generation.generator import Generator
from kerasgen.models.backend import tf
from kerasgen.models.prose import ProseLSTM, stacked_lstm
from kerasgen.text.vocab import CharVocab

LOGITS = (0.0, 2.0, 1.0, -1.0, 0.5)  # of ".abcd"; the likeliest is "a"
LETTERS = CharVocab("\n abcdefgh")


class Fixed:
    """A model that gives the same logits whatever came before.

    Attributes:
        traced: how often its step was traced: every program that is compiled traces it.
    """

    def __init__(self, logits=LOGITS, compute_dtype="float64"):
        self.values, self.compute_dtype, self.traced = np.array(logits), compute_dtype, 0
        self.vocab_size = len(self.values)

    def initial_state(self, batch_size):  # noqa: D102
        return tf.zeros((batch_size, 1), tf.int32)

    def step(self, ids, state):  # noqa: D102
        self.traced += 1
        return tf.tile(tf.constant(self.values, self.compute_dtype)[None], [tf.shape(ids)[0], 1]), state + 1


class Spells(Fixed):
    """A model that, without doubt, spells a word by its state and then stops."""

    def step(self, ids, state):  # noqa: D102
        word = tf.constant([1, 2, 3, 0, 1, 2, 3, 0])  # "abc.abc."
        return tf.one_hot(tf.gather(word, state[:, 0]), 5, 1e3, dtype=self.compute_dtype), state + 1


class Remembers:
    """A model whose logits follow from all that it has read, the latest most; `oracle` is the same in NumPy."""

    compute_dtype = "float64"

    def __init__(self):
        self.size = self.vocab_size = size = len(LETTERS)
        self.matrix = np.random.RandomState(4).normal(scale=1.5, size=(size, size))

    def initial_state(self, batch_size):  # noqa: D102
        return (tf.zeros((batch_size, self.size), tf.float64),)

    def step(self, ids, state):  # noqa: D102
        seen = 0.7 * state[0] + tf.one_hot(ids, self.size, dtype=tf.float64)
        return tf.matmul(seen, tf.constant(self.matrix)), (seen,)

    def logits(self, ids, state):  # noqa: D102
        steps = tf.scan(
            lambda before, now: 0.7 * before + now, tf.one_hot(tf.transpose(ids), self.size, dtype="float64"), state[0]
        )
        return tf.transpose(tf.einsum("tbi,ij->tbj", steps, tf.constant(self.matrix)), (1, 0, 2)), (steps[-1],)

    def oracle(self, ids, seen):
        """Return the logits after one more id, and what has been seen."""
        seen = 0.7 * seen
        if ids >= 0:
            seen[ids] += 1
        return seen @ self.matrix, seen


@functools.cache
def generator(logits=LOGITS, stop=None, chars=".abcd", model=Fixed, compute_dtype="float64", known=frozenset()):
    """Return a generator, the same one for the same arguments."""
    return Generator(model(logits, compute_dtype), CharVocab(chars), stop=stop, known=known)


@functools.cache
def remembering(**settings):
    """Return a generator of a model that `Remembers`."""
    return Generator(Remembers(), LETTERS, **settings)


@functools.cache
def small_poet():
    """Return a generator of a real prose model, without training."""
    return Generator(ProseLSTM(stacked_lstm(len(LETTERS), 8, seed=4)), LETTERS, start="\n")
