"""`CharVocab`: characters to ids and back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from kerasgen.base.errors import BadInputError
from kerasgen.text.twins import twin

if TYPE_CHECKING:
    import numpy as np


class CharVocab:
    """A fixed, ordered set of characters; the id of a character is its place in it.

    Args:
        chars: the characters, each a string of length one, all different, in the order of their ids.

    Raises:
        BadInputError: an entry is no single character or stands twice.
    """

    def __init__(self, chars: Sequence[str]):
        self.chars: tuple[str, ...] = tuple(chars)
        self._ids = {char: i for i, char in enumerate(self.chars)}
        if any(not isinstance(char, str) or len(char) != 1 for char in self.chars) or len(self._ids) != len(self.chars):
            raise BadInputError(f"a vocabulary must be single characters, each once; received {self.chars!r:.200}")

    @classmethod
    def from_text(cls, text: Iterable[str]) -> CharVocab:
        """Make the vocabulary of a text: its distinct characters, sorted by code point."""
        return cls(sorted(set(text)))

    def __len__(self) -> int:
        return len(self.chars)

    def __contains__(self, char: object) -> bool:
        return char in self._ids

    def knows(self, text: str) -> bool:
        """Tell whether all characters of a text are known."""
        return self._ids.keys() >= set(text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CharVocab) and self.chars == other.chars

    def __hash__(self) -> int:
        return hash(self.chars)

    def encode(self, text: str) -> list[int]:
        """Turn a text into ids.

        Raises:
            BadInputError: a character is not in the vocabulary; the message names it and what to write instead.
        """
        try:
            return [self._ids[char] for char in text]
        except KeyError as error:
            raise self.unknown(error.args[0], text) from None

    def end_id(self, char: str | None) -> int:
        """Return the id of the character that begins or ends a text; -1, "no character", for None.

        Raises:
            BadInputError: as `encode`.
        """
        return -1 if char is None else self.encode(char)[0]

    def unknown(self, char: str, text: str) -> BadInputError:
        """Return the error of a text with an unknown character."""
        instead = twin(char, self)
        remedy = "leave it out" if instead is None else f"write {instead!r} instead"
        return BadInputError(
            f"every character must be one that the model has learned; received {char!r} "
            f"(character {text.index(char) + 1} of {text[:60]!r}); {remedy}"
        )

    def ids(self, text: str) -> np.ndarray:
        """Turn a text into ids, int32 ``(characters,)``: `encode` for a long text, a hundred times as fast.

        Raises:
            BadInputError: as `encode`.
        """
        import numpy as np

        codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
        known = np.array([ord(char) for char in self.chars], np.int64)
        table = np.full(int(known.max(initial=0)) + 2, -1, np.int32)  # the last one is for every character beyond
        table[known] = np.arange(len(known))
        ids = table[np.minimum(codes, len(table) - 1)]
        if len(ids) and ids.min() < 0:
            self.encode(text)  # raises
        return ids

    def decode(self, ids: Iterable[int]) -> str:
        """Turn ids into a text; negative ids ("no character") are left out."""
        return "".join(self.chars[i] for i in ids if i >= 0)
