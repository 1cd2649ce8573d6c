"""The pages' scripts: read by an engine, and checked by TypeScript and ESLint where these are installed."""

import shutil
import subprocess
from pathlib import Path

import pytest

from kerasgen import scoring
from kerasgen.page.page import ENGINE, FOLDER

TOOLS = Path(__file__).parent / "javascript"
SCRIPTS = sorted(FOLDER.glob("*.js"))
OTHERS = sorted(Path(scoring.__file__).parent.glob("*.js"))
LONGEST = 300  # lines of a script, its types in comments included


def test_all_scripts_are_used():
    assert sorted([*ENGINE, "worker.js", "page.js"]) == [path.name for path in SCRIPTS]
    assert [path.name for path in OTHERS] == ["page.js"]


@pytest.mark.parametrize("path", [*SCRIPTS, *OTHERS], ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_script_is_read_without_an_error(path):
    racer = pytest.importorskip("py_mini_racer", reason="mini-racer is not installed: no JavaScript can be read")
    source = path.read_text(encoding="utf-8")
    assert racer.MiniRacer().eval(f"typeof function () {{{source}\n}}") == "function"
    assert source.startswith('"use strict";') and source.count("\n") <= LONGEST
    assert "</script" not in source and "<!--" not in source  # either would end it, or hide the page's end


def test_types_and_style_are_right():
    if not shutil.which("npm") or not (TOOLS / "node_modules").is_dir():
        pytest.skip("TypeScript and ESLint are not installed: npm install in tests/page/javascript")
    done = subprocess.run(["npm", "run", "--silent", "check"], cwd=TOOLS, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
