"""Find and read the text to learn from."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerasgen.base.errors import BadInputError, FailedError, KerasgenError
from kerasgen.base.files import bundled, sha256
from kerasgen.text import sources, tables
from kerasgen.text.decoding import decoded
from kerasgen.text.known import KNOWN, cache_folder, fetch, local

if TYPE_CHECKING:  # it imports NumPy, which --help does not wait for
    from kerasgen.text.corpus_ids import LongText


@dataclass(frozen=True)
class Text:
    r"""A text that was read.

    Attributes:
        name: the corpus' name or the file's stem, say, for the names of models.
        text: the characters, with ``\n`` at the line ends, accents composed (NFC), and no byte order mark; those of
            prose that is too long for memory lie in a file.
        sha256: the hash of the file's bytes, unpacked; of the text, where it comes from several files or from a column.
        note: one line that the user should see, or nothing.
        source: a hash of where it was read from, by which the same file is known again though it has changed.
    """

    name: str
    text: "str | LongText"
    sha256: str
    note: str = ""
    source: str = ""


def read(data: str | Sequence[str] | None, default: str, column: str | None = None) -> Text:
    """Read the user's own text, or a known corpus.

    A known corpus is looked for in ``KERASGEN_MIRROR`` (a folder or an address), in the cache (``data/`` in a
    checkout, else the user's cache folder; ``KERASGEN_CACHE`` names another), and at its own address.

    Args:
        data: what `kerasgen.text.sources.contents` takes, or the name of a known corpus; several are joined, with a
            blank line between. None for `default`, where a bundled text steps in for a corpus that can't be had.
        default: the name of the known corpus to read where `data` is None; a text of the user's is of its kind, a list
            or prose.
        column: the name or the number of a column, where the text is a table; ``"0"`` for whole lines.

    Raises:
        MissingFileError: there is no such file or known corpus.
        BadInputError: it is empty, binary or not UTF-8, has no such column, or is a list that looks like a table.
        FailedError: the known corpus was asked for by name and can't be had.
    """
    given = each(data)
    if "" in given:
        raise BadInputError("--data must name a file or a known corpus; received ''")
    if nul := next((one for one in given if "\0" in one), ""):
        raise BadInputError(f"--data must have no NUL character; received {nul!r:.100}")
    if len(given) == 1 and given[0] in KNOWN and not column:
        content, note = _named(given[0])
        return _of_bytes(given[0], content, given[0], note)
    if given:
        return replace(_joined(given, default, column), source=place(given))
    if column:
        raise BadInputError(f"--column needs the table that --data names; received {column!r} and no --data")
    try:
        content, note = fetch(default)
        return _of_bytes(default, content, default, note)
    except FailedError as error:
        path = bundled(KNOWN[default].fallback)
        note = f"{error}; going on with the bundled {path.name}"
        return _of_bytes(path.stem, path.read_bytes(), path.name, note)


def again(data: str | Sequence[str] | None, default: str, column: str | None = None) -> Text | None:
    """Read the user's own text once more, as `read` did; None where that can't be done, or `data` is none."""
    given = each(data)
    try:
        own = given and not (len(given) == 1 and given[0] in KNOWN)
        return read(given, default, column) if own and sources.comes_again(given) else None
    except (KerasgenError, OSError):
        return None


def _joined(given: Sequence[str], default: str, column: str | None) -> Text:
    """Read texts of the user's and join them."""
    is_list = KNOWN[default].is_list
    if not is_list and column in (None, tables.WHOLE_LINES) and (parts := sources.large(given)):
        return _long(given, parts, sources.name(given, column))
    contents, notes = [], []
    for source in given:
        if source in KNOWN:
            content, note = _named(source)
            contents.append((source, content))
            notes.append(note)
        else:
            contents += sources.contents(source)
    texts = []
    for source, content in contents:
        text, note = "".join(decoded([content], source)), ""
        if column and column != tables.WHOLE_LINES:
            text, note = tables.column(text, column, source, not is_list)
        elif is_list and not column and source not in KNOWN:
            note = tables.check_list(text, source)
        texts.append(text)
        notes.append(note)
    name, note = sources.name(given, column), "; ".join(filter(None, notes))
    if len(texts) == 1:
        as_it_is = column in (None, tables.WHOLE_LINES)
        return _of_text(name, texts[0], contents[0][0], contents[0][1] if as_it_is else None, note)
    return _of_text(name, "".join(_one_after_another([text] for text in texts)), name, None, note)


def _one_after_another(texts: Iterable[Iterable[str]]) -> Iterator[str]:
    """Yield texts, each given in pieces, as one: a blank line between them, and no line without text at their ends."""
    begun = False
    for pieces in texts:
        blank, held = True, ""
        for piece in pieces:
            text = held + piece
            if blank and not text.strip():
                held = text
                continue
            if blank:
                text, blank = text.lstrip("\n"), False
                yield "\n\n" * begun
                begun = True
            body = text.rstrip("\n")
            held = text[len(body) :]
            yield body
    yield "\n" * begun


def _long(given: Sequence[str], parts: Sequence[Path | str], name: str) -> Text:
    """Return prose that is too long for memory, by its id file in the cache; where there is none, write it.

    Args:
        given: where it comes from.
        parts: the files and known corpora that these stand for.
        name: of the text.

    Raises:
        BadInputError: a file can't be read, or is binary or not UTF-8.
        FailedError: the id file can't be written, or a file changed while it was read.
    """
    from kerasgen.text.corpus_ids import LongText
    from kerasgen.text.id_file import id_file

    digest, note, path = hashlib.sha256(), "", cache_folder() / "ids" / f"{place(given)}.ids"

    def stamp() -> list[Any]:
        return [sources.stamp(part) if isinstance(part, Path) else KNOWN[part].sha256 for part in parts]

    def chunks(part: Path | str) -> Iterator[bytes]:
        for chunk in sources.chunks(part) if isinstance(part, Path) else [_named(part)[0]]:
            if len(parts) == 1:
                digest.update(chunk)
            yield chunk

    def pieces() -> Iterator[str]:
        nonlocal note
        before, blank = stamp(), True
        note = f"{name} is long: while it is learned, it is read from {path}"
        texts = [decoded(chunks(part), str(part)) for part in parts]
        for piece in texts[0] if len(parts) == 1 else _one_after_another(texts):
            if len(parts) > 1:
                digest.update(piece.encode())
            blank = blank and not piece.strip()
            yield piece
        if stamp() != before:
            raise FailedError(f"{name} changed while it was read; give the command again once it stays as it is")
        if blank:
            raise _without_characters(name, "blank")

    file = id_file(path, stamp(), pieces, digest.hexdigest)
    return Text(name, LongText(file), file.sha256, note)


def _named(name: str) -> tuple[bytes, str]:
    """Return the bytes of a known corpus that was asked for by name, and a note."""
    try:
        return fetch(name)
    except FailedError as error:
        raise FailedError(f"{error}; name a file of your own, or leave --data out for a bundled text") from error


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
        return _of_bytes(name, text.encode("utf-8"), "the text")
    except UnicodeEncodeError as error:
        raise BadInputError(f"a text must be valid Unicode; character {error.start + 1} is a surrogate") from None


def each(data: str | Sequence[str] | None) -> tuple[str, ...]:
    """Return the sources that ``--data`` names, in their order."""
    return (data,) if isinstance(data, str) else tuple(data or ())


def names(data: str | Sequence[str] | None, default: str, column: str | None = None) -> list[str]:
    """Return the names that the text of `data` may have: with None, that of the known corpus or of its stand-in."""
    given = each(data)
    return [sources.name(given, column)] if given else [default, Path(KNOWN[default].fallback).stem]


def hashes(data: str | Sequence[str] | None, default: str) -> set[str]:
    """Return the SHA-256 that the text of `data` may have where it is a known corpus; none where it is the user's."""
    given = each(data)
    if given and given not in [(name,) for name in KNOWN]:
        return set()
    if given:
        return {KNOWN[given[0]].sha256}
    stand_in = bundled(KNOWN[default].fallback)
    return {KNOWN[default].sha256, *([sha256(stand_in.read_bytes())] if stand_in.is_file() else [])}


def place(data: str | Sequence[str] | None) -> str:
    """Return a hash of where a text of the user's lies, by which the same file is known again; "" for none.

    It travels with the model, so it is no path.
    """
    paths = "" if sources.STANDARD_INPUT in each(data) else "\n".join(str(Path(path).resolve()) for path in each(data))
    return sha256(paths.encode("utf-8", "surrogateescape"))[:16] if paths else ""


def at_hand(name: str) -> Text | None:
    """Return a known corpus, or a bundled text, where it lies on this machine; nothing is downloaded.

    The name may come from a model file, so it is looked up and never made a path.
    """
    if name in KNOWN:
        content, _ = local(KNOWN[name])
        return _of_bytes(name, content, name) if content else None
    path = {Path(corpus.fallback).stem: bundled(corpus.fallback) for corpus in KNOWN.values()}.get(name)
    return _of_bytes(name, path.read_bytes(), name) if path and path.is_file() else None


def _of_bytes(name: str, content: bytes, source: str, note: str = "") -> Text:
    return _of_text(name, "".join(decoded([content], source)), source, content, note)


def _of_text(name: str, text: str, source: str, content: bytes | None, note: str) -> Text:
    """Make a `Text`, known by its bytes where it is a file's as it is."""
    if not text.strip():
        raise _without_characters(source, "blank" if text else "empty")
    return Text(name, text, sha256(text.encode() if content is None else content), note)


def _without_characters(source: str, what: str) -> BadInputError:
    return BadInputError(f"a text must have characters to learn from; {source} is {what}")
