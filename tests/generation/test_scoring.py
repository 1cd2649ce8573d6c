"""Scores and next characters: against plain NumPy, and against the Keras models themselves."""

import math
import warnings

import numpy as np
import pytest

from kerasgen.base.errors import BadInputError
from kerasgen.generation.generator import Generator
from kerasgen.metrics.score import Score
from kerasgen.models.backend import tf
from kerasgen.models.names import NameRNN
from kerasgen.models.prose import ProseLSTM, stacked_lstm
from kerasgen.text.casing import Casing
from kerasgen.text.folding import Folding
from kerasgen.text.vocab import CharVocab
from tests.generation.toys import LETTERS, Fixed, generator, remembering


def nats(model, text, before):
    """Score a text by the definition, from a zero state."""
    seen, last, found = np.zeros(len(LETTERS)), before, []
    for char in LETTERS.encode(text):
        logits, seen = model.oracle(last, seen)
        found.append(math.log(np.exp(logits - logits.max()).sum()) - (logits[char] - logits.max()))
        last = char
    return found


@pytest.mark.parametrize("length", [1, 31, 32, 33, 512, 513, 1500])
def test_a_stream_is_read_after_the_start_with_the_state_carried(length):
    text = "".join(np.random.RandomState(length).choice([*LETTERS.chars], length))
    score = remembering(start="\n").score(text)
    np.testing.assert_allclose(score.each, nats(remembering().char_model, text, 0), atol=1e-9)
    assert score.each.dtype == np.float64 and score.chars == length
    assert score.nats == pytest.approx(math.fsum(score.each), abs=1e-9)


def test_items_are_read_from_their_own_beginnings_and_their_ends_count():
    g, model = remembering(stop="\n"), remembering().char_model
    items = ["abc", "h", "bad egg", "deaf " * 60]
    each = [nats(model, item + "\n", -1) for item in items]
    for score, expected in zip(g.score(items), each, strict=True):
        np.testing.assert_allclose(score.each, expected, atol=1e-9)
    together = g.score("\n" + "\n\n".join(items) + "\n")
    np.testing.assert_allclose(together.each, np.concatenate(each), atol=1e-9)
    assert Score.total(g.score(items)).nats == pytest.approx(together.nats, abs=1e-9)


def test_many_texts_score_as_they_do_alone():
    g, rng = remembering(start="\n"), np.random.RandomState(1)
    texts = ["".join(rng.choice([*LETTERS.chars], rng.randint(1, 700))) for _ in range(70)]
    for text, score in list(zip(texts, g.score(texts), strict=True))[::10]:
        np.testing.assert_allclose(score.each, g.score(text).each, atol=1e-9)


@pytest.mark.parametrize("stop", [None, "\n"])
@pytest.mark.parametrize("text", ["", [""], ["abc", ""]])
def test_an_empty_text_is_an_error(stop, text):
    with pytest.raises(BadInputError, match="at least one character; received ''"):
        remembering(stop=stop).score(text)
    with pytest.raises(BadInputError, match="at least one character"):
        remembering(stop="\n").score("\n\n")


def test_no_texts_score_to_an_empty_list():
    assert remembering().score([]) == []
    assert math.isnan(Score.total([]).nats_per_char) and Score.total([]).chars == 0


@pytest.mark.parametrize("offset", [0.0, 1e4, -1e4])
def test_a_blind_model_pays_the_logarithm_of_the_vocabulary_however_large_its_logits(offset):
    class Blind(Fixed):
        def logits(self, ids, state):
            return tf.fill((*ids.shape, 5), np.float32(offset)), state

    score = generator(model=Blind).score("abcd")
    assert score.bits_per_char == pytest.approx(math.log2(5), rel=1e-12)


def softmax_nats(logits, ids):
    logits = np.asarray(logits, np.float64)
    return np.log(np.exp(logits).sum(axis=-1)) - np.take_along_axis(logits, np.array(ids)[..., None], -1)[..., 0]


def test_the_names_model_scores_as_it_does_in_keras():
    model, ids = NameRNN(len(LETTERS), 6, seed=1), LETTERS.encode("bad egg")
    expected = softmax_nats(model(np.array([[-1, *ids]]))[0], [*ids, 0])
    g = Generator(model, LETTERS, stop="\n")
    np.testing.assert_allclose(g.score("bad egg").each, expected, atol=1e-5)
    assert g.model is model


def test_the_prose_model_scores_as_it_does_in_keras():
    keras_model, ids = stacked_lstm(len(LETTERS), 6, seed=1), LETTERS.encode("a bad egg\n" * 60)
    expected = softmax_nats(keras_model(np.array([[0, *ids[:-1]]]), training=False)[0], ids)
    g = Generator(ProseLSTM(keras_model), LETTERS, start="\n")
    np.testing.assert_allclose(g.score("a bad egg\n" * 60).each, expected, atol=1e-5)
    assert g.model is keras_model


def test_next_probabilities_are_the_models_own_likeliest_first():
    g = generator(stop=".")
    found = g.next_probabilities("ab")
    probs = np.exp(g.char_model.values) / np.exp(g.char_model.values).sum()
    assert found == pytest.approx(dict(zip(".abcd", probs.tolist(), strict=True)), abs=1e-12)
    assert list(found) == ["a", "b", "d", ".", "c"] and math.fsum(found.values()) == pytest.approx(1)
    g = remembering(start="\n")
    logits, seen = g.char_model.oracle(0, np.zeros(len(LETTERS)))
    logits, seen = g.char_model.oracle(2, seen)
    likeliest = LETTERS.chars[int(np.argmax(logits))]
    assert next(iter(g.next_probabilities("a"))) == likeliest == next(g.stream("a", length=1, temperature=0))
    assert g.next_probabilities() != g.next_probabilities("a")


@pytest.fixture
def folding():
    return Generator(Fixed((0.0,) * 4), CharVocab(".abé"), stop=".", folding=Folding(Casing("lower"), "replace"))


def test_every_method_folds_and_warns_where_a_character_changes(folding):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert folding.fold("AbÉ") == "abé"  # capitals alone are not worth a word
        assert folding.generate(prefix="AB", max_length=3)[0].startswith("ab")
    line = "reads it 'ä' as 'a'$"
    with pytest.warns(UserWarning, match=line) as caught:
        assert folding.fold("bÄ") == "ba"
        assert folding.generate(prefix="bÄ", max_length=3)[0].startswith("ba")
        "".join(folding.stream("bÄ", length=2))
        assert folding.next_probabilities("bÄ") == folding.next_probabilities("ba")
    assert len(caught) == 4 and {warning.filename for warning in caught} == {__file__}
    with pytest.warns(UserWarning, match="reads it without 'x'$"):
        assert folding.fold("bxa", on_unknown="skip") == "ba"


def test_score_folds_too():
    g = Generator(remembering().char_model, LETTERS, start="\n", folding=Folding(Casing("lower")))
    np.testing.assert_array_equal(g.score("BAD Egg").each, g.score("bad egg").each)
    with pytest.raises(BadInputError, match="received 'x'"):
        g.score("bad x")
    with pytest.warns(UserWarning, match="without 'x'") as caught:
        np.testing.assert_array_equal(g.score(["bad x", "a"], on_unknown="skip")[0].each, g.score("bad ").each)
    assert caught[0].filename == __file__


def test_it_says_what_it_is():
    assert repr(remembering()) == "<Generator: 10 characters>"
    card = {"kind": "prose", "data": {"name": "shakespeare"}}
    poet = Generator(ProseLSTM(stacked_lstm(10, 6)), LETTERS, card=card)
    assert repr(poet) == "<Generator: prose, 2 x 6 units, 10 characters, learned from shakespeare>"
    namer = Generator(NameRNN(10, 7), LETTERS, card={"kind": "names"})
    assert repr(namer) == "<Generator: names, 7 units, 10 characters>"
