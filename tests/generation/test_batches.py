"""A stream of batches: the rows of parts are those of the whole, and nothing waits for the end."""

from itertools import count, islice

import pytest

from kerasgen.base.errors import BadInputError
from kerasgen.generation import batches
from kerasgen.generation.batches import BLOCK, counted, distinct, filled, taken
from kerasgen.generation.sampling import Sampling
from tests.generation.toys import generator, remembering

SHORT = Sampling(max_length=9, seed=3)


def three_of_four(number, row):
    """Return the texts of a block of which every fourth row is left out."""
    return [f"{number}:{place}" for place in range(BLOCK) if place % 4]


@pytest.fixture
def short_spans(monkeypatch):
    monkeypatch.setattr(batches, "SPAN", 2)


def test_what_is_left_out_is_made_up_for_within_the_span(short_spans):
    found = list(islice(filled(three_of_four), 6))
    assert [row for row, _ in found] == [0, 768, 1536, 2048, 2816, 3584]
    numbers = [texts[0].partition(":")[0] for _, texts in found]
    assert numbers == ["0", "1", str(1 << 30), "2", "3", str((1 << 30) + 1)]
    assert [len(texts) for _, texts in found] == [768, 768, 512] * 2


def test_a_span_can_be_passed_over_without_what_stands_in_it(short_spans):
    found = list(islice(filled(three_of_four), 6))
    assert list(islice(filled(three_of_four, 2048), 3)) == list(islice(filled(three_of_four, 4000), 3)) == found[3:]


def test_no_two_blocks_of_a_long_job_have_the_same_number(monkeypatch):
    monkeypatch.setattr(batches, "BLOCK", 8)
    numbers = []
    for _ in islice(filled(lambda number, _: numbers.append(number) or ["x"] * 3), 20_000):
        pass
    assert len(set(numbers)) == len(numbers) == 20_000 and max(numbers) < 1 << 31


def test_rows_are_taken_and_those_before_them_are_told_apart():
    blocks = [["a", "b", "c"], ["d", "e"], [], ["f", "g"]]
    found = list(taken(counted(iter(blocks)), range(2, 6)))
    assert [(batch.row, batch.texts, batch.texts[batch.own]) for batch in found] == [
        (0, ["a", "b", "c"], ["c"]), (3, ["d", "e"], ["d", "e"]), (5, ["f"], ["f"]),
    ]  # fmt: skip
    assert list(taken(counted(iter(blocks)), range(3, 3))) == []
    assert list(distinct(counted(iter([["a", "b", "a"], ["b", "c"]])))) == [["a", "b"], ["c"]]


def test_it_ends_where_nothing_more_comes():
    asked = count()
    found = taken(counted(([] if next(asked) else ["a"]) for _ in count()), range(9))
    assert [batch.texts for batch in found] == [["a"]] and next(asked) == 51


def parts(generator, total, number, **settings):
    """Return the texts of each part of a job."""
    cuts = [total * part // number for part in range(number + 1)]
    return [
        [
            text
            for batch in generator.batches(total, rows=range(one, other), **settings)
            for text in batch.texts[batch.own]
        ]
        for one, other in zip(cuts, cuts[1:], strict=False)
    ]


class EndsInA:
    """Contains every text that does."""

    def __contains__(self, text):
        return text.endswith("a")


KNOWN = EndsInA()  # one, so that the generators of several tests are


@pytest.mark.parametrize("total, number", [(5000, 3), (40, 3), (2049, 2)])
@pytest.mark.parametrize(
    "settings",
    [{}, {"novel_only": True}, {"prefix": "ab", "sampling": Sampling(max_length=12, ends_with="a")}],
    ids=str,
)
@pytest.mark.parametrize("stop", [".", None])
def test_the_parts_together_are_the_whole(short_spans, stop, settings, total, number):
    g = generator(stop=stop, known=KNOWN)
    if stop is None and settings.get("sampling"):
        settings = {**settings, "sampling": Sampling(max_length=12)}
    settings = {"sampling": SHORT, **settings}
    whole = g.generate(total, **settings)
    found = parts(g, total, number, **settings)
    assert len(whole) == total and [text for part in found for text in part] == whole
    assert max(map(len, found)) - min(map(len, found)) <= 1
    assert [text for batch in g.batches(total, **settings) for text in batch.texts] == whole


def test_a_part_of_few_texts_has_those_of_the_whole_in_the_last_bit():
    g = remembering()
    assert sum(parts(g, 60, 7, sampling=SHORT), []) == g.generate(60, sampling=SHORT)


def test_batches_come_one_by_one():
    g, made = generator(stop=None), []
    plain = g._rows._block
    g._rows._block = lambda number, *given: made.append(number) or plain(number, *given)
    try:
        stream = g.batches(10**9, rows=range(5 * 10**8, 10**9), sampling=SHORT)
        first = next(stream)
        assert first.row == 5 * 10**8 // BLOCK * BLOCK and len(first.texts[first.own]) == BLOCK - 5 * 10**8 % BLOCK
        assert made == [5 * 10**8 // BLOCK]
    finally:
        del g._rows._block


def test_what_no_part_can_have_is_refused():
    g = generator(stop=".")
    with pytest.raises(BadInputError, match="without repetition"):
        g.batches(10, rows=range(5), unique=True)
    with pytest.raises(BadInputError, match="of which the model writes at least 2% unasked; these are rarer"):
        next(g.batches(10, rows=range(5), sampling=Sampling(contains="ddddd", max_length=9)))
