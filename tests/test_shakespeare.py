"""The prose command from end to end on a small text; in a process of its own (seconds) where that matters."""

import os
import re
import shutil

import numpy as np
import pytest

import kerasgen
from kerasgen.modelfile import loader, store
from kerasgen.text import corpora
from tests.conftest import ROOT
from tests.support.commands import call, call_in_a_terminal, in_a_terminal, interrupted, process
from tests.support.poems import TINY, logits_in_plain_keras, refused, save, write_text

VALIDATION = re.compile(r"validation (\d+\.\d{3}) bits/char$", re.M)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with a text of its own."""
    folder = tmp_path_factory.mktemp("home")
    write_text(folder / "mini.txt")
    return folder


@pytest.fixture(scope="module")
def trained(home):
    """The run that the other tests look at."""
    flags = ("--from-scratch", "--scratch-epochs", "3", "--prompt", "Et tu, Brute?", "--length", "50")
    return process(home, "shakespeare", "--data", "mini.txt", *TINY, *flags)


@pytest.fixture(scope="module")
def model(trained, home):
    return home / "saved_models" / "my-mini.keras"


def test_it_trains_shows_scores_and_samples_and_saves(trained, home):
    assert os.listdir(home / "saved_models") == ["my-mini.keras"]
    epochs = trained.stdout.split("Epoch ")[1:]
    assert [epoch[0] for epoch in epochs] == ["1", "2", "3"]
    for epoch in epochs:
        assert VALIDATION.search(epoch.splitlines()[0])
        assert re.findall(r"^--- temperature (.*)$", epoch, re.M) == ["0.2", "0.5", "1.0", "1.2"]
    plan = r"a new model; 4,706 characters, 523 to choose by; 8 units, 3\.0 passes in [\d,]+ steps; Ctrl-C keeps"
    assert re.search(rf"^kerasgen: learning mini: {plan} everything$", trained.stderr, re.M)
    assert re.search(
        r"^kerasgen: validation, 523 characters: \d\.\d{4} bits/char; counting n-grams: \d\.\d{4}; \d+ s; "
        r"saved saved_models/my-mini\.keras$",
        trained.stderr,
        re.M,
    )
    assert "\x1b" not in trained.stdout + trained.stderr and "\r" not in trained.stderr


def test_then_it_answers_the_prompt(trained):
    answer = trained.stdout[trained.stdout.index("Et tu, Brute?") :]
    assert len(answer) == 13 + 50 + 1
    assert re.search(
        r"novelty: \d+\.\d% of its 20-character spans and \d+\.\d% of its words stand in mini", trained.stderr
    )
    assert all(line.startswith("kerasgen: ") for line in trained.stderr.splitlines())


def test_the_card_tells_the_settings_the_data_and_the_scores(trained, model):
    card = store.read(model).card
    assert card["kind"] == "prose" and card["config"]["units"] == 8 and card["config"]["seq_len"] == 10
    assert card["data"]["name"] == "mini" and len(card["data"]["sha256"]) == 64
    assert {"python", "tensorflow", "keras", "numpy"} <= set(card["versions"])
    assert card["config"]["seed"] == 0 and card["training"]["seconds"] > 0 and card["training"]["steps"] > 0
    best = min(map(float, VALIDATION.findall(trained.stdout)))
    assert card["scores"]["part"] == "validation"
    assert f"{card['scores']['bits_per_char']:.3f}" == f"{best:.3f}"
    assert card["scores"]["nats_per_char"] == pytest.approx(card["scores"]["bits_per_char"] * np.log(2))


def test_the_score_in_the_card_is_that_of_the_file(model, home):
    poet = kerasgen.load(model)
    text = (home / "mini.txt").read_text()
    part = text[int(len(text) * 0.9) :]
    score = poet.score(part)
    assert score.chars == poet.card["scores"]["characters"] == len(part)
    assert score.bits_per_char == pytest.approx(poet.card["scores"]["bits_per_char"], abs=1e-5)


@pytest.fixture(scope="module")
def answered(trained, home):
    return call(
        home, "shakespeare", "--data", "mini.txt", "--prompt", "SHALL I, Brute ", "--length", "60", "--seed", "7"
    )


def test_the_users_own_model_answers_and_keeps_the_prompt_as_typed(answered, model, home):
    assert answered.stderr.splitlines()[0] == "kerasgen: generating with saved_models/my-mini.keras"
    poet = kerasgen.load(model)
    assert answered.stdout == "SHALL I, Brute " + "".join(poet.stream("Shall I, Brute ", length=60, seed=7)) + "\n"


@pytest.fixture(scope="module")
def gone_on(trained, home, tmp_path_factory):
    """One more epoch of the same model, in a copy of the folder."""
    folder = tmp_path_factory.mktemp("on") / "home"
    shutil.copytree(home, folder)
    flags = (*TINY[2:], "--epochs", "1", "--length", "5")  # no --units
    return folder, call(folder, "shakespeare", "--data", "mini.txt", *flags)


def test_one_more_epoch_goes_on_from_the_model_and_says_so(gone_on, trained, model):
    folder, done = gone_on
    assert "kerasgen: learning mini: fine-tuning saved_models/my-mini.keras" in done.stderr
    assert re.findall(r"^Epoch (\d+):", done.stdout, re.M) == ["1"]
    before, after = (store.read(path) for path in (model, folder / "saved_models" / "my-mini.keras"))
    assert after.vocab == before.vocab and after.card["config"]["epochs"] == 1
    assert float(VALIDATION.findall(done.stdout)[0]) < float(VALIDATION.findall(trained.stdout)[-1]) + 0.1
    (first, *_, last), (on,) = (
        re.findall(r"^Epoch.* loss (\d\.\d{3})", out, re.M) for out in (trained.stdout, done.stdout)
    )
    assert float(on) < (float(first) + float(last)) / 2  # it goes on where the training ended, not where it began


def test_the_card_tells_the_model_s_own_size_and_not_that_of_the_flags(gone_on):
    folder, _ = gone_on
    contents = store.read(folder / "saved_models" / "my-mini.keras")
    assert loader.keras_model(contents).layers[1].units == 8
    assert contents.card["config"]["units"] == 8


def test_one_more_epoch_goes_on_with_the_optimizer_s_state(gone_on, model):
    folder, _ = gone_on
    before, after = (store.read(path) for path in (model, folder / "saved_models" / "my-mini.keras"))
    old, new = (loader.keras_model(contents, compile=True).optimizer for contents in (before, after))
    steps = before.card["training"]["steps"]
    assert int(old.iterations) == steps and steps % 3 == 0
    assert int(new.iterations) == after.card["training"]["steps"] == steps + steps // 3


def test_where_no_epoch_is_better_the_model_before_stays(run, model, tmp_path):
    (tmp_path / "saved_models").mkdir()
    mine = tmp_path / "saved_models" / "my-mini.keras"
    shutil.copy(model, mine)
    before = store.read(model)
    code, out, err = run("--data", "mini.txt", "--epochs", 1, *TINY[2:], "--next-learning-rate", 0.9, "--length", 5)
    assert code == 0 and "no epoch was better than the model before" in err, err
    after = store.read(mine)
    assert float(VALIDATION.findall(out)[0]) > before.card["scores"]["bits_per_char"]
    assert after.card["scores"]["bits_per_char"] == pytest.approx(before.card["scores"]["bits_per_char"], abs=1e-5)
    for old, new in zip(store.arrays(before)[0], store.arrays(after)[0], strict=True):
        np.testing.assert_array_equal(old, new)


def test_plain_keras_loads_it_and_the_shipped_one_and_gives_the_same_logits(model, tmp_path):
    files = [model, ROOT / "saved_models" / "shakespeare.keras"]
    ids = np.random.RandomState(0).randint(0, 20, (2, 40))
    for file, theirs in zip(files, logits_in_plain_keras(files, ids, tmp_path), strict=True):
        np.testing.assert_allclose(theirs, loader.keras_model(store.read(file))(ids), rtol=0, atol=1e-5)


def test_the_best_epoch_is_what_is_saved_and_training_stops_early(run, tmp_path):
    flags = ("--from-scratch", "--epochs", 40, "--patience", 3, "--learning-rate", 0.03, "--schedule", "constant")
    rng = np.random.RandomState(1)
    (tmp_path / "noise.txt").write_text("".join(rng.choice(list("abcd ef\n"), 900)))
    code, out, err = run("--data", "noise.txt", *TINY, *flags, "--dropout", 0, "--length", 5)
    assert code == 0, err
    scores = list(map(float, VALIDATION.findall(out)))
    best = int(np.argmin(scores))
    assert len(scores) == best + 4 < 40 and scores[-1] > scores[best]
    poet = kerasgen.load(tmp_path / "saved_models" / "my-noise.keras")
    assert poet.card["scores"]["bits_per_char"] == pytest.approx(scores[best], abs=6e-4)
    text = (tmp_path / "noise.txt").read_text()
    again = poet.score(text[int(len(text) * 0.9) :]).bits_per_char
    assert again == pytest.approx(scores[best], abs=6e-4)


def test_bfloat16_trains_alike_each_time_and_says_where_it_does_not(home, tmp_path, monkeypatch):
    flags = ("--data", home / "mini.txt", *TINY, "--from-scratch", "--scratch-epochs", "1", "--dtype", "mixed_bfloat16")
    weights = []
    for number, here in enumerate([True, True, False]):
        monkeypatch.setattr("kerasgen.base.machine.multiplies_bfloat16", lambda here=here: here)
        (tmp_path / str(number)).mkdir()
        done = call(tmp_path / str(number), "shakespeare", *flags)
        assert ("; in float32, as this processor multiplies no bfloat16;" in done.stderr) is not here
        assert all(line.startswith("kerasgen: ") for line in done.stderr.splitlines())  # no warning of a library
        own = kerasgen.load(tmp_path / str(number) / "saved_models" / "my-mini.keras").model
        weights.append(np.concatenate([w.numpy().ravel() for w in own.trainable_variables]))
    np.testing.assert_array_equal(weights[0], weights[1])
    assert 0 < abs(weights[0] - weights[2]).max() < 0.05  # the products' rounding


def test_quiet_prints_the_text_alone(run, tmp_path):
    flags = ("--from-scratch", "--epochs", 1, *TINY, "--quiet", "--prompt", "tu", "--length", 30)
    code, out, err = run("--data", "mini.txt", *flags, "--target", "next", "--stride", 30, "--holdout", "none")
    assert (code, err) == (0, "") and out.startswith("tu") and len(out) == 2 + 30 + 1
    card = store.read(tmp_path / "saved_models" / "my-mini.keras").card
    assert card["scores"]["part"] == "in sample" and card["config"]["target"] == "next"
    again = run("--data", "mini.txt", *flags, "--target", "next", "--stride", 30, "--holdout", "none")
    assert again == (code, out, err)


@pytest.mark.parametrize("holdout", ["test", "both"])
def test_the_other_parts_to_hold_out(run, tmp_path, holdout):
    code, out, err = run("--data", "mini.txt", "--from-scratch", "--epochs", 1, *TINY, "--holdout", holdout)
    assert code == 0, err
    scores = store.read(tmp_path / "saved_models" / "my-mini.keras").card["scores"]
    assert scores["part"] == {"test": "held out", "both": "validation"}[holdout]
    assert bool(VALIDATION.search(out)) == (holdout == "both")


def test_letters_that_the_own_model_never_saw_are_refused_and_cost_nothing(run, model, tmp_path):
    poet, copy = kerasgen.load(model), tmp_path / "saved_models" / "my-mini.keras"
    poet.card["data"]["source"] = corpora.place(str(tmp_path / "mini.txt"))  # as if it had learned the text here
    poet.save(copy)
    before = copy.read_bytes()
    with open(tmp_path / "mini.txt", "a", encoding="utf-8") as file:
        file.write("ж" * 30)
    done = run("--data", "mini.txt", "--epochs", 1, *TINY, "--length", 5)
    refused(done, "'ж', which saved_models/my-mini.keras never saw", "--from-scratch")
    named = ("--model", "saved_models/my-mini.keras")
    refused(run("--data", "mini.txt", "--epochs", 1, *TINY, *named), "'ж', which saved_models/my-mini.keras never saw")
    assert copy.read_bytes() == before
    done = run("--data", "mini.txt", "--epochs", 1, *TINY, "--model", "nowhere.keras")
    refused(done, "there is no 'nowhere.keras'")


def test_an_interrupted_training_leaves_the_old_model(model, home):
    before = model.read_bytes()
    code, _, error = interrupted(
        home, "shakespeare", "--data", "mini.txt", *TINY, "--epochs", "100000", after="Epoch 1"
    )
    assert code == 130
    assert "Traceback" not in error
    assert re.match(r"kerasgen: stopped at step [\d,]+; resume with: python -m kerasgen\.sh", error.splitlines()[-1])
    assert model.read_bytes() == before
    assert len(list(model.parent.glob("runs/mini-*/*.checkpoint"))) in (1, 2)
    shutil.rmtree(model.parent / "runs")


def test_in_a_terminal_it_asks_for_beginnings_until_a_line_is_empty(model, home):
    again = b"\x1b[A"  # the arrow upwards
    keys = [b"Shall Y\x7fI \n", again + b"\n", b"\n"]
    shown, code = in_a_terminal(home, "shakespeare", "--data", "mini.txt", "--length", 40, "--seed", 3, typed=keys)
    assert code == 0, shown
    poet = kerasgen.load(model)
    texts = ["".join(poet.stream("Shall I ", length=40, seed=seed)) for seed in (3, 4)]
    assert "Write the beginning of a text like mini, and kerasgen continues (an empty line ends): " in shown
    assert [shown.count(f"\nShall I {text}\n") for text in texts] == [1, 1] and texts[0] != texts[1]
    assert shown.count("The beginning of a text like mini (an empty line ends): ") == 2
    assert shown.count("generating with") == 1 and shown.count("novelty") == 2
    assert sorted(os.listdir(home)) == ["mini.txt", "saved_models"]


def test_a_beginning_that_the_model_cannot_continue_is_asked_for_again(tmp_path):
    save(tmp_path / "poet.keras", card={"data": {"name": "pastiche"}})
    flags = ("--model", "poet.keras", "--on-unknown", "error", "--length", 9, "--seed", 2**32 - 1)
    shown, code = call_in_a_terminal(
        tmp_path, "shakespeare", *flags, typed=["竜\n".encode(), b"Oh\n", b"ah\n", b"\x04"]
    )
    assert code == 0 and "Write the beginning of your poem" in shown and "'竜'" in shown, shown
    poet = kerasgen.load(tmp_path / "poet.keras")
    for prompt, seed in (("Oh", 2**32 - 1), ("ah", 0)):  # after the highest seed comes the lowest
        assert prompt + "".join(poet.stream(prompt.lower(), length=9, seed=seed)) + "\n" in shown
    assert shown.count("The beginning of the next poem") == 3


def test_in_a_terminal_training_shows_a_bar_with_its_rate(home, tmp_path):
    flags = ("--from-scratch", "--epochs", 2, *TINY, "--length", 20)
    shown, code = call_in_a_terminal(tmp_path, "shakespeare", "--data", home / "mini.txt", *flags)
    assert code == 0 and re.search("[━╸╺]", shown) and "chars/s" in shown and re.search(r"\d:\d\d:\d\d", shown)
    assert "Epoch 2" in shown and "--- temperature 1.2" in shown


def test_the_notebooks_set_up_learns_one_target_a_window_from_everything(run, tmp_path):
    notebook = ("--config", "configs/shakespeare_notebook.toml", "--units", 8, "--batch-size", 8)
    code, out, err = run("--data", "mini.txt", "--from-scratch", "--epochs", 1, "--length", 20, *notebook)
    assert code == 0, err
    config = store.read(tmp_path / "saved_models" / "my-mini.keras").card["config"]
    assert (config["target"], config["seq_len"], config["stride"], config["dropout"]) == ("next", 40, 3, 0.5)
    assert re.search(r"^Epoch 1: loss \d\.\d{3} bits/char$", out, re.M)
    assert re.search(r"in sample, 5,\d{3} characters: \d\.\d{4} bits/char; \d+ s", err) and "n-grams" not in err


def test_a_text_of_ones_own_is_learned_first_and_written_like_then(run, tmp_path):
    flags = ("--data", "mini.txt", *TINY, "--scratch-epochs", 1, "--length", 20)
    code, out, err = run(*flags)
    assert code == 0 and "learning mini: a new model" in err and "Epoch 1:" in out
    code, out, err = run("--data", "mini.txt", "--length", 20)
    assert code == 0 and "generating with saved_models/my-mini.keras" in err and "Epoch" not in out
    refused(run(*flags), "--units has an effect in training a new model only", "or learn anew with --from-scratch")
