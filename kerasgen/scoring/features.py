"""What a unit may be looked for by: something that is true of some characters of a text."""

import re
import unicodedata
from collections.abc import Sequence

import numpy as np

from kerasgen.base.errors import BadInputError

_OPEN, _CLOSE = "“«„", "”»"


def masks(wanted: str, items: Sequence[str]) -> list[np.ndarray]:
    """Return for each text of which characters something is true, bool ``(chars,)`` each.

    Args:
        wanted: ``"line ends"``; ``"quotes"``, all from a quotation mark to the one that closes it; ``"vowels"``; or a
            regular expression, for all that it finds, small letters and capitals alike.
        items: the texts.

    Raises:
        BadInputError: it is true of no character, or of every one.
    """
    function = WORDS.get(wanted)
    found = [function(item) if function else _matches(wanted, item) for item in items]
    hits, chars = sum(int(mask.sum()) for mask in found), sum(map(len, found))
    if hits in (0, chars):
        raise BadInputError(
            f"--find must be true of some characters of the text and not of others; {wanted!r:.100} is true of "
            f"{'every one' if hits else 'none'} as the model reads it"
        )
    return found


def _matches(pattern: str, text: str) -> np.ndarray:
    mask = np.zeros(len(text), bool)
    for match in re.finditer(pattern, text, re.IGNORECASE | re.MULTILINE):
        mask[match.start() : match.end()] = True
    return mask


def _line_ends(text: str) -> np.ndarray:
    return _matches(r"\n", text)


def _vowels(text: str) -> np.ndarray:
    vowels = {char for char in set(text) if unicodedata.normalize("NFD", char)[0].lower() in "aeiou"}
    return np.array([char in vowels for char in text], bool)


def _quotes(text: str) -> np.ndarray:
    mask, inside = np.zeros(len(text), bool), False
    for number, char in enumerate(text):
        before = inside
        if char == '"':
            inside = not inside
        elif char in _OPEN or char in _CLOSE:
            inside = char in _OPEN
        mask[number] = before or inside
    return mask


WORDS = {"line ends": _line_ends, "quotes": _quotes, "vowels": _vowels}
