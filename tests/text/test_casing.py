"""The case of a list or a text: learned so that nothing is lost, and given back as it was written."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kerasgen.base.errors import BadInputError
from kerasgen.text.casing import Casing, of_names, of_text
from kerasgen.text.corpora import is_known, read
from kerasgen.text.names import read_names

KEPT = Casing()


def capitals(after=""):
    return Casing("lower", "capitals", after)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["Springfield", "Shelbyville"], capitals()),
        (["New York", "Paris"], capitals(" ")),
        (["New York", "Saint-Denis", "Ville d'Avray", "Pa'tau"], KEPT),  # one d has no capital after its space
        (["New York", "Saint-Denis", "O'Fallon"], capitals(" '-")),
        (["Clermont-ferrand", "New York"], capitals(" ")),
        (["Frankfurt am Main"], KEPT),
        (["Frankfurt am main"], capitals()),
        (["iPhone", "Nokia"], KEPT),
        (["McFly", "Tannen"], KEPT),
        (["USB-C"], KEPT),
        (["LONDON", "PARIS"], KEPT),
        (["Nokia", "acer"], KEPT),
        (["rex", "zuul 2"], Casing("lower")),
        (["3M", "Area 51"], capitals("3")),
        (["Évora", "São Tomé"], capitals(" ")),
        (["X\u0302y", "Ay\u0302z"], capitals()),  # accents that can't be composed
        (["Αθήνα", "Ας Βας", "Ωμέγας"], capitals(" ")),
        (["ǅep"], capitals()),
        (["Ǆep"], KEPT),
        (["ßo", "Ab"], capitals()),
        (["ŉdo", "Ab"], capitals()),
        (["İzmir", "Ankara"], KEPT),  # its lower case has two characters
        (["東京", "大阪"], Casing("lower")),
        (["თბილისი", "ქუთაისი"], Casing("lower")),  # Georgian capitals begin no words
        (["Ёж", "Як"], capitals()),
        (['"Rex"', "Zuul"], capitals('"')),
    ],
)
def test_the_rule_of_a_list(names, expected):
    found = of_names("auto", names)
    assert found == expected
    assert [found.show(found.fold(name)) for name in names] == names


NAME = st.text("aAbBéÉßŉİıǆǅǄΣσς'- 3ßx\u0302東", min_size=1, max_size=8) | st.text(max_size=6)
LISTS = st.lists(NAME | NAME.map(str.title) | NAME.map(str.capitalize) | NAME.map(str.lower), min_size=1, max_size=6)


@given(LISTS)
@example(["\n", "A"])
def test_every_name_of_every_list_comes_back_exactly(names):
    casing = of_names("auto", names)
    for name in names:
        folded = casing.fold(name)
        assert casing.show(folded) == name and casing.fold(folded) == folded == casing.fold(casing.show(folded))
    assert casing == of_names("auto", names[::-1] + names)
    assert len({casing.fold(name) for name in names}) == len(set(names))  # no two become one


@given(st.text(), st.text(max_size=3), st.integers(0, 30))
def test_a_text_is_shown_the_same_in_pieces_and_keeps_its_length(text, after, at):
    casing, first, rest = capitals(after), text[:at], text[at:]
    assert casing.show(first) + casing.show(rest, first[-1:]) == casing.show(text)
    assert "".join(casing.show_pieces([first, "", rest], "")) == casing.show(text)
    assert len(casing.show(text)) == len(text)
    lower = casing.fold(text.replace("Σ", ""))  # at a word's end, another letter stands for it
    assert casing.fold(casing.show(lower)) == lower


@given(st.lists(st.text("aAßǆİ- \n", max_size=4) | st.text()), st.sampled_from(["", "- "]))
@example(["", "rex", "a\nb"], "")
def test_many_texts_are_shown_as_each_of_them(texts, after):
    assert capitals(after).show_each(texts) == [capitals(after).show(text) for text in texts]
    assert KEPT.show_each(texts) == texts


def test_what_is_asked_for_beats_the_list():
    names = ["New York", "McFly"]
    assert of_names("lower", names) == of_text("lower", "Ab") == Casing("lower")
    assert of_names("keep", ["rex"]) == of_text("keep", "ab") == KEPT
    assert of_names("lower", names, known=True).shown == "notebook" and of_names("keep", names, known=True) == KEPT


def test_a_text_of_prose_keeps_its_capitals_where_it_has_any():
    assert of_text("auto", "To be, or not") == KEPT == of_text("auto", "TO BE")
    assert of_text("auto", "to be, or not\n東京") == Casing("lower") == of_text("auto", "To be", known=True)


def test_known_names_are_learned_in_lower_case_and_printed_with_a_capital_as_in_the_notebook():
    casing = of_names("auto", ["Rex", "McFly"], known=True)
    assert casing.fold("McFly") == "mcfly" and casing.show("mcfly x") == "mcfly x"
    assert casing.printed(["mcfly x", "rex"]) == ["Mcfly x", "Rex"]
    assert capitals(" ").printed(["New York"]) == ["New York"] and Casing("lower").printed(["rex"]) == ["rex"]


def test_the_bundled_list_would_come_back_exactly_as_well():
    corpus = read("data/genera.txt", "dinos")
    assert is_known(corpus) and of_names("auto", read_names(corpus.text, "genera")) == capitals()


@pytest.mark.parametrize("casing", [KEPT, Casing("lower"), Casing("lower", "notebook"), capitals(), capitals(" -")])
def test_a_card_tells_it_and_older_readers_understand(casing):
    assert Casing.of_card(casing.card) == casing
    assert casing.card["lower_case"] == (casing.learned == "lower")
    assert ("after" in casing.card["case"]) == bool(casing.after)


def test_an_older_card_tells_it_too():
    assert Casing.of_card({"lower_case": True}) == Casing("lower", "notebook")
    assert Casing.of_card({"lower_case": False}) == Casing.of_card({}) == KEPT


@pytest.mark.parametrize(
    "case", [None, 1, "lower", [], {"learned": "upper"}, {"shown": 1}, {"after": 1}, {"learned": []}, {"more": "x"}]
)
def test_a_card_of_another_form_is_refused(case):
    with pytest.raises(BadInputError, match="case must be"):
        Casing.of_card({"case": case})
