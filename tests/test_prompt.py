"""What the prose command makes of a prompt: one small trained model, asked many things in one process."""

import csv
import io
import json
import os
import re
import subprocess
import sys

import pytest

import kerasgen
from kerasgen import shakespeare
from kerasgen.base import console
from kerasgen.base.files import sha256
from kerasgen.metrics.novelty import copying
from tests.conftest import ROOT
from tests.support.poems import CHARS, refused, save

BETWEEN = "\n\n\n" + "-" * 40 + "\n\n"  # two samples


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save(tmp_path_factory.mktemp("model") / "poet.keras")


@pytest.fixture(scope="module")
def text_of(model):
    """What the generator itself gives after a prompt."""
    poet = kerasgen.load(model)
    return lambda prompt, length=30, **options: "".join(poet.stream(prompt, length=length, **options))


@pytest.fixture
def run(model, tmp_path, monkeypatch, capsys):
    """Run the command in this process: ``run("--prompt", "x")`` gives code, standard output, standard error."""

    def command(*arguments, which=model, stdin=None):
        monkeypatch.chdir(tmp_path)
        if stdin is not None:
            monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        code = console.run_command(shakespeare.main, ["--model", str(which), *map(str, arguments)])
        done = capsys.readouterr()
        assert "Traceback" not in done.err
        return code, done.out, done.err

    return command


def goes_on(run, *arguments, length=30, **options):
    """Run it and return what it printed, without the line end that closes it."""
    code, out, err = run("--length", length, *arguments, **options)
    assert code == 0, err
    assert out.endswith("\n")
    return out[:-1], err


def test_the_prompt_is_kept_as_typed_and_folded_for_the_model(run, text_of):
    typed, err = goes_on(run, "--prompt", "Et tu, Brute?")
    assert typed == "Et tu, Brute?" + text_of("et tu, brute?")
    assert "generating with" in err and "never saw" not in err


def test_a_model_of_both_cases_is_asked_in_both(tmp_path, run):
    both = save(tmp_path / "both.keras", chars=CHARS + "ABE", card={"lower_case": False})
    text, err = goes_on(run, "--prompt", "Abe Be", which=both)
    assert text == "Abe Be" + "".join(kerasgen.load(both).stream("Abe Be", length=30)) and "never saw" not in err


def test_it_is_what_the_generator_gives(run, text_of):
    text, _ = goes_on(run, "--prompt", "Hell is empty.", "--seed", 4, "--temperature", 0.9, "--top-k", 5)
    assert text == "Hell is empty." + text_of("hell is empty.", temperature=0.9, seed=4, top_k=5)


def test_a_trailing_space_is_part_of_the_prompt(run, text_of):
    prompt = "Forsooth this maketh no sense "
    text, _ = goes_on(run, "--prompt", prompt)
    assert text == prompt + text_of(prompt.lower())
    assert text_of(prompt.lower()) != text_of(prompt.lower().rstrip())


def test_a_newline_in_a_prompt_is_a_newline(run, text_of):
    text, err = goes_on(run, "--prompt", "one\nTwo\n")
    assert text == "one\nTwo\n" + text_of("one\ntwo\n")
    assert "never saw" not in err


@pytest.mark.parametrize("arguments", [[], ["--prompt", ""]])
def test_no_prompt_begins_a_poem_of_its_own(run, text_of, arguments):
    text, err = goes_on(run, *arguments, stdin="")
    assert text == text_of("\n\n")
    assert len(err.splitlines()) == 2  # which model answers, and how new it is


def test_a_prompt_from_standard_input(run, text_of):
    text, _ = goes_on(run, "--prompt", "-", stdin="Hell is\nempty ")
    assert text == "Hell is\nempty " + text_of("hell is\nempty ")


def test_a_prompt_without_its_flag(run, text_of):
    assert goes_on(run, "Hell is empty ")[0] == "Hell is empty " + text_of("hell is empty ")
    refused(run("Hell", "is", "empty"), "'Hell' and 'is'", "quotes")


@pytest.fixture
def redirect(monkeypatch):
    """Let standard input come from an open file, as a shell does: ``redirect(file)``."""
    before = os.dup(0)

    def replace(file):
        os.dup2(file.fileno(), 0)
        text = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
        monkeypatch.setattr(sys, "stdin", text)

    yield replace
    os.dup2(before, 0)
    os.close(before)


def test_a_prompt_through_a_pipe_needs_no_flag(run, text_of, redirect):
    end, start = os.pipe()
    os.write(start, b"Hell is\nempty ")
    os.close(start)
    with open(end) as pipe:
        redirect(pipe)
        text, err = goes_on(run)
    assert text == "Hell is\nempty " + text_of("hell is\nempty ") and "standard input" in err


def test_a_prompt_from_a_redirected_file_needs_no_flag(run, text_of, redirect, tmp_path):
    (tmp_path / "start.txt").write_text("Hell is empty ", encoding="utf-8")
    with open(tmp_path / "start.txt") as file:
        redirect(file)
        assert goes_on(run, "--quiet")[0] == "Hell is empty " + text_of("hell is empty ")
        file.seek(0)
        assert goes_on(run, "Oh ")[0] == "Oh " + text_of("oh ")  # a prompt that is given is the prompt


def test_without_a_standard_input_there_is_no_prompt(run, text_of, monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    assert goes_on(run)[0] == text_of("\n\n")


def test_a_prompt_from_a_file(run, text_of, tmp_path):
    (tmp_path / "start.txt").write_text("Hell is empty ", encoding="utf-8")
    text, _ = goes_on(run, "--prompt", "FILE:start.txt")
    assert text == "Hell is empty " + text_of("hell is empty ")


def test_files_that_cannot_be_prompts(run, tmp_path):
    refused(run("--prompt", "FILE:nowhere.txt"), "'nowhere.txt'", "FILE:")
    refused(run("--prompt", "FILE:"), "FILE:")
    refused(run("--prompt", "FILE:."), "FILE:")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\xfa")
    refused(run("--prompt", "FILE:binary"), "'binary'")


UNKNOWN = {"emoji": "🦕", "NUL": "\0", "accent": "é", "tab": "\t", "CJK": "竜"}
ALL = "b".join(["a", *UNKNOWN.values(), ""])  # they stand between letters that are known


def test_unknown_characters_are_replaced_with_one_warning(run, text_of):
    text, err = goes_on(run, "--prompt", ALL)
    (warning,) = [line for line in err.splitlines() if "never saw" in line]
    assert all(f"without {UNKNOWN[name]!r}" in warning for name in ("emoji", "NUL", "CJK"))
    assert "'é' as 'e'" in warning and r"'\t' as ' '" in warning
    assert text == ALL + text_of("abbbeb bb")


@pytest.mark.parametrize(
    ("typed", "read"),
    [("“Don’t” — she said…", "'don't'  she said..."), ("naïve ﬁsh", "naive fish"), ("e\u0301t TU", "et tu")],
)
def test_typography_is_read_as_what_the_model_knows(run, text_of, typed, read):
    text, err = goes_on(run, "--prompt", typed)
    assert text == typed + text_of(read) and "z" not in err.split("reads it")[1].replace("characters", "")


def test_bytes_that_are_no_text_are_one_line(run):
    refused(run("--prompt", "Oh \udcff"), "--prompt must be UTF-8", r"'Oh \xff'")
    refused(run("Oh \udcff"), "must be UTF-8")


def test_unknown_characters_are_skipped(run, text_of):
    text, err = goes_on(run, "--prompt", ALL, "--on-unknown", "skip")
    assert text == ALL + text_of("a" + "b" * (len(UNKNOWN) + 1))
    (warning,) = [line for line in err.splitlines() if "never saw" in line]
    assert all(f"without {char!r}" in warning for char in UNKNOWN.values())


@pytest.mark.parametrize("name", UNKNOWN)
def test_unknown_characters_are_an_error(run, name):
    refused(run("--prompt", f"a{UNKNOWN[name]}b", "--on-unknown", "error"), repr(UNKNOWN[name]))


def test_a_known_prompt_is_no_error(run, text_of):
    assert goes_on(run, "--prompt", "AB", "--on-unknown", "error")[0] == "AB" + text_of("ab")


def test_a_prompt_of_unknown_characters_only(run, text_of):
    skipped, _ = goes_on(run, "--prompt", "🦕🦖", "--on-unknown", "skip")
    assert skipped == "🦕🦖" + text_of("\n\n")
    many, err = goes_on(run, "--prompt", "".join(map(chr, range(0x4E00, 0x4E00 + 3000))))
    assert len(many) == 3030 and max(map(len, err.splitlines())) < 500


def test_a_letter_whose_lower_case_is_two_characters(run):
    text, _ = goes_on(run, "--prompt", "İ am")
    assert len("İ am".lower()) == 5 and text.startswith("İ am") and len(text) == 4 + 30
    several, _ = goes_on(run, "--prompt", "İ am", "--num-samples", 2)
    assert several.split(BETWEEN)[0] == text


def test_a_prompt_of_100000_characters(run):
    prompt = ("To be, or not to be: " * 5000)[:100_000]
    text, err = goes_on(run, "--prompt", prompt, "--length", 20)
    assert text.startswith(prompt) and len(text) == 100_020
    assert [line for line in err.splitlines() if "never saw" in line]  # the colon
    several, _ = goes_on(run, "--prompt", prompt, "--length", 20, "--num-samples", 2, "--quiet")
    assert several.startswith(text) and len(several) == 2 * 100_020 + len(BETWEEN)


def test_several_samples(run, text_of):
    text, _ = goes_on(run, "--prompt", "Oh ", "--num-samples", 3, "--temperature", 1.5)
    samples = text.split(BETWEEN)
    assert len(samples) == len(set(samples)) == 3
    assert all(sample.startswith("Oh ") and len(sample) == 3 + 30 for sample in samples)
    assert samples[0] == "Oh " + text_of("oh ", temperature=1.5)


def test_quiet_leaves_only_warnings(run):
    assert run("--prompt", "Oh ", "--quiet", "--length", 5)[2] == ""
    assert run("--quiet", "--length", 5)[2] == ""
    _, out, err = run("--prompt", "Oh é", "--quiet", "--length", 5)
    assert len(err.splitlines()) == 1 and "'é'" in err and out.startswith("Oh é")


def test_novelty_without_the_corpus_is_unavailable(run):
    assert "novelty: unavailable" in run("--prompt", "Oh ", "--length", 5)[2]


def test_temperature_zero_is_the_same_for_every_seed(run, text_of):
    text, _ = goes_on(run, "--prompt", "Oh ", "--temperature", 0, "--seed", 2**32 - 1)
    assert text == "Oh " + text_of("oh ", temperature=0)


BAD_FLAGS = [
    ["--temperature", "-1"], ["--temperature", "nan"], ["--length", "0"], ["--length", "many"], ["--lines", "0"],
    ["--num-samples", "0"], ["--top-k", "0"], ["--top-p", "1.5"], ["--seed", "-1"], ["--on-unknown", "ignore"],
    ["--epochs", "0"], ["--seq-len", "0"], ["--stride", "0"], ["--units", "0"], ["--dropout", "1"], ["--patience", "0"],
    ["--target", "all"], ["--holdout", "some"], ["--batch-size", "0"], ["--learning-rate", "0"], ["--clipnorm", "0"],
    ["--scratch-epochs", "0"], ["--next-learning-rate", "nan"], ["--weight-decay", "1"], ["--device", "abacus"],
]  # fmt: skip


@pytest.mark.parametrize("arguments", BAD_FLAGS, ids=" ".join)
def test_bad_values_are_one_line(run, arguments):
    refused(run(*arguments), arguments[0], arguments[1])


def test_an_unknown_flag_names_the_nearest(run):
    refused(run("--promt", "x"), "'--promt'", "'--prompt'")


def test_lines_are_whole_whatever_the_length(run, text_of):
    text, err = goes_on(run, "--prompt", "Oh ", "--lines", 14, length=5)
    assert len([line for line in text.split("\n") if line.strip()]) == 14 and not text.endswith("\n")
    free = text_of("oh ", length=20_000)
    assert ("Oh " + free).startswith(text + "\n") and "only" not in err


def test_lines_of_several_texts(run):
    one, _ = goes_on(run, "--prompt", "Oh ", "--lines", 3, "--seed", 8)
    text, _ = goes_on(run, "--prompt", "Oh ", "--lines", 3, "--num-samples", 3, "--seed", 8, length=2)
    samples = text.split(BETWEEN)
    assert samples[0] == one and len(set(samples)) == 3
    assert [len([line for line in sample.split("\n") if line.strip()]) for sample in samples] == [3, 3, 3]


def test_lines_that_do_not_end_are_not_waited_for_without_limit(run, text_of, monkeypatch):
    monkeypatch.setattr(shakespeare, "LONGEST_LINE", 5)
    text, err = goes_on(run, "--prompt", "Oh ", "--lines", 8)
    assert text == "Oh " + text_of("oh ", length=40)
    assert re.search(
        r"only \d of 8 lines ended within 40 characters \(5 a line\); a higher --length allows more$", err, re.M
    )
    longer, err = goes_on(run, "--prompt", "Oh ", "--lines", 8, length=5000)
    assert longer.startswith(text) and "only" not in err
    assert len([line for line in longer.split("\n") if line.strip()]) == 8


def test_a_missing_model_is_one_line(run):
    refused(run(which="nowhere.keras"), "'nowhere.keras'")


def test_standard_input_that_is_no_text_is_one_line(model, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "kerasgen.shakespeare", "--model", model, "--prompt", "-"],
        input=b"Hell \xff is", cwd=tmp_path, capture_output=True, timeout=100,
        env={"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8:strict", "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    refused((done.returncode, done.stdout.decode(), done.stderr.decode()), "UTF-8")


def test_rows_of_json_tell_the_prompt_the_text_and_its_seed(run, tmp_path, text_of):
    flags = ("--prompt", "Hell, is\nempty", "--num-samples", 3, "--length", 30, "--seed", 7)
    code, out, err = run(*flags, "--format", "json", "--quiet")
    assert (code, err) == (0, "")
    rows = json.loads(out)
    assert rows[0]["text"] == text_of("hell, is\nempty", seed=7)
    assert [(row["prompt"], row["seed"], row["row"]) for row in rows] == [("Hell, is\nempty", 7, i) for i in range(3)]
    assert all(row["copied_words"] is row["longest_copy"] is None for row in rows)  # the text is not on this machine
    code, out, err = run(*flags, "--output", "poems.csv")
    assert (code, out) == (0, "") and "novelty: unavailable" in err and "wrote poems.csv" in err
    with open(tmp_path / "poems.csv", encoding="utf-8", newline="") as file:
        assert [row["text"] for row in csv.DictReader(file)] == [row["text"] for row in rows]


def test_rows_tell_how_much_is_copied_where_the_text_is_here(run, tmp_path):
    (tmp_path / "song.txt").write_text("hell is empty " * 20)
    data = {"name": "song", "sha256": sha256((tmp_path / "song.txt").read_bytes())}
    song = save(tmp_path / "song.keras", card={"data": data})
    code, out, err = run("Hell", "--data", "song.txt", "--format", "jsonl", "--length", 60, which=song)
    assert code == 0, err
    row = json.loads(out)
    found = copying(row["text"], "hell is empty " * 20)
    assert (row["copied_spans"], row["longest_copy"]) == (pytest.approx(found.share, abs=1e-4), found.longest)
    assert f"the longest span is {row['longest_copy']!r}" in err and found.longest


def test_a_file_gets_what_the_screen_would_have_shown(run, tmp_path):
    flags = ("Hell is", "--num-samples", 2, "--length", 30, "--seed", "random")
    code, out, err = run(*flags, "--output", "new/poems.txt")
    assert (code, out) == (0, "")
    flags = (*flags[:-1], re.search(r"the seed is (\d+)", err)[1])
    assert (tmp_path / "new" / "poems.txt").read_text() == run(*flags)[1]
    refused(run("Hell is", "--output", tmp_path), "--output must name a file")
