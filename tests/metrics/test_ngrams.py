"""The n-gram baseline: against its definition in plain Python, and on the real corpora."""

import math
import time
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasgen.metrics.ngrams import best_ngrams, ngram_scores
from kerasgen.text.names import STOP, read_names, split_names
from kerasgen.text.vocab import CharVocab
from kerasgen.text.windows import split_text

VOCAB = 5
SEQUENCES = st.lists(st.lists(st.integers(0, VOCAB - 1), min_size=0, max_size=6), max_size=8)


def plain_probability(sequences, order, context, char, vocab_size=VOCAB):
    """Interpolated Witten-Bell from its definition: counted anew for every question."""
    p = 1 / vocab_size
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


@given(SEQUENCES, SEQUENCES, st.integers(0, 5))
def test_one_pass_gives_the_definition_s_probability_of_every_character_for_every_order(training, scored, highest):
    scores = ngram_scores(training, scored, VOCAB, highest)
    assert [score.order for score in scores] == list(range(highest + 1))
    for order, score in enumerate(scores):
        nats = []
        for sequence in scored:
            marked = [-1] * order + sequence
            for i, char in enumerate(sequence):
                nats.append(-math.log(plain_probability(training, order, marked[i : i + order], char)))
        np.testing.assert_allclose(score.each, nats, rtol=1e-12, atol=0)


@given(SEQUENCES, st.lists(st.integers(0, VOCAB - 1), max_size=5))
def test_the_probabilities_after_any_beginning_sum_to_one(training, before):
    for order in range(5):
        last = [ngram_scores(training, [[*before, char]], VOCAB, order)[order].each[-1] for char in range(VOCAB)]
        assert math.fsum(np.exp(np.negative(last))) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("size", [500, 600, 65_536, 1_114_112])  # seven digits fit, or six, four, three: all of Unicode
def test_a_vocabulary_of_any_size_is_told_apart(size):
    a, b, c = size - 1, size - 2, 7
    training, asked = [[a, b, c, a] * 40, [c, 8, a, b], []], [a, b, 8, c, a, b, c, a, b, 9, c]
    for order, score in enumerate(ngram_scores(training, [asked], size, 6)):
        marked = [-1] * order + asked
        each = [plain_probability(training, order, marked[i : i + order], char, size) for i, char in enumerate(asked)]
        np.testing.assert_allclose(score.each, -np.log(each), rtol=1e-12)


def test_the_baseline_is_the_best_order_on_what_is_scored():
    ids = [*np.random.RandomState(0).randint(0, 3, 300)]
    training, scored = [ids[:270]], [ids[270:]]
    scores, best = ngram_scores(training, scored, 3, 6), best_ngrams(training, scored, 3)
    assert best.nats == min(score.nats for score in scores[2:]) and best == scores[best.order]
    assert best_ngrams(training, scored, 3, orders=[5, 4]).order in (4, 5)


@pytest.mark.parametrize(("order", "nats_per_char"), [(2, 1.89746), (3, 1.81809), (4, 1.84554)])
def test_counting_ngrams_on_the_real_names(mirror, order, nats_per_char):
    split = split_names(read_names((mirror / "dinos.txt").read_text().lower(), "dinos"), "test")
    vocab = CharVocab.from_text("".join(split.train + split.test) + STOP)
    train, test = ([vocab.encode(name + STOP) for name in part] for part in (split.train, split.test))
    score = ngram_scores(train, test, len(vocab), 6)[order]
    assert score.chars == sum(len(name) + 1 for name in split.test)
    assert score.nats_per_char == pytest.approx(nats_per_char, abs=1e-5)
    assert best_ngrams(train, test, len(vocab)).order == 3


def test_the_best_order_on_the_sonnets(mirror):
    text = (mirror / "shakespeare.txt").read_text().lower()
    split, vocab = split_text(text, "test"), CharVocab.from_text(text)
    best = best_ngrams([vocab.encode(split.train)], [vocab.encode(split.test)], len(vocab))
    assert best.order == 4 and best.bits_per_char == pytest.approx(2.483, abs=1e-3)


def test_counting_keeps_pace_with_large_texts():
    ids = np.random.RandomState(0).randint(0, 40, 1_000_000)
    started = time.process_time()
    ngram_scores([ids[:900_000]], [ids[900_000:]], 40, 6)
    assert time.process_time() - started < 15  # 1 s on a quiet machine
