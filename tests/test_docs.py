"""README and docs: every command and every line of Python in them is run, and every link leads somewhere.

A block of Python runs as it stands, after those above it on its page; an untagged block right behind it is what it
prints, `...` standing for anything. A command runs in a folder with small texts, for fewer steps. One that would take
minutes, or that another test runs, is given a text that is not there: it must come as far as reading it, so all else
on its line is right.
"""

import argparse
import contextlib
import doctest
import functools
import importlib
import importlib.util
import io
import os
import re
import shutil
import tomllib

import numpy as np
import pytest

import kerasgen
from kerasgen.base import console, files
from tests.conftest import ROOT
from tests.support import pages
from tests.support.poems import write_text

BLOCKS = pages.blocks()
PYTHON = [block for block in BLOCKS if block.language == "python" and "process of its own" not in block.comment]
COMMANDS = list({c.words: c for block in BLOCKS if block.language == "sh" for c in pages.commands(block)}.values())
TEXTS = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in pages.PAGES}
DOCS = [page for page in TEXTS if page != "README.md"]

# What runs elsewhere, by a word of the command, and where; here its line is parsed.
ELSEWHERE = {
    "--column": "tests/text/test_sources.py takes columns, several files and folders",
    "more.txt": "tests/text/test_sources.py",
    "kerasgen.playground": "tests/test_playground.py serves the page, tests/page/test_page.py plays there",
    "--part": "tests/test_batch_jobs.py joins parts of fewer",
    "kerasgen.serve": "tests/test_serve.py asks a server, also what the page shows with curl and in JavaScript",
    "--strategy": "tests/runs/test_workers.py trains in several processes and on two devices, test_ray.py by Ray",
    "kerasgen.tune": "tests/test_tune.py sweeps a small space, by several processes, too",
    "--holdout": "made the tables of docs/scores.md; tests/test_shipped_poet.py scores the shipped model again",
    "configs/dino_notebook.toml": "tests/test_notebook.py runs it whole",
    "configs/shakespeare_notebook.toml": "tests/test_shakespeare.py learns in this way in small",
    "tests.tools.benchmarks": "made the tables of docs/speed.md; tests/tools/test_benchmarks.py holds its arithmetic",
    "tests.tools.crash": "tests/tools/test_crash.py kills twice",
    "tests.tools.fuzz": "tests/tools/test_fuzz.py tries some of its inputs",
}
# What is no command of kerasgen's, by how it begins.
INSTALLS = {
    "python3 -m venv .venv": "tests/test_package.py",
    "pip install .": "tests/test_package.py",
    "pip install -e .[test]": ".ci/run",
    "pip install -e .[own]": "docs/own.md",
    "python -m pytest": ".ci/run",
    "cp ": "docs/scores.md",
    "docker run ": "docs/export.md",
    "docker build ": "tests/test_docker.py",
    "curl -N ": "tests/test_serve.py",
    "curl ": "docs/export.md",
    "python -c import secrets": "docs/serve.md",
}
SYLLABLES = [["spring", "shel", "brad", "oak", "ash", "wal", "kin"], ["ford", "ton", "field", "by", "ville", "ham"]]

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:keras_tuner.*"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:tensorboard.*"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with all that the pages speak of: small texts, and models."""
    folder = tmp_path_factory.mktemp("reader")
    towns = [first + second for first in SYLLABLES[0] for second in SYLLABLES[1]]
    (folder / "towns.txt").write_text("\n".join(towns).title(), encoding="utf-8")
    write_text(folder / "mybook.txt", lines=60)
    (folder / "start.txt").write_text("Hell is empty,\n", encoding="utf-8")
    (space,) = [block.text for block in BLOCKS if block.language == "toml"]
    (folder / "my_space.toml").write_text(space, encoding="utf-8")
    (folder / "more.txt").write_text("\n".join(reversed(towns)), encoding="utf-8")
    (folder / "towns.csv").write_text("name,length\n" + "".join(f"{town},{len(town)}\n" for town in towns))
    (folder / "books").mkdir()
    write_text(folder / "books" / "one.txt", lines=60)
    shutil.copy(ROOT / "tests" / "data" / "format1_names.keras", folder / "old.keras")
    (folder / "docs").mkdir()
    (folder / "saved_models").mkdir()
    copies = {"dino": ["dino", "../my"], "shakespeare": ["shakespeare"]}
    for model, names in copies.items():
        for name in names:
            shutil.copy(ROOT / "saved_models" / f"{model}.keras", folder / "saved_models" / f"{name}.keras")
    for model, text in {"dino": "towns", "shakespeare": "mybook"}.items():  # as if they had learned these texts
        generator = kerasgen.load(ROOT / "saved_models" / f"{model}.keras")
        found = files.sha256((folder / f"{text}.txt").read_bytes())
        generator.card["data"] |= {"name": text, "sha256": found}
        generator.save(folder / "saved_models" / f"my-{text}.keras")
    return folder


@pytest.fixture(scope="module")
def readers(folder):
    """What a reader of each page has run so far: the names that it defined, and the blocks that are still to run."""
    return {page: ({}, [block for block in PYTHON if block.page == page]) for page in TEXTS}


@pytest.fixture(scope="module", autouse=True)
def one_load():
    """Load each model once for all pages: it compiles anew what it has not compiled yet."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kerasgen, "load", functools.cache(kerasgen.load))
        yield


def run_block(block, names):
    """Run a block of Python; return what it printed."""
    printed = io.StringIO()
    code = compile("\n" * (block.line - 1) + block.text, ROOT / block.page, "exec")
    with contextlib.redirect_stdout(printed):
        exec(code, names)
    return printed.getvalue()


@pytest.mark.parametrize("block", PYTHON, ids=str)
def test_every_line_of_python_runs_and_prints_what_the_page_shows(block, folder, readers, request, monkeypatch):
    names, waiting = readers[block.page]
    if "corpora" in block.comment:
        try:
            request.getfixturevalue("mirror")
        except pytest.skip.Exception:
            waiting.remove(block)  # or the next block would run it first
            raise
    monkeypatch.chdir(folder)
    printed = ""
    while block in waiting:
        printed = run_block(waiting.pop(0), names)
    same = doctest.OutputChecker().check_output(block.output.strip(), printed.strip(), doctest.ELLIPSIS)
    assert same or not block.output, f"{block} printed:\n{printed}"


def main_of(words):
    """Return the function behind a command line, and the arguments that are left for it."""
    program, *rest = words
    if program == "kerasgen":
        return importlib.import_module("kerasgen.__main__").main, rest
    assert rest[0] == "-m", words
    found = importlib.util.find_spec(rest[1])
    main = f"{rest[1]}.__main__" if found and found.submodule_search_locations else rest[1]
    return importlib.import_module(main).main, rest[2:]


def run_command(main, arguments, piped, monkeypatch, capsys):
    """Run a command in this process: exit code, standard output, standard error."""
    with open(pipe_of(piped) if piped else os.devnull, encoding="utf-8") as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        code = console.run_command(main, arguments)
    return code, *capsys.readouterr()


def pipe_of(text):
    """Return the end to read from of a pipe that holds a line."""
    reader, writer = os.pipe()
    os.write(writer, f"{text}\n".encode())
    os.close(writer)
    return reader


def shorter(words, arguments):
    """Make a training one of few steps: the last of a flag counts."""
    line = " ".join(words[:3])
    if "dino" in line:
        generates = "--sample-only" in words or "--model" in words and "--epochs" not in words
        return [*arguments, *(() if generates else ("--steps", "200", "--no-log")), "--quiet"]
    if "shakespeare" in line:
        trains = {"--epochs", "--from-scratch"} & {*words}
        fewer = ["--epochs" if "--epochs" in words else "--scratch-epochs", "1", "--no-log"] if trains else []
        text = ["--data", "mybook.txt"] if trains and "--data" not in words else []
        return [*arguments, *fewer, *text, "--length", "100", "--quiet"]
    return arguments


@pytest.mark.parametrize(
    "command", [c for c in COMMANDS if "kerasgen" in " ".join(c.words) and not {*c.words} & {*ELSEWHERE}], ids=str
)
def test_every_command_does_its_work(command, folder, request, monkeypatch, capsys):
    main, arguments = main_of(command.words)
    if "dino" in " ".join(command.words[:3]) and not {"--data", "--sample-only"} & {*arguments}:
        request.getfixturevalue("mirror")
    monkeypatch.chdir(folder)
    code, out, error = run_command(main, shorter(command.words, arguments), command.piped, monkeypatch, capsys)
    assert code == 0, error
    assert out.strip() and out.startswith(command.piped)


class Parsed(BaseException):
    """The parser of a tool has accepted its command line."""


@pytest.mark.parametrize("command", [c for c in COMMANDS if {*c.words} & {*ELSEWHERE}], ids=str)
def test_every_long_command_is_understood(command, folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    main, arguments = main_of(command.words)
    if main.__module__.startswith("tests."):
        parse = argparse.ArgumentParser.parse_args

        def stop(parser, *given):
            parse(parser, *given)
            raise Parsed

        monkeypatch.setattr(argparse.ArgumentParser, "parse_args", stop)
        monkeypatch.setattr("sys.argv", [command.words[2], *arguments])
        with pytest.raises(Parsed):
            main()
        return
    flag = {"kerasgen.playground": [], "kerasgen.serve": ["--token-file"]}.get(main.__module__, ["--data"])
    missing = [*arguments, *flag, "missing.txt"]
    code, out, error = run_command(main, missing, "", monkeypatch, capsys)
    assert code and not out and "missing.txt" in error


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.words[0] == "tensorboard"], ids=str)
def test_tensorboard_takes_its_flags(command):
    from tensorboard import default, program

    board = program.TensorBoard(default.get_static_plugins())
    board.configure(list(command.words))
    assert board.flags.logdir in ("logs", "sweeps")


def test_all_other_commands_install_something():
    others = [c for c in COMMANDS if "kerasgen" not in " ".join(c.words) and "tests.tools" not in " ".join(c.words)]
    for command in others:
        if command.words[0] != "tensorboard":
            assert [place for begin, place in INSTALLS.items() if " ".join(command.words).startswith(begin)], command
    assert all((ROOT / place).is_file() for place in INSTALLS.values())


def test_the_ci_finds_the_test_command():
    lines = TEXTS["README.md"].splitlines()
    marker = lines.index("<!-- the test command -->")
    assert lines[marker + 1].startswith("```") and lines[marker + 2].endswith("python -m pytest")


def test_every_flag_that_is_spoken_of_exists(capsys):
    known = {"--data"}
    for name in ("dino", "shakespeare", "tune", "score", "inspect", "export", "playground", "serve", "clean"):
        with contextlib.suppress(SystemExit):
            importlib.import_module(f"kerasgen.{name}").main(["--help"])
    for name in ("benchmarks", "fuzz", "crash"):
        known |= set(re.findall(r'"(--[\w-]+)"', source_of(f"tests.tools.{name}")))
    known |= set(re.findall(r"--[a-z][\w-]*", capsys.readouterr().out))
    spoken = {flag for text in TEXTS.values() for flag in re.findall(r"`(--[a-z][\w-]*)", text)}
    assert spoken <= known | {"--help"}, spoken - known


def source_of(module):
    """Return the source of a tool."""
    found = importlib.util.find_spec(module)
    origin = ROOT.joinpath(*module.split("."), "__main__.py") if found.submodule_search_locations else found.origin
    with open(origin, encoding="utf-8") as file:
        return file.read()


def test_every_command_within_a_sentence_exists():
    text = "".join(TEXTS.values())
    spoken = {
        *re.findall(r"`python -m ([\w.]+)", text),
        *(f"kerasgen.{m}" for m in re.findall(r"`kerasgen (\w+)", text)),
    }
    assert len(spoken) > 3
    for module in spoken:
        assert importlib.util.find_spec(module), module


def test_every_block_is_of_a_kind_that_is_tested():
    assert {block.language for block in BLOCKS} <= {"python", "sh", "toml", "js", "kotlin", ""}
    for block in BLOCKS:
        if block.language == "toml":
            tomllib.loads(block.text)


@pytest.mark.parametrize("page", TEXTS)
def test_every_link_and_picture_is_there(page):
    text = re.sub(r"^```.*?^```$", "", TEXTS[page], flags=re.S | re.M)
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        linked = (ROOT / page).parent / path if path else ROOT / page
        assert linked.is_file(), f"{page} links to {target}"
        if anchor:
            heads = re.findall(r"^#+ (.*)$", linked.read_text(encoding="utf-8"), re.M)
            assert anchor in [re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads]


@pytest.mark.parametrize("page", DOCS)
def test_every_page_answers_one_question_which_the_readme_asks(page):
    title, _, question, *_ = TEXTS[page].splitlines()
    assert title.startswith("# ") and question.endswith("?")
    assert f"]({page}) | {question} |" in TEXTS["README.md"]


def test_the_readme_is_short():
    assert len(TEXTS["README.md"].splitlines()) <= 200


def test_the_texts_are_as_the_tests_take_them(folder):
    towns = (folder / "towns.txt").read_text(encoding="utf-8").split("\n")
    assert len(towns) == len(set(towns)) == np.prod([len(part) for part in SYLLABLES])
