"""Settings: frozen dataclasses, filled from the defaults, then a TOML file, then flags."""

import dataclasses
import math
import re
import sys
import tomllib
from argparse import RawDescriptionHelpFormatter
from collections.abc import Sequence
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NoReturn, TypeVar, get_args, get_origin, get_type_hints

from kerasgen.base.errors import BadInputError, MissingFileError, nearest, reason
from kerasgen.base.files import bundled, ours

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Config = TypeVar("Config", bound="DataclassInstance")


_METAVARS = {int: "N", float: "X", str: "TEXT"}


def setting(
    default: Any,
    help: str,
    *,
    metavar: str | None = None,
    group: str | None = None,
    otherwise: tuple[str, str] | None = None,
) -> Any:
    """Make a field that is also a flag.

    Args:
        default: its value where nobody says anything.
        help: what ``--help`` says.
        metavar: what stands for the value there.
        group: begins a new heading with it.
        otherwise: the value that ``--no-...`` gives, and its help; the flag itself then needs none and gives ``"yes"``.
    """
    return field(default=default, metadata={"help": help, "metavar": metavar, "group": group, "otherwise": otherwise})


_RULES = {
    "prefix": (lambda v: "\n" not in v, f"a part of one line, without {chr(10)!r}"),
    "num_samples": (lambda v: v >= 1, "at least 1"),
    "temperature": (lambda v: v >= 0 and math.isfinite(v), "zero (greedy) or a positive number"),
    "top_k": (lambda v: v >= 1, "at least 1"),
    "top_p": (lambda v: 0 < v <= 1, "above 0 and at most 1"),
    "seed": (lambda v: 0 <= v < 2**32, "between 0 and 4294967295"),
    "min_length": (lambda v: v >= 0, "at least 0"),
    "max_length": (lambda v: 1 <= v <= 100_000, "between 1 and 100000"),
    "units": (lambda v: 1 <= v <= 8192, "between 1 and 8192"),
    "recurrent_dropout": (lambda v: 0 <= v < 1, "at least 0 and below 1"),
    "recurrent_l2": (lambda v: v >= 0 and math.isfinite(v), "zero or a positive number"),
    "init_scale": (lambda v: v > 0 and math.isfinite(v), "a positive number"),
    "init_seed": (lambda v: 0 <= v < 2**32, "between 0 and 4294967295"),
    "steps": (lambda v: 1 <= v <= 10**9, "between 1 and 1000000000"),
    "epochs": (lambda v: 1 <= v <= 10**6, "between 1 and 1000000"),
    "batch_size": (lambda v: 1 <= v <= 65_536, "between 1 and 65536"),
    "learning_rate": (lambda v: 0 < v <= 3e38, "above 0 and at most 3e38"),
    "momentum": (lambda v: 0 <= v < 1, "at least 0 and below 1"),
    "clipvalue": (lambda v: v > 0, "a positive number"),
    "shuffle_seed": (lambda v: 0 <= v < 2**32, "between 0 and 4294967295"),
    "length": (lambda v: 1 <= v <= 10_000_000, "between 1 and 10000000"),
    "lines": (lambda v: v >= 1, "at least 1"),
    "dropout": (lambda v: 0 <= v < 1, "at least 0 and below 1"),
    "scratch_epochs": (lambda v: v >= 1, "at least 1"),
    "seq_len": (lambda v: 1 <= v <= 4096, "between 1 and 4096"),
    "stride": (lambda v: v >= 1, "at least 1"),
    "next_learning_rate": (lambda v: v > 0 and math.isfinite(v), "a positive number"),
    "weight_decay": (lambda v: 0 <= v < 1, "at least 0 and below 1"),
    "clipnorm": (lambda v: v > 0, "a positive number"),
    "patience": (lambda v: v >= 1, "at least 1"),
    "sample_every": (lambda v: v >= 1, "at least 1"),
    "max_trials": (lambda v: 1 <= v <= 100_000, "between 1 and 100000"),
    "executions_per_trial": (lambda v: 1 <= v <= 1000, "between 1 and 1000"),
    "time_limit": (lambda v: seconds(v) > 0, "seconds, or minutes or hours like 10m or 1h"),
    "worker": (lambda v: v and "chief" not in v, "a name without the word chief"),
    "oracle_address": (lambda v: re.fullmatch(r".+:\d{1,5}", v), "HOST:PORT"),
}


def parse(
    kind: type[Config], prog: str, description: str, default_file: str | None, argv: Sequence[str] | None
) -> Config:
    """Fill `kind` from a command line: a flag beats the file of ``--config``, the file beats the default.

    Args:
        kind: the dataclass; each of its fields becomes a flag.
        prog: the command's name, for ``--help``.
        description: what ``--help`` says first and last, with a blank line between.
        default_file: the file under ``configs/`` that is read where ``--config`` names none; None for no such file.
        argv: the arguments; None for those of the process.

    Raises:
        BadInputError: an unknown flag or key (the nearest known one is named) or a value of the wrong kind.
        MissingFileError: the file of ``--config`` is not there.
    """
    from jsonargparse import ActionYesNo, ArgumentError, ArgumentParser, DefaultHelpFormatter

    from kerasgen.base.version import __version__

    class Parser(ArgumentParser):
        def error(self, message: str, ex: Exception | None = None) -> NoReturn:
            raise BadInputError(message)

    class Formatter(DefaultHelpFormatter, RawDescriptionHelpFormatter):
        def _get_help_string(self, action: Any) -> str:
            return action.help  # ours says what the type and the default are, in words

    about, epilog = description.split("\n\n", 1)
    parser = Parser(
        prog=prog, usage="%(prog)s [flags]", description=about, epilog=epilog, exit_on_error=False,
        allow_abbrev=False, formatter_class=Formatter,
    )  # fmt: skip
    parser.add_argument("--version", action="version", version=f"kerasgen {__version__}", help="print the version")
    if default_file:
        parser.add_argument(
            "--config",
            type=str,
            default=default_file,
            metavar="FILE",
            help=f"a TOML file of the settings below; flags beat it (default: {default_file})",
        )
    hints: dict[str, Any] = get_type_hints(kind)
    group: Any = parser
    for item in dataclasses.fields(kind):
        text, hint = item.metadata["help"], hints[item.name]
        if item.metadata["group"]:
            group = parser.add_argument_group(item.metadata["group"])
        if hint is bool:
            yes_no = ActionYesNo(yes_prefix="", no_prefix="no-")
            group.add_argument(_flag(item.name), action=yes_no, default=item.default, help=text)
            continue
        if item.default not in (None, ""):
            text += f" (default: {item.default})"
        choices = "|".join(get_args(hint)) if get_origin(hint) is Literal else None
        if _kind(hint) is str and not choices:
            hint = str  # with `str | None`, the parser would take the word `null` for no word
        metavar = choices or item.metadata["metavar"] or _METAVARS[_kind(hint)]
        more: dict[str, Any] = {}
        if item.metadata["otherwise"]:
            value, no_text = item.metadata["otherwise"]
            more = {"nargs": "?", "const": "yes"}
        group.add_argument(_flag(item.name), type=hint, default=item.default, metavar=metavar, help=text, **more)
        if more:
            no_flag = "--no-" + _flag(item.name).removeprefix("--")
            group.add_argument(no_flag, dest=item.name, action="store_const", const=value, help=no_text)

    arguments = [_kebab(word) for word in (sys.argv[1:] if argv is None else argv)]
    names = [item.name for item in dataclasses.fields(kind)]
    try:
        if default_file:
            file = parser.parse_args(arguments).config
            parser.set_defaults(_typed(parser, read_toml(file, names), file))
        values = parser.parse_args(arguments).as_dict()
    except (ArgumentError, BadInputError) as error:
        raise BadInputError(_one_line(str(error), [_flag(name) for name in names])) from None
    if default_file:
        del values["config"]
    return kind(**values)


def read_toml(file: str, known: list[str], flag: str = "--config") -> dict[str, Any]:
    """Read a configuration file; where there is none at that path, it may be one of ours.

    Raises:
        MissingFileError: there is no such file.
        BadInputError: it isn't TOML, or has a key that is not in `known`.
    """
    path = ours(Path(file))
    if not path.is_file():
        present = ", ".join(sorted(f"configs/{p.name}" for p in bundled("configs").glob("*.toml")))
        raise MissingFileError(f"{flag} must name a TOML file; received {file!r}, which is none; ours are {present}")
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInputError(f"{flag} must name a TOML file; {file!r} can't be read: {reason(error)}") from None
    for key in values:
        if key not in known:
            raise BadInputError(f"{file!r} has the unknown key {key!r}{nearest(key, known) or '; see --help'}")
    return values


def _typed(parser: Any, values: dict[str, Any], file: str) -> dict[str, Any]:
    """Check the kinds of a file's values with the parser that checks the flags."""
    from jsonargparse import ArgumentError

    try:
        for key, value in values.items():
            if isinstance(parser.get_default(key), bool) and not isinstance(value, bool):
                raise BadInputError(f"{_flag(key)} must be true or false; received {value!r}")
        checked = parser.parse_object(values).as_dict()
    except (ArgumentError, BadInputError) as error:
        raise BadInputError(f"in {file!r}: {error}") from None
    return {key: checked[key] for key in values}


def _kind(hint: Any) -> type:
    return next(kind for kind in (get_args(hint) or (hint,)) if kind is not type(None))


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _kebab(word: str) -> str:
    """Accept ``--num_samples`` for ``--num-samples``."""
    if not word.startswith("--"):
        return word
    flag, equals, value = word.partition("=")
    return flag.replace("_", "-") + equals + value


def _one_line(message: str, flags: list[str]) -> str:
    """Turn the parser's message into the rule, the value and the remedy."""
    message = " ".join(message.split())
    if match := re.search(r"unrecognized arguments: (\S+)", message):
        return f"unknown flag {match[1]!r}{nearest(match[1], flags) or '; see --help'}"
    message = re.sub(r"Parser key \"(\w+)\": ", lambda m: f"{_flag(m[1])}: ", message)
    message = re.sub(r"<class '(\w+)'>|typing\.(\w+)", lambda m: m[1] or m[2], message)
    return message.rstrip(".") + ("" if "see --help" in message or "did you mean" in message else "; see --help")


def check_ranges(settings: Any) -> None:
    """Raise BadInputError where a setting is outside its range."""
    for name, (holds, rule) in _RULES.items():
        value = getattr(settings, name, None)
        if value is not None and not holds(value):
            raise BadInputError(f"{_flag(name)} must be {rule}; received {value!r}")


def seconds(duration: str) -> float:
    """Return the seconds of a duration like ``90``, ``90s``, ``10m`` or ``1.5h``; 0 where it is none."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", duration.strip())
    return float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]] if match else 0.0
