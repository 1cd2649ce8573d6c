"""What a text is called in the names of files: safe, short, and different for different names."""

import re

from kerasgen.base.files import sha256

MOST = 200  # bytes; with `.my-`, `.previous-12-`, a temporary part and `.keras`, a name stays below 255
_SPECIAL = frozenset('<>:"/\\|?*[]{}$`')  # those of paths, patterns and variables, here or on other systems
_DIGITS = 8  # of the hash of a name that had to change


def file_name(name: str, most: int = MOST) -> str:
    """Return a name as the names of files have it: the same where it is safe and short.

    Of another, what is not safe becomes a hyphen, and a hash of the whole follows.

    Args:
        name: such as the stem of a file, in any characters.
        most: the most bytes of the result, 20 at the least.
    """
    if not name:
        return name
    safe = re.sub("\0+", "-", "".join("\0" if _unsafe(char) else char for char in name))
    safe = re.sub(r"^[-. ]+|[ .]+$", "", safe)
    if safe == name and len(name.encode()) <= most:
        return name
    digest = sha256(name.encode("utf-8", "surrogatepass"))[:_DIGITS]
    begun = safe.encode()[: most - _DIGITS - 1].decode(errors="ignore").rstrip("-. ")
    return f"{begun or 'text'}-{digest}"


def _unsafe(char: str) -> bool:
    """Tell whether a character can't be seen, ends a line, turns the direction of writing, or has a meaning."""
    return char in _SPECIAL or not char.isprintable()
