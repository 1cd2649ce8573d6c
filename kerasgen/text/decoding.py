"""Bytes to characters, a piece at a time: UTF-8 with its errors in one line, line ends, composed accents."""

import codecs
import unicodedata
from collections.abc import Callable, Iterable, Iterator

from kerasgen.base.errors import BadInputError

_LOOKED_AT = 1000  # characters at the end of a piece, in which to look for a place to cut it
_COMPOSES = "\u0300"  # no character before this one ever composes with the one before it
_JAMO = range(0x1160, 0x1200)  # the vowels and ends of syllables, letters that do


def decoded(chunks: Iterable[bytes], source: str) -> Iterator[str]:
    r"""Yield the text that bytes are, with ``\n`` at the line ends and accents composed (NFC); a text of any length.

    Args:
        chunks: the bytes, cut anywhere.
        source: what they come from, for a message.

    Raises:
        BadInputError: they are binary or not UTF-8.
    """
    return cut_again(_characters(chunks, source), _begins, _normal)


def cut_again(pieces: Iterable[str], begins: Callable[[str, str], bool], change: Callable[[str], str]) -> Iterator[str]:
    """Yield changed pieces that, joined, are the whole text, changed.

    Args:
        pieces: the text, cut anywhere.
        begins: tells of a character before and one after whether the text may be cut between them for `change`.
        change: what is done to a piece.
    """
    held = ""
    for piece in pieces:
        text = held + piece
        places = range(len(text) - 1, max(0, len(text) - _LOOKED_AT), -1)
        cut = next((place for place in places if begins(text[place - 1], text[place])), 0)
        if not cut and len(text) > _LOOKED_AT:  # a thousand accents on one letter
            cut = len(text)
        if cut:
            yield change(text[:cut])
        held = text[cut:]
    if held:
        yield change(held)


def _begins(before: str, char: str) -> bool:
    """Tell whether nothing composes across a place."""
    if char < _COMPOSES:
        return (before, char) != ("\r", "\n")
    return not (unicodedata.combining(char) or unicodedata.category(char)[0] == "M" or ord(char) in _JAMO)


def _normal(text: str) -> str:
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return unicodedata.normalize("NFC", text)  # macOS writes é as e and ´


def _characters(chunks: Iterable[bytes], source: str) -> Iterator[str]:
    """Yield the characters of bytes, without a byte order mark."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    before, lines, begun = 0, 1, False  # bytes and lines of the chunks before
    for chunk in _and_end(chunks):
        if b"\0" in chunk:
            at = before + chunk.index(0)
            raise BadInputError(f"a text must be UTF-8; {source} looks binary: byte {at} is NUL; save it as plain text")
        kept = decoder.getstate()[0]  # the beginning of a character that this chunk ends
        try:
            text = decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError as error:
            both = kept + chunk
            at, line = before - len(kept) + error.start, lines + both.count(b"\n", 0, error.start)
            raise BadInputError(
                f"a text must be UTF-8; {source} is not: byte {at} (line {line}) is 0x{both[error.start]:02x}; save it "
                "as UTF-8"
            ) from None
        before, lines = before + len(chunk), lines + chunk.count(b"\n")
        if text and not begun:
            text, begun = text.removeprefix("\ufeff"), True
        if text:
            yield text


def _and_end(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the chunks that are not empty, then an empty one."""
    yield from filter(None, chunks)
    yield b""
