"""The model that stands where a new one is saved: kept, unless the new one is of the same text and no worse."""

import os
import shutil
from pathlib import Path
from typing import Any

from kerasgen.base import files
from kerasgen.base.errors import BadInputError
from kerasgen.modelfile import store


def keep(path: Path, card: dict[str, Any]) -> str:
    """Keep the model at `path` beside it, as ``my-<corpus>.previous.keras``, unless a better one of its text follows.

    Args:
        path: where the new model is about to be saved.
        card: that of the new model.

    Returns:
        One line that says what was kept, and both scores; nothing where nothing was.

    Raises:
        FailedError: it can't be kept.
    """
    try:
        old = store.read(path).card if path.exists() else None
    except BadInputError:  # a damaged file is worth keeping, too: it may be mended
        old = {}
    if old is None or _follows(old, card):
        return ""
    kept = _place(path)
    if not kept.exists():  # else it is the same file, kept before a crash
        try:
            os.link(path, kept)
        except OSError:  # a file system without links
            with files.whole(kept) as temporary:
                shutil.copyfile(path, temporary)
    why = "learned another text" if not _same(old, card, "data", "sha256") else "may be the better one"
    return (
        f"the model before {why} and is kept as {kept}: {store.score_sentence(old)}; the new one: "
        f"{store.score_sentence(card)}"
    )


def _follows(old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Tell whether a model takes the place of an older one: it has its text, and no worse a score of the same part."""
    measured = old.get("scores", {}), new.get("scores", {})
    if not _same(old, new, "data", "sha256") or not all(measured):
        return False
    before, now = measured
    counted = [key for key in ("part", "names", "characters") if before.get(key) != now.get(key)]
    return not counted and now["nats_per_char"] <= before["nats_per_char"]


def _same(old: dict[str, Any], new: dict[str, Any], part: str, key: str) -> bool:
    return old.get(part, {}).get(key) == new.get(part, {}).get(key)


def _place(path: Path) -> Path:
    """Return the first free name beside a model, or that of the same file where it is kept already."""
    number = 1
    while True:
        kept = path.with_suffix(f".previous{f'-{number}' if number > 1 else ''}{path.suffix}")
        if not kept.exists() or os.path.samefile(kept, path):
            return kept
        number += 1
