"""``--part 2/8``: the share of a job's texts that one of several processes writes."""

import re

from kerasgen.base.errors import BadInputError


def is_part(text: str) -> bool:
    """Tell whether a text is a part: a number, a slash, and how many parts there are, which is no smaller."""
    found = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text)
    return found is not None and 1 <= int(found[1]) <= int(found[2])


def rows(part: str | None, count: int) -> range:
    """Return the rows of a part of `count` texts: those of all parts together are all rows, in their order.

    Args:
        part: as for `is_part`; None for all.
        count: of all parts together.
    """
    number, parts = map(int, (part or "1/1").split("/"))
    return range(count * (number - 1) // parts, count * number // parts)


def is_first(part: str | None) -> bool:
    """Tell whether a part is the first, with which a table's header stands."""
    return part is None or int(part.split("/")[0]) == 1


def check(part: str | None, form: str, **others: bool) -> None:
    """Refuse what no part can have, since it takes all texts together.

    Args:
        part: None where all texts are asked for.
        form: that of the output.
        others: whether each other setting that takes all texts was asked for.

    Raises:
        BadInputError: one was.
    """
    if part is None:
        return
    if form == "json":
        raise BadInputError("--part must have a --format of lines, which can be joined: text, csv or jsonl; not json")
    for name in (name for name, asked in others.items() if asked):
        raise BadInputError(f"--part can't be had with --{name}, which looks at all texts; leave one of them out")
