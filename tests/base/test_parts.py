"""``--part 2/8``: which rows are whose."""

import pytest

from kerasgen.base import parts
from kerasgen.base.errors import BadInputError


@pytest.mark.parametrize("text", ["1/1", "2/8", "8/8", "16384/100000"])
def test_a_part(text):
    assert parts.is_part(text)


@pytest.mark.parametrize("text", ["", "0/8", "9/8", "2", "2/", "/8", "2/8/9", "-1/8", "1.5/8", "²/8", "2 / 8", "1/1\n"])
def test_no_part(text):
    assert not parts.is_part(text)


@pytest.mark.parametrize("count, number", [(10, 3), (10_000_000, 8), (2, 5), (7, 7)])
def test_the_rows_of_all_parts_are_all_rows_in_their_order(count, number):
    shares = [parts.rows(f"{part}/{number}", count) for part in range(1, number + 1)]
    assert [row for share in shares for row in (share.start, share.stop)][1:-1] == [
        cut for share in shares[1:] for cut in (share.start, share.start)
    ]
    assert shares[0].start == 0 and shares[-1].stop == count
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    assert parts.rows(None, count) == range(count)


def test_only_the_first_has_the_header():
    assert [parts.is_first(part) for part in (None, "1/3", "2/3", "10/10")] == [True, True, False, False]


def test_what_takes_all_texts_is_refused_in_words():
    parts.check(None, "json", unique=True)
    parts.check("2/8", "csv", unique=False)
    with pytest.raises(BadInputError, match="--part can't be had with --unique, which looks at all texts"):
        parts.check("2/8", "text", rank=False, unique=True)
    with pytest.raises(BadInputError, match="csv or jsonl; not json"):
        parts.check("2/8", "json")
