"""Figures are drawn whatever the environment says of matplotlib."""

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT

DRAW = """
import os, sys
from pathlib import Path
from kerasgen.base import figures

figures.import_matplotlib()
import matplotlib
from matplotlib.figure import Figure

print(os.environ.get("MPLBACKEND"), matplotlib.get_backend(auto_select=False))
figures.save_figure(Path("drawn.png"), lambda: Figure(), "a figure")
"""


@pytest.mark.parametrize(
    ("wanted", "taken"),
    [("module://matplotlib_inline.backend_inline_of_another_environment", None), ("nonsense", None), ("svg", "svg")],
)
def test_a_backend_is_taken_where_it_is_known_and_no_error_where_not(tmp_path, wanted, taken):
    done = subprocess.run(
        [sys.executable, "-c", DRAW], cwd=tmp_path, capture_output=True, text=True, timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT), "MPLBACKEND": wanted},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[0] == wanted  # what is started from here finds it as it was
    assert taken is None or done.stdout.split()[1] == taken
    assert (tmp_path / "drawn.png").read_bytes().startswith(b"\x89PNG") and done.stderr == ""
