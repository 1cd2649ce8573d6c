"""Whose model answers, what is fine-tuned, and what is kept: through the real commands."""

import re
import shutil

import numpy as np
import pytest

import kerasgen
from kerasgen.modelfile import store
from kerasgen.runs import checkpoints, previous
from tests.conftest import ROOT
from tests.support.commands import call, interrupted
from tests.support.poems import save, write_text

NAMES = (ROOT / "data" / "genera.txt").read_text(encoding="utf-8").splitlines()
QUICK = ("--steps", 120, "--units", 8, "--no-log", "--quiet", "--num-samples", 2)


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """A folder with two lists of one name, of which the first was learned."""
    folder = tmp_path_factory.mktemp("learned")
    for name, part in (("a", NAMES[:300]), ("b", NAMES[300:600])):
        (folder / name).mkdir()
        (folder / name / "towns.txt").write_text("\n".join(part) + "\n", encoding="utf-8")
    call(folder, "dino", "--data", "a/towns.txt", *QUICK)
    return folder


@pytest.fixture
def folder(learned, tmp_path):
    """A copy of that folder, in which anything may be done."""
    shutil.copytree(learned, tmp_path, dirs_exist_ok=True)
    return tmp_path


def sampled(folder, data, **more):
    return call(folder, "dino", "--sample-only", "--data", data, "--num-samples", 2, **more)


def test_a_model_of_the_text_answers_with_one_line(learned):
    done = sampled(learned, "a/towns.txt")
    assert done.stderr == "kerasgen: generating with saved_models/my-towns.keras\n"


def test_another_text_of_the_same_name_is_not_sampled_from(learned):
    done = sampled(learned, "b/towns.txt", code=2)
    assert "'saved_models/my-towns.keras' learned another text of that name, not 'b/towns.txt'" in done.stderr
    assert done.stderr.count("\n") == 1 and not done.stdout


def test_a_text_that_has_changed_since_is_told(learned):
    text = (learned / "a" / "towns.txt").read_text(encoding="utf-8")
    (learned / "a" / "towns.txt").write_text(text + "Springfield\n", encoding="utf-8")
    try:
        done = sampled(learned, "a/towns.txt")
    finally:
        (learned / "a" / "towns.txt").write_text(text, encoding="utf-8")
    assert done.stderr.startswith("kerasgen: a/towns.txt has changed since saved_models/my-towns.keras learned it\n")


def test_the_path_of_a_text_does_not_travel_with_its_model(learned):
    data = store.read(learned / "saved_models" / "my-towns.keras").card["data"]
    assert re.fullmatch("[0-9a-f]{16}", data["source"]) and str(learned) not in str(data)


def test_a_model_that_is_named_may_have_learned_anything_and_says_so(learned):
    done = call(learned, "dino", "--model", "saved_models/my-towns.keras", "--data", "b/towns.txt", "--num-samples", 2)
    assert "saved_models/my-towns.keras learned another text than b/towns.txt" in done.stderr


def test_a_model_of_another_text_is_kept_and_both_scores_are_told(folder):
    before = (folder / "saved_models" / "my-towns.keras").read_bytes()
    done = call(folder, "dino", "--data", "b/towns.txt", *QUICK)
    assert (folder / "saved_models" / "my-towns.previous.keras").read_bytes() == before
    told = r"the model before learned another text and is kept as saved_models/my-towns\.previous\.keras: validation"
    assert re.search(told + r".*; the new one: validation, 30 names: \d", done.stderr)


def test_a_better_model_of_the_same_text_is_kept(folder):
    call(folder, "dino", "--data", "a/towns.txt", *QUICK, "--steps", 1, "--seed", 5)
    assert (folder / "saved_models" / "my-towns.previous.keras").is_file()
    call(folder, "dino", "--data", "a/towns.txt", *QUICK, "--steps", 400)
    assert len(list((folder / "saved_models").glob("*.previous*"))) == 1  # the third is better than the second


def test_names_are_fine_tuned_with_what_belongs_to_their_model(folder):
    model = folder / "saved_models" / "my-towns.keras"
    before = store.read(model).card
    flags = ("--model", "saved_models/my-towns.keras", "--data", "a/towns.txt", "--no-log", "--num-samples", 2)
    done = call(folder, "dino", *flags, "--steps", 50)
    card = store.read(model).card
    assert "learning towns: fine-tuning saved_models/my-towns.keras" in done.stderr
    assert card["config"]["units"] == 8
    assert card["scores"]["nats_per_char"] <= before["scores"]["nats_per_char"]
    for wrong in (("--units", 9), ("--learning-rate", 0.1), ("--init-seed", 1)):
        refused = call(folder, "dino", *flags, "--steps", 50, *wrong, code=2)
        assert wrong[0] in refused.stderr and refused.stderr.count("\n") == 1
    assert call(folder, "dino", *flags, "--steps", 1, "--units", 8)


@pytest.mark.parametrize(
    "flags",
    [
        ("--sample-only", "--epochs", "3"), ("--model", "x.keras", "--units", "3"), ("--sample-only", "--log-dir", "x"),
        ("--next-learning-rate", "0.1"),
    ],
)  # fmt: skip
def test_a_flag_without_an_effect_is_an_error_before_anything_slow(tmp_path, flags):
    done = call(tmp_path, "dino", *flags, code=2)
    assert "has an effect in" in done.stderr and done.stderr.count("\n") == 1


def test_a_text_without_a_model_is_learned_whatever_is_asked_of_it(tmp_path):
    write_text(tmp_path / "mini.txt")
    refused = call(tmp_path, "shakespeare", "--data", "mini.txt", "--sample-only", "--prompt", "Et tu", code=2)
    assert "--sample-only needs a model that has learned --data; there is none of 'mini.txt'" in refused.stderr
    tiny = ("--units", 8, "--batch-size", 4, "--seq-len", 10, "--scratch-epochs", 1, "--no-log", "--length", 9)
    done = call(tmp_path, "shakespeare", "--data", "mini.txt", "--prompt", "Et tu", *tiny)
    assert "learning mini: a new model" in done.stderr and "Et tu" in done.stdout
    assert (tmp_path / "saved_models" / "my-mini.keras").is_file()


def test_the_sonnets_do_not_answer_for_a_known_name_that_is_another_text(tmp_path):
    save(tmp_path / "saved_models" / "my-shakespeare.keras", card={"data": {"name": "shakespeare", "sha256": "1" * 64}})
    done = call(tmp_path, "shakespeare", "--prompt", "Et tu", "--length", 5)
    assert "saved_models/my-shakespeare.keras learned another text than shakespeare" in done.stderr
    assert re.search(r"generating with .*saved_models/shakespeare\.keras\n", done.stderr)


@pytest.fixture(scope="module")
def interrupted_run(tmp_path_factory):
    """A folder with a list whose training was stopped by Ctrl-C; what it printed, and its command's flags."""
    folder = tmp_path_factory.mktemp("interrupted")
    (folder / "towns.txt").write_text("\n".join(NAMES[:300]) + "\n", encoding="utf-8")
    flags = ("--data", "towns.txt", "--units", "8", "--steps", "100000000", "--patience", "1000", "--no-log")
    flags += ("--sample-every", "20000")
    code, _, error = interrupted(folder, "dino", *flags, after="step 40,000")
    assert code == 130
    return folder, error, flags


def test_an_interrupted_training_says_how_to_end_it(interrupted_run):
    folder, error, flags = interrupted_run
    assert re.search(r"resume with: python -m kerasgen\.dino .*; or end it here with --finish\n$", error)
    assert not (folder / "saved_models" / "my-towns.keras").exists()


def test_a_run_that_is_not_finished_is_sampled_from(interrupted_run):
    folder, _, _ = interrupted_run
    (run,) = (folder / "saved_models" / "runs").glob("towns-*")
    by_path = call(folder, "dino", "--model", run, "--num-samples", 3)
    by_name = call(folder, "dino", "--model", run.name, "--num-samples", 3)
    assert by_path.stdout == by_name.stdout and len(re.findall(r" (new|known)$", by_path.stdout, re.M)) == 3
    assert re.search(r"generating with the unfinished .*towns-\w{8} at step [\d,]+\n", by_path.stderr)
    start = call(folder, "dino", "--model", run / "model.keras", "--num-samples", 3)
    assert start.stdout != by_path.stdout  # the weights are those of the checkpoint


def test_a_run_is_finished_with_its_best_weights(interrupted_run):
    folder, _, flags = interrupted_run
    other = call(folder, "dino", *flags, "--seed", 3, "--finish", code=2)
    assert "--finish needs a run of the same settings and text" in other.stderr
    runs = folder / "saved_models" / "runs"
    weights, step = checkpoints.weights(next(runs.glob("towns-*")))
    call(folder, "dino", *flags, "--finish", "--num-samples", 2)
    model = kerasgen.load(folder / "saved_models" / "my-towns.keras")
    assert all(np.array_equal(a, b) for a, b in zip(model.model.get_weights(), weights, strict=True))
    assert model.card["training"]["steps"] == step and model.card["scores"]["part"] == "validation"
    assert not list(runs.glob("towns-*"))
    assert "there is: none" in call(folder, "dino", *flags, "--finish", code=2).stderr


SCORES = {"part": "validation", "characters": 100, "nats_per_char": 2.0, "bits_per_char": 3.0}
SCORES |= {"ngram_nats_per_char": 1.0, "ngram_bits_per_char": 1.4}
DATA = {"name": "x", "sha256": "2" * 64}


@pytest.mark.parametrize(
    ("changed", "kept"),
    [
        ({}, False), ({"nats_per_char": 1.9}, False), ({"nats_per_char": 2.1}, True), ({"characters": 90}, True),
        ({"part": "in sample", "nats_per_char": 0.5}, True),
    ],
)  # fmt: skip
def test_only_a_score_of_the_same_part_that_is_no_worse_takes_a_model_s_place(tmp_path, changed, kept):
    path = save(tmp_path / "my-x.keras", card={"data": DATA, "scores": SCORES})
    told = previous.keep(path, {"data": DATA, "scores": {**SCORES, **changed}})
    assert bool(told) == kept == (tmp_path / "my-x.previous.keras").exists()


def test_what_is_kept_is_never_written_over(tmp_path):
    path = save(tmp_path / "my-x.keras", card={"data": DATA, "scores": SCORES})
    previous.keep(path, {"data": {"sha256": "3" * 64}})
    previous.keep(path, {"data": {"sha256": "3" * 64}})  # the same again, after a crash between the two
    first = (tmp_path / "my-x.previous.keras").read_bytes()
    assert len(list(tmp_path.glob("*previous*"))) == 1
    path.unlink()
    path.write_bytes(b"torn")
    told = previous.keep(path, {"data": DATA, "scores": SCORES})
    assert (tmp_path / "my-x.previous-2.keras").read_bytes() == b"torn" and "my-x.previous-2.keras" in told
    assert (tmp_path / "my-x.previous.keras").read_bytes() == first
    assert previous.keep(tmp_path / "my-y.keras", {}) == ""
