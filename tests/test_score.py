"""``python -m kerasgen.score``: what a model thinks of a text, through the command."""

import functools
import json
import math
import re
from unittest import mock

import numpy as np
import pytest

import kerasgen
from kerasgen.generation.reading import Reader
from kerasgen.metrics.novelty import KnownTexts
from kerasgen.modelfile import loader, store
from kerasgen.models.names import NameRNN
from kerasgen.scoring import story
from kerasgen.scoring.features import masks
from kerasgen.text.vocab import CharVocab
from tests.support import poems
from tests.support.commands import call

TEXT = "Shall I compare thee\nto a summer's day?\n"
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with small models: two of prose, one of both cases, two of names."""
    folder = tmp_path_factory.mktemp("models")
    poems.save(folder / "poet.keras")
    poems.save(folder / "other.keras", units=5, scale=0.9)
    poems.save(folder / "both.keras", chars=poems.CHARS + "IST", card={"lower_case": False})
    for name, seed in (("names", 0), ("more", 1)):
        vocab = CharVocab.from_text("\nabcdefghijklmnopqrstuvwxyz")
        card = {"kind": "names", "stop": "\n", "config": {}, "lower_case": True, "data": {"name": name}}
        store.save(folder / f"{name}.keras", NameRNN(len(vocab), 6, seed=seed), vocab, card, KnownTexts.of(["anna"]))
    (folder / "text.txt").write_text(TEXT * 30)
    (folder / "list.txt").write_text("Anna\nbert\n\n  Clara \nbert\n")
    return folder


@pytest.fixture(scope="module", autouse=True)
def one_load():
    """Load each model once, and compile its programs once."""
    load, loaded = loader.load, {}

    def once(source, device="auto"):
        path = str(getattr(source, "path", source))
        name = path.rpartition("/")[2]
        loaded[name] = loaded.get(name) or load(source, device=device)
        return loaded[name]

    with mock.patch.object(loader, "load", once), mock.patch.object(story, "Reader", functools.cache(Reader)):
        yield


def told(folder, *arguments, **more):
    """Run the command with --json; return what it says."""
    return json.loads(call(folder, "score", *arguments, "--json", **more).stdout)


def test_it_is_the_generators_own_score(folder):
    found = told(folder, TEXT, "--model", "poet.keras")
    score = kerasgen.load(folder / "poet.keras").score(TEXT)
    assert found["chars"] == len(TEXT) and found["model"] == "poet.keras"
    assert found["bits_per_char"] == pytest.approx(score.bits_per_char, rel=1e-6)
    assert found["perplexity"] == pytest.approx(2 ** found["bits_per_char"])
    assert found["bits"] == pytest.approx(found["bits_per_char"] * len(TEXT))


def test_the_most_surprising_places_are_where_the_nats_are_highest(folder):
    found = told(folder, "text.txt", "--model", "poet.keras", "--places", "7")
    nats = kerasgen.load(folder / "poet.keras").score(TEXT * 30).each
    assert len(found["places"]) == 7
    np.testing.assert_allclose([p["bits"] for p in found["places"]], np.sort(nats)[::-1][:7] / math.log(2), rtol=1e-5)
    lines = (TEXT * 30).split("\n")
    for place in found["places"]:
        assert (lines[place["line"] - 1] + "\n")[place["column"] - 1] == place["char"]
        assert place["probability"] == pytest.approx(2 ** -place["bits"])
        assert place["before"] + place["char"] + place["after"] in TEXT * 30


def test_what_was_expected_is_what_may_follow(folder):
    (place,) = told(folder, "Hell is empty", "--model", "poet.keras", "--places", "1")["places"]
    expected = kerasgen.load(folder / "poet.keras").next_probabilities("Hell is empty"[: place["column"] - 1])
    assert [char for char, _ in place["expected"]] == [*expected][:5]
    np.testing.assert_allclose([p for _, p in place["expected"]], [*expected.values()][:5], rtol=1e-5)


def test_lines_for_people(folder):
    done = call(folder, "score", TEXT, "--model", "poet.keras", "--places", "3")
    head, *rest = done.stdout.splitlines()
    assert re.fullmatch(r"40 characters: \d+\.\d{4} bits/char, perplexity [\d.]+, [\d.]+ bits in all", head)
    assert len(rest) == 4 and all(re.match(r"[12]:\d+ +[\d.]+ +.*\[.{1,2}\].* '", line) for line in rest[1:])
    assert done.stderr == "kerasgen: scoring with poet.keras\n"
    assert call(folder, "score", TEXT, "--model", "poet.keras", "--quiet").stderr == ""


@pytest.mark.parametrize("given", [["text.txt"], ["FILE:text.txt"], ["-"], []])
def test_a_file_or_standard_input_is_read(folder, given):
    stdin = "" if "text" in "".join(given) else TEXT * 30
    with mock.patch("kerasgen.base.prompts.piped", lambda: True):
        found = told(folder, *given, "--model", "poet.keras", stdin=stdin)
    assert found["chars"] == len(TEXT) * 30


def test_a_word_is_no_folder(folder):
    (folder / "texts").mkdir()
    (folder / "texts" / "one.txt").write_text(TEXT)
    counts = [told(folder, given, "--model", "poet.keras")["chars"] for given in ("texts", "./texts", "FILE:texts")]
    assert counts == [5, len(TEXT), len(TEXT)]


def test_long_texts_in_pieces_are_the_same(folder):
    whole = told(folder, "text.txt", "--model", "poet.keras", "--find", "th")
    with mock.patch.object(Reader, "stretch", 512):
        pieces = told(folder, "text.txt", "--model", "poet.keras", "--find", "th")
    assert pieces["bits"] == pytest.approx(whole["bits"], rel=1e-9)
    assert [p["column"] for p in pieces["places"]] == [p["column"] for p in whole["places"]]
    correlations = [[u["correlation"] for u in one["find"][0]["units"]] for one in (pieces, whole)]
    np.testing.assert_allclose(*correlations, atol=1e-6)


def test_each_name_has_a_score_and_they_are_sorted(folder):
    found = told(folder, "list.txt", "--model", "names.keras")
    generator = kerasgen.load(folder / "names.keras")
    assert {row["name"] for row in found["names"]} == {"Anna", "bert", "Clara"}
    for row in found["names"]:
        assert row["bits_per_char"] == pytest.approx(generator.score(row["name"]).bits_per_char, rel=1e-6)
        assert row["chars"] == len(row["name"]) + 1 and row["novelty"] == ("known" if row["name"] == "Anna" else "new")
    bits = [row["bits_per_char"] for row in found["names"]]
    assert bits == sorted(bits) and found["chars"] == 16
    assert found["bits"] == pytest.approx(sum(row["bits"] for row in found["names"]))
    lines = call(folder, "score", "list.txt", "--model", "names.keras").stdout.splitlines()
    assert [line.split()[0] for line in lines[:3]] == [row["name"] for row in found["names"]]
    assert lines[4].startswith("3 names, 16 characters, ends included: ")


def test_a_model_of_prose_reads_a_list_as_one_text(folder):
    assert told(folder, "list.txt", "--model", "poet.keras")["chars"] == len("Anna\nbert\n\n  Clara \nbert\n")


def test_unknown_characters_follow_the_rule_of_prompts(folder):
    done = call(folder, "score", "né ж", "--model", "poet.keras", "--json")
    assert json.loads(done.stdout)["chars"] == 3 and "'é' as 'e'" in done.stderr
    refused = call(folder, "score", "né ж", "--model", "poet.keras", "--on-unknown", "error", code=2)
    assert "received 'é'" in refused.stderr and "--on-unknown skip" in refused.stderr
    assert "received 'ж'" in call(folder, "score", "annaж", "--model", "names.keras", code=2).stderr
    assert told(folder, "annaж", "--model", "names.keras", "--on_unknown", "skip")["chars"] == 5


def test_capitals_are_shown_as_they_were_given(folder):
    (place,) = told(folder, "ZZ", "--model", "poet.keras", "--places", "1")["places"]
    assert place["char"] == "Z" and set(place["before"] + place["after"]) == {"Z"}


def test_two_models_are_compared(folder):
    found = told(folder, "text.txt", "--compare", "poet.keras", "other.keras")
    scores = [kerasgen.load(folder / name).score(TEXT * 30) for name in ("poet.keras", "other.keras")]
    bits = [score.nats / math.log(2) for score in scores]
    assert [model["bits"] for model in found["models"]] == pytest.approx(bits)
    assert found["by_bits"] == pytest.approx(abs(bits[0] - bits[1]))
    assert found["likelier"] == ("poet.keras" if bits[0] < bits[1] else "other.keras")
    for side, parts in enumerate(found["differ"]):
        gaps = [part["bits"][1 - side] - part["bits"][side] for part in parts]
        assert gaps == sorted(gaps, reverse=True) and min(gaps) > 0 and len(gaps) == 10
    first, second = (np.cumsum([0.0, *score.each]) / math.log(2) for score in scores)
    words = [(m.start(), m.end()) for m in re.finditer(r"\S+\s*", TEXT * 30)]
    gaps = [(second[e] - second[s]) - (first[e] - first[s]) for s, e in words]
    best = found["differ"][0][0]["bits"]
    assert best[1] - best[0] == pytest.approx(max(gaps))
    lines = call(folder, "score", "text.txt", "--compare", "poet.keras", "other.keras").stdout
    assert f"likelier by {found['likelier']}: " in lines and "where other.keras is the less surprised" in lines


def test_names_are_compared_by_the_name(folder):
    found = told(folder, "list.txt", "--compare", "names.keras", "more.keras")
    assert {part["text"] for part in found["names"]} == {"Anna", "bert", "Clara"}
    assert sum(part["bits"][0] for part in found["names"]) == pytest.approx(found["models"][0]["bits"])


def test_models_that_read_other_characters_are_given_the_same(folder):
    found = told(folder, "Sé Té It", "--compare", "poet.keras", "both.keras")
    assert [model["chars"] for model in found["models"]] == [8, 8]
    done = call(folder, "score", "Is It", "--compare", "poet.keras", "both.keras")
    assert "in lower case, and has less to predict" in done.stderr


@pytest.fixture(scope="module")
def outputs(folder):
    """What all units give out after each character of a text, by single steps."""
    generator = kerasgen.load(folder / "poet.keras")
    state, found = generator.char_model.initial_state(1), []
    for i in generator.vocab.encode("\n" + (TEXT * 4).lower()):
        _, state = generator.char_model.step(np.array([i], np.int32), state)
        found.append(np.concatenate([layer.numpy()[0] for layer in generator.char_model.hidden(state)]))
    return np.array(found[1:], np.float64)


@pytest.mark.parametrize(("wanted", "true"), [("line ends", "\n"), ("vowels", "aeiou"), ("[st]", "stST")])
def test_units_that_correlate_are_those_of_numpy(folder, outputs, wanted, true):
    found = told(folder, TEXT * 4, "--model", "poet.keras", "--find", wanted)["find"][0]
    mask = np.array([char in true for char in (TEXT * 4).lower()])
    expected = np.array([np.corrcoef(values, mask)[0, 1] for values in outputs.T])
    order = np.argsort(-np.abs(expected), kind="stable")[:5]
    assert found["characters"] == mask.sum()
    assert [one["unit"] for one in found["units"]] == [f"{unit // 8 + 1}:{unit % 8 + 1}" for unit in order]
    np.testing.assert_allclose([one["correlation"] for one in found["units"]], expected[order], atol=1e-5)


def test_units_of_names_are_found_too(folder):
    found = told(folder, "list.txt", "--model", "names.keras", "--find", "vowels")["find"][0]
    assert found["characters"] == 5 and all(one["unit"].startswith("1:") for one in found["units"])


@pytest.mark.parametrize(
    ("wanted", "text", "true"),
    [
        ("quotes", 'a "bc" d', "..####.."),
        ("quotes", "a “bc d” e", "..######.."),
        ("vowels", "Öde Nyx", "#.#...."),
        ("^.", "ab\ncd", "#..#."),
        ("THE", "other", ".###."),
    ],
)
def test_what_is_looked_for(wanted, text, true):
    assert "".join(".#"[hit] for hit in masks(wanted, [text])[0].tolist()) == true


def test_temperature_reshapes_what_may_follow(folder):
    found = told(folder, "Hell is", "--model", "poet.keras", "--temperatures", "0,0.5,1")["temperatures"]
    probs = kerasgen.load(folder / "poet.keras").next_probabilities("Hell is")
    cold, half, one = found
    assert [one["temperature"] for one in found] == [0, 0.5, 1] and cold["next"][0] == [next(iter(probs)), 1]
    np.testing.assert_allclose([p for _, p in one["next"]], [*probs.values()][:8], rtol=1e-9)
    squares = np.array([*probs.values()]) ** 2
    np.testing.assert_allclose([p for _, p in half["next"]], (squares / squares.sum())[:8], rtol=1e-9)
    assert sum(p for _, p in half["next"]) + half["others"] == pytest.approx(1)
    lines = call(folder, "score", "Hell is", "--model", "poet.keras", "--temperatures", "0,1").stdout
    assert re.search(r"""^["'].*["'] +█{16} +100 % """, lines, re.M) and "by temperature" in lines


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["", "--model", "poet.keras"], "at least one character; received ''"),
        (["missing.txt", "--model", "poet.keras"], "there is no 'missing.txt'"),
        (["FILE:gone", "--model", "poet.keras"], "FILE must name a file"),
        (["a b", "--model", "none.keras"], "there is no 'none.keras'"),
        (["ж", "--model", "poet.keras"], "at least one character that the model knows"),
        (["a b", "--modle", "x"], "--modle x; did you mean '--model'?"),
        (["a", "b"], "received 'a' and 'b'; put quotes around"),
        (["a b", "--places", "0"], "--places: must be a whole number from 1"),
        (["a b", "--find", "("], "--find: must be a regular expression; received '('"),
        (["a b", "--model", "poet.keras", "--find", "q"], "is true of none"),
        (["a b", "--model", "poet.keras", "--find", "."], "is true of every one"),
        (["a b", "--unit", "1:2"], "add --html"),
        (["a b", "--unit", "0:2", "--html", "x.html"], "LAYER:UNIT, both from 1"),
        (["a b", "--model", "poet.keras", "--unit", "3:1", "--html", "x.html"], "has 1:1 to 1:8 and 2:1 to 2:8"),
        (["a b", "--temperatures", "0.5,hot"], "one to six numbers from 0 to 100"),
        (["list.txt", "--model", "names.keras", "--temperatures", "1"], "goes on from one name; received 3"),
        (["a b", "--compare", "poet.keras", "names.keras"], "are of two"),
        (["a b", "--compare", "poet.keras", "other.keras", "--html", "x.html"], "--compare takes its two models"),
        (["a b", "--column", "x", "--model", "poet.keras"], "--column needs a file"),
        (["text.txt", "--html", "text.txt"], "ends in .html"),
        (["a b", "--html", "nowhere/../text.txt/x.html"], "--html"),
    ],
)
def test_wrong_use_is_one_line(folder, arguments, said):
    done = call(folder, "score", *arguments, code=None)
    assert done.returncode in (1, 2) and not done.stdout
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("kerasgen: error:")]
    assert said in line
    assert sorted(path.name for path in folder.iterdir() if path.suffix == ".html") == []


def test_without_a_text_it_says_what_it_needs(folder):
    with mock.patch("kerasgen.base.prompts.piped", lambda: False):
        assert "the text itself, a file, or -" in call(folder, "score", code=2).stderr


def test_a_text_that_is_too_long_for_memory_is_read_from_its_file(folder, tmp_path):
    whole = told(folder, "text.txt", "--model", "poet.keras")
    with mock.patch("kerasgen.text.sources.LARGE", 100):
        found = told(folder, "text.txt", "--model", "poet.keras", KERASGEN_CACHE=str(tmp_path))
        refused = call(folder, "score", "text.txt", "--find", "th", "--model", "poet.keras", code=2)
    assert "at most 16 MiB" in refused.stderr
    low = [{**place, "char": place["char"].lower()} for place in whole["places"]]
    assert [(p["line"], p["column"], p["char"], p["expected"]) for p in found["places"]] == [
        (p["line"], p["column"], p["char"], p["expected"]) for p in low
    ]
    assert found["bits"] == whole["bits"]
    (folder / "strange.txt").write_text(TEXT + "ж" * 100)
    with mock.patch("kerasgen.text.sources.LARGE", 100):
        refused = call(folder, "score", "strange.txt", "--model", "poet.keras", code=2, KERASGEN_CACHE=str(tmp_path))
    assert "must have no character that is to be left out; received 'ж'" in refused.stderr
