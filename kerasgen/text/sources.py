"""The user's own texts: a file, several, a folder, a pattern, or standard input; packed with gzip or not."""

import glob
import gzip
import io
import os
import re
import stat
import sys
import zlib
from collections.abc import Sequence
from pathlib import Path

from kerasgen.base import memory
from kerasgen.base.console import quoted
from kerasgen.base.errors import BadInputError, MissingFileError, nearest, reason
from kerasgen.text.file_names import file_name
from kerasgen.text.known import KNOWN

STANDARD_INPUT = "-"
_MOST = 256 * 1024 * 1024  # bytes of what has no size that can be looked at before: standard input, or packed
_TIMES = 3  # that a text stands in memory at the least: bytes, characters, ids
_PACKED = b"\x1f\x8b"  # what every gzip file begins with


def contents(source: str) -> list[tuple[str, bytes]]:
    """Read what a source stands for: the files, in their order, each with the words that name it in a message.

    Args:
        source: a path; a folder, for the ``.txt`` files in it, sorted; a pattern, for the files that fit, sorted; or
            ``-`` for standard input. What is packed with gzip is unpacked.

    Raises:
        MissingFileError: there is no such file.
        BadInputError: it can't be read, there is no text in the folder, or more than 256 MiB come out of it.
    """
    if source == STANDARD_INPUT:
        return [("standard input", _unpacked(_standard_input(), "standard input"))]
    return [(str(path), _unpacked(_bytes(path), repr(str(path)))) for path in _paths(source)]


def name(sources: Sequence[str], column: str | None = None) -> str:
    """Return what a text of these sources is called, also in the names of files; nothing is read for it.

    A file is called by its stem, a folder by its name, a pattern by what is fixed in it. A column of a table is added.
    """
    more = len(sources) - 1
    of_column = (re.sub(r"\W+", "-", column).strip("-") or column) if column and column != "0" else ""
    return file_name("-".join(filter(None, [_name(sources[0]), of_column, f"and-{more}-more" if more else ""])))


def comes_again(sources: Sequence[str]) -> bool:
    """Tell whether the sources can be read once more: a pipe can't."""
    return all(source in KNOWN or all(path.is_file() for path in _found(source)) for source in sources)


def _name(source: str) -> str:
    if source == STANDARD_INPUT:
        return "stdin"
    path = Path(source)
    if os.path.isdir(path):
        return path.resolve().name or "texts"
    if not _is_pattern(source):
        return path.with_suffix("").stem if path.suffix.lower() == ".gz" else path.stem
    fixed = re.sub(r"\[.*?\]|[*?]", "", path.name.partition(".")[0]).strip("-_ ")
    folder = next((one for one in path.parents if not glob.has_magic(str(one))), Path("."))
    return fixed or folder.resolve().name or "texts"


def _is_pattern(source: str) -> bool:
    return glob.has_magic(source) and not os.path.exists(source)


def _found(source: str) -> list[Path]:
    """Return the files that a source stands for; none for standard input."""
    path = Path(source)
    if source == STANDARD_INPUT:
        return []
    if os.path.isdir(path):
        return sorted(file for file in path.iterdir() if re.search(r"^[^.].*\.txt(\.gz)?$", file.name, re.IGNORECASE))
    if _is_pattern(source):
        return [path for path in sorted(map(Path, glob.glob(source, recursive=True))) if not path.is_dir()]
    return [path]


def _paths(source: str) -> list[Path]:
    """Return the files that a source stands for, one at the least."""
    try:
        found = _found(source)
    except OSError as error:
        raise BadInputError(f"--data must name a readable folder; {source!r} can't be read: {reason(error)}") from None
    if found:
        return found
    if _is_pattern(source):
        raise MissingFileError(f"--data must name files; none fits the pattern {source!r}")
    pattern = quoted(str(Path(source) / "*.md"))
    raise BadInputError(
        f"--data must name texts; the folder {source!r} has no .txt file; a pattern takes others: --data {pattern}"
    )


def _bytes(path: Path) -> bytes:
    try:
        found = path.stat()
        if stat.S_ISCHR(found.st_mode):
            raise BadInputError(f"--data must name a file; {str(path)!r} is a device")  # /dev/zero never ends
        most, who = memory.most()
        if _TIMES * found.st_size > most:
            raise BadInputError(
                f"--data must name a file that fits in memory {_TIMES} times; {str(path)!r} has "
                f"{found.st_size / 1e9:.1f} GB, and there are {most / 1e9:.1f} GB ({who}); take a part of it"
            )
        with open(path, "rb") as file:
            content = file.read() if stat.S_ISREG(found.st_mode) else file.read(_MOST + 1)
        return content if stat.S_ISREG(found.st_mode) else _bounded(content, repr(str(path)))  # a pipe may never end
    except (FileNotFoundError, NotADirectoryError):
        hint = nearest(str(path), list(KNOWN)) or f"; the known corpora are {' and '.join(KNOWN)}"
        raise MissingFileError(f"--data must name a file or a known corpus; there is no {str(path)!r}{hint}") from None
    except (OSError, ValueError) as error:
        raise BadInputError(f"--data must name a readable file; {str(path)!r} can't be read: {reason(error)}") from None


def _standard_input() -> bytes:
    stream = getattr(sys.stdin, "buffer", sys.stdin)
    try:
        content = stream.read(_MOST + 1) if stream else b""
    except (OSError, ValueError) as error:  # it is closed
        raise BadInputError(f"--data - reads standard input, which can't be read: {reason(error)}") from None
    return _bounded(content.encode() if isinstance(content, str) else content, "standard input")


def _unpacked(content: bytes, source: str) -> bytes:
    """Return the bytes behind a packed file, or the content itself where it is none."""
    if not content.startswith(_PACKED):
        return content
    unpacked = bytearray()
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as packed:
            while piece := packed.read(1 << 20):
                unpacked += piece
                _bounded(unpacked, source)
    except (OSError, EOFError, zlib.error) as error:
        raise BadInputError(f"--data must name a file that can be unpacked; {source} can't: {reason(error)}") from None
    return bytes(unpacked)


def _bounded(content, source: str):
    if len(content) > _MOST:
        raise BadInputError(f"{source} must be at most {_MOST >> 20} MiB, unpacked; it has more; take a part of it")
    return content
