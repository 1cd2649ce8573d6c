"""Text in pieces: the same characters, and the same errors, as all of it at once, wherever it is cut."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kerasgen.base.errors import BadInputError
from kerasgen.text.decoding import decoded

# What composes, what ends lines, what takes one to four bytes, and a byte order mark.
CHARS = st.text(st.sampled_from("eE \r\n\u0301\u0323\u0327é한\u1100\u1161\u11a8Ω\u212bक़\u093c😀\ufeffx"), max_size=40)


def in_pieces(content, size):
    return "".join(decoded([content[i : i + size] for i in range(0, len(content), size)], "x.txt"))


def at_once(content):
    text = content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    return unicodedata.normalize("NFC", text)


@given(CHARS, st.integers(1, 9))
@example("\ufeff\r\r\n\n", 1)
@example("한\u11a8", 3)
def test_pieces_are_the_text_wherever_they_are_cut(text, size):
    content = text.encode()
    assert in_pieces(content, size) == at_once(content)
    assert all(in_pieces(content, size) == in_pieces(content, other) for other in (1, 100))


def test_a_letter_with_thousands_of_accents_comes_through():
    content = ("e" + "\u0327\u0301" * 3000 + "\n").encode()
    assert len(in_pieces(content, 512)) == len(at_once(content))


@pytest.mark.parametrize("size", [1, 2, 5, 1000])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"ab\nc\0d", "x.txt looks binary: byte 4 is NUL"),
        (b"ab\ncd\n\xe9t\xe9", "x.txt is not: byte 6 (line 3) is 0xe9"),
        (b"\xef\xbb\xbfab\n\xff", "x.txt is not: byte 6 (line 2) is 0xff"),
        ("ab\n€".encode()[:-1], "x.txt is not: byte 3 (line 2) is 0xe2"),
    ],
)
def test_what_is_no_text_is_told_with_its_place_wherever_it_is_cut(content, words, size):
    with pytest.raises(BadInputError) as caught:
        in_pieces(content, size)
    assert words in str(caught.value) and "\n" not in str(caught.value)
