"""A text that is asked for in lines ends with a whole one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasgen.generation.lines import whole_lines


def until(text, lines, begun="", size=1000):
    """Return what comes of a text in pieces of a size, and how many lines are missing."""
    came, pieces = [], (text[i : i + size] for i in range(0, len(text), size))

    def take():
        missing.append((yield from whole_lines(pieces, lines, begun)))

    missing: list[int] = []
    came.extend(take())
    return "".join(came), missing[0]


@pytest.mark.parametrize(
    ("begun", "text", "lines", "expected"),
    [
        ("", "one\ntwo\nthree\n", 1, "one"),
        ("", "one\ntwo\nthree\n", 2, "one\ntwo"),
        ("", "one\ntwo\n\nthree\nfour\n", 3, "one\ntwo\n\nthree"),  # a stanza may end on the way
        ("", "\n \none\ntwo\n", 1, "\n \none"),  # what is empty is no line
        ("Et tu, ", "Brute?\ntwo\n", 1, "Brute?"),
        ("Et tu, Brute?", "\ntwo\n", 1, ""),  # the line that was begun is the first
        ("Et tu, Brute?", "\ntwo\nthree", 2, "\ntwo"),
        ("  ", "\none\ntwo\n", 1, "\none"),
    ],
)
def test_a_text_ends_with_a_whole_line(begun, text, lines, expected):
    assert until(text, lines, begun) == (expected, 0)


@pytest.mark.parametrize(("text", "missing"), [("", 3), ("one", 3), ("one\n", 2), ("one\n\ntwo\n\n\n", 1)])
def test_what_has_fewer_lines_is_given_whole(text, missing):
    assert until(text, 3) == (text, missing)


@given(st.text(alphabet="a \n", max_size=20), st.integers(1, 4), st.integers(1, 5), st.sampled_from(["", "x", " "]))
def test_it_is_what_counting_the_lines_gives_however_the_text_comes(text, lines, size, begun):
    found, missing = until(text, lines, begun, size)
    whole = [line for line in (begun + text).split("\n")[:-1] if line.strip()]
    assert missing == max(0, lines - len(whole))
    if not missing:
        assert text.startswith(found + "\n")
        assert len([line for line in (begun + found).split("\n") if line.strip()]) == lines


def test_nothing_is_generated_after_the_end():
    def pieces():
        yield "one\nt"
        raise AssertionError("the text had ended")

    assert list(whole_lines(pieces(), 1)) == ["one"]
