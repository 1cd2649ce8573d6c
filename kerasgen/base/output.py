"""Where generated texts go, and in which form: plain lines, CSV or JSON, on standard output or in a file."""

import contextlib
import csv
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, TextIO

from kerasgen.base import files
from kerasgen.base.errors import BadInputError, StoppedError

Format = Literal["auto", "text", "csv", "json", "jsonl"]
Row = dict[str, Any]
_ENDINGS: dict[str, Format] = {".csv": "csv", ".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl"}


def form(wanted: Format, output: str | None) -> Format:
    """Return the form of the output; ``auto`` goes by the file's ending, and is text without one."""
    return _ENDINGS.get(Path(output or "").suffix.lower(), "text") if wanted == "auto" else wanted


def check(output: str | None, sources: Sequence[str] = ()) -> None:
    """Try whether a file can be written, before long work whose result it shall hold.

    Args:
        output: the file; None for standard output.
        sources: the files that were read, which must not be written over.

    Raises:
        BadInputError: there is something else than a file, or a text that was learned from.
        FailedError: nothing can be written in its folder.
    """
    if output is None:
        return
    path = Path(output)
    if not path.name or (os.path.exists(path) and not os.path.isfile(path)):
        raise BadInputError(f"--output must name a file; {output!r} is none; leave it out for standard output")
    if any(os.path.exists(path) and os.path.exists(one) and os.path.samefile(path, one) for one in sources):
        raise BadInputError(f"--output must not be the text of --data; received {output!r} for both; name another file")
    files.check_writable(path.parent, "--output")


@contextlib.contextmanager
def opened(output: str | None) -> Iterator[TextIO]:
    """Yield what to write to: standard output, or a file that appears whole once the block has ended, or not at all.

    Raises:
        FailedError: the file can't be written; what stood there is untouched.
        StoppedError: Ctrl-C or SIGTERM came; likewise.
    """
    if output is None:
        yield sys.stdout
        return
    with (
        _stoppable(f"stopped; {output} was not written, as it is written whole or not at all"),
        files.whole(Path(os.path.realpath(output))) as temporary,
        open(temporary, "w", encoding="utf-8", newline="") as file,
    ):
        yield file


@contextlib.contextmanager
def _stoppable(message: str) -> Iterator[None]:
    """Turn Ctrl-C and SIGTERM into an error while the block runs, so that what it must not leave behind goes."""

    def stop(number: int, frame: object) -> None:
        raise StoppedError(message, number)

    main = threading.current_thread() is threading.main_thread()
    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM) if main}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def aside(wanted: Format, output: str | None) -> TextIO:
    """Return where to print what is no generated text: standard output only where those go there as plain text."""
    return sys.stdout if output is None and form(wanted, output) == "text" else sys.stderr


class Sink:
    """What texts are written to, one after another.

    Args:
        file: where to.
        put: writes a row, where the form has rows; None for plain text.
    """

    def __init__(self, file: TextIO, put: Callable[[Row], None] | None):
        self.file, self.put = file, put


@contextlib.contextmanager
def sink(wanted: Format, output: str | None, fields: Sequence[str], header: bool = True) -> Iterator[Sink]:
    """Yield where texts go: ``--format`` and ``--output`` as they were given, and the rest as for `rows`.

    Raises:
        FailedError: the file can't be written; what stood there is untouched.
    """
    with opened(output) as file:
        if (its := form(wanted, output)) == "text":
            yield Sink(file, None)
            return
        with rows(file, its, fields, header) as put:
            yield Sink(file, put)


@contextlib.contextmanager
def rows(file: TextIO, form: Format, fields: Sequence[str], header: bool = True) -> Iterator[Callable[[Row], None]]:
    """Yield a function that writes a row, where people wait at once; a JSON file is a list of them.

    Args:
        file: where to.
        form: ``"csv"``, ``"json"`` or ``"jsonl"``.
        fields: the names of the columns, in their order.
        header: whether CSV begins with them.
    """
    plain = not (getattr(file, "encoding", None) or "utf-8").lower().startswith("utf")
    count = 0

    def in_json(row: Row) -> str:
        return json.dumps({name: row.get(name) for name in fields}, ensure_ascii=plain, allow_nan=False)

    def write(row: Row) -> None:
        nonlocal count
        if form == "csv":
            table.writerow(row)
        elif form == "jsonl":
            file.write(in_json(row) + "\n")
        else:
            file.write((",\n " if count else "[\n ") + in_json(row))
        count += 1
        if file is sys.stdout:
            file.flush()

    table = csv.DictWriter(file, fields, extrasaction="ignore", lineterminator="\n")
    if form == "csv" and header:
        table.writeheader()
    yield write
    if form == "json":
        file.write("\n]\n" if count else "[]\n")
