"""The settings for a text of the user's own, by its size; those of the known corpora have files of their own."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kerasgen.base.settings import about, read_rows, resolve
from kerasgen.tasks.registry import Kind, Own
from kerasgen.text import corpora
from kerasgen.text.corpora import Text


def settings_for(kind: Kind[Own], corpus: Text, flags: Mapping[str, Any], config: str | Path | None = None) -> Own:
    """Return the settings of a training: what was given beats the file, and the file beats the defaults.

    The file is that of ``--config``; else that of the known corpora, where the text is one of them; else the row for
    the text's size in the table of its kind.

    Args:
        kind: of the model.
        corpus: the text.
        flags: the settings that were given, by name.
        config: the file of ``--config``.

    Raises:
        BadInputError: a name or a value is wrong.
        MissingFileError: `config` is not there.
    """
    if config or corpora.is_known(corpus):
        return resolve(kind.settings, kind.config, flags, config)
    rivals = [name for name, one in about(kind.settings).items() if one.identifies == "steps"]
    row = row_for(kind, kind.size(corpus.text))
    if any(name in flags for name in rivals):
        row = {name: value for name, value in row.items() if name not in rivals}
    return resolve(kind.settings, None, {**row, **flags})


def row_for(kind: Kind, size: int) -> dict[str, Any]:
    """Return the settings that the table of a kind has for a size.

    Args:
        kind: its `by_size` is the table's file.
        size: in what the table counts: names or characters.
    """
    rows = read_rows(kind.settings, kind.by_size)
    return next(values for most, values in rows if most is None or size <= most)
