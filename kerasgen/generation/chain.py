"""From logits to ids: a chain of small pure functions on tensors. A constraint is one more link."""

from typing import Any, NamedTuple

import numpy as np

from kerasgen.generation.sampling import GREEDY, Sampling
from kerasgen.models.backend import tf

_PADDING = 1 << 22  # numbers that a guide's table is padded to at the least


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


class Guide(NamedTuple):
    """What leads texts to where they shall end, as tensors; see `kerasgen.generation.lookahead`.

    Attributes:
        values: of each character in each situation, between 0 and 1, ``(situations, vocab)``.
        following: the automaton's state after each state and character, int32 ``(states x vocab,)``.
        sizes: int32: the position of the first values, how many positions, states and contexts these are of.
    """

    values: Any
    following: Any
    sizes: Any

    @classmethod
    def of(cls, values: np.ndarray, first: int, following: np.ndarray) -> "Guide":
        """Make a guide, padded to a few sizes, so that few programs are compiled.

        Args:
            values: ``(positions, states, contexts, vocab)``.
            first: the position of the first.
            following: the automaton's, ``(states, vocab)``.
        """
        rows, vocab_size = values.reshape(-1, values.shape[-1]), values.shape[-1]
        least = max(1, _PADDING // vocab_size)  # of rows: very many characters are not worth it
        padded = np.zeros((_at_least(len(rows), min(1 << 14, least)), vocab_size), values.dtype)
        padded[: len(rows)] = rows
        after = np.zeros((_at_least(len(following), min(1 << 6, least)), vocab_size), np.int32)
        after[: len(following)] = following
        return cls(tf.constant(padded), tf.constant(after.ravel()), tf.constant([first, *values.shape[:3]]))

    def ahead(self, position: Any, states: Any, last: Any) -> Any:
        """Return the value of each next character, ``(batch, vocab)``.

        Args:
            position: int32 scalar, how many characters the texts have.
            states: the automaton's, int32 ``(batch,)``.
            last: the last characters, int32 ``(batch,)``; -1 for none.
        """
        first, positions, count, contexts = tf.unstack(self.sizes)
        row = tf.clip_by_value(position - first, 0, positions - 1)
        context = tf.where(contexts > 1, last + 1, 0)
        return tf.gather(self.values, (row * count + states) * contexts + context)

    def after(self, states: Any, ids: Any) -> Any:
        """Return the automaton's states after one more character each, int32 ``(batch,)``."""
        return tf.gather(self.following, states * self.values.shape[1] + ids)


def _at_least(size: int, smallest: int) -> int:
    """Return the first of `smallest`, four times that, ... that is no less than a size."""
    return smallest << 2 * max(0, -(-((size - 1) // smallest).bit_length() // 2))


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
        k: between 1 and vocab, int: a scalar, or ``(batch, 1)`` for one of each row.
    """
    place = tf.broadcast_to(k - 1, (tf.shape(probs)[0], 1))
    least = tf.gather(tf.sort(probs, direction="DESCENDING"), place, batch_dims=1)
    return tf.where(probs >= least, probs, 0)


def keep_top_p(probs: Any, p: Any) -> Any:
    """Keep the smallest set of likeliest ids that have the share `p` of all probability; the others get zero.

    Args:
        probs: ``(batch, vocab)``; rows need not add up to 1.
        p: between 0 and 1: a scalar, or ``(batch, 1)`` for one of each row.
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


def kept(logits: Any, knobs: Knobs) -> Any:
    """Return the probabilities of what top-k, then top-p, leave; each sorts, and is left out where it keeps all."""
    probs = probabilities(logits, knobs.temperature)
    probs = tf.cond(knobs.top_k < probs.shape[-1], lambda: keep_top_k(probs, knobs.top_k), lambda: probs)
    return tf.cond(knobs.top_p < 1, lambda: keep_top_p(probs, knobs.top_p), lambda: probs)


def draw_towards(log_probs: Any, uniform: Any, ahead: Any) -> tuple[Any, Any]:
    """Draw ids in proportion to their probability times what they are worth.

    Args:
        log_probs: ``(batch, vocab)``; as logarithms, what is very unlikely can still be all that there is.
        uniform: ``(batch,)`` in [0, 1).
        ahead: the value of each, ``(batch, vocab)``.

    Returns:
        The ids, and by how much the logarithm of the weight of each text grows: that of the probability of its new
        character, over that with which it was drawn.
    """
    valued = log_probs + tf.math.log(ahead)
    ids = draw(tf.exp(valued - tf.reduce_max(valued, axis=-1, keepdims=True)), uniform)
    worth = tf.math.log(tf.gather(ahead, ids, batch_dims=1))
    return ids, tf.reduce_logsumexp(valued, axis=-1) - worth


def likeliest(logits: Any, uniform: Any, knobs: Knobs, ahead: Any = None) -> Any:
    """Take the likeliest id of each row; nothing is drawn."""
    if ahead is None:
        return tf.argmax(logits, axis=-1, output_type=tf.int32)
    return tf.argmax(logits + tf.math.log(ahead), axis=-1, output_type=tf.int32), tf.zeros_like(uniform)


def drawn(logits: Any, uniform: Any, knobs: Knobs, ahead: Any = None) -> Any:
    """Draw from all ids."""
    if ahead is None:
        return draw(probabilities(logits, knobs.temperature), uniform)
    return draw_towards(tf.nn.log_softmax(logits / knobs.temperature), uniform, ahead)


def limited(logits: Any, uniform: Any, knobs: Knobs, ahead: Any = None) -> Any:
    """Draw from those that top-k and top-p leave."""
    probs = kept(logits, knobs)
    if ahead is None:
        return draw(probs, uniform)
    return draw_towards(tf.math.log(probs / tf.reduce_sum(probs, axis=-1, keepdims=True)), uniform, ahead)


# ``(logits, uniform, knobs)`` to int32 ids ``(batch,)``; with a guide's values as well, to what `draw_towards` gives.
WAYS = (likeliest, drawn, limited)
