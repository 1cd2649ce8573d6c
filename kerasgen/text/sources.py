"""The user's own texts: a file, several, a folder, a pattern, or standard input; packed with gzip or not."""

import glob
import gzip
import io
import os
import re
import stat
import sys
import zlib
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from kerasgen.base import memory
from kerasgen.base.console import quoted
from kerasgen.base.errors import BadInputError, KerasgenError, MissingFileError, nearest, reason
from kerasgen.text.file_names import file_name
from kerasgen.text.known import KNOWN

STANDARD_INPUT = "-"
_MOST = 256 * 1024 * 1024  # bytes of what has no size that can be looked at before: standard input, or packed
LARGE = 16 * 1024 * 1024  # bytes of texts, unpacked, from which on their ids are kept in a file, not in memory
_TIMES = 3  # that a text stands in memory at the least: bytes, characters, ids
_CHUNK = 1 << 18  # bytes that are read at once
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


def large(sources: Sequence[str]) -> list[Path | str]:
    """Return the files and known corpora that the sources stand for where all together are too large for memory.

    Else return none. What comes through a pipe can't be read once more, so it is none of these.
    """
    try:
        parts = [part for source in sources for part in ([source] if source in KNOWN else _found(source))]
        files = [part for part in parts if isinstance(part, Path)]
        if STANDARD_INPUT in sources or not all(file.is_file() for file in files):
            return []
        return parts if sum(map(_size, files)) > LARGE else []
    except (OSError, ValueError, KerasgenError):  # what is wrong is told by who reads it
        return []


def _size(file: Path) -> int:
    """Return the bytes of a file; of what is packed, as many as come out of it, up to `LARGE` and some more."""
    return sum(map(len, islice(chunks(file), LARGE // _CHUNK + 1))) if _is_packed(file) else file.stat().st_size


def stamp(path: Path) -> list[str | int]:
    """Return what changes with a file: its place, its size, and when it was written to."""
    found = path.stat()
    return [str(path.resolve()), found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]


def chunks(path: Path) -> Iterator[bytes]:
    """Yield the bytes of a file, some at a time; what is packed with gzip is unpacked.

    Raises:
        BadInputError: it can't be read.
    """
    try:
        with gzip.open(path) if _is_packed(path) else open(path, "rb") as file:
            while chunk := file.read(_CHUNK):
                yield chunk
    except (OSError, EOFError, zlib.error) as error:
        raise BadInputError(f"--data must name a readable file; {str(path)!r} can't be read: {reason(error)}") from None


def _is_packed(path: Path) -> bool:
    with open(path, "rb") as file:
        return file.read(len(_PACKED)) == _PACKED


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
