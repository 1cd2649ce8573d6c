"""Capitals and strange characters from end to end: tiny models of lists and texts of one's own, asked many things."""

import copy
import re
import shutil

import pytest

import kerasgen
from kerasgen.modelfile import store
from tests.support.commands import call
from tests.support.poems import TINY, write_text

QUICK = ("--epochs", "60", "--units", "16", "--learning-rate", "0.05", "--batch-size", "1", "--holdout", "none")
TOWNS = ["New York", "Saint-Denis", "Springfield", "New Haven", "San Jose", "Orle\u0301ans", "York"]
THINGS = ["iPhone", "McFly", "USB-C", "iPod", "MacBook", "Don’t", "usb hub", "eBay"]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home")
    (folder / "things.txt").write_text("\n".join(THINGS), encoding="utf-8")
    (folder / "towns.txt").write_text("\n".join(TOWNS), encoding="utf-8")
    write_text(folder / "mini.txt")
    return folder


@pytest.fixture(scope="module")
def towns(home):
    """A model of a list whose words all begin with a capital, with what the training printed."""
    done = call(home, "dino", "--data", "towns.txt", *QUICK, "--no-log")
    return kerasgen.load(home / "saved_models" / "my-towns.keras"), done


@pytest.fixture(scope="module")
def things(home):
    """A model of a list whose capitals mean something."""
    call(home, "dino", "--data", "things.txt", *QUICK, "--no-log", "--quiet")
    return kerasgen.load(home / "saved_models" / "my-things.keras")


def words(name):
    return [word for word in re.split("[ -]", name) if word]


def test_a_list_of_capitalised_words_is_learned_in_lower_case_and_shown_as_it_was_written(towns):
    model, done = towns
    assert model.card["case"] == {"learned": "lower", "shown": "capitals", "after": " -"}
    assert not any(char.isupper() for char in model.vocab.chars) and "é" in model.vocab  # composed
    shown = re.findall(r"^(.*?) +(?:new|known)$", done.stdout, re.M)
    assert len(shown) == 10 and any(len(words(name)) > 1 for name in shown)
    reported = done.stdout.split("\n\n")[1].split("\n")
    for name in (*shown, *reported, *model.generate(50, seed=3, temperature=1.5)):
        assert all(word == word.capitalize() for word in words(name)), name


def test_prefixes_scores_and_what_is_known_follow_the_card(towns, home):
    model, _ = towns
    done = [
        call(home, "dino", "--data", "towns.txt", "--sample-only", "--quiet", "--prefix", prefix)
        for prefix in ("New y", "nEW Y", "new y")
    ]
    assert done[0].stdout == done[1].stdout == done[2].stdout and done[0].stderr == ""
    assert all(line.startswith("New Y") for line in done[0].stdout.splitlines())
    assert done[0].stdout.splitlines() == model.generate(10, prefix="NEW Y", max_length=50, min_length=1)
    assert "New York" in model.known and "new york" in model.known and "New Yorke" not in model.known
    assert model.score("New York").nats == model.score("new york").nats
    assert model.next_probabilities("New ") == model.next_probabilities("new ")
    assert "New " + "".join(model.stream("New ", seed=5)) == model.generate(1, prefix="new ", seed=5)[0]
    assert all(name not in model.known for name in model.generate(5, novel_only=True, unique=True))


def test_a_card_that_shows_capitals_is_shown_so_by_python_and_the_command_alike(towns, home, tmp_path):
    model, _ = towns
    done = call(home, "dino", "--data", "towns.txt", "--sample-only", "--seed", 4)
    for line, name in zip(done.stdout.splitlines(), model.generate(10, seed=4, min_length=1), strict=False):
        assert line.split("  ")[0] == name and line.endswith("known" if name in model.known else "new")
    model.save(tmp_path / "again.keras")
    again = kerasgen.load(tmp_path / "again.keras")
    assert again.card["case"] == model.card["case"] and again.generate(20, seed=1) == model.generate(20, seed=1)


def test_capitals_that_mean_something_are_learned(things, home):
    assert things.card["case"] == {"learned": "kept", "shown": "same"} and things.card["lower_case"] is False
    assert {"P", "M", "U", "u"} <= set(things.vocab.chars)
    done = call(home, "dino", "--data", "things.txt", "--sample-only", "--quiet", "--num-samples", 200)
    assert set(done.stdout.splitlines()) & {"iPhone", "McFly", "USB-C", "iPod", "MacBook", "eBay"}
    assert "iPhone" in things.known and "iphone" not in things.known and "IPhone" not in things.known
    asked = call(home, "dino", "--data", "things.txt", "--sample-only", "--quiet", "--prefix", "iP")
    assert all(line.startswith("iP") for line in asked.stdout.splitlines()) and asked.stderr == ""


@pytest.mark.parametrize(
    ("prefix", "read", "told"),
    [
        ("Don't", "Don’t", "\"'\" as '’'"),
        ("CB", "CB", ""),
        ("oP", "oP", ""),
        ("Éb", "eb", "'É' as 'e'"),
        ("x", None, "'x'"),
    ],
)
def test_a_prefix_in_other_signs(things, home, prefix, read, told):
    flags = ("--data", "things.txt", "--sample-only", "--quiet", "--num-samples", 3, "--prefix", prefix)
    done = call(home, "dino", *flags, code=0 if read else 2)
    assert told in done.stderr and len(done.stderr.splitlines()) == bool(told)
    assert all(line.startswith(read) for line in done.stdout.splitlines())
    if read is None:
        assert done.stdout == "" and "leave it out" in done.stderr
        with pytest.raises(ValueError, match="received 'x'"):
            things.generate(prefix="x")


def test_what_case_is_asked_for_is_what_is_learned(home):
    found = {}
    for case in ("lower", "keep"):
        folder = home / case
        call(home, "dino", "--data", "towns.txt", "--case", case, "--steps", 1, "--units", 4, "--no-log", "--quiet",
             "--save-dir", folder)  # fmt: skip
        found[case] = store.read(folder / "my-towns.keras")
    assert found["lower"].card["case"] == {"learned": "lower", "shown": "same"}
    assert found["keep"].card["case"] == {"learned": "kept", "shown": "same"} and "Y" in found["keep"].vocab
    done = call(home, "dino", "--model", home / "lower" / "my-towns.keras", "--quiet", "--num-samples", 50)
    assert done.stdout == done.stdout.lower()


def test_a_list_in_lower_case_comes_out_in_lower_case(tmp_path):
    towns = kerasgen.train_names([town.lower() for town in TOWNS], units=4, steps=1)
    assert towns.card["case"] == {"learned": "lower", "shown": "same"}
    assert all(name == name.lower() for name in towns.generate(50)) and "NEW YORK" in towns.known


def test_the_bundled_list_is_learned_and_shown_as_ever(tmp_path):
    dino = kerasgen.train_names("data/genera.txt", units=4, steps=1)
    assert dino.card["case"] == {"learned": "lower", "shown": "notebook"}
    names = dino.generate(5)
    dino.save(tmp_path / "dino.keras")
    done = call(tmp_path, "dino", "--model", "dino.keras", "--quiet", "--num-samples", 5)
    assert all(name == name.lower() for name in names)
    expected = dino.generate(5, min_length=1)
    assert done.stdout.splitlines() == [name[:1].upper() + name[1:] for name in expected]


@pytest.fixture(scope="module")
def poet(home):
    """A model of a text with capitals."""
    flags = ("--from-scratch", "--epochs", "2", "--length", "40")
    call(home, "shakespeare", "--data", "mini.txt", *TINY, *flags, "--quiet")
    return kerasgen.load(home / "saved_models" / "my-mini.keras")


def test_a_text_of_one_s_own_keeps_its_capitals(poet):
    assert poet.card["case"] == {"learned": "kept", "shown": "same"} and {"S", "s", "B"} <= set(poet.vocab.chars)
    assert poet.fold("Brute shall") == "Brute shall"
    with pytest.warns(UserWarning, match="'H' as 'h'"):
        assert poet.fold("Hell") == "hell"


def test_a_model_that_kept_the_case_keeps_it_when_it_is_fine_tuned(poet, home, tmp_path):
    shutil.copytree(home, tmp_path / "home")
    flags = ("--data", "mini.txt", "--epochs", "1", "--length", "5", *TINY[2:], "--quiet")
    refused = call(tmp_path / "home", "shakespeare", *flags, "--case", "lower", code=2)
    assert "--case must be that of the model that is fine-tuned" in refused.stderr
    call(tmp_path / "home", "shakespeare", *flags)
    tuned = store.read(tmp_path / "home" / "saved_models" / "my-mini.keras")
    assert tuned.card["case"] == poet.card["case"] and tuned.vocab == poet.vocab and tuned.card["lower_case"] is False


def test_the_sonnets_model_is_not_fine_tuned_on_a_text_with_capitals(home, tmp_path):
    flags = ("--data", home / "mini.txt", "--epochs", "1", "--length", "5", *TINY)
    done = call(tmp_path, "shakespeare", *flags)
    assert re.search(r"a new model, since \S*shakespeare\.keras learned in lower case", done.stderr)


def test_a_card_that_kerasgen_never_writes_is_refused(towns, tmp_path):
    model = copy.copy(towns[0])
    model.card = {**model.card}
    model.card["case"] = {"learned": "upper"}
    with pytest.raises(RuntimeError, match="a card of a form that kerasgen never writes"):
        model.save(tmp_path / "odd.keras")
