"""The benchmark's arithmetic: what a step costs, what a lap tells, how the time grows, and that a wrong rival shows."""

import numpy as np
import pytest

from tests.tools.benchmarks.growth import Curve
from tests.tools.benchmarks.prose import LABELS, TOLERANCE, training_section
from tests.tools.benchmarks.prose_task import Laps, ProseTask, forward_flops, torch_weights, training_flops
from tests.tools.benchmarks.sizes import Size

TASK = ProseTask("shall i compare thee to a summer's day?\n" * 20)


def test_a_character_costs_two_operations_for_each_element_of_its_four_matrices():
    matrices = [w for w in TASK.weights() if w.ndim == 2][1:]  # but the first: a one-hot product is a look-up
    assert [w.shape for w in matrices] == [(128, 512)] * 3 + [(128, len(TASK.vocab))]
    assert forward_flops(128, len(TASK.vocab)) == 2 * sum(w.size for w in matrices)


def test_a_step_costs_three_times_the_way_forward_and_one_target_saves_outputs():
    every, following = (training_flops(128, 38, 16, 40, target) for target in ("every", "next"))
    assert every == 3 * 16 * 40 * forward_flops(128, 38)
    assert every - following == pytest.approx(3 * 16 * 39 * 2 * 128 * 38)


def test_the_best_lap_counts_and_the_first_one_tells_the_compiling():
    laps = Laps(work=100, seconds=[9.0, 0.1, 2.0, 1.0, 4.0])
    assert (laps.rate, laps.unrest) == (100, 1.0)
    assert laps.compile_seconds == 9.0 - 1.5


def test_the_power_is_that_of_the_work():
    flops = [1e9, 2e9, 8e9]
    assert Curve("learn", "units", [1, 2, 4], flops, [f**1.5 for f in flops]).power == pytest.approx(1.5)
    same_epoch = Curve("learn", "batch", [8, 16, 32], [1e9] * 3, [4.0, 2.0, 1.0])
    assert same_epoch.power == pytest.approx(0)  # a step of four times the work takes no longer
    assert same_epoch.linear == [4.0] * 3


def test_an_epoch_of_a_size_fills_its_last_batch():
    assert Size(length=400, units=8, batch=4).steps == 3
    assert Size(length=400, units=8, batch=4).flops("learn") == 3 * training_flops(8, 38, 4, 40)


def test_pytorch_gets_the_weights_turned_round_and_one_bias():
    weights = TASK.weights()
    lstm, linear = torch_weights(weights)
    np.testing.assert_array_equal(lstm["weight_ih_l1"], weights[3].T)
    np.testing.assert_array_equal(lstm["bias_ih_l1"] + lstm["bias_hh_l1"], weights[5])
    assert lstm["weight_hh_l0"].shape == (512, 128)
    assert linear["weight"].shape == (len(TASK.vocab), 128)


def test_a_rival_that_learned_something_else_is_called_wrong_and_a_missing_one_missing():
    def run(loss, seconds=1.0):
        return vars(Laps(work=1, seconds=[5.0, seconds, seconds], losses=[3.0, loss, 1.0]))

    runs = {("every", name): [run(2.0, 2.0)] for name in LABELS}
    runs["every", "kerasgen"] = [run(2.0)]
    runs["every", "stock_keras_jit"] = [run(2.0 + 2 * TOLERANCE)]
    runs["every", "kerasgen_bfloat16"] = [run(2.0 + 2 * TOLERANCE, 0.5)]  # half precision may differ by more
    runs["every", "pytorch"] = [{"missing": "PyTorch is not installed"}]
    section = training_section(runs, TASK, {"numpy": 1e12}, "One round")
    assert [note for note in section.notes if note.startswith("WRONG: stock_keras_jit (every) did")]
    assert [goal.value for goal in section.goals] == [2.0, 4.0]  # against stock Keras, and in bfloat16
    assert "PyTorch is not installed" in section.text()
