"""What a model expects of a text: the nats of each character, its likeliest alternatives, and what temperature does."""

import math

import numpy as np


def nats(logits: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Return how surprising characters are: minus the logarithm of their probabilities.

    Args:
        logits: of what may stand at each place, ``(chars, vocab)``.
        ids: what stands there, ``(chars,)``.

    Returns:
        Nats, float64 ``(chars,)``.
    """
    logits = logits.astype(np.float64)
    highest = logits.max(axis=-1)
    total = highest + np.log(np.exp(logits - highest[:, None]).sum(axis=-1))
    return total - np.take_along_axis(logits, ids[:, None], axis=-1)[:, 0]


def alternatives(logits: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the likeliest characters at each place, likeliest first; of equals, the lower id first.

    Args:
        logits: ``(chars, vocab)``.
        count: how many; all, where there are fewer.

    Returns:
        Their ids and their probabilities, ``(chars, count)`` each.
    """
    ids = np.argsort(-logits, axis=-1, kind="stable")[:, :count]
    logits = logits.astype(np.float64)
    probs = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return ids, np.take_along_axis(probs / probs.sum(axis=-1, keepdims=True), ids, axis=-1)


def tempered(probs: np.ndarray, temperature: float) -> np.ndarray:
    """Return a distribution as it is at another temperature: its logits are divided by it.

    Args:
        probs: at temperature 1, ``(vocab,)``; all are above zero.
        temperature: 0 gives all probability to the likeliest.
    """
    if temperature == 0:
        return np.where(np.arange(len(probs)) == probs.argmax(), 1.0, 0.0)
    logs = np.log(probs)
    changed = np.exp((logs - logs.max()) / temperature)
    return changed / changed.sum()


def perplexity(nats_per_char: float) -> float:
    """Return among how many equally likely characters such a score would choose."""
    return math.exp(nats_per_char) if nats_per_char < 700 else math.inf
