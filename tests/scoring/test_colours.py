"""The colours of the page: what is read on them, and what they say without hue."""

import pytest

from kerasgen.scoring import colours


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_step_is_read_with_a_contrast_of_four_and_a_half(scheme):
    for scale in colours.scales(scheme):
        assert all(colours.contrast(colours.ink(colour), colour) >= 4.5 for colour in scale)


def test_contrast_is_that_of_the_standard():
    assert colours.contrast("#000000", "#ffffff") == pytest.approx(21)
    assert colours.contrast("#ffffff", "#ffffff") == pytest.approx(1)
    assert colours.contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)  # the well-known grey that fails


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_lightness_alone_says_which_is_more(scheme):
    surprise, signed = colours.scales(scheme)
    paper = "#ffffff" if scheme == "light" else "#000000"
    away = [colours.contrast(paper, colour) for colour in surprise]
    assert away == sorted(away) and len(set(away)) == colours.STEPS
    middle = colours.SIGNED // 2
    for half in (signed[middle:], signed[middle::-1]):
        away = [colours.contrast(paper, colour) for colour in half]
        assert away == sorted(away)
