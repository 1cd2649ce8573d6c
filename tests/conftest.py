"""What all tests share: a seed, the real corpora where they can be had, and the real command in a process."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def seed():
    np.random.seed(0)


@pytest.fixture(scope="session")
def mirror():
    """The folder with the two known corpora; tests of the real text skip without it."""
    folder = os.environ.get("KERASGEN_MIRROR", "")
    if not (Path(folder) / "dinos.txt").is_file():
        pytest.skip("KERASGEN_MIRROR names no folder with dinos.txt: the real corpus is not here")
    return Path(folder)


@pytest.fixture
def command(tmp_path):
    """Run ``python -m kerasgen...`` in an empty folder: ``command("dino", "--help")`` gives the finished process."""

    def run(name, *arguments, env=None, input=None, timeout=120, text=True):
        module = f"kerasgen.{name}" if name else "kerasgen"
        return subprocess.run(
            [sys.executable, "-m", module, *map(str, arguments)],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT), **(env or {})},
            input=input,
            capture_output=True,
            timeout=timeout,
            text=text,
        )

    return run


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Run the prose command in this process, in a folder of its own with the text: code, standard output, error."""
    from kerasgen import shakespeare
    from kerasgen.base import console
    from tests.support.poems import write_text

    write_text(tmp_path / "mini.txt")

    def command(*arguments):
        monkeypatch.chdir(tmp_path)
        code = console.run_command(shakespeare.main, list(map(str, arguments)))
        done = capsys.readouterr()
        return code, done.out, done.err

    return command
