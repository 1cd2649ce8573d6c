"""Markdown that shows any text as it is, for logs."""

import re
from collections.abc import Iterable, Sequence


def table(header: Sequence[str], rows: Iterable[Sequence]) -> str:
    """Return a table."""
    lines = [header, ["---"] * len(header), *([escaped(str(cell)) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def escaped(text: str) -> str:
    """Return a text whose every character stands for itself."""
    return re.sub(r"[\\`*_\[\]<>|&\r\n]", lambda found: f"&#{ord(found[0])};", text)


def block(text: str) -> str:
    """Return a text as a block that keeps its lines."""
    return "\n".join(f"    {line}" for line in text.strip("\n").split("\n"))
