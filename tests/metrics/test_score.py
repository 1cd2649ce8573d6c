"""A score: its sums, its units."""

import math

import numpy as np
import pytest

from kerasgen.metrics.score import Score


def test_a_score_is_the_sum_of_its_characters_whatever_their_order():
    each = np.random.RandomState(0).exponential(size=1000) * 10.0 ** np.arange(-500, 500).clip(-12, 12)
    score = Score(each)
    assert (score.nats, score.chars) == (math.fsum(each), 1000)
    assert Score(each[::-1]).nats == Score(np.sort(each)).nats == score.nats
    assert score.nats_per_char == score.nats / 1000
    assert score.bits_per_char == pytest.approx(score.nats / 1000 / math.log(2), rel=1e-15)


def test_several_scores_make_one():
    total = Score.total([Score(np.array([1.0, 2.0])), Score(np.array([])), Score(np.array([4.0]))])
    np.testing.assert_array_equal(total.each, [1, 2, 4])
    assert Score.total([]).chars == 0


def test_nothing_to_score_is_nan_and_no_error():
    score = Score(np.array([]))
    assert (score.nats, score.chars) == (0, 0)
    assert math.isnan(score.nats_per_char) and math.isnan(score.bits_per_char)


def test_a_score_prints_as_every_score_does():
    assert str(Score(np.full(3, math.log(2) * 2))) == "2.0000 bits/char"


def test_a_score_is_a_value():
    one, same, other = Score(np.array([1.0, 2.0])), Score(np.array([1.0, 2.0])), Score(np.array([2.0, 1.0]))
    assert one == same != other and len({one, same, other}) == 2
