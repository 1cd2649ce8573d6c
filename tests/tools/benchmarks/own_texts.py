"""Texts such as a user may bring, of many sizes and kinds, from this machine and from Debian's packages; none is kept.

``verse`` is the Sonnets; ``prose`` is Jane Austen's novels, after as much of the King James Bible as they fall short of
the size; ``scripture`` is that Bible in its numbered verses; ``code`` is Python's own library; ``markup`` is the source
of the manual pages.
"""

import functools
import gzip
import os
import re
import subprocess
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from kerasgen.text import corpora

SIZES = {"5 kB": 5_000, "30 kB": 30_000, "100 kB": 94_000, "1 MB": 1_000_000, "5 MB": 5_000_000}  # characters
_LINE = b"\x00\x04\x00\x09"  # what a line of a text in R's own format begins with, before its length
_MANUAL = Path("/usr/share/man/man1")


def texts(largest: int = 5_000_000) -> Iterator[tuple[str, str, str]]:
    """Yield the kind, the size and the characters of each text, the small ones first.

    Args:
        largest: characters of a text, at the most.

    Raises:
        RuntimeError: this machine has none of Debian's packages.
    """
    for size, characters in SIZES.items():
        if characters <= largest:
            for kind in _KINDS:
                text = of_kind(kind)[:characters]
                if len(text) > 0.85 * characters:
                    yield kind, size, text


@functools.cache
def of_kind(kind: str) -> str:
    """Return all characters of a kind of text."""
    return _KINDS[kind]()


def _verse() -> str:
    return corpora.read("shakespeare", "shakespeare").text


def _prose() -> str:
    novels = _novels()
    missing = SIZES["5 MB"] - len(novels)
    # The beginning of a small text is a novel's.
    return novels[:1_000_000] + of_kind("scripture")[:missing] + novels[1_000_000:]


def _novels() -> str:
    data = (_unpacked("r-cran-janeaustenr") / "usr/lib/R/site-library/janeaustenr/data/Rdata.rdb").read_bytes()
    books = []
    while data:
        unpacker = zlib.decompressobj()
        books.append(unpacker.decompress(data[4:]))  # after the length
        data = unpacker.unused_data
    return "\n\n\n".join(map(_lines, books))


def _lines(book: bytes) -> str:
    lines, place = [], book.index(_LINE)
    while book[place : place + 3] in (_LINE[:3], b"\x00\x00\x80"):
        start = place + 8
        place = start + int.from_bytes(book[place + 4 : start], "big")
        lines.append(book[start:place].decode("utf-8", "replace"))
    return "\n".join(lines).strip()


def _scripture() -> str:
    program, text = _unpacked("bible-kjv"), _unpacked("bible-kjv-text")
    found = subprocess.run(
        [program / "usr/bin/bible", "-l78", "-p", text / "usr/lib", "gen1:1-rev22:21"],
        capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return found.stdout.strip()


def _code() -> str:
    paths = sorted(Path(os.__file__).parent.rglob("*.py"))
    ours = [path for path in paths if not {"site-packages", "test", "tests", "encodings"} & set(path.parts)]
    return "\n\n".join(path.read_text("utf-8", "replace") for path in ours)


def _markup() -> str:
    paths = sorted(path for path in _MANUAL.glob("*.1.gz") if not re.match(r"gcloud|perf|llvm", path.name))
    pages = dict.fromkeys(gzip.decompress(path.read_bytes()) for path in paths)  # some have several names
    return "\n".join(page.decode("utf-8", "replace") for page in pages)


@functools.cache
def _unpacked(package: str) -> Path:
    """Return the folder of a package of Debian's that was downloaded and unpacked, but not installed."""
    folder = Path(tempfile.mkdtemp(prefix=f"{package}-"))
    try:
        subprocess.run(["apt-get", "download", "-q", package], cwd=folder, check=True, capture_output=True)
        subprocess.run(["dpkg", "-x", next(folder.glob("*.deb")), folder], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise RuntimeError(f"the texts are in Debian's package {package}, which can't be had here: {error}") from error
    return folder


_KINDS = {"verse": _verse, "prose": _prose, "scripture": _scripture, "code": _code, "markup": _markup}
