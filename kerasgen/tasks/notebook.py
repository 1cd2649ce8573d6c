"""What only the course's notebook does, so that its numbers and names come out."""

import math
from collections.abc import Iterator

import numpy as np

PUBLISHED = {  # what the notebook (v3a) printed after the step of that number, counted from 0
    0: 23.087336, 2000: 27.884160, 4000: 25.901815, 6000: 24.608779, 8000: 24.070350, 10000: 23.844446,
    12000: 23.291971, 14000: 23.382338, 16000: 23.255630, 34000: 22.447230,
}  # fmt: skip


def notebook_uniforms(rows: int, length: int) -> np.ndarray:
    """Return the numbers that the notebook draws its names with, float64 ``(rows, length)``.

    It calls ``np.random.seed(counter + seed)`` before each letter and raises both by one a letter, so letter k of name
    i is drawn with the first number of seed ``i + 2 k``.
    """
    first = [np.random.RandomState(seed).random_sample() for seed in range(rows + 2 * length)]
    return np.array([[first[i + 2 * k] for k in range(length)] for i in range(rows)])


def notebook_order(count: int, seed: int) -> np.ndarray:
    """Return the order that ``np.random.seed(seed); np.random.shuffle(examples)`` gives, ints ``(count,)``."""
    order = list(range(count))  # a list, as in the notebook: NumPy shuffles arrays by another path
    np.random.RandomState(seed).shuffle(order)
    return np.array(order)


def notebook_weights(seed: int, vocab_size: int, units: int, scale: float = 0.01) -> list[np.ndarray]:
    """Draw initial weights as the course's notebook does: three normal draws and zero biases, in Keras' layout.

    Args:
        seed: the seed of NumPy's legacy generator; the notebook's is 1.
        vocab_size: the number of characters.
        units: the size of the hidden state.
        scale: the standard deviation.

    Returns:
        Kernel ``(vocab, units)``, recurrent kernel ``(units, units)``, bias ``(units,)``, output kernel
        ``(units, vocab)``, output bias ``(vocab,)``, all float64.
    """
    draw = np.random.RandomState(seed).randn
    kernel, recurrent, out_kernel = draw(units, vocab_size), draw(units, units), draw(vocab_size, units)
    return [kernel.T * scale, recurrent.T * scale, np.zeros(units), out_kernel.T * scale, np.zeros(vocab_size)]


def report_steps(steps: int, every: int) -> Iterator[int]:
    """Yield the ends of virtual epochs: after the first step, after each `every` steps more, and at the end.

    The first comes so early because the notebooks report after the steps number 0, 2000, 4000, ...
    """
    yield from range(1, steps, every)
    yield steps


def notebook_first_loss(vocab_size: int, names: int) -> float:
    """Return where the notebook's running mean begins: seven characters at the loss of a blind guess, in nats."""
    return -math.log(1.0 / vocab_size) * names
