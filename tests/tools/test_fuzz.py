"""Some of the inputs of `tests.tools.fuzz`, always the same ones; the command tries as many as wanted."""

import pytest

from tests.tools.fuzz import common, kinds, structure

COUNTS = {kinds.configuration: 25, kinds.command_line: 25}  # those that the parser of flags takes 10 ms for
COUNTS |= {kinds.hdf5: 600, kinds.arrays: 150, kinds.archive: 150, kinds.member: 100}


@pytest.fixture(scope="module", autouse=True)
def checker():
    yield
    structure.checker.close()


@pytest.mark.parametrize("kind", [*kinds.LIGHT, *kinds.STRUCTURE], ids=lambda kind: kind.__name__)
def test_whatever_comes_ends_in_what_is_right_or_one_line(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(common, "FOLDER", tmp_path)
    came = common.attempt(kind, COUNTS.get(kind, 60), 0)
    assert came["accepted"] and came["refused"], "the inputs are all of one sort, and so hold little"
