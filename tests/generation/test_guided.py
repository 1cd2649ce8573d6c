"""Texts of a rare kind: against all texts of a toy model, and against plain rejection with the shipped one."""

import itertools
import re
from collections import Counter

import numpy as np
import pytest

import kerasgen
from kerasgen.base.errors import BadInputError, TooFewWarning
from kerasgen.generation import lookahead, rows
from kerasgen.generation.automaton import Automaton
from kerasgen.generation.constraints import automaton
from kerasgen.generation.lookahead import Proxy, count, look_ahead
from kerasgen.generation.sampling import Sampling
from kerasgen.text.vocab import CharVocab
from tests.conftest import ROOT
from tests.generation.toys import LETTERS, generator, remembering

FEW = 4  # characters of the toy's texts: few enough to go through all of them


@pytest.fixture(autouse=True)
def always_looking_ahead(monkeypatch):
    """Make every constraint one that is so rare that looking ahead pays."""
    monkeypatch.setattr(rows, "_RARE", 2.0)


@pytest.fixture(scope="module")
def toy():
    return remembering(start="\n", stop="\n")


@pytest.fixture(scope="module")
def dino():
    return kerasgen.load(ROOT / "saved_models" / "dino.keras")


def every_text(model, temperature=1.0, top_k=None):
    """Return all texts of up to `FEW` characters with their probabilities, by plain NumPy."""
    found = {}

    def grow(text, last, seen, probability):
        logits, seen = model.oracle(last, seen)
        probs = np.exp((logits - logits.max()) / temperature)
        if top_k:
            probs[np.argsort(-probs)[top_k:]] = 0
        probs = probability * probs / probs.sum()
        found[text] = probs[0]
        if len(text) < FEW:
            for char in range(1, len(LETTERS)):
                grow(text + LETTERS.chars[char], char, seen.copy(), probs[char])

    grow("", 0, np.zeros(len(LETTERS)), 1.0)
    return found


def distance(some, others):
    """Return the total variation distance of two distributions, as dictionaries of sums or counts."""
    one, two = sum(some.values()), sum(others.values())
    return sum(abs(some.get(key, 0) / one - others.get(key, 0) / two) for key in {*some, *others}) / 2


@pytest.mark.parametrize(
    ("asked", "draws"),
    [
        ({"ends_with": "ab"}, {}),
        ({"contains": "c", "pattern": "[a-d]*"}, {"temperature": 0.7}),
        ({"pattern": "[ab].*"}, {"temperature": 0.5, "top_k": 4}),
        ({"min_length": 3, "contains": "hh"}, {}),
    ],
    ids=str,
)
def test_texts_follow_the_models_own_distribution_given_the_constraint(toy, asked, draws):
    texts = toy.generate(20_000, max_length=FEW, **asked, **draws)
    everything = every_text(toy.char_model, **draws)

    def wanted(text):
        pattern = asked.get("pattern", ".*")
        words = text.endswith(asked.get("ends_with", "")) and asked.get("contains", "") in text
        return words and re.fullmatch(pattern, text) and len(text) >= asked.get("min_length", 0)

    expected = {text: probability for text, probability in everything.items() if wanted(text) and probability > 0}
    assert set(texts) <= set(expected)
    noise = 0.4 * sum(np.sqrt(p / sum(expected.values()) / len(texts)) for p in expected.values())
    assert noise < 0.06
    assert distance(Counter(texts), expected) < noise + 0.025  # of which most may be cut


def test_of_very_many_characters_single_ones_are_counted(toy, monkeypatch):
    for name in ("_TRIGRAMS", "_PAIRS"):
        monkeypatch.setattr(lookahead, name, 0)
    test_texts_follow_the_models_own_distribution_given_the_constraint(toy, {"ends_with": "ab"}, {})


def test_the_first_letters_are_those_of_plain_rejection(dino, monkeypatch):
    asked = dict(prefix="t", ends_with="saurus", max_length=20)
    ahead = dino.generate(20_000, **asked)
    monkeypatch.setattr(rows, "_RARE", 0.0)
    plain, again = dino.generate(20_000, **asked), dino.generate(20_000, seed=1, **asked)
    letters = [Counter(name[:3] for name in names) for names in (ahead, plain, again)]
    assert distance(letters[1], letters[2]) < 0.05  # the noise
    assert distance(letters[0], letters[1]) < 0.05
    lengths = [np.mean([len(name) for name in names]) for names in (ahead, plain)]
    assert abs(lengths[0] - lengths[1]) < 0.1


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ({"ends_with": "saurus"}, "[a-z]*saurus"),
        ({"ends_with": "IX", "contains": "Q", "prefix": "Q"}, "q[a-z]*ix"),
        ({"pattern": "T....X"}, "t....x"),
        ({"pattern": "(..)*", "max_length": 5, "min_length": 1}, "..|...."),
        ({"min_length": 30, "max_length": 31}, ".{30,31}"),
        ({"contains": "kerasgen"}, ".*kerasgen.*"),
        ({"ends_with": "q", "temperature": 0.3}, ".*q"),
        ({"ends_with": "ix", "top_p": 0.9}, ".*ix"),
        ({"ends_with": "ix", "temperature": 0}, ".*ix"),
    ],
    ids=str,
)
def test_every_name_is_as_asked_and_ends_by_itself(dino, asked, wanted):
    names = dino.generate(20, **asked)
    assert len(names) == 20 and all(re.fullmatch(wanted, name) for name in names)
    assert dino.generate(20, **asked) == names and dino.generate(3, **asked) == names[:3]
    assert len(set(names)) == 1 if asked.get("temperature") == 0 else len(set(names)) > 3


def test_texts_longer_than_a_piece_of_the_loop(dino):
    (name,) = dino.generate(1, ends_with="zz", min_length=128, max_length=130)
    assert re.fullmatch("[a-z]{126,128}zz", name)


def test_unique_and_new_ones(dino):
    plain = dino.generate(400, ends_with="ix")
    assert dino.generate(50, ends_with="ix", unique=True) == list(dict.fromkeys(plain))[:50]
    new = dino.generate(50, ends_with="ix", unique=True, novel_only=True)
    assert new == [name for name in dict.fromkeys(plain) if name not in dino.known][:50]


def test_where_there_are_fewer_these_come_and_a_warning(toy):
    with pytest.warns(TooFewWarning, match="only 9 of the 20"):
        texts = toy.generate(20, pattern="a.", unique=True, max_length=2)
    assert sorted(texts) == ["a" + char for char in sorted(LETTERS.chars[1:])]
    with pytest.warns(TooFewWarning, match="none of the"):
        assert generator(stop=".").generate(2, top_k=1, ends_with="b") == []  # which only draws a


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"ends_with": "ж"}, "received 'ж'"), ({"contains": "a\nb"}, "must not hold the character that ends one"),
        ({"pattern": "é+"}, "never saw 'é'"), ({"ends_with": "saurus", "max_length": 4}, "at most 4 characters"),
        ({"prefix": "x", "pattern": "t.*"}, "begins with 'x' and matches 't.*'"), ({"pattern": "("}, "missing )"),
    ],
    ids=str,
)  # fmt: skip
def test_what_can_not_be_is_one_line(dino, asked, words):
    with pytest.raises(BadInputError) as raised:
        dino.generate(1, **asked)
    assert words in str(raised.value) and "\n" not in str(raised.value)


def test_texts_that_are_cut_take_no_constraint(dino):
    with pytest.raises(BadInputError, match="ends_with needs texts that end by themselves"):
        dino.generate(1, ends_with="x", uniforms=np.full((1, 50), 0.5))
    with pytest.raises(BadInputError, match="pattern needs texts that end by themselves"):
        remembering().generate(1, pattern="x")


def brute_force(made, probs, ends, stop, length, state, last_two, fewest, most):
    """Return the value of a text by going through all that may come."""
    before, last = last_two
    end = min(probs[before, last, stop] * (ends[length] if length < len(ends) else 1), 0.98)
    value = end * (made.accepts[state] and length >= fewest)
    if length < most:
        rest = (1 - end) / max(1 - probs[before, last, stop], 0.02)
        for char in set(range(probs.shape[-1])) - {stop}:
            after = made.following[state, char]
            ahead = brute_force(made, probs, ends, stop, length + 1, after, (last, char + 1), fewest, most)
            value += rest * probs[before, last, char] * ahead
    return value


@pytest.mark.parametrize("two", [True, False])
def test_values_are_sums_over_all_that_may_come(two):
    vocab, random = CharVocab(".ab"), np.random.RandomState(0)
    probs = random.dirichlet(np.ones(3), size=(4, 4))
    if not two:
        probs[:] = probs[0]
    made = automaton(Sampling(pattern="(ab|a)*b", ends_with="b"), vocab, ".")
    proxy = Proxy(probs if two else None, probs[:1], np.array([0.5, 1.5, 1.0]), 0)
    table = look_ahead(made, proxy, 0, position=1, fewest=2, most=5)
    assert table.first == 1 and table.values.shape[0] == 5
    for row, state, last in itertools.product(range(5), range(len(made.accepts)), range(4)):
        length = 1 + row
        expected = np.array([float(made.accepts[state] and length >= 2)] + [
            0.0 if length == 5 else brute_force(
                made, probs, proxy.ends, 0, length + 1, made.following[state, char], (last, char + 1), 2, 5
            )
            for char in (1, 2)
        ])  # fmt: skip
        got = table.values[row, state, last if two else 0]
        np.testing.assert_allclose(got, expected / max(expected.max(), 1e-300), rtol=1e-5)


def test_the_proxy_counts_what_was_seen():
    seen = [
        (np.array([-1, -1]), np.array([-1, -1]), np.array([[0.0, 0.75, 0.25]] * 2)),
        (np.array([-1, -1]), np.array([1, 2]), np.array([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]])),
    ]
    proxy = count(iter(seen * 1000), 3, 0, 4)
    np.testing.assert_allclose(proxy.after_two[0, 0], [0, 0.75, 0.25], atol=0.01)
    np.testing.assert_allclose(proxy.after_two[0, 2], [0.5, 0.5, 0], atol=0.01)
    np.testing.assert_allclose(proxy.after_one[0, 3], [1, 0, 0], atol=0.01)
    np.testing.assert_allclose(proxy.after_two.sum(axis=-1), 1)
    np.testing.assert_allclose(proxy.ends[1::2], 1, atol=0.02)
    assert proxy.first == 4


def test_a_great_many_characters_are_looked_at_one_by_one():
    size = 400
    probs = np.full((5, size), 1 / size)
    proxy = count(iter([(np.full(5, -1), np.full(5, -1), probs)]), size, 0, 0)
    assert proxy.after_two is None and proxy.after_one.shape == (1, size + 1, size)
    table = look_ahead(Automaton.of_everything(size), proxy, 0, position=0, fewest=0, most=100_000)
    assert table.values.shape == (256, 1, 1, size) and table.first == 100_000 + 1 - 256
    with pytest.raises(BadInputError, match="the constraints need 100,000 states"):
        following = np.zeros((100_000, size), np.int32)
        look_ahead(Automaton(following, np.ones(100_000, bool)), proxy, 0, position=0, fewest=0, most=50)
