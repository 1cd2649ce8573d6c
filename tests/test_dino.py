"""The names command from end to end; in a process of its own (seconds) where a process or a real terminal matters."""

import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

import kerasgen
from tests.conftest import ROOT
from tests.support.commands import call, call_in_a_terminal, environment, in_a_terminal, interrupted, process

QUICK = ("--steps", "300", "--units", "16", "--learning-rate", "0.05", "--no-log")  # logging takes longer than this
SUMMARY = r"^validation, \d+ names: \d\.\d{4} bits/char; counting n-grams: \d\.\d{4}$"
GREEK = ["αλφα", "βητα", "γαμμα", "δελτα", "εψιλον", "ζητα", "θητα", "ιωτα", "καππα", "λαμβδα", "𐎠𐎢𐎼𐎠", "𐎭𐎠𐎼𐎹"]


def without_times(text):
    return re.sub(r"in \d+\.\d s", "in . s", text)


def assert_plain(done):
    for text in (done.stdout, done.stderr):
        assert "\x1b" not in text and "\r" not in text
        assert not re.search("[\u2500-\u259f]", text)


@pytest.fixture(scope="module")
def genera(tmp_path_factory):
    """A folder with a list of names of its own."""
    folder = tmp_path_factory.mktemp("genera")
    (folder / "towns.txt").write_bytes((ROOT / "data" / "genera.txt").read_bytes())
    return folder


@pytest.fixture(scope="module")
def trained(genera):
    """The run that the other tests look at."""
    return process(genera, "dino", "--data", "towns.txt", *QUICK)


def test_it_trains_and_saves_under_the_current_folder(trained, genera):
    assert (genera / "saved_models" / "my-towns.keras").is_file()
    assert os.listdir(genera / "saved_models") == ["my-towns.keras"]
    assert re.search(r"^kerasgen: 300 steps in \d+\.\d s; saved saved_models/my-towns\.keras$", trained.stderr, re.M)


def test_it_shows_names_marks_and_scores(trained):
    begun = r"step 0: loss \d\.\d{3}, validation \d\.\d{3} bits/char\n\n(\S+\n|\n){7}\n"
    assert re.match(begun, trained.stdout) and "Iteration" not in trained.stdout
    assert len(re.findall(r"^\S+ +(new|known)$", trained.stdout, re.M)) == 10
    assert re.search(r"^of 1,000 names, \d+\.\d% are new and \d+\.\d% are different$", trained.stdout, re.M)
    assert re.search(SUMMARY, trained.stdout, re.M)


def test_what_is_not_a_terminal_gets_plain_lines_and_no_log_line_of_tensorflow(trained):
    assert_plain(trained)
    assert all(line.startswith("kerasgen: ") for line in trained.stderr.splitlines())


def test_it_says_before_what_it_will_learn_and_soon_for_how_long(trained):
    plan, estimate, *rest = trained.stderr.splitlines()
    assert re.fullmatch(
        r"kerasgen: learning towns: a new model; [\d,]+ names, [\d,]+ to choose by; 16 units, \d\.\d passes in 300 "
        "steps; Ctrl-C keeps everything",
        plan,
    )
    assert estimate == "kerasgen: a few seconds to go" and rest


def test_the_card_tells_the_settings_and_the_data(trained, genera):
    card = kerasgen.load(genera / "saved_models" / "my-towns.keras").card
    assert card["config"]["units"] == 16 and card["training"]["steps"] == 300
    assert card["data"]["name"] == "towns" and len(card["data"]["sha256"]) == 64
    shown = re.search(SUMMARY, trained.stdout, re.M)[0]
    assert f"{card['scores']['bits_per_char']:.4f} bits/char" in shown


def test_the_same_command_gives_the_same_output_and_the_same_model(trained, genera, tmp_path):
    again = process(tmp_path, "dino", "--data", genera / "towns.txt", *QUICK)
    assert again.stdout == trained.stdout
    assert without_times(again.stderr) == without_times(trained.stderr)


def test_sample_only_uses_the_users_own_model_and_says_so(trained, genera):
    done = call(genera, "dino", "--data", "towns.txt", "--sample-only")
    assert done.stderr == "kerasgen: generating with saved_models/my-towns.keras\n"
    table = [line for line in trained.stdout.splitlines() if re.search(r" (new|known)$", line)]
    assert [line for line in done.stdout.splitlines() if re.search(r" (new|known)$", line)] == table


def test_a_model_by_its_path_generates_what_was_asked_for(trained, genera, tmp_path):
    model = genera / "saved_models" / "my-towns.keras"
    flags = ("--prefix", "TRI", "--num_samples", "5", "--max-length", "9", "--temperature", "0.7", "--seed", "2")
    done = call(tmp_path, "dino", "--model", model, *flags, "--quiet")
    names = done.stdout.splitlines()
    assert len(names) == 5 and all(re.fullmatch(r"Tri[a-z]{0,6}", name) for name in names)
    assert done.stderr == ""
    expected = kerasgen.load(model).generate(5, prefix="tri", max_length=9, temperature=0.7, seed=2, min_length=1)
    assert [name.lower() for name in names] == expected
    assert os.listdir(tmp_path) == []


def test_where_there_are_fewer_names_than_asked_for_all_of_them_come_and_the_exit_code_says_so(tmp_path):
    flags = ("--sample-only", "--max-length", 3, "--temperature", 0.2, "--unique")
    done = call(tmp_path, "dino", "--num-samples", 1000, *flags, code=3)
    names = re.findall(r"^(\S+) +(?:new|known)$", done.stdout, re.M)
    assert len(set(names)) == len(names) > 10
    assert call(tmp_path, "dino", "--num-samples", len(names), *flags, "--quiet").stdout.splitlines() == names
    said = f"the model gives only {len(names)} of the 1,000 texts asked for; raise --temperature or ask for fewer"
    assert done.stderr.splitlines()[1:] == [f"kerasgen: error: {said}"]


RANKED = ("--sample-only", "--num-samples", 30, "--min-length", 0, "--max-length", 6, "--seed", 5, "--rank")


@pytest.fixture(scope="module")
def ranked(tmp_path_factory):
    """The rows of what the shipped model invents, the likeliest names first, and how they came into a file."""
    folder = tmp_path_factory.mktemp("ranked")
    done = call(folder, "dino", *RANKED, "--output", "new/names.json")
    return json.loads((folder / "new" / "names.json").read_text()), done


def test_where_names_go_into_a_file_nothing_else_does(ranked):
    _, done = ranked
    assert done.stdout == "" and "wrote 30 names to new/names.json" in done.stderr
    assert "are new and" in done.stderr and "bits/char" in done.stderr


def test_names_are_ranked_by_the_model_s_own_score(ranked):
    rows, dino = ranked[0], kerasgen.load("saved_models/dino.keras")
    assert rows == sorted(rows, key=lambda row: row["bits_per_char"])
    in_order = sorted(rows, key=lambda row: row["row"])
    names = dino.generate(30, seed=5, min_length=0, max_length=6)
    assert [row["name"].lower() for row in in_order] == names
    for row, name in zip(in_order, names, strict=True):
        bits = dino.score(name).bits_per_char if name else -np.log2(dino.next_probabilities()["\n"])
        assert row["bits_per_char"] == pytest.approx(bits, abs=1e-3)
        assert row["novelty"] == ("known" if name in dino.known else "new") and row["seed"] == 5


def test_every_form_of_the_output_tells_the_same(ranked, tmp_path):
    rows = ranked[0]
    done = call(tmp_path, "dino", *RANKED, "--format", "csv")
    assert "are new and" in done.stderr
    assert list(csv.DictReader(io.StringIO(done.stdout))) == [{k: str(v) for k, v in row.items()} for row in rows]
    call(tmp_path, "dino", *RANKED, "--output", "names.txt")
    lines = (tmp_path / "names.txt").read_text().splitlines()
    assert [line.split() for line in lines] == [
        [*row["name"].split(), row["novelty"], f"{row['bits_per_char']:.3f}"] for row in rows
    ]


def test_a_list_is_never_written_over(tmp_path):
    (tmp_path / "towns.txt").write_text("oslo\nbergen\n")
    done = call(tmp_path, "dino", "--data", "towns.txt", "--output", "./towns.txt", code=2)
    assert "--output must not be the text of --data" in done.stderr and len(done.stderr.splitlines()) == 1


def test_a_training_reports_beside_its_names_and_resumes_with_the_seed_that_was_drawn(genera, tmp_path):
    flags = ("--data", genera / "towns.txt", *QUICK, "--seed", "random", "--format", "json")
    done = call(tmp_path, "dino", *flags)
    assert len(json.loads(done.stdout)) == 10
    assert "saved saved_models/my-towns.keras" in done.stderr and "are new and" in done.stderr
    seed = kerasgen.load(tmp_path / "saved_models" / "my-towns.keras").card["config"]["seed"]
    assert f"kerasgen: the seed is {seed}\n" in done.stderr


def test_dinos_are_the_default(mirror, tmp_path):
    done = call(tmp_path, "dino", *QUICK, "--seed", 2**32 - 1, "--quiet")
    assert (tmp_path / "saved_models" / "my-dinos.keras").is_file()
    assert len(done.stdout.splitlines()) == 10 and done.stderr == ""


@pytest.mark.parametrize("carry", ["--carry-state", "--no-carry-state"])
def test_names_in_another_script_in_batches(carry, tmp_path):
    (tmp_path / "greek.txt").write_text("\r\n".join(GREEK), encoding="utf-8-sig")
    done = call(tmp_path, "dino", "--data", "greek.txt", "--batch-size", "8", carry, *QUICK, "--quiet")
    names = "".join(done.stdout.split()).lower()
    assert names and set(names) <= set("".join(GREEK))
    assert "𐎠𐎢𐎼𐎠" in kerasgen.load(tmp_path / "saved_models" / "my-greek.keras").known


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])  # the notebook's tests train in float64
def test_other_precisions_train(dtype, genera, tmp_path):
    done = call(tmp_path, "dino", "--data", genera / "towns.txt", "--dtype", dtype, *QUICK)
    assert float(re.search(r"names: (\d\.\d{4}) bits/char", done.stdout)[1]) < 4.6
    assert all(line.startswith("kerasgen: ") for line in done.stderr.splitlines())  # no warning of a library


def test_another_backend_in_the_environment_is_handled(trained, genera, tmp_path):
    (tmp_path / "keras.json").write_text(json.dumps({"backend": "torch", "floatx": "float32"}))
    (tmp_path / ".keras").mkdir()
    (tmp_path / ".keras" / "keras.json").write_text(json.dumps({"backend": "torch"}))
    env = {"KERAS_BACKEND": "jax", "KERAS_HOME": str(tmp_path), "HOME": str(tmp_path), "NO_COLOR": "1"}
    env["MPLBACKEND"] = "a_backend_of_another_environment"  # as Jupyter hands its own to what is started in it
    done = process(genera, "dino", "--data", "towns.txt", "--sample-only", "--quiet", **env)
    assert len(done.stdout.splitlines()) == 10 and done.stderr == ""


def test_a_device_that_is_not_there(trained, genera):
    from kerasgen.models.backend import tf

    if tf.config.list_physical_devices("GPU"):
        pytest.skip("this machine has a GPU")
    done = call(genera, "dino", "--data", "towns.txt", "--sample-only", "--device", "gpu", code=2)
    assert done.stdout == ""
    lines = [line for line in done.stderr.splitlines() if "generating with" not in line]
    assert len(lines) == 1
    assert re.match(r"kerasgen: error: --device .*'gpu'.*here there is: cpu$", lines[0])


def test_a_closed_pipe_is_no_traceback(trained, genera):
    command = f"{sys.executable} -m kerasgen.dino --data towns.txt --sample-only --quiet --num-samples 50000"
    done = subprocess.run(
        f"set -o pipefail; {command} | head -1", shell=True, executable="/bin/bash", cwd=genera, env=environment(),
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert len(done.stdout.splitlines()) == 1 and done.stderr == "" and done.returncode == 0


def test_a_training_ends_well_though_nobody_reads_its_report(genera, tmp_path):
    flags = f"--data {genera / 'towns.txt'} --steps 4000 --sample-every 20 --units 8 --no-log"
    done = subprocess.run(
        f"set -o pipefail; {sys.executable} -u -m kerasgen.dino {flags} | head -1", shell=True, executable="/bin/bash",
        cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0 and len(done.stdout.splitlines()) == 1, done.stderr
    assert "the output can't be written" in done.stderr and "saved saved_models/my-towns.keras" in done.stderr
    assert kerasgen.load(tmp_path / "saved_models" / "my-towns.keras").card["training"]["steps"] == 4000


def test_a_list_that_nothing_has_learned_yet_gives_no_dinosaurs(tmp_path):
    done = call(tmp_path, "dino", "--sample-only", "--quiet", "--data", "towns.txt", code=2)
    assert done.stdout == "" and "there is none of 'towns.txt'" in done.stderr and len(done.stderr.splitlines()) == 1


def test_a_terminal_shows_a_bar_and_a_table(genera, tmp_path):
    flags = ("--data", genera / "towns.txt", *QUICK, "--steps", "20000")
    shown, code = in_a_terminal(tmp_path, "dino", *flags)
    assert code == 0, shown
    assert (
        "\x1b[" in shown
        and re.search("[━╸╺]", shown)
        and "/20000" in shown
        and re.search(r"loss \d\.\d\d bits/char, [\d,]+ chars/s", shown)
    )
    assert re.search("[┃│┏┌]", shown)


def test_no_color_is_plain_in_a_terminal_too(genera, tmp_path):
    shown, code = call_in_a_terminal(tmp_path, "dino", "--data", genera / "towns.txt", *QUICK, NO_COLOR="1")
    assert code == 0, shown
    assert "\x1b" not in shown and not re.search("[\u2500-\u259f]", shown)
    assert re.search(r"saved saved_models/my-towns\.keras", shown)


def test_an_interrupted_training_leaves_the_old_model(trained, genera):
    model = genera / "saved_models" / "my-towns.keras"
    before = model.read_bytes()
    code, _, error = interrupted(genera, "dino", "--data", "towns.txt", "--steps", "100000000", after=" bits/char")
    assert code == 130
    assert "Traceback" not in error
    assert re.search(
        r"kerasgen: stopped at step [\d,]+; resume with: python -m kerasgen\.dino --data towns\.txt --steps 100000000",
        error,
    )
    assert model.read_bytes() == before
    (run,) = (model.parent / "runs").iterdir()
    assert {path.suffix for path in run.iterdir()} == {".json", ".checkpoint", ".keras"}
    refused = call(
        genera, "dino", "--data", "towns.txt", "--steps", 100000000, "--units", 9, "--resume", run.name, code=2
    )
    assert "units 64 instead of 9" in refused.stderr and len(refused.stderr.splitlines()) == 1
    shutil.rmtree(run.parent)


@pytest.mark.parametrize(
    ("flags", "pattern"),
    [
        (("--ends-with", "IX", "--contains", "q"), r"[A-Z][a-z]*ix"),
        (("--pattern", "^T....X$", "--unique"), r"T[a-z]{4}x"),
        (("--prefix", "Xy", "--ends-with", "saurus", "--max-length", "12"), r"Xy[a-z]{0,4}saurus"),
    ],
)
def test_names_of_a_kind(flags, pattern, tmp_path):
    shipped = ("--model", ROOT / "saved_models" / "dino.keras", "--quiet", "--num-samples", "20")
    names = call(tmp_path, "dino", *shipped, *flags).stdout.splitlines()
    assert len(names) == 20 and all(re.fullmatch(pattern, name) for name in names)
    assert len(set(names)) == 20 or "--unique" not in flags


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--ends-with", "ж"), "received 'ж'"),
        (("--pattern", "ж.*"), "the model can write no text that matches 'ж.*'; it never saw 'ж'"),
        (("--pattern", "a("), "pattern must be a regular expression"),
        (("--ends-with", "saurus", "--max-length", "5"), "at most 5 characters; the shortest such text has 6"),
        (("--prefix", "x", "--pattern", "t.*"), "begins with 'x' and matches 't.*'"),
    ],
)
def test_a_kind_that_no_name_can_be_of_is_one_line(flags, words, tmp_path):
    done = call(tmp_path, "dino", "--sample-only", "--quiet", *flags, code=2)
    assert words in done.stderr and len(done.stderr.splitlines()) == 1 and done.stdout == ""


def test_where_there_are_fewer_of_a_kind_these_come(tmp_path):
    flags = ("--sample-only", "--quiet", "--pattern", "tyrannosaur[aeiou]?", "--unique")
    done = call(tmp_path, "dino", *flags, code=3)
    names = done.stdout.splitlines()
    assert 0 < len(names) <= 6 and all(re.fullmatch("Tyrannosaur[aeiou]?", name) for name in names)
    assert f"only {len(names)} of the 10" in done.stderr
