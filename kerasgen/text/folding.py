"""`Folding`: a text that anyone may have typed, in the characters that a model knows."""

import unicodedata
from dataclasses import dataclass
from typing import Literal, get_args

from kerasgen.base.errors import BadInputError
from kerasgen.text.casing import Casing
from kerasgen.text.twins import twin
from kerasgen.text.vocab import CharVocab

OnUnknown = Literal["error", "twin", "skip", "replace"]
_SHOWN = 300  # characters of the list of changes


@dataclass(frozen=True)
class Folding:
    """What becomes of characters that a model does not know.

    Attributes:
        casing: the case that the model learned, which every text is brought to.
        on_unknown: what becomes of a character that is unknown even so. ``"error"`` refuses it. ``"skip"`` leaves it
            out. ``"replace"`` reads it as its twin (’ as ', é as e; see `twins.twin`), or leaves it out where it has
            none; ``"twin"`` refuses it there.

    Raises:
        BadInputError: `on_unknown` is none of these.
    """

    casing: Casing = Casing()
    on_unknown: OnUnknown = "error"

    def __post_init__(self) -> None:
        if self.on_unknown not in get_args(OnUnknown):
            raise BadInputError(
                f"on_unknown must be one of {', '.join(get_args(OnUnknown))}; received {self.on_unknown!r}"
            )

    def fold(self, text: str, vocab: CharVocab) -> str:
        """Return a text in the characters of a vocabulary.

        Raises:
            BadInputError: a character is unknown, and that is an error; the message names it and what to write instead.
        """
        return self._read(text, vocab)[0]

    def changes(self, text: str, vocab: CharVocab) -> str:
        """Return one line that says what unknown characters are read as, or left out; "" where there are none."""
        instead = self._read(text, vocab)[1]
        if not instead:
            return ""
        changes = ", ".join(f"{char!r} as {new!r}" if new else f"without {char!r}" for char, new in instead)
        return f"the model never saw some characters of the text and reads it {changes[:_SHOWN]}"

    def _read(self, text: str, vocab: CharVocab) -> tuple[str, list[tuple[str, str]]]:
        """Return a text in the characters of a vocabulary, and what was read as what, "" for nothing."""
        text = self.casing.fold(text)
        if vocab.knows(text):
            return text, []
        text = unicodedata.normalize("NFC", text)  # e and an accent are one character
        twins = self.on_unknown in ("twin", "replace")
        read, instead = [], dict[tuple[str, str], None]()
        if twins and "." not in vocab and "…" in vocab and "..." in text:
            text, instead["...", "…"] = text.replace("...", "…"), None
        for before, char in zip(" " + text, text, strict=False):
            new: str | None = char
            if char not in vocab:
                new = twin(char, vocab, before) if twins else None
                if new is None and self.on_unknown in ("error", "twin"):
                    raise vocab.unknown(char, text)
                instead[char, new or ""] = None
            read.append(new or "")
        return "".join(read), sorted(instead)
