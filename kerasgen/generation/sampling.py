"""Probabilities to characters."""

from kerasgen.models.backend import tf


def draw(probs, uniform, *, top_k: int | None = None, top_p: float | None = None):
    """Draw ids by inverse CDF: the first whose cumulated probability exceeds the uniform number.

    It is what ``np.random.choice(range(n), p=p)`` does with one number of its generator.

    Args:
        probs: ``(batch, vocab)``; rows need not add up to 1.
        uniform: ``(batch,)`` in [0, 1).
        top_k: keep the k likeliest only (all those as likely as the k-th).
        top_p: keep the smallest set of likeliest ids with this probability together.

    Returns:
        int32 ``(batch,)``.
    """
    if top_k is not None and top_k < probs.shape[-1]:
        least = tf.math.top_k(probs, top_k).values[:, -1:]
        probs = tf.where(probs >= least, probs, 0)
    if top_p is not None and top_p < 1:
        ordered = tf.sort(probs, direction="DESCENDING")
        before = tf.cumsum(ordered, axis=-1, exclusive=True)
        inside = (before == 0) | (before < tf.cast(top_p, probs.dtype) * tf.reduce_sum(probs, axis=-1, keepdims=True))
        least = tf.reduce_min(tf.where(inside, ordered, probs.dtype.max), axis=-1, keepdims=True)
        probs = tf.where(probs >= least, probs, 0)
    cdf = tf.cumsum(probs, axis=-1)
    below = cdf / cdf[:, -1:] <= uniform[:, None]
    return tf.reduce_sum(tf.cast(below, tf.int32), axis=-1)
