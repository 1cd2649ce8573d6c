"""A few of the inputs of `tests.tools.fuzz`, always the same ones; the script tries thousands."""

import pytest

from tests.tools import fuzz

COUNTS = {fuzz.configuration: 25, fuzz.command_line: 25}  # those that the parser of flags takes 10 ms for


@pytest.mark.parametrize("kind", fuzz.LIGHT, ids=lambda kind: kind.__name__)
def test_whatever_comes_ends_in_what_is_right_or_one_line(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(fuzz, "FOLDER", tmp_path)
    came = fuzz.attempt(kind, COUNTS.get(kind, 60), 0)
    assert came["accepted"] and came["refused"], "the inputs are all of one sort, and so hold little"
