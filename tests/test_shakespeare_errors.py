"""The prose command, asked for what it can't do: one line that says so, before long work and not after it."""

import hashlib
import re
import shutil

import pytest

import kerasgen
from kerasgen.base.flags import parse
from kerasgen.metrics.novelty import KnownTexts
from kerasgen.modelfile import store
from kerasgen.models.names import NameRNN
from kerasgen.tasks.settings import ProseSettings
from kerasgen.text.vocab import CharVocab
from tests.support.commands import call, call_in_a_terminal
from tests.support.poems import CHARS, TINY, refused, save, write_text

HEAVY = {"tensorflow", "keras", "numpy", "platformdirs", "requests", "rich"}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save(tmp_path_factory.mktemp("model") / "poet.keras")


@pytest.mark.parametrize("text", ["abcdefghij" * 2, "ab", "To be, or not to be"])
def test_too_little_text(run, tmp_path, text):
    (tmp_path / "little.txt").write_text(text)
    refused(run("--data", "little.txt", "--from-scratch", *TINY), "two windows of 10 characters", "--seq-len")
    assert not (tmp_path / "saved_models").exists()


def test_one_distinct_character(run, tmp_path):
    (tmp_path / "same.txt").write_text("a" * 1000)
    refused(run("--data", "same.txt", "--from-scratch", *TINY), "two different characters", "'a'")


@pytest.mark.parametrize("data", ["nowhere.txt", "empty", ""])
def test_data_that_is_no_file(run, data, tmp_path):
    (tmp_path / "empty").mkdir()
    refused(run("--data", data, "--from-scratch", *TINY), "--data", repr(data))


def test_what_can_be_refused_is_refused_before_the_training(run, tmp_path):
    quick = ("--data", "mini.txt", "--from-scratch", "--epochs", 1, *TINY, "--quiet")
    refused(run(*quick, "--prompt", "a🦕b", "--on-unknown", "error"), "'🦕'")
    assert not (tmp_path / "saved_models").exists()


def test_a_folder_that_cannot_be_written_is_found_out_before_the_training(run, tmp_path):
    (tmp_path / "file").write_text("x")
    code, out, err = run("--data", "mini.txt", "--from-scratch", "--epochs", 1, *TINY, "--save-dir", "file")
    assert code == 1 and "'file'" in err and "--save-dir" in err
    assert "Epoch 1" not in out


def test_a_loss_that_explodes_is_one_line_with_a_flag_that_there_is(run, tmp_path):
    code, out, err = run(
        "--data", "mini.txt", "--from-scratch", "--epochs", 3, *TINY, "--learning-rate", 3e38, "--weight-decay", 0.9,
        "--schedule", "constant", "--quiet",
    )  # fmt: skip
    assert (code, out) == (1, "") and len(err.splitlines()) == 1 and "--learning-rate" in err
    known = {"--" + name.replace("_", "-") for name in ProseSettings.__dataclass_fields__}
    assert set(re.findall(r"--[a-z-]+", err)) <= known
    assert not list(tmp_path.glob("saved_models/*.keras"))


def test_epochs_of_a_model_that_is_named_are_not_silently_left_out(run, model):
    """`--epochs N` goes on from the model that would answer; with --model that is the named one."""
    code, _, err = run("--data", "mini.txt", "--model", model, "--epochs", 1, *TINY, "--length", 5)
    assert code == 2 or "fine-tuning" in err


def test_from_scratch_and_sample_only_contradict_each_other(run, tmp_path):
    code, _, err = run("--data", "mini.txt", "--sample-only", "--from-scratch", "--epochs", 1, *TINY, "--length", 5)
    assert not list(tmp_path.glob("saved_models/my-*")), "--sample-only trains nothing"


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    path = tmp_path_factory.mktemp("names") / "names.keras"
    store.save(path, NameRNN(len(CHARS), units=4), CharVocab(CHARS), {"kind": "names", "stop": "\n"}, KnownTexts())
    return path


def test_a_model_of_names_writes_no_prose(run, names):
    refused(run("--model", names, "--prompt", "oh"), str(names), "names")


def test_a_model_of_names_in_the_place_of_one_s_own_does_not_answer(run, names, tmp_path):
    (tmp_path / "saved_models").mkdir()
    shutil.copy(names, tmp_path / "saved_models" / "my-mini.keras")
    refused(run("--data", "mini.txt", "--prompt", "oh"), "my-mini.keras", "names")


def test_a_model_of_names_in_the_place_of_one_s_own_is_not_gone_on_from(run, names, tmp_path):
    """What `dino --data mini.txt` saves has the same name as what `shakespeare --data mini.txt` goes on from."""
    (tmp_path / "saved_models").mkdir()
    shutil.copy(names, tmp_path / "saved_models" / "my-mini.keras")
    code, _, err = run("--data", "mini.txt", "--epochs", 1, *TINY, "--length", 5)
    assert code == 2 or "a new model, since saved_models/my-mini.keras is no model of prose" in err


def test_a_model_of_prose_invents_no_names(model, tmp_path):
    done = call(tmp_path, "dino", "--model", model, code=2)
    refused((2, done.stdout, done.stderr), str(model), "prose")


def test_the_end_of_input_instead_of_a_poem_is_no_traceback(tmp_path):
    shown, code = call_in_a_terminal(tmp_path, "shakespeare", typed=[b"\x04"])
    assert "Write the beginning of your poem" in shown and "Traceback" not in shown and code == 0


def test_help_teaches_and_imports_nothing_slow(command):
    done = command("shakespeare", "--help", env={"PYTHONPROFILEIMPORTTIME": "1"})
    assert done.returncode == 0
    for words in ("usage: python -m kerasgen.shakespeare", '--prompt "Et tu, Brute?"', "--lines", "FILE:", "examples:"):
        assert words in done.stdout
    assert "<class" not in done.stdout and "typing" not in done.stdout
    imported = set(re.findall(r"\| +(\w+)", done.stderr))
    assert "kerasgen" in imported and not imported & HEAVY


def test_bad_values_import_nothing_slow(command):
    for arguments in (["--temperature", "-1"], ["--model", "nowhere.keras"], ["--prompt", "FILE:nowhere.txt"]):
        done = command("shakespeare", *arguments, env={"PYTHONPROFILEIMPORTTIME": "1"})
        assert done.returncode == 2 and done.stdout == ""
        imported = set(re.findall(r"\| +(\w+)", done.stderr))
        assert "kerasgen" in imported and not imported & HEAVY


def test_the_package_lists_the_command(command):
    assert "python -m kerasgen.shakespeare" in command("").stdout


@pytest.mark.parametrize("name", ["shakespeare.toml", "shakespeare_notebook.toml"])
def test_the_configurations_are_known_settings(name):
    settings = parse(ProseSettings, "x", "a\n\nb", f"configs/{name}", [])
    if name == "shakespeare_notebook.toml":
        found = (
            settings.units,
            settings.dropout,
            settings.batch_size,
            settings.target,
            settings.seq_len,
            settings.stride,
        )
        assert found == (128, 0.5, 128, "next", 40, 3)


def test_a_model_from_anybody_cannot_steer_the_terminal(tmp_path):
    save(tmp_path / "strange.keras", chars="\n\x07\x1b\x9b[];ab")
    flags = ("--model", "strange.keras", "--prompt", "a", "--length", 300)
    shown, code = call_in_a_terminal(tmp_path, "shakespeare", *flags, NO_COLOR="1")
    assert code == 0, shown
    assert "\\x1b" in shown and "\\x07" in shown and "\\x9b" in shown
    assert not {"\x07", "\x1b", "\x9b"} & set(shown)


def test_what_a_card_says_is_shown_and_steers_no_terminal(tmp_path):
    write_text(tmp_path / "book.txt")
    sha256 = hashlib.sha256((tmp_path / "book.txt").read_bytes()).hexdigest()
    evil = "\x1b]0;title\x07\nkerasgen: error: forged\u202e\u200b"
    save(tmp_path / "evil.keras", card={"data": {"sha256": sha256, "name": evil}})
    ask = ("--data", "book.txt", "--model", "evil.keras", "--length", 60)
    told = call(tmp_path, "shakespeare", *ask, "--prompt", "Shall I").stderr
    assert r"\x1b]0;title\x07\nkerasgen: error: forged\u202e\u200b" in told
    assert all(line.isprintable() and not line.startswith("kerasgen: error") for line in told.splitlines())
    screen, _ = call_in_a_terminal(tmp_path, "shakespeare", "--model", "evil.keras", typed=[b"\n"])
    assert r"a text like \x1b]0;title" in screen and "\x1b]0" not in screen
    save(tmp_path / "nameless.keras", card={"data": {"sha256": sha256}})
    told = call(tmp_path, "shakespeare", *ask[:2], "--model", "nameless.keras", "--length", 60, "--prompt", "Shall I")
    assert "a text that it does not name" in told.stderr


def test_a_card_sets_nothing_of_a_training(tmp_path):
    write_text(tmp_path / "book.txt")
    save(tmp_path / "evil.keras", card={"config": {"seq_len": 4096, "stride": 1, "target": "next", "case": "keep"}})
    tuned = ("--data", "book.txt", "--model", "evil.keras", "--epochs", 1, "--no-log", "--length", 9, "--prompt", "a")
    call(tmp_path, "shakespeare", *tuned)
    config = kerasgen.load(tmp_path / "saved_models" / "my-book.keras").card["config"]
    assert (config["seq_len"], config["stride"], config["target"]) == (64, None, "every")
