"""The notebook of the docs, in a real kernel: every cell runs, and shows what it says and nothing else."""

import re

import nbformat
import pytest
from nbclient import NotebookClient

from tests.conftest import ROOT

PAGE = ROOT / "docs" / "kerasgen.ipynb"


@pytest.fixture(scope="module")
def cells(tmp_path_factory):
    """What each cell of code shows, in order: the text, and the kinds of pictures."""
    folder = tmp_path_factory.mktemp("notebook")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR"):
            patch.setenv(name, str(folder / name.lower()))
        patch.delenv("MPLBACKEND", raising=False)  # the kernel sets its own
        notebook = nbformat.read(PAGE, as_version=4)
        NotebookClient(notebook, timeout=240, resources={"metadata": {"path": str(folder)}}).execute()
    return [cell.outputs for cell in notebook.cells if cell.cell_type == "code"]


def text_of(outputs):
    return "".join(one.get("text", "") + one.get("data", {}).get("text/plain", "") for one in outputs)


def test_it_is_kept_without_what_it_shows_and_small():
    notebook = nbformat.read(PAGE, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in code) and PAGE.stat().st_size < 10_000


def test_it_trains_plots_streams_and_scores(cells):
    trained, plotted, generated, streamed, scored = cells
    assert "<Generator: names, " in text_of(trained)
    assert [sorted(one["data"]) for one in plotted] == [["image/png", "text/plain"]]  # by the kernel's own backend
    assert len(re.findall(r"'[a-z]{4,}'", text_of(generated))) == 8
    assert len(text_of(streamed)) == 300
    bits = [float(one) for one in re.findall(r"^(\d\.\d{4}) bits/char ", text_of(scored), re.M)]
    assert len(bits) == 2 and bits[0] < bits[1]


def test_nothing_else_appears(cells):
    assert not [one for outputs in cells for one in outputs if one.get("name") == "stderr"]
