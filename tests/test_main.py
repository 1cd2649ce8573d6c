"""``kerasgen``, ``python -m kerasgen`` and ``python -m kerasgen.dino`` are the same commands."""

import subprocess
import sys
import tomllib
from importlib.metadata import EntryPoint

import pytest

import kerasgen
from kerasgen import __main__ as package
from kerasgen.base import console
from tests.conftest import ROOT


@pytest.fixture
def run(capsys, monkeypatch):
    """Run the package in this process, called by a name: ``run("kerasgen", "dino", "--help")``."""

    def command(called, *arguments):
        monkeypatch.setattr(sys, "argv", [called, *arguments])
        try:
            code = package.run()
        except SystemExit as done:  # --help
            code = done.code
        done = capsys.readouterr()
        return code, done.out, done.err

    return command


@pytest.mark.parametrize("name", package.COMMANDS)
def test_every_command_is_one_of_the_package_s(run, name):
    code, out, err = run("kerasgen", name, "--help")
    assert (code, err) == (0, "") and out.startswith(f"usage: kerasgen {name}")
    assert "python -m" not in out  # its examples are to be copied as they stand


def test_the_prompt_may_stand_alone(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = run("kerasgen", "shakespeare", "Et tu, Brute?", "--length", "9", "--quiet")
    assert (code, err) == (0, "") and out.startswith("Et tu, Brute?") and len(out) == len("Et tu, Brute?") + 9 + 1


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
@pytest.mark.parametrize(("called", "dino"), [("/bin/kerasgen", "kerasgen dino"), ("x.py", "python -m kerasgen.dino")])
def test_without_a_command_it_lists_them_as_they_are_called(run, called, dino, arguments):
    code, out, err = run(called, *arguments)
    assert (code, err) == (0, "") and f"  {dino} " in out
    assert all(name in out for name in package.COMMANDS)


@pytest.mark.parametrize(
    ("word", "hint"),
    [("dinos", "did you mean 'dino'"), ("train", "see --help"), ("--verbose", "--help"), ("", "--help")],
)
def test_an_unknown_command_is_one_line(run, word, hint):
    code, out, err = run("kerasgen", word)
    assert (code, out) == (2, "") and repr(word) in err and hint in err and len(err.splitlines()) == 1


def test_a_command_s_own_errors_are_its_own(run):
    code, _, err = run("kerasgen", "tune", "dino", "--max-trial", "3")
    assert code == 2 and "--max-trials" in err
    assert (
        run("kerasgen", "--version")[1]
        == run("kerasgen", "dino", "--version")[1]
        == f"kerasgen {kerasgen.__version__}\n"
    )


def test_the_console_script_is_the_package():
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    assert EntryPoint("kerasgen", scripts["kerasgen"], "console_scripts").load() is package.run


@pytest.mark.parametrize("form", [["-m", "kerasgen", "dino"], ["-m", "kerasgen.dino"]])
def test_both_forms_of_a_module_say_the_same(form):
    done = subprocess.run([sys.executable, *form, "--stepz", "3"], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "") and "did you mean '--steps'" in done.stderr


def test_what_is_to_be_copied_is_called_as_this_is(monkeypatch):
    for called, expected in [
        ("/usr/bin/kerasgen", "kerasgen clean"),
        (r"kerasgen.exe", "kerasgen clean"),
        ("/lib/kerasgen/__main__.py", "python -m kerasgen.clean"),
        ("/bin/pytest", "python -m kerasgen.clean"),
    ]:
        monkeypatch.setattr(sys, "argv", [called])
        assert console.program("clean") == expected
