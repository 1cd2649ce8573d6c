"""The command line of settings: each field is a flag, and one of them may stand without its flag."""

import os
import re
import sys
from argparse import RawDescriptionHelpFormatter
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Generic, NoReturn, get_type_hints

from kerasgen.base.defaults import defaults
from kerasgen.base.errors import BadInputError, nearest
from kerasgen.base.parser import kebab
from kerasgen.base.settings import (
    Setting,
    Settings,
    about,
    choices,
    flag_of,
    plain_type,
    read_settings,
    several,
    type_words,
)
from kerasgen.base.version import __version__

_METAVARS = {int: "N", float: "X", str: "TEXT"}
_OWN_DEFAULT = re.compile(r" \(default: [^()]*\)")  # what the help of a setting says itself
_FLAG = re.compile(r"--\w[\w-]*(=|$)|-[a-zA-Z]\S*$")  # not a prompt such as "- a dash", not a number below zero
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class CommandLine(Generic[Settings]):
    """What a command line says.

    Attributes:
        settings: filled from the flags, then the file of ``--config`` or the default one, then the defaults.
        flags: the values that were given by flags, by the name of the setting.
        config: the file that ``--config`` names; None where it names none.
    """

    settings: Settings
    flags: dict[str, Any]
    config: str | None


def read(
    kind: type[Settings],
    prog: str,
    description: str,
    default_file: str | None,
    argv: Sequence[str] | None,
    positional: str | None = None,
    usage: str = "",
    by_size: str | None = None,
) -> CommandLine[Settings]:
    """Read a command line: a flag beats the file of ``--config``, the file beats the default.

    Args:
        kind: the dataclass; each of its fields becomes a flag.
        prog: the command as it is called, for ``--help``.
        description: what ``--help`` says first and last, with a blank line between; ``%(prog)s`` stands for `prog`.
        default_file: the file under ``configs/`` that is read where ``--config`` names none; None for no such file.
        argv: the arguments; None for those of the process.
        positional: the setting whose value may also stand alone, without its flag.
        usage: the line that ``--help`` says before all; nothing for one that is made of the rest.
        by_size: the file under ``configs/`` of what follows the size of the user's own text, for ``--help``.

    Raises:
        BadInputError: an unknown flag or key (the nearest known one is given), bytes that are no text, or a value of
            the wrong type or outside its range.
        MissingFileError: the file of ``--config`` is not there.
    """
    from jsonargparse import ArgumentError

    words = sys.argv[1:] if argv is None else argv
    _check_decoded(words)
    flags, alone = _parted(kind, words, positional)
    _check_numbers(kind, flags)
    many = _given_often(kind, flags)
    told = defaults(kind, flags, default_file, by_size) if {"-h", "--help"} & {*flags} else {}
    parser = _parser(kind, prog, description, default_file, positional, usage, told)
    try:
        given = parser.parse_args(flags)  # an unknown flag is told before its value, which seems to stand alone
        if default_file:
            from_file = read_settings(kind, given.config)
            several_there = {name: value for name, value in from_file.items() if isinstance(value, tuple)}
            parser.set_defaults({name: value for name, value in from_file.items() if name not in several_there})
            many = several_there | many
        said = [*flags, *_with_flag(positional, alone, flags)]
        values = {**parser.parse_args(said).as_dict(), **many}
    except ArgumentError as error:
        raise BadInputError(_explained(str(error), kind)) from None
    spoken = {word.split("=")[0].removeprefix("--").replace("-", "_") for word in said if word.startswith("--")}
    settings = kind(**{name: values[name] for name in about(kind)})
    named = {name: values[name] for name in about(kind) if {name, f"no_{name}"} & spoken}
    return CommandLine(settings, named, given.config if "config" in spoken else None)


def parse(kind: type[Settings], *arguments: Any, **more: Any) -> Settings:
    """Return the settings alone that `read` reads, of the same arguments."""
    return read(kind, *arguments, **more).settings


def _parser(
    kind: type, prog: str, description: str, default_file: str | None, positional: str | None, usage: str,
    told: dict[str, str],
) -> Any:  # fmt: skip
    """Make a parser with a flag for each setting; `told` says their defaults in words, by name, for ``--help``."""
    from jsonargparse import ArgumentError, ArgumentParser, DefaultHelpFormatter

    class Parser(ArgumentParser):
        def error(self, message: str, ex: Exception | None = None) -> NoReturn:
            raise ArgumentError(None, message)

    class Formatter(DefaultHelpFormatter, RawDescriptionHelpFormatter):
        def _get_help_string(self, action: Any) -> str:
            return action.help  # ours says what the default is, and where it comes from

    first, last = description.split("\n\n", 1)
    alone = f" [{positional.upper()}]" if positional else ""
    usage = usage or f"%(prog)s{alone} [flags]"
    parser = Parser(
        prog=prog, usage=usage, description=first, epilog=last, exit_on_error=False,
        allow_abbrev=False, formatter_class=Formatter,
    )  # fmt: skip
    parser.add_argument("--version", action="version", version=f"kerasgen {__version__}", help="print the version")
    if default_file:
        text = f"a TOML file of the settings below; flags beat it (default: {told.get('config', default_file)})"
        parser.add_argument("--config", type=str, default=default_file, metavar="FILE", help=text)
    group: Any = parser
    hints = get_type_hints(kind)
    for name, one in about(kind).items():
        if one.group:
            group = parser.add_argument_group(one.group)
        _add_flag(group, name, one, hints[name], getattr(kind, name), told.get(name, ""))
    return parser


def _add_flag(group: Any, name: str, one: Setting, hint: Any, default: Any, told: str) -> None:
    """Add a setting's flag, and where it has one its ``--no-...``, to a group of a parser."""
    from jsonargparse import ActionYesNo

    words = _OWN_DEFAULT.sub("", one.help) if told else one.help
    help = f"{words} (default: {told})" if told else one.help
    if hint is bool:
        yes_no = ActionYesNo(yes_prefix="", no_prefix="no-")
        group.add_argument(flag_of(name), action=yes_no, default=default, help=help)
        return
    one_of, plain = choices(hint), plain_type(hint)
    group.add_argument(
        flag_of(name),
        type=str if plain is str and not one_of else hint,  # with `str | None`, the word `null` would become None
        default=default,
        metavar="|".join(one_of) or one.metavar or _METAVARS[plain],
        help=help,
        **({"nargs": "?", "const": "yes"} if one.otherwise else {}),
    )
    if one.otherwise:
        value, text = one.otherwise
        group.add_argument("--no-" + flag_of(name)[2:], dest=name, action="store_const", const=value, help=text)


def _check_decoded(words: Sequence[str]) -> None:
    """Raise BadInputError where an argument has bytes that are no text: Python makes them halves of surrogate pairs."""
    before = ""
    for word in words:
        flag, _, value = word.partition("=") if _FLAG.match(word) else (before, "", word)
        if found := _SURROGATE.search(value or word):
            part = (value or word)[max(0, found.start() - 20) : found.end() + 20]
            received = repr(part).replace(r"\udc", r"\x")  # the byte itself, as a shell writes it
            raise BadInputError(f"{kebab(flag) if flag[2:] else 'an argument'} must be UTF-8; received {received}")
        before = word


def _with_flag(positional: str | None, alone: list[str], flags: list[str]) -> list[str]:
    """Give the value that stands alone its flag.

    Raises:
        BadInputError: more stands alone than may.
    """
    if not alone:
        return []
    if positional is None:
        raise BadInputError(f"unexpected argument {alone[0]!r}; every setting has a flag; see --help")
    flag = flag_of(positional)
    if len(alone) > 1:
        raise BadInputError(
            f"the {positional} must be one argument; received {alone[0]!r} and {alone[1]!r}; put quotes around a "
            f"{positional} of several words"
        )
    if any(word.split("=")[0] == flag for word in flags):
        raise BadInputError(f"the {positional} must be given once; received {alone[0]!r} and {flag}; leave one out")
    return [f"{flag}={alone[0]}"]


def _given_often(kind: type, flags: list[str]) -> dict[str, Any]:
    """Return the settings that may have several values and are given, with all of them."""
    found: dict[str, list[str]] = {}
    for flag, after in pairwise([*flags, ""]):
        before, equals, value = flag.partition("=")
        if before in {flag_of(name) for name, one in about(kind).items() if one.many} and (equals or after):
            found.setdefault(before[2:].replace("-", "_"), []).append(value if equals else after)
    return {name: several(values) for name, values in found.items()}


def _parted(kind: type, words: Sequence[str], positional: str | None) -> tuple[list[str], list[str]]:
    """Part the flags with their values, and hyphens for underscores, from what stands alone: all after ``--``, too.

    Several words after a flag that may have several values are all its own, unless one may stand alone.

    Raises:
        BadInputError: what stands alone after such a flag is a file, and may have been meant as one of its values.
    """
    hints = get_type_hints(kind)
    switches = [flag_of(name) for name in about(kind) if hints[name] is bool]
    bare = {"-h", "--help", "--version", *switches, *(flag_of(f"no_{name}") for name in about(kind))}
    many = {flag_of(name) for name, one in about(kind).items() if one.many}
    left = deque(words)
    flags: list[str] = []
    alone: list[str] = []
    while left:
        word = left.popleft()
        if word == "--":
            alone += left
            break
        if not _FLAG.match(word):
            alone.append(word)
            continue
        flags.append(kebab(word))
        flag = flags[-1].partition("=")[0]
        takes = flag not in bare and "=" not in word
        if takes and left and left[0] != "--" and not _FLAG.match(left[0]):
            flags.append(left.popleft())
        while flag in many and left and left[0] != "--" and not _FLAG.match(left[0]):
            if positional is None:
                flags += [flag, left.popleft()]
            elif os.path.isfile(left[0]):
                raise BadInputError(
                    f"{flag} takes one value, and what stands alone is the {positional}, yet {left[0]!r} is a file; "
                    f"give {flag} again for each file, or --{positional} for the {positional}"
                )
            else:
                break
    return flags, alone


def _check_numbers(kind: type, flags: list[str]) -> None:
    """Raise BadInputError where a number is written as a time: YAML, which the parser reads, takes 1:30 for 90."""
    hints = get_type_hints(kind)
    numbers = {flag_of(name): name for name in about(kind) if plain_type(hints[name]) in (int, float)}
    for flag, after in pairwise([*flags, ""]):
        before, equals, value = flag.partition("=")
        value = value if equals else after
        if before in numbers and ":" in value and not _FLAG.match(value):
            raise BadInputError(f"{before} must be {type_words(hints[numbers[before]])}; received {value!r:.200}")


def _explained(message: str, kind: type) -> str:
    """Turn the parser's message into the rule, the value and the remedy, on one line."""
    message = " ".join(message.split())
    if match := re.search(r"unrecognized arguments: (\S+)", message):
        known = [flag_of(name) for name in about(kind)]
        return f"unknown flag {match[1]!r}{nearest(match[1], known) or '; see --help'}"
    if match := re.search(r"Parser key \"(\w+)\":.*(?:Got value|Given value): ?(.*)", message):
        return f"{flag_of(match[1])} must be {type_words(get_type_hints(kind)[match[1]])}; received {match[2]!r}"
    if match := re.match(r"argument (--[\w-]+): expected one argument", message):
        return f"{match[1]} needs a value; see --help"
    if match := re.match(r"argument (--[\w-]+)\S*: ignored explicit argument (.*)", message):
        return f"{match[1]} takes no value; received {match[2]}"
    return message.rstrip(".") + "; see --help"
