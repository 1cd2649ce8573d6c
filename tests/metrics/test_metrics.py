"""Scores against plain Python, the n-gram baseline against its definition and on the real corpus, novelty."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasgen.metrics.ngrams import NgramModel
from kerasgen.metrics.novelty import Copying, Novelty, copying, novelty
from kerasgen.metrics.score import Score, score_rows, score_stream
from kerasgen.text.names import STOP, read_names, split_names
from kerasgen.text.vocab import CharVocab

VOCAB = 5
SEQUENCES = st.lists(st.lists(st.integers(0, VOCAB - 1), min_size=1, max_size=6), max_size=8)


def plain_score(logits, rows):
    """The summed nats and the number of characters, one at a time."""
    nats, chars = 0.0, 0
    for row_logits, row in zip(logits, rows, strict=True):
        for values, target in zip(row_logits, row[1:], strict=True):
            if target >= 0:
                nats -= values[target] - math.log(math.fsum(math.exp(value) for value in values))
                chars += 1
    return nats, chars


@pytest.mark.parametrize("batch_size", [1, 2, 3, 256])
def test_score_rows_agrees_with_plain_python(batch_size):
    rows = np.array([[-1, 3, 1, 0, -1], [-1, 0, -1, -1, -1], [-1, 4, 4, 4, 0]], np.int32)
    table = np.random.RandomState(1).randn(VOCAB + 1, VOCAB) * 3  # logits by the last character
    score = score_rows(lambda ids: table[ids], rows, batch_size)
    nats, chars = plain_score(table[rows[:, :-1]].tolist(), rows.tolist())
    assert score.chars == chars == 8
    assert score.nats == pytest.approx(nats, rel=1e-12)
    assert score.nats_per_char == pytest.approx(nats / 8, rel=1e-12)
    assert score.bits_per_char == pytest.approx(nats / 8 / math.log(2), rel=1e-12)


def test_score_rows_sees_inputs_only_and_never_the_last_target():
    rows = np.array([[-1, 2, 0]], np.int32)
    seen = []
    score_rows(lambda ids: seen.append(ids.tolist()) or np.zeros((*ids.shape, VOCAB)), rows)
    assert seen == [[[-1, 2]]]


@pytest.mark.parametrize("offset", [0.0, 1e4, -1e4])
def test_a_blind_model_pays_the_logarithm_of_the_vocabulary_however_large_its_logits(offset):
    rows = np.array([[-1, 1, 0, -1]], np.int32)
    score = score_rows(lambda ids: np.full((*ids.shape, VOCAB), offset, np.float32), rows)
    assert score.nats_per_char == pytest.approx(math.log(VOCAB), rel=1e-12)
    assert score.bits_per_char == pytest.approx(math.log2(VOCAB), rel=1e-12)


def test_nothing_to_score_is_nan_and_no_error():
    score = score_rows(lambda ids: np.zeros((*ids.shape, VOCAB)), np.zeros((0, 4), np.int32))
    assert score == Score(0.0, 0)
    assert math.isnan(score.nats_per_char) and math.isnan(score.bits_per_char)


def test_a_score_prints_both_units():
    assert str(Score(math.log(2) * 6, 3)) == "1.3863 nats/char (2.0000 bits/char)"


def plain_probability(sequences, order, context, char):
    """Interpolated Witten-Bell from its definition: counted anew for every question."""
    p = 1 / VOCAB
    for length in range(order + 1):
        wanted = list(context[order - length :])
        followers = Counter(
            marked[i]
            for marked in ([-1] * order + list(sequence) for sequence in sequences)
            for i in range(order, len(marked))
            if marked[i - length : i] == wanted
        )
        if not followers:
            return p  # nor has any longer context been seen
        types, total = len(followers), sum(followers.values())
        p = (followers[char] + types * p) / (total + types)
    return p


@given(SEQUENCES, st.integers(0, 4), st.lists(st.integers(-1, VOCAB - 1), min_size=4, max_size=4))
def test_ngram_probabilities_sum_to_one_and_follow_their_definition(sequences, order, before):
    model, context = NgramModel(sequences, order, VOCAB), tuple(before[:order])
    probabilities = [model.probability(context, char) for char in range(VOCAB)]
    assert math.fsum(probabilities) == pytest.approx(1, abs=1e-12)
    assert min(probabilities) > 0
    assert probabilities == pytest.approx([plain_probability(sequences, order, context, c) for c in range(VOCAB)])


@given(SEQUENCES, SEQUENCES, st.integers(0, 3))
def test_the_ngram_score_is_the_sum_over_every_character(training, scored, order):
    score = NgramModel(training, order, VOCAB).score(scored)
    nats = 0.0
    for sequence in scored:
        marked = [-1] * order + sequence
        for i, char in enumerate(sequence):
            nats -= math.log(plain_probability(training, order, marked[i : i + order], char))
    assert score.chars == sum(map(len, scored))
    assert score.nats == pytest.approx(nats, abs=1e-9)


def test_asking_and_scoring_leave_the_counts_alone():
    model = NgramModel([[1, 2, 0]], 2, VOCAB)
    before = model.probability((1, 2), 0)
    model.probability((4, 4), 3)
    model.score([[4, 4, 4]])
    assert model.probability((1, 2), 0) == before
    assert model.probability((4, 4), 3) == NgramModel([[1, 2, 0]], 0, VOCAB).probability((), 3)


@pytest.mark.parametrize(("order", "nats_per_char"), [(2, 1.89746), (3, 1.81809), (4, 1.84554)])
def test_counting_ngrams_on_the_real_names(mirror, order, nats_per_char):
    split = split_names(read_names((mirror / "dinos.txt").read_text(), "dinos"), "test")
    vocab = CharVocab.from_text("".join(split.train + split.test) + STOP)
    train, test = ([vocab.encode(name + STOP) for name in part] for part in (split.train, split.test))
    score = NgramModel(train, order, len(vocab)).score(test)
    assert score.chars == sum(len(name) + 1 for name in split.test)
    assert score.nats_per_char == pytest.approx(nats_per_char, abs=1e-5)


def test_novelty_counts_new_and_different_texts():
    known = {"rex", "zuul"}
    found = novelty(["rex", "rux", "rux", "zuul", "zul"], known.__contains__)
    assert found == Novelty(new=3 / 5, distinct=4 / 5, count=5)


def test_novelty_of_nothing_is_nan():
    found = novelty([], lambda text: True)
    assert found.count == 0 and math.isnan(found.new) and math.isnan(found.distinct)


TABLE = np.random.RandomState(2).randn(VOCAB, VOCAB) * 2


def advance(ids, state):
    """A toy model: its logits depend on the last id and on the sum of all that it has read."""
    assert ids.dtype == np.int32 and len(ids) == 1
    sums = state + np.cumsum(ids[0])
    return TABLE[ids[0]] * np.cos(sums)[:, None], sums[-1]


@given(st.lists(st.integers(0, VOCAB - 1), max_size=40), st.integers(0, VOCAB - 1), st.integers(0, 9))
def test_score_stream_agrees_with_plain_python_whatever_the_chunk(ids, before, state):
    nats, total = 0.0, state
    for last, char in zip([before, *ids], ids, strict=False):
        total += last
        logits = [float(value) * math.cos(total) for value in TABLE[last]]
        nats -= logits[char] - math.log(math.fsum(math.exp(value) for value in logits))
    for chunk in (1, 7, 512):
        score = score_stream(advance, np.array(ids, np.int32), before=before, state=state, chunk=chunk)
        assert (score.nats, score.chars) == (pytest.approx(nats, abs=1e-9), len(ids))


def test_the_last_character_is_predicted_and_never_read():
    seen = []

    def look(ids, state):
        seen.extend(ids[0].tolist())
        return np.zeros((ids.shape[1], VOCAB)), state

    score = score_stream(look, np.array([1, 2, 3, 4]), before=0, state=None, chunk=2)
    assert seen == [0, 1, 2, 3]
    assert score.bits_per_char == pytest.approx(math.log2(VOCAB))


TEXTS = st.text(alphabet="ab ", max_size=30)


@given(TEXTS, TEXTS, st.integers(1, 5))
def test_copying_is_what_a_look_at_every_span_finds(generated, learned, width):
    found = copying(generated, learned, width)
    spans = [generated[i:j] for i in range(len(generated)) for j in range(i, len(generated) + 1)]
    assert found.longest in generated and found.longest in learned
    assert len(found.longest) == max((len(span) for span in spans if span in learned), default=0)
    wide = [span for span in spans if len(span) == width]
    share = sum(span in learned for span in wide) / len(wide) if wide else 0.0
    words = generated.split()
    in_words = sum(word in learned.split() for word in words) / len(words) if words else 0.0
    assert (found.share, found.words, found.width) == (share, in_words, width)


def test_words_are_letters_and_apostrophes_inside():
    found = copying("thou'rt 'tis, nay! 12 été", "thou'rt tis; no été")
    assert found.words == 3 / 4  # thou'rt, tis and été, but not nay
    assert copying("", "abc") == Copying("", 0.0, 0.0, 20)
    whole = copying("x" * 25, "y" + "x" * 25)
    assert (whole.longest, whole.share) == ("x" * 25, 1.0)
