"""What only the course's notebook does."""

import pytest

from kerasgen.tasks.notebook import notebook_first_loss, report_steps


def test_epochs_end_after_the_first_step_then_steadily_then_at_the_end():
    assert list(report_steps(35_000, 2000))[:4] == [1, 2001, 4001, 6001]
    assert list(report_steps(35_000, 2000))[-2:] == [34_001, 35_000]
    assert list(report_steps(5, 2000)) == [1, 5]


def test_an_epoch_that_ends_where_the_next_would_is_one():
    ends = report_steps(4001, 2000)
    assert sorted(set(ends)) == [1, 2001, 4001]


def test_the_running_mean_begins_at_a_blind_guess():
    assert notebook_first_loss(27, 7) == pytest.approx(23.070858, abs=1e-6)
