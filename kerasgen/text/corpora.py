"""Find and read the text to learn from."""

import stat
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from kerasgen.base.errors import BadInputError, FailedError, MissingFileError, nearest, reason
from kerasgen.base.files import bundled, sha256
from kerasgen.text.known import KNOWN, fetch, local


@dataclass(frozen=True)
class Text:
    r"""A text that was read.

    Attributes:
        name: the corpus' name or the file's stem, for the names of models.
        text: the characters, with ``\n`` at the line ends, accents composed (NFC), and no byte order mark.
        sha256: the hash of the file's bytes.
        note: one line that the user should see, or nothing.
    """

    name: str
    text: str
    sha256: str
    note: str = ""


def read(data: str | None, default: str) -> Text:
    """Read a file or a known corpus.

    A known corpus is looked for in ``KERASGEN_MIRROR`` (a folder or an address), in the cache (``data/`` in a
    checkout, else the user's cache folder; ``KERASGEN_CACHE`` names another), and at its own address.

    Args:
        data: a path or the name of a known corpus; None for `default`, where a bundled text steps in for a corpus that
            can't be had.
        default: the name of the known corpus to read where `data` is None.

    Raises:
        MissingFileError: there is no such file or known corpus.
        BadInputError: it is a folder, empty, binary or not UTF-8.
        FailedError: the known corpus was asked for by name and can't be had.
    """
    if data == "":
        raise BadInputError("--data must name a file or a known corpus; received ''")
    if data is not None and data not in KNOWN:
        return _text(Path(data).stem, _bytes(Path(data)), data)
    name = data or default
    try:
        content, note = fetch(name)
        return _text(name, content, name, note)
    except FailedError as error:
        if data is not None:
            raise FailedError(f"{error}; name a file of your own, or leave --data out for a bundled text") from error
        path = bundled(KNOWN[name].fallback)
        return _text(path.stem, _bytes(path), path.name, f"{error}; going on with the bundled {path.name}")


def is_known(text: Text) -> bool:
    """Tell whether a text is a known corpus or the bundled one that steps in for it, whatever its file is called."""
    if any(text.sha256 == corpus.sha256 for corpus in KNOWN.values()):
        return True
    paths = [bundled(corpus.fallback) for corpus in KNOWN.values()]
    return any(path.is_file() and text.sha256 == sha256(path.read_bytes()) for path in paths)


def of_text(name: str, text: str) -> Text:
    """Take a text that is in memory already, as `read` takes a file's.

    Raises:
        BadInputError: it is blank, or has a NUL character or half of a surrogate pair.
    """
    try:
        return _text(name, text.encode("utf-8"), "the text")
    except UnicodeEncodeError as error:
        raise BadInputError(f"a text must be valid Unicode; character {error.start + 1} is a surrogate") from None


def names(data: str | None, default: str) -> list[str]:
    """Return the names that the text of `data` may have: with None, that of the known corpus or of its stand-in."""
    return [Path(data).stem] if data else [default, Path(KNOWN[default].fallback).stem]


def at_hand(name: str) -> Text | None:
    """Return a known corpus, or a bundled text, where it lies on this machine; nothing is downloaded.

    The name may come from a model file, so it is looked up and never made a path.
    """
    if name in KNOWN:
        content, _ = local(KNOWN[name])
        return _text(name, content, name) if content else None
    path = {Path(corpus.fallback).stem: bundled(corpus.fallback) for corpus in KNOWN.values()}.get(name)
    return _text(name, _bytes(path), name) if path and path.is_file() else None


def _bytes(path: Path) -> bytes:
    try:
        if stat.S_ISCHR(path.stat().st_mode):
            raise BadInputError(f"--data must name a file; {str(path)!r} is a device")  # /dev/zero never ends
        return path.read_bytes()
    except IsADirectoryError:
        raise BadInputError(f"--data must name a file; {str(path)!r} is a folder; name a text file in it") from None
    except (FileNotFoundError, NotADirectoryError):
        hint = nearest(str(path), list(KNOWN)) or f"; the known corpora are {' and '.join(KNOWN)}"
        raise MissingFileError(f"--data must name a file or a known corpus; there is no {str(path)!r}{hint}") from None
    except (OSError, ValueError) as error:
        raise BadInputError(f"--data must name a readable file; {str(path)!r} can't be read: {reason(error)}") from None


def _text(name: str, content: bytes, source: str, note: str = "") -> Text:
    if b"\0" in content:
        raise BadInputError(
            f"a text must be UTF-8; {source} looks binary: byte {content.index(0)} is NUL; save it as plain text"
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        at = error.start + (3 if content.startswith(b"\xef\xbb\xbf") else 0)
        line = content.count(b"\n", 0, at) + 1
        raise BadInputError(
            f"a text must be UTF-8; {source} is not: byte {at} (line {line}) is 0x{content[at]:02x}; save it as UTF-8"
        ) from None
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))  # macOS writes é as e and ´
    if not text.strip():
        raise BadInputError(f"a text must have characters to learn from; {source} is {'blank' if text else 'empty'}")
    return Text(name, text, sha256(content), note)
