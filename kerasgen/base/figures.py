"""Figures: colors, matplotlib in any environment, and a file that appears whole or not at all."""

import contextlib
import os
import re
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kerasgen.base import console, files
from kerasgen.base.errors import reason

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#5F5F5F"  # Okabe and Ito 2008: told apart by the colour-blind as well


def import_matplotlib() -> None:
    """Import matplotlib, though ``MPLBACKEND`` may name a backend that is not here.

    Jupyter sets it in its kernels to a module of its own, and every command that is started there inherits it, in an
    environment without that module as well: there matplotlib raises ValueError, and Keras imports matplotlib. What it
    names is taken where matplotlib knows it, so that a notebook keeps its pictures; our own figures need none.
    """
    wanted = os.environ.get("MPLBACKEND")
    if not wanted or "matplotlib" in sys.modules:
        return
    del os.environ["MPLBACKEND"]
    try:
        import matplotlib
    finally:
        os.environ["MPLBACKEND"] = wanted
    with contextlib.suppress(ValueError):
        matplotlib.rcParams["backend"] = wanted  # what matplotlib itself does last when it is imported


def save_figure(path: Path, draw: Callable[[], Any], what: str) -> None:
    """Write a picture that appears whole or not at all; where that fails, a line says so, as the work itself is done.

    Args:
        path: of the PNG file.
        draw: gives the `matplotlib.figure.Figure`.
        what: it shows, for the line.
    """
    try:
        with warnings.catch_warnings(), files.whole(path) as temporary:
            warnings.simplefilter("ignore")  # a corpus' name may have letters that no font has
            draw().savefig(temporary)
    except Exception as error:
        say(f"{what} can't be drawn", error)


def say(what: str, error: Exception, then: str = "") -> None:
    """Say on standard error what went wrong, in the error's words without those that only TensorFlow understands."""
    why = re.sub(r"\{\{.*?\}\} |\S*events\.out\S*; | Failed to flush .*| \[Op:.*", "", reason(error))
    console.note(f"{what} ({why}){then}")
