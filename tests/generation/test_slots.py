"""Many texts in one compiled call: each is what `stream` gives alone, whoever comes and goes beside it."""

import numpy as np
import pytest

from kerasgen.base.errors import BadInputError
from kerasgen.generation.generator import Generator
from kerasgen.generation.sampling import Sampling
from kerasgen.generation.slots import CHUNK, Slots
from kerasgen.models.prose import ProseLSTM, stacked_lstm
from kerasgen.text.casing import Casing
from kerasgen.text.folding import Folding
from tests.generation.toys import LETTERS, Spells, generator, remembering

# Every way of drawing, prompts of every length, and lengths around those of pieces and calls.
ASKED = [
    dict(prompt="", length=1, seed=0),
    dict(prompt="a", length=15, seed=7),
    dict(prompt="bad egg\n", length=16, seed=2**32 - 1, temperature=0.4),
    dict(prompt="fed " * 9, length=17, temperature=0),
    dict(prompt="cab", length=CHUNK, seed=5, top_k=3),
    dict(prompt="cab", length=16 + CHUNK, seed=5, top_p=0.6),
    dict(prompt="cab", length=17 + CHUNK, seed=5, top_k=4, top_p=0.8, temperature=1.7),
    dict(prompt="cab", length=300, seed=5),
    dict(prompt="d", length=40, temperature=1e-31, top_k=2),
    dict(prompt="d", length=40, temperature=1e300),
]


@pytest.fixture(scope="module")
def poet():
    model = ProseLSTM(stacked_lstm(len(LETTERS), 8, seed=4))
    return Generator(model, LETTERS, start="\n", card={"start": "\n"}, defaults=Sampling(temperature=0.7))


@pytest.fixture(scope="module")
def eight(poet):
    return Slots(poet, 8)


def alone(generator, asked):
    """What the text is without others."""
    return "".join(generator.stream(**asked))


def run(slots, waiting, leaving=()):
    """Run texts to their ends, two joining at each call; return what each became, by the text.

    Args:
        slots: theirs.
        waiting: the texts, in the order in which they join.
        leaving: those that leave after a call.
    """
    found, waiting = {text: "" for text in waiting}, list(waiting)
    while waiting or slots.busy:
        for _ in range(2):
            if waiting and not slots.full:
                slots.join(waiting.pop(0))
        for piece in slots.advance():
            found[piece.text] += piece.chars
            if piece.text in leaving and not piece.ended:
                slots.leave(piece.text)
    return found


def test_each_text_is_that_of_a_stream_alone_whoever_stands_beside_it(poet, eight):
    texts = [eight.begin(**asked) for asked in ASKED]
    found = run(eight, texts)
    assert [found[text] for text in texts] == [alone(poet, asked) for asked in ASKED]
    assert [len(found[text]) for text in texts] == [asked["length"] for asked in ASKED]


def test_the_same_in_double_precision_and_with_more_texts_than_slots():
    asked = [dict(ASKED[n % len(ASKED)], seed=n, length=20 + n) for n in range(20)]
    slots = Slots(remembering(), 3)
    texts = [slots.begin(**each) for each in asked]
    found = run(slots, texts)
    assert [found[text] for text in texts] == [alone(remembering(), each) for each in asked]


def test_what_leaves_early_changes_no_other_text(poet, eight):
    asked = [dict(prompt="bed", length=200, seed=n) for n in range(8)]
    texts = [eight.begin(**each) for each in asked]
    found = run(eight, texts, leaving=(texts[0], texts[3], texts[7]))
    for number, (text, each) in enumerate(zip(texts, asked, strict=True)):
        whole = alone(poet, each)
        assert found[text] == (whole[:16] if number in (0, 3, 7) else whole)
    eight.leave(texts[0])  # it has left already
    assert eight.busy == 0 and not eight.full


def test_a_text_ends_with_the_stop_character_as_a_stream_does():
    model = Spells()
    spells = Generator(model, generator(stop=".").vocab, stop=".", card={"stop": "."})
    slots = Slots(spells, 8)
    texts = [slots.begin(prompt, length=40) for prompt in ("", "a", "ab", "abc")]
    found = run(slots, texts)
    assert [found[text] for text in texts] == ["abc", "bc", "c", ""]


def test_the_case_is_shown_and_what_is_unknown_read_as_for_a_stream():
    folding = Folding(Casing("lower", "capitals", " "), "replace")
    writes = Generator(remembering().char_model, LETTERS, folding=folding)
    slots = Slots(writes, 8)
    asked = dict(prompt="Bad ", length=90, seed=1)
    text, odd = slots.begin(**asked), slots.begin("bäd", length=9)
    found = run(slots, [text, odd])
    assert found[text] == alone(writes, asked) != found[text].lower()
    assert text.note == "" and "'ä' as 'a'" in odd.note
    with pytest.warns(UserWarning, match="'ä' as 'a'"):
        assert found[odd] == alone(writes, dict(prompt="bäd", length=9))


def test_the_first_call_is_short_and_the_next_are_long(eight):
    eight.join(eight.begin("a", length=200))
    assert [[len(piece.chars) for piece in eight.advance()] for _ in range(2)] == [[16], [CHUNK]]
    eight.join(eight.begin("b", length=200))
    assert [len(piece.chars) for piece in eight.advance()] == [16, 16]
    while eight.busy:
        list(eight.advance())


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (dict(length=0), "length must be at least 1; received 0"),
        (dict(temperature=-1), "temperature must be zero"),
        (dict(top_k=0), "top_k"),
        (dict(top_p=2.0), "top_p"),
        (dict(seed=-1), "seed"),
        (dict(prompt="a€"), "'€'"),
        (dict(prompt="a", on_unknown="guess"), "on_unknown"),
    ],
)
def test_bad_values_are_refused_in_the_words_of_a_stream(poet, eight, asked, words):
    with pytest.raises(BadInputError, match=words) as ours:
        eight.begin(**asked)
    with pytest.raises(BadInputError) as theirs:
        poet.stream(**asked)
    assert str(ours.value) == str(theirs.value)


def test_an_end_within_the_prompt_is_refused():
    slots = Slots(Generator(Spells(), generator(stop=".").vocab, stop=".", card={"stop": "."}), 8)
    with pytest.raises(BadInputError, match="must not hold the character that ends one"):
        slots.begin("a.b")


@pytest.mark.parametrize("most", [0, 257])
def test_the_number_of_slots_has_limits(poet, most):
    with pytest.raises(BadInputError, match=f"between 1 and 256; received {most}"):
        Slots(poet, most)


def test_there_are_fewer_where_there_are_very_many_characters(poet, monkeypatch):
    monkeypatch.setattr("kerasgen.generation.slots.CELLS", 30)
    slots, asked = Slots(poet, 200), [dict(prompt="", length=20, seed=n) for n in range(5)]
    assert slots.most == 3
    texts = [slots.begin(**each) for each in asked]
    found = run(slots, texts)
    assert [found[text] for text in texts] == [alone(poet, each) for each in asked]


def test_compiling_first_changes_nothing(poet):
    slots, asked = Slots(poet, 1), ASKED[4]
    slots.compile()
    text = slots.begin(**asked)
    assert run(slots, [text])[text] == alone(poet, asked)
    assert np.all([slots.busy == 0, not slots.full])
