"""Where a prompt comes from: the command line, a file, a pipe, or a person at a terminal."""

import contextlib
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

from kerasgen.base.errors import BadInputError, MissingFileError, reason
from kerasgen.base.files import SMALL, read_small


def text_of(prompt: str) -> str:
    """Return the text of a prompt: itself, of standard input for ``-``, or of the file in ``FILE:path``.

    Raises:
        BadInputError: what should have it is no text.
        MissingFileError: there is no such file.
    """
    if prompt == "-":
        try:
            text = sys.stdin.read(SMALL + 1) if sys.stdin else ""
        except UnicodeDecodeError as error:
            raise BadInputError(f"--prompt - must be UTF-8; standard input is not: {reason(error)}") from None
        except OSError as error:  # a terminal that has gone, for one
            raise BadInputError(f"--prompt - reads standard input, which can't be read: {reason(error)}") from None
        if len(text) > SMALL:
            raise BadInputError(f"--prompt - must be at most {SMALL >> 20} MiB; standard input has more; take its end")
        return text
    if prompt.startswith("FILE:"):
        path = Path(prompt.removeprefix("FILE:"))
        try:
            return read_small(path).decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
        except FileNotFoundError:
            raise MissingFileError(f"--prompt FILE:path must name a text file; there is no {str(path)!r}") from None
        except (OSError, ValueError) as error:
            raise BadInputError(f"--prompt FILE:path must name a text file; {str(path)!r}: {reason(error)}") from None
    return prompt


def at_a_terminal() -> bool:
    """Tell whether there is somebody to ask."""
    return bool(sys.stdin and sys.stdin.isatty() and sys.stdout.isatty())


def piped() -> bool:
    """Tell whether standard input is a pipe or a file, from which a prompt comes without being asked for."""
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode if sys.stdin else 0
    except (OSError, ValueError):  # it is closed, or no file
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode)


def answers(question: str, again: str) -> Iterator[str]:
    """Yield what a person types, a line at a time, up to an empty line or the end of the input.

    Where Python has readline, a line can be edited and the arrow keys bring back those before it, which are kept for
    this session only.

    Args:
        question: is asked first.
        again: is asked from then on.

    Raises:
        BadInputError: what was typed is no text.
    """
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401  (`input` takes it once it is imported)
    while True:
        try:
            line = input(question)
        except (EOFError, OSError):  # OSError: the terminal has gone
            print()
            return
        except KeyboardInterrupt:
            print()
            raise
        except UnicodeDecodeError as error:
            raise BadInputError(f"what is typed must be UTF-8; it is not: {reason(error)}") from None
        if not line.strip():
            return
        yield line
        question = again
