"""The parser of the commands that have no settings: its errors are for users, and flags may have underscores."""

import argparse
import re
import sys
from typing import Any, NoReturn

from kerasgen.base import console
from kerasgen.base.errors import BadInputError, nearest
from kerasgen.base.version import __version__


class Parser(argparse.ArgumentParser):
    """An `argparse` parser of a command.

    Args:
        command: its name, as ``"inspect"``.
        **given: as for `argparse.ArgumentParser`.
    """

    def __init__(self, command: str, **given: Any):
        raw = argparse.RawDescriptionHelpFormatter
        super().__init__(prog=console.program(command), allow_abbrev=False, formatter_class=raw, **given)
        self.add_argument("--version", action="version", version=f"kerasgen {__version__}", help="print the version")

    def error(self, message: str) -> NoReturn:
        """Raise a `BadInputError`, which names the nearest flag of one that is none."""
        found = re.match(r"unrecognized arguments: (--[\w-]+)", message)
        hint = nearest(found[1], [*self._option_string_actions]) if found else ""
        raise BadInputError(f"{message}{hint or '; see --help'}")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """Parse a command line, also with ``--log_dir`` for ``--log-dir``; see `argparse`."""
        words = list(sys.argv[1:] if args is None else args)
        end = words.index("--") if "--" in words else len(words)
        return super().parse_known_args([*map(kebab, words[:end]), *words[end:]], namespace)


def kebab(word: str) -> str:
    """Return a word with hyphens for the underscores of its flag, if it has one."""
    flag, equals, value = word.partition("=")
    return flag.replace("_", "-") + equals + value if re.fullmatch(r"--\w[\w-]*", flag) else word
