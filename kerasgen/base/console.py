"""What a person at the terminal sees: one-line errors, a progress bar, a table."""

import os
import re
import shlex
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TextIO

from kerasgen.base import streams
from kerasgen.base.errors import KerasgenError, StoppedError, failure

if TYPE_CHECKING:  # --help does not wait for it
    from rich.console import Console

STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # control characters but for tab and line feed


def run_command(command: Callable[[Sequence[str] | None], None], argv: Sequence[str] | None = None) -> int:
    """Run a command and turn its errors into one line on standard error and an exit code.

    Returns:
        0; 1 where the work failed; 2 for wrong use; 3 where fewer texts came out than were asked for, though a model
        may have been saved; 128 and the number of the signal that stopped it (130 after Ctrl-C).
    """
    with streams.guarded(lambda why: note(f"the output can't be written ({why}); the training continues without")):
        code, works = _exit_code(command, argv), streams.keeps_going()
        lost = streams.lost_output()
        if lost and works:
            note(f"some of the output is lost ({streams.why(lost)}); all else is done", quiet=bool(code))
            return code or 3
        if lost:
            print(f"kerasgen: error: the output can't be written: {streams.why(lost)}", file=sys.stderr)
            return code or 1
        return code


def _exit_code(command: Callable[[Sequence[str] | None], None], argv: Sequence[str] | None) -> int:
    try:
        command(argv)
    except StoppedError as stopped:
        note(str(stopped))
        return stopped.exit_code
    except KerasgenError as error:
        print(f"kerasgen: error: {one_line(str(error))}", file=sys.stderr)
        return error.exit_code
    except streams.OutputError:  # what became of it is said once all is written that can be
        return 0
    except OSError as error:
        print(f"kerasgen: error: {failure(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        note("stopped; what was there before is untouched")
        return 130
    except SystemExit as done:  # of --help, for one
        return done.code if isinstance(done.code, int) else 0
    except Exception as error:
        if not (message := failure(error)):
            raise
        note(f"error: {message}")
        return 1
    return 0


def program(command: str) -> str:
    """Return what to type for a command, by the way in which this one was called: ``kerasgen dino``, say.

    Args:
        command: such as ``"dino"``.
    """
    script = os.path.basename(sys.argv[0]) in ("kerasgen", "kerasgen.exe")
    return f"kerasgen {command}" if script else f"python -m kerasgen.{command}"


def command_line(program: str, argv: Sequence[str] | None) -> str:
    """Return what to type for the same command again, without ``--no-resume`` and ``--resume``.

    Args:
        program: from `program`.
        argv: its arguments; None for those of the process.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    flags = words.index("--") if "--" in words else len(words)
    kept, before = [], ""
    for word in words[:flags]:
        own = word.replace("_", "-").partition("=")[0] in ("--resume", "--no-resume")
        if not own and (before != "--resume" or word.startswith("--")):
            kept.append(word)
        before = word
    return " ".join([program, *map(quoted, [*kept, *words[flags:]])])


def quoted(word: str) -> str:
    """Return an argument as a shell reads it, on one line that can be copied."""
    if word.isprintable():
        return shlex.quote(word)
    plain = (char if char.isprintable() and char not in "\\'" else _octal(char) for char in word)
    return f"$'{''.join(plain)}'"


def _octal(char: str) -> str:
    return "".join(f"\\{byte:03o}" for byte in char.encode("utf-8", "surrogateescape"))


def one_line(text: str) -> str:
    """Return a text with what would steer a terminal, or can't be seen, shown and not sent: it may be anybody's.

    These are line ends, control characters, those that turn the direction of writing, and those without a width.
    """
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def note(message: str, quiet: bool = False) -> None:
    """Print one line on standard error; nothing where that can't be written to."""
    if message and not quiet:
        print(f"kerasgen: {one_line(message)}", file=streams.Remarks(sys.stderr))


def screen() -> "Console":
    """Return rich's console on standard error, which never raises."""
    from rich.console import Console

    return Console(file=streams.Remarks(sys.stderr))  # type: ignore[arg-type]  # all of a file that it needs


def duration(seconds: float) -> str:
    """Return a duration in a unit that fits it."""
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def plain(file: TextIO | None = None) -> bool:
    """Tell whether to print plain lines: a file (None for standard output) is no terminal, or ``NO_COLOR`` is set."""
    return not (file or sys.stdout).isatty() or bool(os.environ.get("NO_COLOR"))


def shown(text: str, file: TextIO | None = None) -> str:
    """Return a generated text as it is written to a file (None for standard output).

    It can't steer a terminal, as its model may come from anybody.
    """
    return STEERING.sub(lambda found: repr(found[0])[1:-1], text) if (file or sys.stdout).isatty() else text


def table(rows: Sequence[tuple[str, ...]], header: tuple[str, ...], file: TextIO | None = None) -> None:
    """Print a table to a file (None for standard output): drawn in a terminal, else aligned lines."""
    if plain(file):
        widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
        for row in rows:
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip(), file=file)
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(*header, header_style="bold")
    for row in rows:
        drawn.add_row(*(Text(cell, style="green" if cell == "new" else "") for cell in row))
    Console(file=file).print(drawn)
