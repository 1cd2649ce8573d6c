"""``python -m kerasgen``: list the commands."""

import sys
from collections.abc import Sequence

from kerasgen.base import console
from kerasgen.base.errors import BadInputError
from kerasgen.base.version import __version__

COMMANDS = {
    "dino": "a SimpleRNN learns a list of names and invents new ones",
    "shakespeare": "a stacked LSTM learns a text and goes on from a prompt",
    "tune": "search for the settings that learn a text best (keras-tuner)",
    "inspect": "what a model file holds, and whether it is intact",
    "clean": "list and remove what unfinished trainings and logs have left",
}


def main(argv: Sequence[str] | None = None) -> None:
    """Print the commands, or the version with ``--version``."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    if "--version" in arguments:
        print(f"kerasgen {__version__}")
        return
    if arguments and arguments[0] not in ("-h", "--help"):
        hint = f"python -m kerasgen.{arguments[0]}" if arguments[0] in COMMANDS else "python -m kerasgen --help"
        raise BadInputError(f"python -m kerasgen takes --version or --help; received {arguments[0]!r}; try {hint}")
    print(f"kerasgen {__version__}: a character-level text generator. Its commands:\n")
    for name, about in COMMANDS.items():
        print(f"  python -m kerasgen.{name:12} {about}")
    print("\nEach explains itself with --help.")


if __name__ == "__main__":
    sys.exit(console.run_command(main))
