"""`Casing`: in which case a model learned its text, and in which case what it writes is shown."""

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args

from kerasgen.base.errors import BadInputError

if TYPE_CHECKING:  # it imports NumPy, which --help does not wait for
    from kerasgen.text.corpus_ids import LongText

Case = Literal["auto", "lower", "keep"]
_Learned = Literal["lower", "kept"]
_Shown = Literal["same", "capitals", "notebook"]
_Text = TypeVar("_Text", "str", "LongText", "str | LongText")


@dataclass(frozen=True)
class Casing:
    """The case of what a model reads and writes; the field ``case`` of its card.

    Attributes:
        learned: ``"lower"`` where the text was lower-cased, ``"kept"`` where it was learned as it is written.
        shown: ``"same"`` as learned; ``"capitals"`` at the beginning and after each character of `after`; or
            ``"notebook"``: lower case from Python, and a capital at the beginning where a command prints a name.
        after: the characters that a capital follows, such as a space and a hyphen.

    Raises:
        BadInputError: a value is none of these.
    """

    learned: _Learned = "kept"
    shown: _Shown = "same"
    after: str = ""

    def __post_init__(self) -> None:
        known = self.learned in get_args(_Learned) and self.shown in get_args(_Shown) and isinstance(self.after, str)
        if not known:
            raise BadInputError(f"a case must be one that kerasgen writes on cards; received {self!r:.200}")

    @classmethod
    def of_card(cls, card: Mapping[str, Any]) -> "Casing":
        """Return that of a model by its card, which may be older than the field ``case``.

        Raises:
            BadInputError: the field is not as kerasgen writes it.
        """
        if "case" in card:
            try:
                return cls(**card["case"])
            except TypeError:
                raise BadInputError(
                    f"a card's case must be its parts by name; received {card['case']!r:.200}"
                ) from None
        return cls("lower", "notebook") if card.get("lower_case") else cls()

    @property
    def card(self) -> dict[str, Any]:
        """What the card says of it, for readers of now and of before."""
        parts = {"learned": self.learned, "shown": self.shown} | ({"after": self.after} if self.after else {})
        return {"lower_case": self.learned == "lower", "case": parts}

    @property
    def sentence(self) -> str:
        """What follows the name of a model that learned so."""
        return "learned in lower case" if self.learned == "lower" else "kept the case of its text"

    @property
    def asked(self) -> Case:
        """What ``--case`` asks for it with."""
        return "lower" if self.learned == "lower" else "keep"

    def fold(self, text: _Text) -> _Text:
        """Return a text in the case that was learned."""
        return text.lower() if self.learned == "lower" else text

    def show(self, text: str, before: str = "") -> str:
        """Return what a model wrote as it is shown; no character more or less.

        Args:
            text: in the case that was learned.
            before: the last character before it; nothing where the text begins.
        """
        if self.shown != "capitals":
            return text
        if not (self.after or before or "\n" in text):
            return _titled(text[:1]) + text[1:]
        return _beginnings(self.after).sub(_capital, before + text)[len(before) :]

    def show_each(self, texts: list[str]) -> list[str]:
        """Return what `show` makes of each of some texts, in less time."""
        if self.shown != "capitals":
            return texts
        if self.after or any("\n" in text for text in texts):
            return [self.show(text) for text in texts]
        titled = {first: _titled(first) for first in {text[:1] for text in texts}}
        return [titled[text[:1]] + text[1:] for text in texts]

    def show_pieces(self, pieces: Iterable[str], before: str) -> Iterator[str]:
        """Yield the pieces of a text that are not empty, as they are shown after what stands before them."""
        for piece in filter(None, pieces):
            yield self.show(piece, before[-1:])
            before = piece

    def printed(self, texts: list[str]) -> list[str]:
        """Return shown texts as a command prints them."""
        return _PRINTED.show_each(texts) if self.shown == "notebook" else texts


_PRINTED = Casing("lower", "capitals")


def of_names(case: Case, names: Collection[str], known: bool = False) -> Casing:
    """Decide the case of a list of names.

    Args:
        case: ``"auto"`` learns in lower case where one rule gives every name its capitals back, and keeps the case
            where there is none; ``"lower"`` and ``"keep"`` do that.
        names: as they are written.
        known: whether the list is a known corpus, which is learned as in the notebook.
    """
    if known and case != "keep":
        return Casing("lower", "notebook")
    if case != "auto":
        return Casing("lower" if case == "lower" else "kept")
    names = set(names)
    if all(name == name.lower() for name in names):
        return Casing("lower")
    after = {before for name in names for before, char in pairwise(name) if char != char.lower()}
    rule = Casing("lower", "capitals", "".join(sorted(char for char in after if not _in_a_word(char))))
    return rule if all(rule.show(name.lower()) == name for name in names) else Casing()


def of_text(case: Case, text: "str | LongText", known: bool = False) -> Casing:
    """Decide the case of a text of prose: ``"auto"`` keeps capitals where there are any, but for a known corpus."""
    lower = known or text == text.lower() if case == "auto" else case == "lower"
    return Casing("lower" if lower else "kept")


def _in_a_word(char: str) -> bool:
    """Tell whether a word goes on after a character: a letter, or an accent that can't be composed with its letter."""
    return unicodedata.category(char)[0] in "LM"


@lru_cache(maxsize=8)
def _beginnings(after: str) -> re.Pattern[str]:
    """Return what finds the first character of a text or line, and each that follows one of `after`."""
    return re.compile(rf"(?:\A|(?<=[\n{re.escape(after)}])).", re.DOTALL)


def _capital(found: re.Match[str]) -> str:
    return _titled(found[0])


def _titled(char: str) -> str:
    title = char.title()  # of ǆ it is ǅ
    return title if title.lower() == char else char  # not Ss for ß, nor the I of i for ı
