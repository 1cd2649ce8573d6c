"""An unknown character is read as the same sign in another shape, and never as another letter."""

import unicodedata

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kerasgen.text.twins import twin

LETTERS = "abcdefghijklmnopqrstuvwxyz"
PLAIN = f"\n !'\"-.,{LETTERS}"
TWINS = {
    "'": "’‘ʼ‛‚′´`‹›＇", '"': "“”„‟″«»＂「」", "-": "‐‑‒–—―−－⁃", " ": "\t\u00a0\u2003\u202f\u3000",
    "\n": "\r\x0b\x0c\x85\u2028\u2029", "...": "…", "fi": "ﬁ", "st": "ﬆ", "ae": "æÆ", "oe": "œ", "ss": "ßẞ", "ij": "ĳ",
    "a": "AáÁäåÅａＡªⓐ", "e": "éÉếｅ", "o": "øØőº", "l": "łŁ", "i": "ıİï", "d": "đ", "s": "şſ", "k": "\u212a",
    "dz": "ǆǅǄ", "'n": "ŉ", "tm": "™",
}  # fmt: skip


@pytest.mark.parametrize(("char", "expected"), [(char, known) for known, chars in TWINS.items() for char in chars])
def test_the_same_sign_in_another_shape(char, expected):
    assert twin(char, PLAIN) == expected


@pytest.mark.parametrize("char", "竜が각жωþŋ🦕½②¨\u0301\u200d\ufeff\ud800{~")
def test_what_has_no_twin_is_no_letter(char):
    assert twin(char, PLAIN) is None


@pytest.mark.parametrize(
    ("char", "known", "expected"),
    [
        ("'", "a’", "’"), ("'", "a´", "´"), ("-", "–", "–"), (" ", "\u00a0", "\u00a0"), ("\t", "\u3000", "\u3000"),
        ("1", "１", "１"), ("a", "Ａ", "Ａ"), ("“", "'", "'"), ("'", '"', None), ("—", "−", "−"),
    ],
)  # fmt: skip
def test_it_goes_the_other_way_as_well(char, known, expected):
    assert twin(char, known) == expected


@pytest.mark.parametrize(
    ("before", "known", "expected"),
    [
        ("", "“”", "“"), (" ", "“”", "“"), ("a", "“”", "”"), ("(", "„“", "„"), ("a", "„“", "“"), ("a", "«»", "»"),
        (" ", "«»", "«"),
    ],
)  # fmt: skip
def test_a_quotation_mark_opens_or_closes(before, known, expected):
    assert twin('"', known, before) == expected


@pytest.mark.parametrize(
    ("char", "known", "expected"),
    [
        ("a", "A", "A"), ("A", "a", "a"), ("É", "éE", "E"), ("É", "ée", "é"), ("É", "eé", "é"), ("É", "a", None),
        ("ς", "σ", "σ"), ("Σ", "σ", "σ"), ("ß", "SS", "SS"), ("ǆ", "ǅ", "ǅ"), ("ñ", "n", "n"), ("ế", "êe", "ê"),
        ("ё", "е", "е"), ("ґ", "г", "г"), ("が", "か", None), ("각", "가", None),
    ],
)  # fmt: skip
def test_accents_go_before_the_case_does(char, known, expected):
    assert twin(char, known) == expected


def letters(text):
    """The letters of a text, without case, accents and shapes, by an oracle of its own."""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    return {char for char in plain if char.isalpha()}


@given(st.characters(), st.text(alphabet=st.characters(categories=["L"]), min_size=1, max_size=40))
def test_it_is_never_another_letter(char, known):
    assume(char not in known)
    found = twin(char, known)
    if found is None:
        return
    assert set(found) <= set(known)
    named = unicodedata.name(char, "").partition(" WITH ")[0]
    base = unicodedata.lookup(named) if named and " WITH " in unicodedata.name(char) else char
    assert letters(found) & (letters(char) | letters(base) | set("aeoi"))
