"""A text's ids: in memory, or for a text that is too long for it, in a file that is read by windows."""

from collections.abc import Iterator

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from kerasgen.text.decoding import cut_again
from kerasgen.text.id_file import BLOCK, IdFile, id_file
from kerasgen.text.vocab import CharVocab

_EXCERPTS = 64  # pieces of a long text that stand for it
_CHANGING = "Σİ"  # in lower case, the one hangs on what follows, and the other is two characters


class LongText:
    """A text in an id file, as much of a string as learning it needs: a slice is one, too, and ``str`` reads it.

    Args:
        file: has its ids.
        chars: what each id of the file is; None for the characters of the file.
        first: where it begins in the file.
        end: where it ends; None for the end of the file.
    """

    def __init__(self, file: IdFile, chars: tuple[str, ...] | None = None, first: int = 0, end: int | None = None):
        self.file, self.chars = file, file.chars if chars is None else chars
        self.first, self.end = first, len(file) if end is None else end

    def __len__(self) -> int:
        return self.end - self.first

    def __getitem__(self, part: slice) -> "LongText":
        begin, end, _ = part.indices(len(self))
        return LongText(self.file, self.chars, self.first + begin, self.first + max(begin, end))

    def __str__(self) -> str:
        return "".join(self.pieces())

    def pieces(self) -> Iterator[str]:
        """Yield the text, some at a time."""
        codes = np.array([ord(char) for char in self.chars], np.uint32)
        for first in range(self.first, self.end, BLOCK):
            ids = self.file.read([first], min(BLOCK, self.end - first))[0]
            yield codes[ids].tobytes().decode("utf-32-le")

    def lower(self) -> "LongText":
        """Return a whole text in lower case; the text itself where that is the same."""
        if not set(_CHANGING).isdisjoint(self.chars):
            path, sha256 = self.file.path.with_suffix(".lower.ids"), self.file.sha256
            after_space = lambda before, _: before.isspace()  # noqa: E731
            pieces = lambda: cut_again(self.pieces(), after_space, str.lower)  # noqa: E731
            return LongText(id_file(path, [sha256], pieces, lambda: sha256))
        chars = tuple(char.lower() for char in self.chars)
        return self if chars == self.chars else LongText(self.file, chars, self.first, self.end)


def distinct(text: str | LongText) -> set[str]:
    """Return the characters of a text."""
    return set(text) if isinstance(text, str) else set(text.chars)


def all_over(text: str | LongText, most: int, count: int) -> list[str]:
    """Return a text, or pieces from all over a long one.

    Args:
        text: long or not.
        most: the most characters of all pieces together.
        count: how many pieces there are of a text that has more.
    """
    if len(text) <= most:
        return [str(text)]
    size = most // count
    return [str(text[start : start + size]) for start in np.linspace(0, len(text) - size, count).astype(int)]


def excerpt(text: str | LongText, most: int, name: str) -> tuple[str, str]:
    """Return a text, or as much as `most` characters from all over a long one, and what that is called.

    Args:
        text: long or not.
        most: the most characters.
        name: of the text.
    """
    if len(text) <= most:
        return str(text), name
    return "\0".join(all_over(text, most, _EXCERPTS)), f"{most:,} characters from all over {name}"


class CorpusIds:
    """The ids of a text, which are read by windows.

    Args:
        ids: ints ``(characters,)``, in memory; or a text in an id file.
        vocab: the characters whose ids are wanted of such a text.

    Raises:
        BadInputError: one of its characters is not in the vocabulary.
    """

    def __init__(self, ids: np.ndarray | LongText, vocab: CharVocab | None = None):
        self._text, self._ids, self._table = None, np.empty(0, np.int32), np.empty(0, np.int32)
        if isinstance(ids, LongText) and vocab is not None:
            for char in ids.chars:
                if char not in vocab:
                    raise vocab.unknown(char, char)
            self._text, self._table = ids, vocab.ids("".join(ids.chars))
        else:
            self._ids = np.asarray(ids, np.int32)

    @classmethod
    def of(cls, text: str | LongText, vocab: CharVocab) -> "CorpusIds":
        """Return the ids of a text; those of a string stand in memory.

        Raises:
            BadInputError: a character is not in the vocabulary.
        """
        return cls(vocab.ids(text)) if isinstance(text, str) else cls(text, vocab)

    @property
    def in_memory(self) -> bool:
        """Whether they stand in memory."""
        return self._text is None

    def __len__(self) -> int:
        return len(self._ids) if self._text is None else len(self._text)

    def windows(self, starts: np.ndarray, width: int) -> np.ndarray:
        """Return windows of ids, int32 ``(*starts, width)``.

        Args:
            starts: where each begins, ints of any shape.
            width: characters of a window.
        """
        if self._text is None:
            return sliding_window_view(self._ids, width)[starts]
        found = self._table[self._text.file.read(np.ravel(starts) + self._text.first, width)]
        return found.reshape(*np.shape(starts), width)
