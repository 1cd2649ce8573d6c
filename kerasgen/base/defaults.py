"""What ``--help`` says of defaults: the values that will be used, and the files that they come from."""

import re
from typing import get_type_hints

from kerasgen.base.settings import about, read_settings, settings_by_size


def defaults(kind: type, flags: list[str], default_file: str | None, by_size: str | None) -> dict[str, str]:
    """Say which value each setting has where no flag gives it, and where that comes from.

    Args:
        kind: the dataclass.
        flags: the command line; the file that its ``--config`` names holds for every text.
        default_file: what is read where it names none.
        by_size: what is read then for the user's own text.

    Returns:
        The words by the name of the setting, and as ``"config"`` those for ``--config`` itself.
    """
    config = _config(flags)
    file = config or default_file
    given = read_settings(kind, file) if file else {}
    follow = set() if config or not by_size else settings_by_size(kind, by_size)
    hints, found = get_type_hints(kind), {}
    if follow:
        found["config"] = f"{default_file}; for your own text {by_size}"
    for name in about(kind):
        value, switch = given.get(name, getattr(kind, name)), hints[name] is bool
        word = ("yes" if value else "no") if switch else str(value)
        plain = [] if switch or value in (None, "") else [word]  # the help says what these are
        parts = [f"{word}, from {file}"] if name in given else plain
        if name in follow:
            parts.append("for your own text by its size")
        if parts:
            found[name] = "; ".join(parts)
    return found


def _config(flags: list[str]) -> str | None:
    """Return the file that ``--config`` names, before the flags are known to be right; None where it names none."""
    found = re.findall(r"^--config[=\n](.*)$", "\n".join(flags), re.MULTILINE)
    return found[-1] if found else None
