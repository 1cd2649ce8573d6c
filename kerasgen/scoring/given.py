"""What is to be scored: a text, a file, or standard input, as a model reads it."""

import os
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from kerasgen.base.errors import BadInputError, KerasgenError, MissingFileError
from kerasgen.tasks.registry import KINDS
from kerasgen.text import corpora
from kerasgen.text.casing import Casing
from kerasgen.text.folding import Folding, OnUnknown
from kerasgen.text.sources import STANDARD_INPUT

if TYPE_CHECKING:  # it imports NumPy, which --help does not wait for
    from kerasgen.modelfile.store import Contents
    from kerasgen.text.corpus_ids import LongText
    from kerasgen.text.vocab import CharVocab

_FILE = "FILE:"
_FILE_LIKE = re.compile(r"\S+\.(txt|md|csv|tsv|gz)", re.IGNORECASE)


@dataclass(frozen=True)
class Given:
    """What is to be scored, in the characters of a model.

    Attributes:
        items: what is read from its own beginning, each: all names, or the one text, which may be a `LongText`.
        shown: the same as it was given, where no character became another; names always are.
        ends: the character that ends every item and is none of its own; "" where there is none.
        starts: the character that stands before every item; None for the zero input.
        changes: one line that says what unknown characters are read as; "" where there are none.
    """

    items: Sequence[Any]
    shown: Sequence[Any]
    ends: str
    starts: str | None
    changes: str

    @property
    def chars(self) -> int:
        """How many characters are to be predicted."""
        return sum(map(len, self.items)) + len(self.ends) * len(self.items)


def is_file(words: str) -> bool:
    """Tell whether what was given stands for a file: it is the name of one, or a path, that is there, or says so.

    A word that happens to be the name of a folder is a word.
    """
    path = "\0" not in words and (os.path.isfile(words) or (os.sep in words and os.path.exists(words)))
    return words.startswith(_FILE) or path


def text_of(words: str, column: str | None, contents: "Contents") -> "str | LongText":
    """Return a text: that of a file which is there, or of ``FILE:path``; of standard input for ``-``; else the words.

    Args:
        words: see above.
        column: where it is a table, the name or number of a column.
        contents: of the model that shall read it.

    Raises:
        MissingFileError: there is no such file, though the words can hardly be anything else.
        BadInputError: it is no text.
    """
    path = words.removeprefix(_FILE)
    if not (words == STANDARD_INPUT or is_file(words)):
        if _FILE_LIKE.fullmatch(words):
            raise MissingFileError(
                f"FILE must be there; there is no {words!r}; to score these words themselves, give them by a pipe and -"
            )
        if column:
            raise BadInputError(f"--column needs a file; received {column!r} and the text {words!r:.60}")
        if not words.strip():
            raise BadInputError(f"a text to score must have at least one character; received {words!r}")
        return corpora.of_text("text", words).text
    kind = next(kind for kind in KINDS if contents.is_of(kind.name))
    try:
        return corpora.read(path, kind.corpus, column).text
    except KerasgenError as error:
        said = str(error).replace("--data", "FILE").replace("characters to learn from", "characters")
        raise type(error)(said) from None


def given(text: "str | LongText", contents: "Contents", on_unknown: OnUnknown | None) -> Given:
    """Bring a text to the characters of a model; where its texts end, each line is one, and counts once.

    Args:
        text: from `text_of`.
        contents: of the model.
        on_unknown: as for `Folding`; None for what the model's command does.

    Raises:
        BadInputError: a character is unknown, and that is an error; or no character is left.
    """
    card, vocab = contents.card, contents.vocab
    (usual,) = (asdict(kind.settings()).get("on_unknown", "twin") for kind in KINDS if contents.is_of(kind.name))
    folding = Folding(Casing.of_card(card), on_unknown or usual)
    if not isinstance(text, str):
        return _long(text, folding, vocab, card.get("start"))
    ends = card.get("stop", "")
    lines = [line.strip() for line in text.split("\n")] if ends else []
    text = "\n".join(filter(None, lines)) if ends else text
    try:
        folded, changes = folding.fold(text, vocab), folding.changes(text, vocab)
    except BadInputError as error:
        raise BadInputError(f"{error}; --on-unknown skip leaves out all such") from None
    if ends:
        names = dict[str, str]()
        for read, name in zip(folded.split("\n"), text.split("\n"), strict=True):
            if read:
                names.setdefault(read, name)
        found = Given([*names], [*names.values()], ends, card.get("start"), changes)
    else:
        same = folding.casing.fold(text) == folded and len(text) == len(folded)
        found = Given([folded] if folded else [], [text if same else folded], ends, card.get("start"), changes)
    if not found.items:
        raise BadInputError("a text to score must have at least one character that the model knows")
    return found


def _long(text: "LongText", folding: Folding, vocab: "CharVocab", starts: str | None) -> Given:
    """Bring a text that lies in a file to the characters of a model, each to one of these."""
    text = text.lower() if folding.casing.learned == "lower" else text
    read = [folding.fold(char, vocab) for char in text.chars]
    if gone := "".join(char for char, now in zip(text.chars, read, strict=True) if len(now) != 1):
        raise BadInputError(
            f"a text of over 16 MiB must have no character that is to be left out; received {gone[:20]!r}; take it out "
            "of the file, or score a part of it"
        )
    folded = type(text)(text.file, tuple(read), text.first, text.end)
    return Given([folded], [folded], "", starts, folding.changes("".join(text.chars), vocab))


def alike(text: str, models: Sequence["Contents"], on_unknown: OnUnknown | None) -> list[Given]:
    """Bring a text to the characters of two models, each in its own case, so that all else is the same.

    Raises:
        BadInputError: as `given`; or the models are of two kinds.
    """
    first, second = models
    if first.card.get("stop") != second.card.get("stop"):
        raise BadInputError(
            f"--compare must have two models of one kind; {str(first.path)!r} and {str(second.path)!r} are of two"
        )
    found = [given(text, one, on_unknown) for one in models]
    for _ in range(3):
        if [*map(len, found[0].items)] == [*map(len, found[1].items)]:
            return [replace(one, shown=found[0].shown) for one in found]
        for number, one in enumerate(models):
            text = "\n".join(found[1 - number].items)
            found[number] = given(text, one, on_unknown)
    raise BadInputError(
        "--compare must have two models that read the same characters of the text; leave out the others"
    )
