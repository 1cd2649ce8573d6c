"""Tables: one column of comma- or tab-separated values, and what a list looks like that is a table in truth."""

import csv
import io
import shlex
from collections import Counter
from collections.abc import Iterable

from kerasgen.base.errors import BadInputError, nearest, reason

WHOLE_LINES = "0"  # the column of who wants no table
_DELIMITERS = ("\t", ";", "|", ",")  # commas last, as they stand in the cells of the others
_NOWHERE = "\x1f"  # separates nothing
_LOOKED_AT = 200  # lines by which a table is known
_CONSTANT = 0.9  # the share of lines that have as many cells as most
_HEADERS = {
    *("name", "names", "first name", "firstname", "first_name", "last name", "lastname", "last_name", "full name"),
    *("surname", "given name", "title", "titles", "label", "labels", "item", "items", "word", "words", "value", "text"),
    *("city", "cities", "town", "towns", "place", "places", "country", "countries", "street", "streets", "species"),
    *("genus", "brand", "brands", "product", "products", "product name", "product_name"),
}


def column(text: str, which: str, source: str, several_lines: bool) -> tuple[str, str]:
    """Take a column out of a table: a cell a line, those without text left out.

    Args:
        text: the table, its cells separated by tabs, commas, semicolons or bars, with quotes where needed.
        which: the column's name, as the first row has it, which is then left out; or its number, from 1.
        source: the table, for a message.
        several_lines: whether a cell may have several lines; blank lines then stand between the cells.

    Returns:
        The cells, and a note or nothing.

    Raises:
        BadInputError: there is no such column, or the table can't be read.
    """
    beginning = _beginning(text)
    shapes = {one: _shape(beginning, one) for one in _DELIMITERS}
    wide = [one for one, (width, _) in shapes.items() if width > 1]
    delimiter = max(wide, key=lambda one: shapes[one][::-1], default=_NOWHERE)  # a list is a table of one column
    try:
        rows = [row for row in _rows(text, delimiter) if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise BadInputError(f"--column needs a table; {source} is none that can be read: {reason(error)}") from None
    head = [cell.strip() for cell in rows[0]] if rows else []
    number, named = _number(which, head, max(map(len, rows), default=0), source)
    note = "" if named or number >= len(head) else _header_note(head[number], source, "cell")
    cells = [row[number].strip() for row in rows[named:] if number < len(row)]
    if several_lines and any("\n" in cell for cell in cells):
        return "\n\n".join(filter(None, cells)), note
    return "\n".join(" ".join(cell.split("\n")) for cell in cells if cell), note


def check_list(text: str, source: str) -> str:
    """Refuse a list that is a table in truth; return a note where its first line looks like a header, or nothing.

    Raises:
        BadInputError: its lines have several cells each.
    """
    beginning = _beginning(text)
    lines = beginning.split("\n")
    for delimiter in _DELIMITERS if len(lines) > 2 else ():
        width, share = _shape(beginning, delimiter)
        surnames = delimiter == "," and width == 2 and beginning.count(", ") > _CONSTANT * len(lines)  # "Doe, Jane"
        if width > 1 and share >= _CONSTANT and not surnames:
            first, named = next(iter(_rows(beginning, delimiter))), {"\t": "a tab"}.get(delimiter, repr(delimiter))
            raise BadInputError(
                f"a list must have one name a line; {source} looks like a table of {width} columns with {named} "
                f"between them, the first row {', '.join(map(repr, first)):.100}; --column NAME or --column NUMBER "
                f"takes one, --column {WHOLE_LINES} whole lines"
            )
    return _header_note(lines[0].strip(), source, "line") if lines[1:] else ""


def _header_note(title: str, source: str, what: str) -> str:
    if title.casefold() not in _HEADERS:
        return ""
    flag = f"--column {shlex.quote(title)}"
    return f"the first {what} of {source}, {title!r}, looks like a header and is learned; {flag} leaves it out"


def _number(which: str, head: list[str], width: int, source: str) -> tuple[int, bool]:
    """Return the place of a column, from 0, and whether it was named."""
    if which.isdecimal() and 1 <= int(which) <= width:
        return int(which) - 1, False
    folded = [cell.casefold() for cell in head]
    for cells, wanted in ((head, which.strip()), (folded, which.strip().casefold())):
        if wanted in cells:
            return cells.index(wanted), True
    known = ", ".join(map(repr, head))
    raise BadInputError(
        f"--column must be the name or the number of a column of {source}; received {which!r}{nearest(which, head)}; "
        f"the first row is {known:.300}"
    )


def _rows(text: str, delimiter: str) -> Iterable[list[str]]:
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)


def _shape(text: str, delimiter: str) -> tuple[int, float]:
    """Return how many cells most rows have, and the share of the rows that have so many."""
    try:
        widths = Counter(len(row) for row in _rows(text, delimiter))
    except csv.Error:
        return 0, 0.0
    width, count = widths.most_common(1)[0]
    return width, count / widths.total()


def _beginning(text: str) -> str:
    """Return the lines by which a table is known."""
    return "\n".join([line for line in text.split("\n") if line.strip()][:_LOOKED_AT])
