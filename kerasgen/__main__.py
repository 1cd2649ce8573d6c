"""``python -m kerasgen``: list the commands."""

import sys

from kerasgen import __version__

COMMANDS = {"dino": "a SimpleRNN learns a list of names and invents new ones"}


def main(arguments: list[str]) -> int:
    """Print the commands, or the version with ``--version``."""
    if "--version" in arguments:
        print(f"kerasgen {__version__}")
        return 0
    if arguments and arguments[0] not in ("-h", "--help"):
        hint = f"python -m kerasgen.{arguments[0]}" if arguments[0] in COMMANDS else "python -m kerasgen --help"
        print(f"kerasgen: error: python -m kerasgen takes only --version and --help; try {hint}", file=sys.stderr)
        return 2
    print(f"kerasgen {__version__}: a character-level text generator. Its commands:\n")
    for name, about in COMMANDS.items():
        print(f"  python -m kerasgen.{name:12} {about}")
    print("\nEach explains itself with --help.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
