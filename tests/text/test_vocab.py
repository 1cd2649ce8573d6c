"""Characters to ids and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasgen.base.errors import BadInputError
from kerasgen.text.vocab import CharVocab

# Astral characters and combining marks stand beside everything else that a str can hold.
TEXTS = st.text() | st.text(alphabet="ae\u0301\u0308🦕𝔇\U0010ffff\n\0\u200d")


@given(TEXTS)
def test_a_text_survives_the_round_trip(text):
    vocab = CharVocab.from_text(text)
    ids = vocab.encode(text)
    assert vocab.decode(ids) == text
    assert len(ids) == len(text)
    assert all(0 <= i < len(vocab) for i in ids)


@given(TEXTS, st.text(alphabet="ae🦕\udc80", max_size=3))
def test_a_long_text_is_encoded_as_a_short_one_is(text, more):
    vocab = CharVocab.from_text(text)
    assert vocab.ids(text).tolist() == vocab.encode(text) and vocab.ids(text).dtype == "int32"
    if set(more) - set(text):
        with pytest.raises(BadInputError, match="every character must be one that the model has learned; received"):
            vocab.ids(text + more)


@given(TEXTS)
def test_the_vocabulary_is_the_sorted_distinct_characters(text):
    vocab = CharVocab.from_text(text)
    assert vocab.chars == tuple(sorted(set(text)))
    assert vocab.encode("".join(vocab.chars)) == list(range(len(vocab)))
    assert all(char in vocab for char in text)


@given(TEXTS, TEXTS)
def test_the_order_of_the_text_does_not_matter(first, second):
    one, other = CharVocab.from_text(first + second), CharVocab.from_text(second + first)
    assert one == other and hash(one) == hash(other)


@given(TEXTS, st.lists(st.just(-1), max_size=3))
def test_ids_of_no_character_are_left_out(text, nothing):
    vocab = CharVocab.from_text(text)
    assert vocab.decode([*nothing, *vocab.encode(text), *nothing]) == text


@given(TEXTS, st.characters())
def test_an_unknown_character_is_named_on_one_line(text, char):
    vocab = CharVocab.from_text(text.replace(char, ""))
    with pytest.raises(BadInputError) as caught:
        vocab.encode(char)
    assert repr(char) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("char", "remedy"),
    [("é", "write 'e' instead"), ("E", "write 'e' instead"), ("ﬁ", "write 'fi' instead"), ("{", "leave it out")],
)
def test_the_message_says_what_to_write_and_no_nonsense(char, remedy):
    with pytest.raises(BadInputError) as caught:
        CharVocab.from_text("\nabcdefghijklmnopqrstuvwxyz").encode(f"ab{char}")
    assert str(caught.value).endswith(f"; {remedy}")


@given(TEXTS, TEXTS)
def test_a_text_is_known_where_all_its_characters_are(text, known):
    vocab = CharVocab.from_text(known)
    assert vocab.knows(text) == all(char in vocab for char in text)


def test_the_message_says_where_the_character_stands():
    with pytest.raises(BadInputError, match=r"received '!' \(character 4 of 'tri!a'\)"):
        CharVocab.from_text("abcdirt").encode("tri!a")


def test_the_error_is_a_value_error_for_python():
    with pytest.raises(ValueError, match="'z'"):
        CharVocab("ab").encode("z")


@pytest.mark.parametrize("chars", [["a", "a"], ["ab"], [""], [1], [None], "aba"])
def test_entries_that_are_no_single_characters_are_refused(chars):
    with pytest.raises(BadInputError, match="single characters, each once"):
        CharVocab(chars)


def test_the_order_given_is_the_order_of_the_ids():
    vocab = CharVocab(["b", "\n", "a"])
    assert vocab.encode("ab\n") == [2, 0, 1]
    assert vocab != CharVocab(["a", "b", "\n"]) and vocab != "b\na"


def test_what_ends_a_text_has_its_id_and_nothing_has_none():
    assert [CharVocab("\nab").end_id(char) for char in ("\n", "b", None)] == [0, 2, -1]
    with pytest.raises(BadInputError, match="'z'"):
        CharVocab("\nab").end_id("z")
