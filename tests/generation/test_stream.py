"""Streaming: a piece at a time what `generate` gives at once; a toy model, so that every text can be read."""

import numpy as np
import pytest

from kerasgen.base.errors import BadInputError
from kerasgen.generation.generator import Generator
from kerasgen.generation.sampling import Sampling
from kerasgen.models.backend import tf
from tests.generation.toys import LETTERS, Spells, generator, small_poet

VOCAB = LETTERS


class Alphabet:
    """After a character it finds the next one of the vocabulary likeliest, by as much as it has been read before."""

    compute_dtype = "float32"

    def initial_state(self, batch_size):  # noqa: D102
        return (tf.zeros((batch_size, len(VOCAB))),)

    def step(self, ids, state):  # noqa: D102
        seen = state[0] + tf.one_hot(ids, len(VOCAB))
        return tf.one_hot((ids + 1) % len(VOCAB), len(VOCAB)) * 2 - seen / 10, (seen,)


@pytest.fixture(scope="module")
def toy():
    return Generator(Alphabet(), VOCAB, start="\n", defaults=Sampling(temperature=0.7))


@pytest.fixture(scope="module")
def poet():
    return small_poet()


def streamed(generator, *arguments, **options):
    return "".join(generator.stream(*arguments, **options))


@pytest.mark.parametrize("prompt", ["", "a", "bad egg\n", "fed " * 9])
@pytest.mark.parametrize("seed", [0, 7, 2**32 - 1])
def test_the_pieces_are_the_whole_text(toy, prompt, seed):
    (whole,) = toy.generate(prefix=prompt, max_length=len(prompt) + 50, temperature=0.8, seed=seed)
    assert prompt + streamed(toy, prompt, length=50, temperature=0.8, seed=seed) == whole
    assert len(whole) == len(prompt) + 50


def test_the_same_with_an_lstm(poet):
    for options in (dict(temperature=1.0, seed=3), dict(temperature=0.5, top_k=3), dict(temperature=1.5, top_p=0.7)):
        (whole,) = poet.generate(prefix="cab", max_length=43, **options)
        assert "cab" + streamed(poet, "cab", length=40, **options) == whole


def test_pieces_grow_from_sixteen_characters_and_are_the_whole_text(toy):
    pieces = toy.stream("face", length=20_000, seed=5)
    assert iter(pieces) is pieces
    pieces = list(pieces)
    growing = [16 * 2**n for n in range(9)]
    assert [len(piece) for piece in pieces] == [*growing, *[4096] * 2, 20_000 - sum(growing) - 2 * 4096]
    assert ["face" + "".join(pieces)] == toy.generate(prefix="face", max_length=20_004, seed=5)


def test_a_stream_ends_with_the_stop_character():
    assert "".join(generator(model=Spells, stop=".").stream("a")) == "bc"
    assert list(generator(model=Spells, stop=".").stream("abc")) == []


@pytest.mark.parametrize("length", [1, 15, 16, 17, 33])
def test_the_length_is_exact(toy, length):
    assert len(streamed(toy, "a", length=length)) == length


def test_temperature_zero_takes_the_likeliest_whatever_the_seed(toy):
    assert streamed(toy, "ab", length=9, temperature=0) == "cdefgh\n a"
    assert streamed(toy, "ab", length=9, temperature=0, seed=99) == "cdefgh\n a"


def test_the_seed_and_the_prompt_matter(toy):
    texts = {streamed(toy, prompt, length=60, seed=seed) for prompt in ("a", "b ") for seed in range(5)}
    assert len(texts) == 10


def test_a_trailing_space_is_part_of_the_prompt(toy):
    assert streamed(toy, "h", length=3, temperature=0) == "\n a"
    assert streamed(toy, "h ", length=3, temperature=0) == "abc"


def test_no_prompt_follows_the_start(toy):
    assert streamed(toy, length=4, temperature=0) == " abc"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (dict(length=0), "0"),
        (dict(length=1.5), "length"),
        (dict(temperature=-1), "temperature"),
        (dict(temperature=float("nan")), "temperature"),
        (dict(top_k=0), "top_k"),
        (dict(top_p=0.0), "top_p"),
        (dict(seed=-1), "seed"),
        (dict(prompt="a€"), "'€'"),
        (dict(prompt="a", on_unknown="guess"), "on_unknown"),
    ],
)
def test_bad_values_are_refused_at_once_and_not_at_the_first_piece(toy, options, words):
    with pytest.raises(BadInputError, match=words):
        toy.stream(**options)


def test_drawing_follows_the_distribution(toy):
    """The first character of many texts comes as often as its probability says."""
    first = [text[1] for text in toy.generate(4000, prefix="a", max_length=2, temperature=1.0)]
    state = (tf.one_hot([VOCAB.encode("\n")[0]], len(VOCAB)),)  # the start has been read as well
    logits = np.asarray(toy.char_model.step(tf.constant(VOCAB.encode("a")), state)[0])[0]
    probs = np.exp(logits) / np.exp(logits).sum()
    for char, p in zip(VOCAB.chars, probs.tolist(), strict=True):
        assert first.count(char) / 4000 == pytest.approx(p, abs=4 * (p * (1 - p) / 4000) ** 0.5)
