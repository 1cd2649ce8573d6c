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

    A context and the character after it are the digits of one number, so an order takes one sort of plain numbers. At
    its highest, it takes some 30 bytes a character of the training part.

    Args:
        training: the sequences of ids to count in, stop characters included.
        scored: the sequences to predict, each from its own beginning.
        vocab_size: the number of ids.
        highest: the highest order.
    """
    learned, firsts = _joined(training)
    asked, asked_firsts = _joined(scored)
    base, mark = vocab_size + 1, 0  # the last digit is the mark of a beginning
    contexts, asked_contexts = np.zeros(len(learned), np.int64), np.zeros(len(asked), np.int64)
    p, found = np.full(len(asked), 1.0 / vocab_size), []
    for order in range(highest + 1):
        contexts = _grams(contexts, learned, base)
        asked_contexts = _grams(asked_contexts, asked, base)
        grams, counts = _counted(contexts, (mark + 1) * base)
        count, total, kinds = _asked(grams, counts, asked_contexts, base)
        p = np.where(total > 0, (count + kinds * p) / np.maximum(total + kinds, 1), p)
        found.append(NgramScore(-np.log(p), order))

        mark = mark * base + vocab_size
        if (mark + 1) * base >= 2**63:  # too many digits for a number: its place among the others tells as much
            contexts = np.searchsorted(grams, contexts)
            asked_contexts, mark = _places(grams, asked_contexts), len(grams)
        _shift(contexts, firsts, mark)
        _shift(asked_contexts, asked_firsts, mark)
    return found


def _joined(sequences: Iterable[Sequence[int]]) -> tuple[np.ndarray, np.ndarray]:
    """Return the ids of all sequences, int32 ``(chars,)``, and where each that has any begins."""
    arrays = [array for array in (np.asarray(sequence, np.int32) for sequence in sequences) if len(array)]
    lengths = np.array([len(array) for array in arrays], np.int64)
    return np.concatenate([np.empty(0, np.int32), *arrays]), np.cumsum(lengths) - lengths


def _grams(contexts: np.ndarray, ids: np.ndarray, base: int) -> np.ndarray:
    """Return each context with the character after it, in its place; a context that was never seen stays below 0."""
    unseen = contexts < 0
    contexts *= base
    contexts += ids
    contexts[unseen] = -1
    return contexts


def _counted(keys: np.ndarray, end: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the different keys, all below `end`, in order, and how often each occurs."""
    if end <= len(keys):
        counts = np.bincount(keys)
        grams = np.flatnonzero(counts)
        return grams, counts[grams]
    ordered = np.sort(keys)
    new = np.append(True, ordered[1:] != ordered[:-1])[: len(keys)]
    begins = np.flatnonzero(new)
    return ordered[begins], np.diff(begins, append=len(keys))


def _asked(
    grams: np.ndarray, counts: np.ndarray, asked: np.ndarray, base: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return how often each asked gram occurs, how often its context does, and before how many characters."""
    contexts = grams // base
    begins = np.flatnonzero(np.append(True, contexts[1:] != contexts[:-1])[: len(grams)])
    ends = np.append(begins, len(grams))
    summed = np.append(0, np.cumsum(counts))
    places = _places(grams, asked)
    count = np.where(places < 0, 0, np.append(counts, 0)[places])
    places = _places(contexts[begins], asked // base)
    total, kinds = (np.where(places < 0, 0, np.append(np.diff(of), 0)[places]) for of in (summed[ends], ends))
    return count, total, kinds


def _places(known: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Return the place of each key among those that are known, which are in order; -1 where it is none of them."""
    places = np.searchsorted(known, keys)
    return np.where(np.append(known, -2)[places] == keys, places, -1)


def _shift(grams: np.ndarray, firsts: np.ndarray, mark: int) -> None:
    """Make grams the contexts of the characters after them, in place; a sequence begins with `mark`."""
    grams[1:] = grams[:-1].copy()
    grams[firsts] = mark
