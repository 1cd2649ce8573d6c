"""Texts of a rare kind: proposed by looking ahead, and accepted so that they follow the model's own distribution."""

import itertools
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from kerasgen.generation.automaton import Automaton
from kerasgen.generation.batches import BLOCK
from kerasgen.generation.chain import Guide
from kerasgen.generation.lookahead import HOTTER, count, look_ahead
from kerasgen.generation.loop import Loop, Start
from kerasgen.generation.sampling import Sampling

_COUNTED = 4096  # texts that the proxy counts, fewer where there are very many characters
_LONGEST = 100  # characters of them
_PILOT = 4  # blocks from which the ceiling of the weights is taken
_CUT = 0.02  # the share of the distribution that may be lost above that ceiling
_PATIENCE = 100  # blocks of which nothing is accepted; then hardly anything will be
_KEYS = 1 << 31  # guided blocks draw with other numbers than plain ones


class Guided:
    """Generates texts that an automaton accepts, by rejection from a proposal that looks ahead.

    A text is accepted with the probability of its weight (the model's probability of it, over that with which it was
    proposed) over a ceiling. Weights above the ceiling are cut; it is such that not more than 2 % of the distribution
    is lost, as estimated from the first 4,096 proposals.

    Args:
        loop: generates the ids.
        vocab_size: the number of characters.
        stop: the id that ends a text.
    """

    def __init__(self, loop: Loop, vocab_size: int, stop: int):
        self._loop, self._vocab_size, self._stop = loop, vocab_size, stop

    def blocks(self, start: Start, sampling: Sampling, automaton: Automaton) -> Iterator[np.ndarray]:
        """Yield ids of texts, ``(texts, characters)``, -1 after a text's end; what comes depends on the seed alone.

        Args:
            start: what all of them continue.
            sampling: how.
            automaton: what they shall be, in its state after the prefix.
        """
        guide = self._guide(start, sampling, automaton)
        pilot = [self._proposed(block, start, sampling, automaton, guide) for block in range(_PILOT)]
        ceiling = _ceiling(np.concatenate([weights for _, weights in pilot]))
        since = 0
        for block in itertools.count():
            if since == _PATIENCE or ceiling == -np.inf:
                return
            proposed = pilot[block] if block < _PILOT else self._proposed(block, start, sampling, automaton, guide)
            ids, weights = proposed
            uniforms = np.random.Generator(np.random.Philox(key=_key(sampling, block))).random(BLOCK)
            accepted = ids[np.log1p(-uniforms) < weights - ceiling]  # the logarithm of a number in (0, 1]
            since = 0 if len(accepted) else since + 1
            yield accepted

    def _proposed(self, block, start, sampling, automaton, guide):
        """Return ids, and the logarithms of their weights, minus infinity where a text is not as it shall be."""
        ids, weights = self._loop.guided(start, _key(sampling, block), sampling, guide, automaton.state)
        lengths = (ids >= 0).sum(axis=1)
        wanted = (ids[:, -1] < 0) & (lengths + start.position >= sampling.min_length) & automaton.wanted(ids, lengths)
        return ids, np.where(wanted & ~np.isnan(weights), weights, -np.inf).astype(np.float64)

    def _guide(self, start: Start, sampling: Sampling, automaton: Automaton) -> Guide:
        # Of a greedy draw, what would be drawn at temperature 1.
        plain = replace(sampling, temperature=1.0, top_k=None, top_p=None) if sampling.greedy else sampling
        proxy = count(self._seen(start, plain), self._vocab_size, self._stop, start.position)
        fewest, most = sampling.min_length, sampling.max_length - 1  # the loop's own ends with the stop character
        table = look_ahead(automaton, proxy, self._stop, start.position, fewest, most)
        return Guide.of(table.values, table.first, automaton.following)

    def _seen(self, start: Start, sampling: Sampling) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Yield what `count` needs of texts that are drawn at a higher temperature."""
        texts = min(_COUNTED, max(256, (1 << 20) // self._vocab_size), max(1, (1 << 23) // self._vocab_size))
        random = np.random.Generator(np.random.Philox(key=0))
        before, last, state = np.full(texts, -1), np.full(texts, start.last), start.state
        going = np.ones(texts, bool)
        for _ in range(min(_LONGEST, sampling.max_length - start.position)):
            probs, state = self._loop.spread(last, state, sampling)
            yield before[going], last[going], probs[going]
            cdf = np.cumsum(probs.astype(np.float64) ** (1 / HOTTER), axis=1)
            before, last = last, (cdf <= random.random((texts, 1)) * cdf[:, -1:]).sum(axis=1)
            going &= last != self._stop
            if going.mean() < 0.02:
                return


def _key(sampling: Sampling, block: int) -> int:
    return (int(sampling.seed) << 32) + _KEYS + block


def _ceiling(weights: np.ndarray) -> float:
    """Return the logarithm of the ceiling under which all but a share of `_CUT` of the weights' sum lies."""
    weights = np.sort(weights)
    if weights[-1] == -np.inf:
        return -np.inf
    plain = np.exp(weights - weights[-1])
    under = np.cumsum(plain) + plain * np.arange(len(plain) - 1, -1, -1)  # of the sum, with each one as the ceiling
    return float(weights[np.searchsorted(under, (1 - _CUT) * plain.sum())])
