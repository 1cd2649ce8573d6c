"""Dropout as a function of seed, step and place."""

from kerasgen.models.backend import tf


def dropout_mask(places, rate, seed, step, dtype):
    """Return a mask that drops a share `rate` and scales the rest up: a function of seed, step and place alone.

    Every number is a hash of its place, so none depends on which others are drawn with it, and XLA computes them where
    they are used; drawing as many with philox would take a third of a training step.

    Args:
        places: int tensor, the places' numbers.
        rate: the share.
        seed: two ints, the seed and the number of the layer.
        step: int scalar.
        dtype: of the mask.
    """
    key = _hash(_hash(tf.constant(seed[0], tf.uint32)) ^ tf.constant(seed[1], tf.uint32))
    key = _hash(key ^ tf.cast(step, tf.uint32))
    number = _hash(_hash(tf.cast(places, tf.uint32) ^ key) + key)
    kept = number < tf.constant(round((1 - rate) * 2**32) - 1, tf.uint32)
    return tf.cast(kept, dtype) / (1 - rate)


def _hash(x):
    """Mix 32 bits (the constants are Wellons' "lowbias32", 2018)."""
    shift = tf.bitwise.right_shift
    x = (x ^ shift(x, 16)) * tf.constant(0x7FEB352D, tf.uint32)
    x = (x ^ shift(x, 15)) * tf.constant(0x846CA68B, tf.uint32)
    return x ^ shift(x, 16)
