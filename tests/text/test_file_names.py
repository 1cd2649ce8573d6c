"""Names of texts in the names of files, and the commands that messages offer."""

import re
import shlex
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasgen.base import console
from kerasgen.runs.run import Run
from kerasgen.text import sources
from kerasgen.text.file_names import MOST, file_name
from tests.support.commands import call
from tests.support.poems import write_text

ODD = [
    "-x",
    "..",
    ".hidden",
    "curl{}*[a]?$(x)",
    "x" * 300,
    "書" * 80,
    "line\nbreak",
    "bell\a",
    "\u202egnp",
    "a\u200bb",
    " ",
]
ORDINARY = ["towns", "my book", "Alice's Adventures", "a.b-c_d", "Été (2)", "書", "dinos", "x" * MOST, "a & b, c!"]


@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_names_stay_as_they_are(name):
    assert file_name(name) == name == sources.name([f"/some/folder/{name}.txt"])


@pytest.mark.parametrize("name", ODD)
def test_odd_names_become_safe_and_keep_apart(name):
    found = file_name(name)
    assert re.fullmatch(r"[^-. ].*-[0-9a-f]{8}", found) and found.isprintable() and not set(found) & set("*?[]{}$/")
    assert found != file_name(f"{name}x") and found == file_name(name)


@given(st.text(min_size=1), st.integers(20, MOST))
def test_any_name_is_one_of_a_file(name, most):
    found = file_name(name, most)
    assert 0 < len(found.encode()) <= most and found.isprintable() and found[0] not in "-. " and "/" not in found


def test_columns_of_different_names_are_different_texts():
    assert sources.name(["t.csv"], "Full Name") == "t-Full-Name"
    assert len({sources.name(["t.csv"], column) for column in ("", "***", "???", "x" * 300, "x" * 301)}) == 5


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), min_size=1, max_size=3))
def test_a_command_that_is_offered_has_one_line_and_reads_back(words):
    line = console.command_line("kerasgen dino", ["--data", "--", *words])
    assert line.isprintable()


@pytest.mark.parametrize(
    "name", [*ODD, *ORDINARY, "$(touch pwned)", "`id`", "a'b\n\\c", "it's 'x'", "é\u202e\U0001f600"]
)
def test_a_real_shell_reads_the_arguments_of_an_offered_command(name, tmp_path):
    run = Run(tmp_path / f"my {name}" / "runs" / f"{file_name(name)}-12345678", {})
    run.config["command"] = console.command_line("kerasgen shakespeare", ["--data", name, f"--prompt={name}"])
    for command, expected in [
        (run.resumption, ["shakespeare", "--resume", run.folder.name, "--data", name, f"--prompt={name}"]),
        (run.removal, [run.folder.name, f"--save-dir={tmp_path}/my {name}"]),
    ]:
        script = f'kerasgen() {{ printf \'%s\\0\' "$@"; }}; python() {{ shift 2; kerasgen "$@"; }}; {command}'
        done = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, check=True)
        assert done.stdout.decode() == "".join(f"{word}\0" for word in expected) and not done.stderr


def test_a_text_of_an_odd_and_long_name_is_learned_and_sampled_from(tmp_path):
    stem = "-x {}*[a]?$(x)" + "書" * 70
    write_text(tmp_path / f"{stem}.txt")
    tiny = ("--units", 4, "--seq-len", 4, "--batch-size", 2, "--scratch-epochs", 1, "--length", 9, "--prompt", "Et tu")
    learned = call(tmp_path, "shakespeare", f"--data={stem}.txt", *tiny)
    (model,) = (tmp_path / "saved_models").glob("my-*.keras")
    assert model.name == f"my-{file_name(stem)}.keras" and "logging in" not in learned.stderr
    (log,) = (tmp_path / "logs").iterdir()
    assert len(model.name.encode()) <= 210 and not log.name.startswith("-")
    assert "saved saved_models/my-" in learned.stderr and shlex.split(learned.stderr)
    sampled = call(tmp_path, "shakespeare", f"--data={stem}.txt", "--sample-only", "--length", 9, "--prompt", "Et tu")
    assert f"generating with saved_models/{model.name}" in sampled.stderr
