"""``python -m kerasgen.inspect``: what a file holds and whether it is intact, without TensorFlow."""

import json
import re
import subprocess
import sys

import pytest

from kerasgen import inspect
from kerasgen.base import console
from kerasgen.modelfile import store
from tests.conftest import ROOT
from tests.support import hostile

SHIPPED = ROOT / "saved_models" / "dino.keras"


@pytest.fixture
def run(capsys):
    """Run the command in this process: code, standard output, standard error."""

    def command(*arguments):
        code = console.run_command(inspect.main, list(map(str, arguments)))
        return code, *capsys.readouterr()

    return command


def rows(out):
    """Turn the lines of a story into a dictionary."""
    return dict(re.split(r"  +", line, maxsplit=1) for line in out.splitlines())


def test_it_tells_what_a_file_holds(run):
    code, out, err = run(SHIPPED)
    told = rows(out)
    assert (code, err) == (0, "")
    assert told["file"] == f"{SHIPPED}, {SHIPPED.stat().st_size:,} bytes"
    assert told["intact"].startswith("yes")
    assert told["kind"] == "names" and told["parameters"] == "7,643"
    assert told["written by"].startswith(f"kerasgen {store.read(SHIPPED).card['kerasgen']} in format 2 (keras 3.")
    assert told["vocabulary"] == r"27 characters: '\nabcdefghijklmnopqrstuvwxyz'"
    assert "dinos" in told["learned from"] and "1,536 names" in told["learned from"]
    assert "1,524 known by their hashes" in told["learned from"]
    assert re.match(r"held out, 152 names: 2\.\d{4} bits/char; counting n-grams: 2\.", told["score"])
    assert "units 64" in told["model"] and "learning_rate 0.015" in told["settings"]
    assert told["optimizer"] == "SGD, 48,000 steps"
    assert "model.weights.h5 47,580 bytes" in told["members"]


def test_ours_is_found_from_any_folder(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, _ = run("saved_models/shakespeare.keras")
    assert code == 0 and rows(out)["kind"] == "prose" and rows(out)["optimizer"] == "none"


def test_without_a_file_it_lists_those_that_travel_with_kerasgen(run, tmp_path, monkeypatch):
    code, out, err = run()
    listed = [line.split() for line in out.splitlines()]
    assert (code, err) == (0, "")
    assert [(line[0].rsplit("/")[-1], line[1]) for line in listed] == [
        ("dino.keras", "names"),
        ("shakespeare.keras", "prose"),
    ]
    assert "held out" in out and "7,643" in out


def test_a_user_s_own_models_are_not_listed_as_ours(run, tmp_path, monkeypatch):
    for name in ("dino", "my-towns"):
        (tmp_path / f"{name}.keras").write_bytes(hostile.NAMES.read_bytes())
    monkeypatch.setattr(inspect, "bundled", lambda relative: tmp_path)
    code, out, _ = run()
    assert code == 0 and "dino.keras" in out and "my-towns" not in out


def test_for_programs_it_tells_everything_as_json(run):
    code, out, _ = run("--json", SHIPPED)
    told = json.loads(out)
    assert code == 0 and told["intact"] is True
    assert told["vocab"] == ["\n", *"abcdefghijklmnopqrstuvwxyz"]
    assert (told["kind"], told["parameters"], told["known"]) == ("names", 7643, 1524)
    assert told["members"]["model.weights.h5"] == 47_580
    assert told["card"]["scores"]["part"] == "held out"
    assert set(told["checksums"]) == {"config.json", "model.weights.h5", "model.safetensors", "content"}
    code, out, _ = run("--json")
    assert [entry["kind"] for entry in json.loads(out)] == ["names", "prose"]


def test_infinity_is_json_that_every_program_reads(run, tmp_path):
    path = tmp_path / "model.keras"
    path.write_bytes(hostile.card(config={"clipvalue": float("inf")}))
    code, out, _ = run("--json", path)
    assert code == 0 and json.loads(out, parse_constant=pytest.fail)["card"]["config"]["clipvalue"] == "Infinity"


def test_it_upgrades_files_where_they_are(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b c"):
        (tmp_path / f"{name}.keras").write_bytes(hostile.OLD_NAMES.read_bytes())
    code, out, err = run("a.keras")
    assert code == 0 and "in format 1" in rows(out)["written by"]
    assert err == (
        "kerasgen: a.keras is of format 1, which loads slower; to upgrade it: python -m kerasgen.inspect --upgrade "
        "a.keras\n"
    )
    code, out, err = run("--upgrade", "a.keras", "b c.keras")
    assert (code, out, err) == (0, "a.keras: now of format 2\nb c.keras: now of format 2\n", "")
    assert run("--upgrade", "a.keras") == (0, "a.keras: already of format 2\n", "")
    code, out, err = run("a.keras")
    assert (code, err) == (0, "") and "in format 2" in rows(out)["written by"]


def test_what_a_file_says_at_length_is_cropped(run, tmp_path):
    path = tmp_path / "model.keras"
    path.write_bytes(hostile.card(config={f"x{n}": "ab " * 3000 for n in range(100)}))
    code, out, _ = run(path)
    assert (
        code == 0 and re.search(r"[.]{3} \(90\d,\d{3} characters\)\n", out) and max(map(len, out.splitlines())) < 1100
    )


@pytest.mark.parametrize("json_too", [[], ["--json"]], ids=["plain", "json"])
@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: hostile.NAMES.read_bytes()[:-100], "damaged"),
        (lambda: hostile.NAMES.read_bytes().replace(b'"units": 8', b'"units": 9'), "damaged"),
        (lambda: hostile.setting(units=10**9), "units=1000000000"),
        (lambda: hostile.tensors(lambda arrays: arrays[hostile.KERNEL].fill(float("nan"))), "no finite numbers"),
        (None, "there is no"),
    ],
    ids=["cut off", "damaged", "forged", "broken weights", "missing"],
)
def test_what_is_not_intact_ends_in_one_line(run, tmp_path, make, words, json_too):
    path = tmp_path / "bad.keras"
    if make:
        path.write_bytes(make())
    code, out, err = run(path, *json_too)
    assert code == 2 and len(err.splitlines()) == 1 and err.startswith("kerasgen: error:")
    assert words in err and "bad.keras" in err
    if json_too:
        told = json.loads(out)
        assert told["intact"] is False and words in told["error"] and told["file"] == str(path)
    else:
        assert out == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--jsom"], "'--jsom'; did you mean '--json'?"),
        (["a.keras", "b.keras"], "'b.keras'"),
        (["--json=yes"], "--json"),
        (["--upgrade"], "--upgrade must have the files"),
        (["--upgrade", "--json", "a.keras"], "no --json"),
        (["--upgrade", "nowhere.keras"], "there is no 'nowhere.keras'"),
        ([""], "'.' is no .keras file"),
        (["nowhere\0.keras"], "nowhere"),
        (["https://127.0.0.1:1/model.keras"], "there is no"),
    ],
)
def test_wrong_use_is_one_line(run, arguments, words):
    code, out, err = run(*arguments)
    assert (code, out) == (2, "") and len(err.splitlines()) == 1 and words in err


def test_nothing_on_a_card_steers_the_terminal(run, tmp_path):
    path = tmp_path / "model.keras"
    evil = "\x1b]52;c;ZXZpbA==\x07\u202e\r\n"
    path.write_bytes(
        hostile.card(kerasgen=evil, config={evil: evil}, versions={evil: evil}, data={"name": evil, "x" + evil: 3})
    )
    code, shown, _ = run(path)
    assert code == 0 and "\\x1b" in shown and "\\u202e" in shown
    assert all(char.isprintable() or char == "\n" for char in shown)


def test_the_command_needs_no_tensorflow(command):
    code = (
        "import sys; from kerasgen import inspect; inspect.main(['--json', sys.argv[1]]);"
        "print({'tensorflow', 'keras', 'rich', 'requests'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code, SHIPPED], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "set()", done.stderr
    done = command("inspect", "saved_models/dino.keras")
    assert (done.returncode, done.stderr) == (0, "") and rows(done.stdout)["kind"] == "names"


def test_help_says_what_it_does_and_gives_examples(command):
    done = command("inspect", "--help")
    assert (done.returncode, done.stderr) == (0, "")
    for words in ("usage: python -m kerasgen.inspect", "--json", "examples:", "intact"):
        assert words in done.stdout
    assert "python -m kerasgen.inspect" in command("").stdout
