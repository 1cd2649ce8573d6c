"""What a text must be, as an automaton: against Python's own `re`, and what is refused."""

import itertools
import re
import time
import warnings

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from kerasgen.base.errors import BadInputError
from kerasgen.generation import constraints
from kerasgen.generation.automaton import Automaton
from kerasgen.generation.constraints import automaton, check
from kerasgen.generation.sampling import Sampling
from kerasgen.text.vocab import CharVocab

VOCAB = CharVocab("\nabAéß1-]{ ")
LATIN = CharVocab.from_text("\nabcdefghijklmnopqrstuvwxyz")
SHORT = ["".join(each) for length in range(4) for each in itertools.product("abA1-]", repeat=length)]

items = st.sampled_from(["a", "b", "A", "1", "a-b", r"\w", r"\W", r"\d", r"\s", "[", "{", "a^", r"\]", "é", "*+", "-"])
brackets = st.builds(
    lambda no, first, rest: f"[{no}{first}{''.join(rest)}]",
    st.sampled_from(["", "^"]), st.sampled_from(["", "]", "-"]), st.lists(items, min_size=1, max_size=3),
)  # fmt: skip
atoms = brackets | st.sampled_from(
    ["a", "b", "A", "é", ".", r"\w", r"\W", r"\d", r"\s", r"\-", "{", "]", "a{", "{1,a}", "(?:)", r"\{", "1", "-"]
)
repeats = st.sampled_from(["*", "+", "?", "{2}", "{1,2}", "{0,2}", "{,2}", "{1,}", "*?", "{,}"])
expressions = st.recursive(
    atoms,
    lambda inner: (
        st.builds("{}{}".format, inner, inner)
        | st.builds("({}|{})".format, inner, inner)
        | st.builds("{}{}){}".format, st.sampled_from(["(?:", "(", "(?i:"]), inner, repeats)
    ),
    max_leaves=6,
)


def accepts(made: Automaton, text: str, vocab=VOCAB) -> bool:
    after = made.after(vocab.encode(text))
    return bool(after.accepts[after.state])


@settings(deadline=None, max_examples=150)
@given(expressions, st.booleans(), st.booleans(), st.lists(st.text("\nabAé1-]{ "[1:], max_size=6), max_size=20))
def test_an_automaton_accepts_what_re_matches(expression, ignore_case, anchored, texts):
    expression = f"^{expression}$" if anchored else expression
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Python, of sets that it may read in another way some day
        try:
            python = re.compile(expression, re.IGNORECASE if ignore_case else 0)
        except re.error:
            with pytest.raises(BadInputError):
                automaton(Sampling(pattern=expression), VOCAB, "\n", ignore_case)
            return
    made = automaton(Sampling(pattern=expression), VOCAB, "\n", ignore_case)
    for text in [*texts, *SHORT]:
        assert accepts(made, text) == bool(python.fullmatch(text)), text


@settings(deadline=None, max_examples=60)
@given(st.text("ab1-]", max_size=3), st.text("ab1-]", max_size=3), atoms)
def test_conditions_add_up(ending, part, atom):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Python, of sets that it may read in another way some day
        try:
            python = re.compile(f"{atom}.*")
        except re.error:
            reject()  # such as [b-a]: the test above has those
    made = automaton(Sampling(ends_with=ending, contains=part, pattern=python.pattern), VOCAB, "\n")
    for text in SHORT:
        wanted = text.endswith(ending) and part in text and bool(python.fullmatch(text))
        assert accepts(made, text) == wanted


def test_automata_are_small_and_the_stop_character_leads_nowhere():
    made = automaton(Sampling(ends_with="saurus"), LATIN, "\n")
    assert len(made.accepts) == 8  # one for each letter of the ending that is there, and one for none to come
    assert made.distances()[made.state] == 6 and made.distances()[made.following[made.state, 0]] == -1
    assert len((made & made).accepts) == 8
    everything = Automaton.of_everything(3)
    assert (everything & everything).accepts.all() and len(everything.smallest().accepts) == 1


def test_rows_of_ids_are_told_apart():
    made = automaton(Sampling(ends_with="ix"), LATIN, "\n")
    texts = ["ix", "felix", "ixa", "", "x"]
    ids = np.full((len(texts), 6), -1)
    for row, text in enumerate(texts):
        ids[row, : len(text)] = LATIN.encode(text)
    assert made.wanted(ids, np.array([len(text) for text in texts])).tolist() == [True, True, False, False, False]


@pytest.mark.parametrize(
    ("fewest", "most", "pattern", "can"),
    [
        (0, 5, "a{3}", True), (4, 9, "a{3}", False), (0, 2, "a{3}", False), (3, 3, "a{3}", True),
        (4, 7, "(a{3})+", True), (4, 5, "(a{3})+", False), (0, 0, "a*", True), (1000, 1000, "(ab)*", True),
    ],
)  # fmt: skip
def test_it_knows_of_which_lengths_there_are_texts(fewest, most, pattern, can):
    assert automaton(Sampling(pattern=pattern), LATIN, "\n").can_end(fewest, most) == can


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("a(", "missing )"), ("*a", "nothing to repeat"), (r"(a)\1", "references"), ("a^b", "'^'"), ("a$|b", "'$'"),
        (r"\bfoo", r"\b"), ("(?=a)b", "'(?='"), ("(?!a).*", "'(?!'"), ("b(?<=a)", "'(?<='"), ("a*+a", "'*+'"),
        ("(?x)a b", "Flag x"), ("(?P<n>a)(?P=n)", "references"), ("a{1,99999999999}", "too large"), (r"\p{L}", "bad"),
        ("(" * 400 + "a" + ")" * 400, ""),
        ("a{" + "9" * 900 + "}", "too large"),
    ],
)  # fmt: skip
def test_what_is_no_regular_expression_of_a_whole_text_is_refused(pattern, why):
    with pytest.raises(BadInputError, match=r"^pattern must be a regular expression[^\n]*$") as raised:
        automaton(Sampling(pattern=pattern), LATIN, "\n")
    assert why in str(raised.value) and len(str(raised.value)) < 450


@pytest.mark.parametrize("pattern", [".*x.{14}", "a{5000}", "(.*a.{9}){9}"])
def test_an_expression_that_explodes_is_stopped(pattern, monkeypatch):
    monkeypatch.setattr(constraints, "_SECONDS", 0.2)
    began = time.monotonic()
    with pytest.raises(BadInputError, match=r"^pattern must be one that takes less than 0.2 s to prepare; [^\n]*$"):
        automaton(Sampling(pattern=pattern), LATIN, "\n")
    assert time.monotonic() - began < 20


def test_an_expression_of_any_length_is_not_even_read():
    with pytest.raises(BadInputError, match="at most 1,000 characters; received 5,003: 'a{9"):
        automaton(Sampling(pattern="a{" + "9" * 5000 + "}"), LATIN, "\n")


@pytest.mark.parametrize(
    ("prefix", "asked", "words"),
    [
        ("", {"pattern": "é.*"}, "matches 'é.*'; it never saw 'é'"),
        ("", {"pattern": r"\d+"}, r"matches '\\d+'"),
        ("", {"ends_with": "saurus", "max_length": 5}, "ends with 'saurus' and has at most 5 characters; the shortest "
         "such text has 6"),
        ("xa", {"pattern": "t.*", "contains": "q"}, "begins with 'xa', contains 'q' and matches 't.*'"),
        ("t", {"pattern": "t....x", "min_length": 8}, "begins with 't', matches 't....x' and has between 8 and 50 "
         "characters; the shortest such text has 6"),
    ],
)  # fmt: skip
def test_what_no_text_can_be_is_refused(prefix, asked, words):
    sampling = Sampling(**asked)
    with pytest.raises(BadInputError) as raised:
        check(automaton(sampling, LATIN, "\n"), sampling, LATIN, prefix)
    assert str(raised.value) == f"the model can write no text that {words}"
    assert check(automaton(Sampling(ends_with="q"), LATIN, "\n"), Sampling(ends_with="q"), LATIN, "a") is None


def test_capitals_in_a_pattern_are_small_letters_where_the_model_has_only_those():
    made = automaton(Sampling(pattern=r"T[A-C]\w\S"), LATIN, "\n", ignore_case=True)
    assert accepts(made, "tabc", LATIN) and not accepts(made, "tdbc", LATIN)
    with pytest.raises(BadInputError):
        sampling = Sampling(pattern="T.*")
        check(automaton(sampling, LATIN, "\n"), sampling, LATIN)
