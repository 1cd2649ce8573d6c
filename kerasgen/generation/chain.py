"""From logits to ids: a chain of small pure functions on tensors. A constraint is one more link."""

from typing import Any, NamedTuple

import numpy as np

from kerasgen.generation.sampling import GREEDY, Sampling
from kerasgen.models.backend import tf


class Knobs(NamedTuple):
    """What changes how characters are drawn, as scalar tensors: turning one compiles nothing.

    Attributes:
        temperature: of the dtype of the draw; below `GREEDY` it is zero.
        top_k: int32, the number of characters for no limit.
        top_p: of the dtype of the draw, 1 for no limit.
    """

    temperature: Any
    top_k: Any
    top_p: Any


def knobs(sampling: Sampling, vocab_size: int, dtype: Any) -> Knobs:
    """Return the knobs of a `Sampling` as numbers; those beyond what the NumPy type `dtype` holds are cut to it."""
    return Knobs(
        min(sampling.temperature, float(np.finfo(dtype).max)),
        vocab_size if sampling.top_k is None else min(sampling.top_k, vocab_size),
        1 if sampling.top_p is None else sampling.top_p,
    )


def way(knobs: Knobs, vocab_size: int) -> Any:
    """Tell which of the `WAYS` the knobs ask for, int32: the likeliest, a plain draw, or one with top-k or top-p."""
    limited = (knobs.top_k < vocab_size) | (knobs.top_p < 1)
    return tf.where(knobs.temperature < GREEDY, 0, 1 + tf.cast(limited, tf.int32))


def forbid(logits: Any, char_id: int, forbidden: Any) -> Any:
    """Leave a character no probability where `forbidden` (a bool scalar) says so.

    Args:
        logits: ``(batch, vocab)``.
        char_id: whose; negative for none.
        forbidden: bool scalar.
    """
    return tf.where((tf.range(logits.shape[-1]) == char_id) & forbidden, tf.constant(-np.inf, logits.dtype), logits)


def probabilities(logits: Any, temperature: Any) -> Any:
    """Turn logits into probabilities, both ``(batch, vocab)``."""
    return tf.nn.softmax(logits / temperature)


def keep_top_k(probs: Any, k: Any) -> Any:
    """Keep the k likeliest ids and all those as likely as the k-th; the others get zero.

    Args:
        probs: ``(batch, vocab)``.
        k: int scalar, between 1 and vocab.
    """
    least = tf.gather(tf.sort(probs, direction="DESCENDING"), k - 1, axis=-1)
    return tf.where(probs >= least[:, None], probs, 0)


def keep_top_p(probs: Any, p: Any) -> Any:
    """Keep the smallest set of likeliest ids that have the share `p` of all probability; the others get zero.

    Args:
        probs: ``(batch, vocab)``; rows need not add up to 1.
        p: scalar, between 0 and 1.
    """
    ordered = tf.sort(probs, direction="DESCENDING")
    before = tf.cumsum(ordered, axis=-1, exclusive=True)
    inside = (before == 0) | (before < p * tf.reduce_sum(probs, axis=-1, keepdims=True))
    least = tf.reduce_min(tf.where(inside, ordered, probs.dtype.max), axis=-1, keepdims=True)
    return tf.where(probs >= least, probs, 0)


def draw(probs: Any, uniform: Any) -> Any:
    """Draw ids by inverse CDF: the first whose cumulated probability exceeds the uniform number.

    It is what ``np.random.choice(range(n), p=p)`` does with one number of its generator.

    Args:
        probs: ``(batch, vocab)``; rows need not add up to 1.
        uniform: ``(batch,)`` in [0, 1).

    Returns:
        int32 ``(batch,)``.
    """
    cdf = tf.cumsum(probs, axis=-1)
    below = cdf / cdf[:, -1:] <= uniform[:, None]
    return tf.reduce_sum(tf.cast(below, tf.int32), axis=-1)


def likeliest(logits: Any, uniform: Any, knobs: Knobs) -> Any:
    """Take the likeliest id of each row; nothing is drawn."""
    return tf.argmax(logits, axis=-1, output_type=tf.int32)


def drawn(logits: Any, uniform: Any, knobs: Knobs) -> Any:
    """Draw from all ids."""
    return draw(probabilities(logits, knobs.temperature), uniform)


def limited(logits: Any, uniform: Any, knobs: Knobs) -> Any:
    """Draw from those that top-k, then top-p, leave; each sorts, and is left out where it asks for nothing."""
    probs = probabilities(logits, knobs.temperature)
    probs = tf.cond(knobs.top_k < probs.shape[-1], lambda: keep_top_k(probs, knobs.top_k), lambda: probs)
    return draw(tf.cond(knobs.top_p < 1, lambda: keep_top_p(probs, knobs.top_p), lambda: probs), uniform)


WAYS = (likeliest, drawn, limited)  # ``(logits, uniform, knobs)`` to int32 ids ``(batch,)``
