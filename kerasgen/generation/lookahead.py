"""Looking ahead: how likely a text that is begun will end as it shall, by a proxy that counts trigrams; NumPy only.

A character is proposed with the model's probability times the value of what it leads to. The values come from a proxy
of the model, so that they are not exact; by the weight of each proposal the model's own distribution, given the
constraint, is drawn from nevertheless (see `kerasgen.generation.guided`).
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from kerasgen.base.errors import BadInputError
from kerasgen.generation.automaton import Automaton

HOTTER = 1.5  # the proxy counts texts of a higher temperature: a constraint leads to places where few others go
_TRIGRAMS = 1 << 22  # the most numbers of a table of trigrams; of more characters, pairs are counted
_PAIRS = 1 << 24  # the most of a table of pairs; of more characters, single ones are counted
_NUMBERS = 1 << 24  # the most of a table of values
_POSITIONS = 256  # the most of it; those before them look ahead as the first of these does
_PRIOR = 5.0  # how many times the shorter context was seen in the longer one, in advance
_LEAST = 1e-30  # the value of what is possible, though it was never counted
_SURE = 0.98  # the most that the proxy gives a text's end


class Proxy(NamedTuple):
    """What a model does, by the last two characters.

    Attributes:
        after_two: the probabilities of the next character, ``(vocab + 1, vocab + 1, vocab)``; place 0 of a context
            stands for a text's beginning, place i + 1 for character i. None where there are very many characters.
        after_one: likewise, by the last one alone: ``(1, vocab + 1, vocab)``; of very many, ``(1, 1, vocab)`` for all.
        ends: by what the probability of a text's end is multiplied, by its length from `first` on.
        first: the length of the first.
    """

    after_two: np.ndarray | None
    after_one: np.ndarray
    ends: np.ndarray
    first: int


class Table(NamedTuple):
    """The value of each character in each situation, relative to the best one; zero where a text can't end well.

    Attributes:
        values: ``(positions, states, contexts, vocab)``; the context is the last character's place, or there is one
            for all.
        first: the position of the first.
    """

    values: np.ndarray
    first: int


def count(
    seen: Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]], vocab_size: int, stop: int, position: int
) -> Proxy:
    """Make the proxy of a model, by the probabilities that it gives along many texts.

    Args:
        seen: for each position, of the texts that have not ended: the last character but one and the last one
            ``(texts,)``, -1 for none, and the probabilities of the next one ``(texts, vocab)``.
        vocab_size: the number of characters.
        stop: the id that ends a text.
        position: the first position.
    """
    contexts = vocab_size + 1 if (vocab_size + 1) ** 2 * vocab_size <= _TRIGRAMS else 1
    lasts = vocab_size + 1 if (vocab_size + 1) * vocab_size <= _PAIRS else 1
    sums, times = np.zeros((contexts * lasts, vocab_size)), np.zeros(contexts * lasts)
    ends = []
    for before, last, probs in seen:
        places = (before + 1) * (contexts > 1) * lasts + (last + 1) * (lasts > 1)
        order = np.argsort(places, kind="stable")
        here, starts = np.unique(places[order], return_index=True)
        sums[here] += np.add.reduceat(probs[order], starts, axis=0)
        times[here] += np.diff(np.append(starts, len(places)))
        ends.append((places, probs[:, stop].sum()))
    shape = (contexts, lasts)
    after, each = sums.reshape(*shape, -1), times.reshape(shape)
    pairs, singles = after.sum(axis=0), each.sum(axis=0)
    after_one = _over(pairs, singles, pairs.sum(axis=0) / singles.sum())[None]
    after_two = _over(after, each, after_one) if contexts > 1 else None
    probs = (after_one if after_two is None else after_two).reshape(-1, vocab_size)
    ratios = [(had + 0.5) / (probs[places, stop].sum() + 0.5) for places, had in ends]
    return Proxy(after_two, after_one, np.array(ratios), position)


def _over(sums: np.ndarray, times: np.ndarray, shorter: np.ndarray) -> np.ndarray:
    """Return the means of what was seen in each context, mixed with those of the shorter context."""
    return (sums + _PRIOR * shorter) / (times + _PRIOR)[..., None]


def look_ahead(automaton: Automaton, proxy: Proxy, stop: int, position: int, fewest: int, most: int) -> Table:
    """Value every character in every situation, from the texts' latest end backwards.

    Args:
        automaton: what they shall be.
        proxy: how the model goes on.
        stop: the id that ends a text.
        position: where the texts are now.
        fewest: their fewest characters.
        most: their most.

    Raises:
        BadInputError: the automaton has too many states for a table.
    """
    following, accepts = automaton.following, automaton.accepts
    states, vocab_size = following.shape
    lasts = proxy.after_one.shape[1]
    places = np.arange(1, vocab_size + 1) * (lasts > 1)
    rows = min(most + 1 - position, _POSITIONS)
    cells = rows * states * vocab_size
    probs = proxy.after_one if proxy.after_two is None or cells * (vocab_size + 1) > _NUMBERS else proxy.after_two
    contexts = len(probs)
    rows = min(rows, _NUMBERS // (states * vocab_size))
    if not rows:
        raise BadInputError(
            f"the constraints need {states:,} states; simpler ones are needed for {vocab_size} characters"
        )
    first = most + 1 - rows
    values = np.zeros((rows, states, contexts, vocab_size), np.float32)
    letters = probs.copy()
    letters[:, :, stop] = 0
    letters = np.ascontiguousarray(letters.transpose(1, 2, 0))  # (last, vocab, before)
    end = probs[:, :, stop]
    ahead = np.zeros((states, contexts, lasts))  # of a text that has one character more
    possible = np.zeros(states, bool)  # whether it can end
    for row in range(rows - 1, -1, -1):
        length = first + row
        may_end = accepts & (length >= fewest)
        value = ahead[following, :, places].transpose(0, 2, 1)  # (states, contexts, vocab)
        allowed = possible[following]
        if row == 0 < first - position:
            allowed = (automaton.distances() >= 0)[following]
        allowed[:, stop] = may_end
        value[:, :, stop] = may_end[:, None]
        best = np.maximum(value.max(axis=-1, keepdims=True), np.finfo(np.float64).tiny)
        values[row] = np.where(allowed[:, None], np.maximum(value / best, _LEAST), 0)
        place = length - proxy.first
        ratio = proxy.ends[place] if place < len(proxy.ends) else 1.0
        now = np.minimum(end * ratio, _SURE)
        going_on = np.matmul(value.transpose(1, 0, 2), letters).transpose(1, 2, 0)  # (states, before, last)
        ahead = going_on * (1 - now) / np.maximum(1 - end, 1 - _SURE) + now * may_end[:, None, None]
        possible = allowed.any(axis=1)
    return Table(values, first)
