"""The page's JavaScript against Python: the same uniform numbers, the same distributions, the same texts."""

import dataclasses
import math
from hashlib import sha256

import numpy as np
import pytest

import kerasgen
from kerasgen.base.errors import BadInputError
from kerasgen.metrics.novelty import KnownTexts
from kerasgen.modelfile import store
from kerasgen.models.backend import tf
from kerasgen.models.names import NameRNN
from kerasgen.models.prose import stacked_lstm
from kerasgen.page.plan import plan
from kerasgen.text.casing import Casing
from kerasgen.text.folding import Folding
from kerasgen.text.vocab import CharVocab
from tests.conftest import ROOT
from tests.support.engine import Engine, knobs_of

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

KNOBS = [
    dict(temperature=1.0),
    dict(temperature=0.5),
    dict(temperature=1.4, top_k=5),
    dict(temperature=1.0, top_p=0.8),
    dict(temperature=0.8, top_k=8, top_p=0.9),
    dict(temperature=0.0),
]


@pytest.fixture(scope="module")
def dino():
    path = ROOT / "saved_models" / "dino.keras"
    return Engine(path), kerasgen.load(path)


@pytest.fixture(scope="module")
def poet():
    path = ROOT / "saved_models" / "shakespeare.keras"
    return Engine(path), kerasgen.load(path)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Make an engine and a generator of a small model that learned nothing."""

    def make(kind, text, **card):
        path, vocab = tmp_path_factory.mktemp("small") / "small.keras", CharVocab.from_text(text)
        dtype = card.pop("dtype", "float32")
        if kind == "names":
            model, card = NameRNN(len(vocab), 7, seed=1, dtype=dtype), {"stop": "\n", **card}
        else:
            model, card = stacked_lstm(len(vocab), 9, seed=1, dtype=dtype), {"start": "\n", **card}
        store.save(path, model, vocab, {"kind": kind, "config": {}, **card}, KnownTexts())
        return Engine(path), kerasgen.load(path)

    return make


def assert_same(engine, ours, theirs, given, **drawn):
    """Hold two texts together: they may part only where the number drawn with is close to a boundary."""
    if ours != theirs:
        place = next(i for i, (a, b) in enumerate(zip(f"{ours}\0", f"{theirs}\0", strict=False)) if a != b)
        assert engine.is_close(given + ours[:place], **drawn), (ours, theirs)


@pytest.mark.parametrize("double", [False, True])
def test_uniform_numbers_are_those_of_tensorflow(dino, double):
    engine, _ = dino

    @tf.function(jit_compile=True, autograph=False)  # outside of XLA, other bits of each word are taken
    def numbers(key):
        return tf.random.stateless_uniform((16,), key, alg="philox", dtype=tf.float64 if double else tf.float32)

    for seed, block, position in [(0, 0, 0), (1, 0, 17), (2**32 - 1, 3, 399), (123456789, 1, 70_000)]:
        key = tf.constant(np.array([(seed << 32) + block, position], np.uint64).astype(np.int64))
        found = [engine.call("uniform", seed, 1024 * block + row, position, double) for row in range(16)]
        assert found == numbers(key).numpy().tolist()


@pytest.mark.parametrize("knobs", KNOBS, ids=str)
def test_prose_is_pythons(poet, knobs):
    engine, generator = poet
    for seed, prompt in [(0, "Et tu, Brute?"), (4294967295, "shall i compare"), (7, "\n\n")]:
        expected = "".join(generator.stream(prompt, length=200, seed=seed, **knobs))
        found = engine.continued(prompt, 200, seed, **knobs)
        assert_same(engine, expected, found, prompt.lower(), row=0, seed=seed, **knobs)


@pytest.mark.parametrize("knobs", KNOBS, ids=str)
def test_names_are_pythons(dino, knobs):
    engine, generator = dino
    for seed, prefix, count in [(0, "", 1200 if knobs == KNOBS[0] else 30), (3, "Tri", 20)]:
        expected = generator.generate(count, prefix=prefix, min_length=1, seed=seed, **knobs)
        found = engine.names(count, seed, prefix, **knobs)
        assert len(found) == count and all(name[:1].isupper() for name in found)
        for row, (ours, theirs) in enumerate(zip(expected, found, strict=True)):
            assert_same(engine, ours, theirs.lower(), "", row=row, seed=seed, **knobs)


def test_names_that_end_as_they_shall_are_pythons(dino):
    engine, generator = dino
    expected = generator.generate(30, ends_with="us", prefix="b", min_length=1, seed=5)
    assert [name.lower() for name in engine.names(30, 5, "b", "us")] == expected


def test_without_a_prompt_prose_goes_on_as_the_command_does(poet):
    engine, generator = poet
    assert engine.continued("", 100, 1, temperature=0.7) == "".join(generator.stream("\n\n", length=100, seed=1))


def test_a_greedy_name_that_never_ends_as_asked_for_ends_the_search(dino):
    engine, _ = dino
    assert engine.names(3, 0, end="xq", temperature=0.0) == []


def test_every_character_has_its_bits_and_its_likeliest_alternatives(dino):
    engine, generator = dino
    (name,) = engine.call("invented", "tri", "", knobs_of(), 2, 1)
    chars = engine.plan["chars"]
    assert [chars[i] for i in name["ids"]] == [*name["text"].lower(), "\n"]
    np.testing.assert_allclose(sum(name["bits"]), generator.score(name["text"].lower()).nats / math.log(2), rtol=1e-5)
    expected = list(generator.next_probabilities("tri").items())[:8]
    found = engine.call("(probs) => likeliest(Float64Array.from(probs))", engine.call("next", "tri", knobs_of()))
    assert [chars[i] for i in found[::2]] == [char for char, _ in expected]
    np.testing.assert_allclose(found[1::2], [share for _, share in expected], rtol=1e-4)
    for taken, alternatives in zip(name["ids"], name["tops"], strict=True):
        assert taken in alternatives[::2] and len(alternatives) == 16


def test_any_vocabulary_in_double_precision(small):
    engine, generator = small("prose", "\n aé漢\U00010380<", dtype="float64")
    expected = "".join(generator.stream("a漢", length=150, temperature=1.0, seed=3))
    found = engine.continued("a漢", 150, 3)
    assert "\U00010380" in found and "<" in found
    assert_same(engine, expected, found, "a漢", row=0, seed=3)


TYPED = [
    "Et tu, Brute?", "“Ça va…”", "naïve ﬁancée – ½", "ÀÉÎ õ ø ß", "it's \"so\" ('x')", "e\u0301te\u0301", "ΑΣ",
    "漢", "a\tb\u00a0c", "wait...", "\u2028 -- --",
]  # fmt: skip


@pytest.mark.parametrize("vocab", ["\n abcdefghijklmnopqrstuvwxyz,.'", "\n aceitunIEAO“”…’—", "\nabc«»\u00a0Σσς"])
@pytest.mark.parametrize("learned", ["lower", "kept"])
@pytest.mark.parametrize("kind", ["dino", "poet"])
def test_what_people_type_is_read_as_in_python(request, kind, learned, vocab):
    engine, generator = request.getfixturevalue(kind)
    vocab = CharVocab.from_text(vocab)
    card = {**engine.contents.card, "case": {"learned": learned, "shown": "same"}}
    its_plan = plan(dataclasses.replace(engine.contents, vocab=vocab, card=card))
    folding = Folding(Casing.of_card(card), generator.folding.on_unknown)
    for typed in TYPED:
        found = engine.call("fold", typed, its_plan)
        try:
            expected = folding.fold(typed, vocab)
        except BadInputError as error:
            assert found["refused"] and repr(found["refused"]) in str(error)
        else:
            assert not found["refused"]
            assert "".join(vocab.chars[i] for i in found["ids"]) == expected
            assert bool(found["changes"]) == bool(folding.changes(typed, vocab))


def test_capitals_are_shown_and_long_names_left_out_as_in_python(small):
    case = {"learned": "lower", "shown": "capitals", "after": " -"}
    engine, generator = small("names", "\nab -éßǆ", case=case)
    engine.call("(most) => { model.plan.defaults.max_length = most; }", 8)
    expected = generator.generate(60, min_length=1, max_length=8, seed=2)
    found = engine.names(60, 2)
    assert found == expected
    assert any("ǅ" in name for name in found) and any("-A" in name or " A" in name for name in found)
    assert max(map(len, found)) == 8


def test_a_name_is_known_by_its_hash(dino):
    engine, generator = dino
    for name in ("aachenosaurus", "kerasaurus"):
        found = engine.call(
            "(hash, known) => isAmong(Uint8Array.from(hash), decoded(known))",
            list(sha256(name.encode()).digest()), engine.plan["known"],
        )  # fmt: skip
        assert found == (name in generator.known)
