"""Nats, alternatives and temperatures of distributions, against plain Python."""

import math

import numpy as np
import pytest

from kerasgen.metrics.correlation import Correlation
from kerasgen.metrics.surprisal import alternatives, nats, perplexity, tempered

LOGITS = np.random.RandomState(0).randn(50, 7) * 3


def softmax(row):
    """The oracle."""
    weights = [math.exp(value) for value in row]
    return [weight / math.fsum(weights) for weight in weights]


def test_nats_are_minus_the_logarithm_of_the_probability():
    ids = np.arange(50) % 7
    expected = [-math.log(softmax(row)[i]) for row, i in zip(LOGITS, ids, strict=True)]
    np.testing.assert_allclose(nats(LOGITS, ids), expected, rtol=1e-12)
    np.testing.assert_allclose(nats(LOGITS + 1e5, ids), expected, rtol=1e-9)


def test_alternatives_are_the_likeliest():
    ids, probs = alternatives(LOGITS, 3)
    for row, top, chances in zip(LOGITS, ids, probs, strict=True):
        expected = sorted(enumerate(softmax(row)), key=lambda one: -one[1])[:3]
        assert top.tolist() == [i for i, _ in expected]
        np.testing.assert_allclose(chances, [p for _, p in expected], rtol=1e-12)
    assert alternatives(np.zeros((1, 4)), 9)[0].tolist() == [[0, 1, 2, 3]]


@pytest.mark.parametrize("temperature", [0.1, 0.7, 1.0, 3.0])
def test_temperature_divides_the_logits(temperature):
    found = tempered(np.array(softmax(LOGITS[0])), temperature)
    np.testing.assert_allclose(found, softmax(LOGITS[0] / temperature), rtol=1e-9)


def test_temperature_zero_takes_the_likeliest():
    assert tempered(np.array([0.2, 0.5, 0.3]), 0).tolist() == [0, 1, 0]


def test_perplexity_is_a_number_of_equal_choices():
    assert perplexity(math.log(8)) == pytest.approx(8) and perplexity(1e4) == math.inf


@pytest.mark.parametrize("size", [1, 7, 200])
def test_correlation_in_pieces_is_numpys(size):
    rng = np.random.RandomState(1)
    values, mask = rng.randn(200, 5).astype(np.float32) + 3, rng.rand(200) < 0.2
    values[:, 1] += 2 * mask
    values[:, 2] = 0.3  # never changes
    values[:, 3] = mask
    found = Correlation()
    for first in range(0, 200, size):
        found.add(values[first : first + size], mask[first : first + size])
    moving = [0, 1, 3, 4]
    expected = [np.corrcoef(values[:, unit].astype(float), mask)[0, 1] for unit in moving]
    np.testing.assert_allclose(found.of_units[moving], expected, atol=1e-9)
    assert found.of_units[2] == 0 and found.of_units[3] == pytest.approx(1) and found.hits == mask.sum()


@pytest.mark.parametrize("mask", [np.ones(9, bool), np.zeros(9, bool)])
def test_nothing_correlates_with_what_never_changes(mask):
    found = Correlation()
    found.add(np.random.RandomState(0).randn(9, 3), mask)
    assert found.of_units.tolist() == [0, 0, 0]
