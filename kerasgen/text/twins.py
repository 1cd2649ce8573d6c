"""What a character that a model does not know can be read as: the same sign in another shape, never another letter."""

import contextlib
import unicodedata
from collections.abc import Container, Iterator

# Signs of one meaning; where none of a text's own is known, the first known one of these stands in.
_MARKS = [
    "'’‘ʼ‛ʻ‚′ʹ´`‹›׳",
    '"”“„‟″«»〝〞〟״',
    "-‐‑–—−―‒⁃﹣⸺⸻",
    "/⁄∕",
]
_ONLY_READ = dict.fromkeys("「」『』", _MARKS[1]) | dict.fromkeys(_MARKS[1], _MARKS[0])  # where no other is known
_OPENING, _CLOSING = "„“«", "”“»"  # in the order in which one that is known is sure to open or to close
_LINE_ENDS = "\r\v\f\x85\u2028\u2029"
_LETTERS = {"æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ı": "i"}  # Unicode keeps no word of what they are made of
_FULL_WIDTH = 0xFEE0  # from a character of ASCII to its full-width one
_KANA_VOICE = 8  # the combining class of the marks that make another sound of a kana


def twin(char: str, known: Container[str], before: str = "") -> str | None:
    """Return what an unknown character is read as, one known character or several; None where there is nothing.

    First comes the same sign in another shape: another quotation mark, dash or space, what Unicode calls compatible
    (NFKC), the letter without its accent. Then comes the other case.

    Args:
        char: the character.
        known: those that the model knows.
        before: the character before it, by which a quotation mark opens or closes; nothing at the beginning.
    """
    kin = list(_kin(char, before))
    cases = [other for one in (char, *kin) for other in _other_cases(one)]
    for texts in (kin, cases):
        for text in (*texts, *(_with_known_signs(text, known) for text in texts)):
            if text and all(one in known for one in text):
                return text
    return None


def _kin(char: str, before: str) -> Iterator[str]:
    """Yield what means the same as a character, the nearest first; more or less of it may be known."""
    if char == '"':
        yield from _OPENING if not before or before.isspace() or before in "([{-–—" else _CLOSING
    yield from _signs(char)
    yield from _ONLY_READ.get(char, "")
    if "!" <= char <= "~":
        yield chr(ord(char) + _FULL_WIDTH)
    if char in _LETTERS:
        yield _LETTERS[char]
    parts = unicodedata.normalize("NFKD", char)
    if parts.startswith(" "):  # an accent that stands alone is no space
        return
    yield unicodedata.normalize("NFKC", char)
    yield parts
    for end in range(len(parts) - 1, 0, -1):  # accent by accent, the last one first
        if unicodedata.combining(parts[end]) in (0, _KANA_VOICE):
            break
        yield unicodedata.normalize("NFC", parts[:end])
    base, has, _ = unicodedata.name(char, "").partition(" WITH ")  # ø is "LATIN SMALL LETTER O WITH STROKE"
    if has and char.isalpha():
        with contextlib.suppress(KeyError):
            yield unicodedata.lookup(base)


def _signs(char: str) -> str:
    """Return the signs of one meaning with a character, which is among them; none for a letter."""
    if char.isspace():
        spaces = " \N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}\N{THIN SPACE}\N{IDEOGRAPHIC SPACE}\t"
        return "\n" + spaces if char in _LINE_ENDS else spaces
    return next((marks for marks in _MARKS if char in marks), "")


def _with_known_signs(text: str, known: Container[str]) -> str:
    """Return a text with another sign of the same meaning for each that is unknown."""
    return "".join(next((sign for sign in one + _signs(one) if sign in known), one) for one in text)


def _other_cases(text: str) -> Iterator[str]:
    """Yield a text in its other cases; the last gives σ for ς."""
    for other in (text.lower(), text.casefold(), text.title(), text.upper(), text.upper().lower()):
        if other != text:
            yield other
