"""`Folding`: a text that anyone may have typed, in the characters that a model knows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from kerasgen.base.errors import BadInputError
from kerasgen.text.vocab import CharVocab

OnUnknown = Literal["error", "skip", "replace"]
_SHOWN = 300  # characters of the list of changes


@dataclass(frozen=True)
class Folding:
    """What becomes of characters that a model does not know.

    Attributes:
        lower_case: the model knows no capitals: every text is lower-cased.
        on_unknown: a character that is unknown even so is an error, is left out (``"skip"``), or is read as the
            nearest known one (``"replace"``).

    Raises:
        BadInputError: `on_unknown` is none of the three.
    """

    lower_case: bool = False
    on_unknown: OnUnknown = "error"

    def __post_init__(self) -> None:
        if self.on_unknown not in get_args(OnUnknown):
            raise BadInputError(f"on_unknown must be error, skip or replace; received {self.on_unknown!r}")

    def fold(self, text: str, vocab: CharVocab) -> str:
        """Return a text in the characters of a vocabulary.

        Raises:
            BadInputError: with ``on_unknown="error"``, a character is unknown; the message names it and the nearest
                known ones.
        """
        folded = self._cased(text)
        instead = self._instead(folded, vocab)
        if instead and self.on_unknown == "error":
            vocab.encode(folded)
        return "".join(instead.get(char, char) for char in folded) if instead else folded

    def changes(self, text: str, vocab: CharVocab) -> str:
        """Return one line that says which unknown characters `fold` replaces or leaves out; "" where there are none."""
        instead = self._instead(self._cased(text), vocab)
        if not instead:
            return ""
        changes = ", ".join(f"{char!r} as {new!r}" if new else f"without {char!r}" for char, new in instead.items())
        return f"the model never saw some characters of the text and reads it {changes[:_SHOWN]}"

    def _cased(self, text: str) -> str:
        return text.lower() if self.lower_case else text

    def _instead(self, text: str, vocab: CharVocab) -> Mapping[str, str]:
        """Map each unknown character to the one that it is read as, "" for none."""
        unknown = sorted({char for char in text if char not in vocab})
        return {char: vocab.nearest(char, 1)[0] if self.on_unknown == "replace" else "" for char in unknown}
