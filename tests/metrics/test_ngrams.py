"""The n-gram baseline: against its definition in plain Python, and on the real corpus."""

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasgen.metrics.ngrams import NgramModel
from kerasgen.text.names import STOP, read_names, split_names
from kerasgen.text.vocab import CharVocab

VOCAB = 5
SEQUENCES = st.lists(st.lists(st.integers(0, VOCAB - 1), min_size=1, max_size=6), max_size=8)


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
