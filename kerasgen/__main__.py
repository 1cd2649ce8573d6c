"""``kerasgen`` and ``python -m kerasgen``: run a command, or list them."""

import importlib
import sys
from collections.abc import Sequence

from kerasgen.base import console
from kerasgen.base.errors import BadInputError, nearest
from kerasgen.base.version import __version__

COMMANDS = {
    "dino": "a SimpleRNN learns a list of names and invents new ones",
    "shakespeare": "a stacked LSTM learns a text and continues a prompt",
    "tune": "search for the settings that learn a text best (keras-tuner)",
    "score": "how likely a text is to a model, and what surprises it there",
    "inspect": "what a model file holds, and whether it is intact",
    "export": "write models in a format that needs no kerasgen: a page that writes in any browser",
    "playground": "play with models in the browser, on this machine",
    "serve": "serve models over HTTP, many texts side by side",
    "clean": "list and remove what unfinished trainings and logs have left",
}


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command that comes first with the arguments after it; without one, list the commands.

    Raises:
        BadInputError: there is no such command, or what the command itself refuses.
    """
    first, *rest = (sys.argv[1:] if argv is None else list(argv)) or ["--help"]
    if first in COMMANDS:
        importlib.import_module(f"kerasgen.{first}").main(rest)
    elif first == "--version":
        print(f"kerasgen {__version__}")
    elif first in ("-h", "--help"):
        print(f"kerasgen {__version__}: a character-level text generator. Its commands:\n")
        width = max(len(console.program(name)) for name in COMMANDS)
        for name, about in COMMANDS.items():
            print(f"  {console.program(name):{width}}  {about}")
        print("\nEach explains itself with --help.")
    else:
        hint = nearest(first, list(COMMANDS)) or "; see --help"
        raise BadInputError(f"a command must be one of {', '.join(COMMANDS)}; received {first!r}{hint}")


def run() -> int:
    """Run the console script ``kerasgen``; return its exit code."""
    return console.run_command(main)


if __name__ == "__main__":
    sys.exit(run())
