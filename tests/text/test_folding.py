"""Folding: what anyone may type, in the characters that a model knows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasgen.base.errors import BadInputError
from kerasgen.text.casing import Casing
from kerasgen.text.folding import Folding
from kerasgen.text.vocab import CharVocab

VOCAB = CharVocab("\n !abcde'")
LOWER = Casing("lower")
# Letters with accents and without, marks of all kinds, and what no model knows.
TEXTS = st.text(alphabet="aAbéÉe\u0301ßǅςΣσİı’'“\"—-…. \u00a0ﬁＡ竜🦕\t\n\r") | st.text(max_size=20)


@pytest.mark.parametrize(
    ("folding", "text", "expected", "changes"),
    [
        (Folding(), "abc", "abc", ""),
        (Folding(), "", "", ""),
        (Folding(LOWER), "ABc!", "abc!", ""),
        (Folding(on_unknown="skip"), "aXbx", "ab", "without 'X', without 'x'"),
        (Folding(on_unknown="replace"), "Ab", "ab", "'A' as 'a'"),
        (Folding(LOWER, "replace"), "ÇÁb", "cab", "'á' as 'a', 'ç' as 'c'"),
        (Folding(LOWER, "twin"), "Çb", "cb", "'ç' as 'c'"),
        (Folding(LOWER, "skip"), "ÇÁb", "b", "without 'á', without 'ç'"),
        (Folding(on_unknown="replace"), "’", "'", "'’' as \"'\""),
        (Folding(on_unknown="replace"), "a竜z🦕b", "ab", "without 'z', without '竜', without '🦕'"),
    ],
)
def test_a_text_is_folded(folding, text, expected, changes):
    line = folding.changes(text, VOCAB)
    assert line.endswith(changes) and bool(line) == bool(changes) and "\n" not in line
    assert folding.fold(text, VOCAB) == expected


WAYS = st.sampled_from([Folding(casing, how) for casing in (LOWER, Casing()) for how in ("skip", "replace")])


@given(TEXTS, st.text(min_size=1, max_size=12), WAYS)
def test_only_known_characters_come_out_and_folding_them_again_changes_nothing(text, known, folding):
    vocab = CharVocab.from_text(folding.casing.fold(known))  # a model of lower case knows no capitals
    folded = folding.fold(text, vocab)
    assert vocab.knows(folded)
    assert folding.fold(folded, vocab) == folded and folding.changes(folded, vocab) == ""


def test_an_accent_of_its_own_is_one_character_with_its_letter():
    vocab = CharVocab("aeé")
    assert Folding().fold("e\u0301a", vocab) == "éa" and Folding().changes("e\u0301a", vocab) == ""
    assert Folding().fold("e\u0301", CharVocab("e\u0301")) == "e\u0301"  # a model may have learned them apart
    assert Folding(on_unknown="replace").fold("éa", CharVocab("ae\u0301")) == "e\u0301a"


def test_a_model_of_curly_quotes_reads_straight_ones():
    folding, vocab = Folding(on_unknown="replace"), CharVocab("’“”…— aehinstx")
    assert folding.fold('"tis it\'s -- "ha"...', vocab) == "“tis it’s —— “ha”…"
    assert folding.changes('"ha"...', vocab).endswith("'\"' as '“', '\"' as '”', '...' as '…'")


def test_the_line_says_what_was_done_and_is_not_endless():
    line = Folding(on_unknown="skip").changes("axbX", VOCAB)
    assert line == "the model never saw some characters of the text and reads it without 'X', without 'x'"
    assert len(Folding(on_unknown="skip").changes("".join(map(chr, range(200, 900))), VOCAB)) < 400


def test_an_unknown_character_is_an_error_where_it_shall_be():
    with pytest.raises(BadInputError, match=r"received 'ä' \(character 2 of 'bä'\); write 'a' instead"):
        Folding(LOWER).fold("BÄ", VOCAB)
    with pytest.raises(BadInputError, match=r"received 'z' \(character 3 of 'b’z'\); leave it out"):
        Folding(on_unknown="twin").fold("b’z", VOCAB)


def test_another_way_with_unknown_characters_is_refused():
    with pytest.raises(BadInputError, match="on_unknown must be one of error, twin, skip, replace; received 'guess'"):
        Folding(on_unknown="guess")  # type: ignore[arg-type]
