"""The n-gram baseline that a network has to beat."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from kerasgen.metrics.score import Score

ORDERS = range(2, 7)  # that the baseline is the best of


@dataclass(frozen=True, eq=False)
class NgramScore(Score):
    """How well counting n-grams predicts a text.

    Attributes:
        order: the number of characters looked at before the predicted one.
    """

    order: int


def best_ngrams(
    training: Iterable[Sequence[int]], scored: Iterable[Sequence[int]], vocab_size: int, orders: Iterable[int] = ORDERS
) -> NgramScore:
    """Score texts by the n-grams of the order that predicts these very texts best, for the baseline to be a strong one.

    The order is chosen on what is scored, so the figure flatters the baseline a little, never the network beside it.

    Args:
        training: the sequences of ids to count in, stop characters included.
        scored: the sequences to predict, each from its own beginning.
        vocab_size: the number of ids.
        orders: to choose among.
    """
    orders = sorted(orders)
    found = ngram_scores(training, scored, vocab_size, orders[-1])
    return min((found[order] for order in orders), key=lambda score: score.nats)


def ngram_scores(
    training: Iterable[Sequence[int]], scored: Iterable[Sequence[int]], vocab_size: int, highest: int
) -> list[NgramScore]:
    """Score texts by interpolated Witten-Bell n-grams of every order from 0 to the highest, in one pass.

    The probability of a character after a context is ``(count + types * p(shorter context)) / (total + types)``, where
    ``types`` is the number of different characters seen after that context (Witten and Bell 1991, in the interpolated
    form of Chen and Goodman 1998); below the empty context lies the uniform distribution, and after a context that was
    never seen the shorter one decides. Every sequence begins with marks of its beginning, so that the first characters
    know where they stand.

    A context and the character after it are the next character's longer context: so each order takes one sort of the
    training part. It takes about 60 bytes a character of it.

    Args:
        training: the sequences of ids to count in, stop characters included.
        scored: the sequences to predict, each from its own beginning.
        vocab_size: the number of ids.
        highest: the highest order.
    """
    learned, firsts = _joined(training)
    asked, asked_firsts = _joined(scored)
    contexts, asked_contexts = np.zeros(len(learned), np.int64), np.zeros(len(asked), np.int64)
    p, found, size = np.full(len(asked), 1.0 / vocab_size), [], 1  # size: the number of contexts, all marks included
    for order in range(highest + 1):
        grams, numbers, counts = _ranked(contexts * vocab_size + learned)
        types = np.bincount(grams // vocab_size, minlength=size)
        totals = np.bincount(contexts, minlength=size)

        known = asked_contexts >= 0
        keys = np.where(known, asked_contexts * vocab_size + asked, -1)
        places = np.searchsorted(grams, keys)
        seen = np.append(grams, -2)[places] == keys
        count = np.where(seen, np.append(counts, 0)[places], 0)
        total, kinds = (np.where(known, of[asked_contexts], 0) for of in (totals, types))
        p = np.where(total > 0, (count + kinds * p) / np.maximum(total + kinds, 1), p)
        found.append(NgramScore(-np.log(p), order))

        contexts = _after(numbers, firsts, len(grams))
        asked_contexts = _after(np.where(seen, places, -1), asked_firsts, len(grams))
        size = len(grams) + 1
    return found


def _joined(sequences: Iterable[Sequence[int]]) -> tuple[np.ndarray, np.ndarray]:
    """Return the ids of all sequences, int32 ``(chars,)``, and where each that has any begins."""
    arrays = [array for array in (np.asarray(sequence, np.int32) for sequence in sequences) if len(array)]
    lengths = np.array([len(array) for array in arrays], np.int64)
    return np.concatenate([np.empty(0, np.int32), *arrays]), np.cumsum(lengths) - lengths


def _ranked(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the different keys in order, the number of each key among them, and how often each occurs."""
    # A key with its place behind it is one number, and numbers are sorted five times as fast as places by their keys.
    bits = len(keys).bit_length()
    if int(keys.max(initial=0)) >> (63 - bits):
        order = np.argsort(keys)
        ordered = keys[order]
    else:
        both = np.sort(keys << bits | np.arange(len(keys)))
        order, ordered = both & ((1 << bits) - 1), both >> bits
    new = np.append(True, ordered[1:] != ordered[:-1])[: len(keys)]
    numbers = np.empty(len(keys), np.int64)
    numbers[order] = np.cumsum(new) - 1
    begins = np.flatnonzero(new)
    return ordered[begins], numbers, np.diff(begins, append=len(keys))


def _after(grams: np.ndarray, firsts: np.ndarray, marks: int) -> np.ndarray:
    """Return the context of every character: the gram that ends before it, or `marks` at a sequence's beginning."""
    contexts = np.roll(grams, 1)
    contexts[firsts] = marks
    return contexts
