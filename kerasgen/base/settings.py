"""Settings: frozen dataclasses, filled from their defaults, then a TOML file, then flags or keyword arguments."""

import dataclasses
import math
import os
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from kerasgen.base.errors import BadInputError, MissingFileError, nearest, reason, received
from kerasgen.base.files import bundled, ours, read_small

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Settings = TypeVar("Settings", bound="DataclassInstance")
WORKS = ("generating", "a new model", "fine-tuning")  # what a command may be asked for
_LARGEST = 10**18  # what any whole number may be; 64 bits hold more
_WORDS = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}


@dataclass(frozen=True)
class Range:
    """The values that a setting may have.

    Attributes:
        words: what must hold, as it follows "must be" in a message: ``"at least 1"``.
        holds: tells whether it holds for a value.
    """

    words: str
    holds: Callable[[Any], Any]


def at_least(low: float) -> Range:
    """Return the range of all values from `low` upward."""
    return Range(f"at least {low}", lambda value: value >= low)


def between(low: int, high: int) -> Range:
    """Return the range from `low` to `high`, both included."""
    return Range(f"between {low} and {high}", lambda value: low <= value <= high)


SEED = between(0, 2**32 - 1)
SHARE = Range("at least 0 and below 1", lambda value: 0 <= value < 1)
POSITIVE = Range("a positive number", lambda value: value > 0 and math.isfinite(value))
NOT_NEGATIVE = Range("zero or a positive number", lambda value: value >= 0 and math.isfinite(value))


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What is known of a setting besides its name, type and default; the arguments of `setting`."""

    help: str
    metavar: str | None
    group: str | None
    otherwise: tuple[str, str] | None
    within: Range | None
    identifies: bool | str
    card: bool
    searchable: bool
    effect: str
    many: bool


def setting(
    default: Any,
    help: str,
    *,
    metavar: str | None = None,
    group: str | None = None,
    otherwise: tuple[str, str] | None = None,
    within: Range | None = None,
    identifies: bool | str = False,
    card: bool = True,
    searchable: bool = False,
    effect: str = "",
    many: bool = False,
) -> Any:
    """Make a dataclass field that is also a flag and a key in TOML.

    Args:
        default: its value where none is given.
        help: what ``--help`` says.
        metavar: what stands for the value there.
        group: starts a new heading with this field.
        otherwise: the value of ``--no-...``, and its help; the flag itself may then stand alone and means ``"yes"``.
        within: the values that it may have.
        identifies: whether another value makes another training, so that a run with it can't be resumed with this one;
            or the key of the run's identity that the setting enters through (``"steps"``: it sets their number); or
            ``"given"``: it does where it has a value; or ``"fine-tuning"``: it does there.
        card: whether a model's card gives the value, if it identifies a training.
        searchable: whether a sweep may search it; it then identifies a training, too.
        effect: where it has one: ``"always"``, in ``"training"``, in training a ``"new model"``, in ``"fine-tuning"``;
            or it is a part of the ``"model"``, which is given to a new one and stays as it is in fine-tuning. Where
            this is not said: in training if it identifies one, else always.
        many: whether several values may be given, as a tuple: the flag more than once, a list in TOML.
    """
    effect = effect or ("training" if identifies or searchable else "always")
    spec = Setting(
        help=help, metavar=metavar, group=group, otherwise=otherwise, within=within,
        identifies=identifies or searchable, card=card, searchable=searchable, effect=effect, many=many,
    )  # fmt: skip
    return field(default=default, metadata={"setting": spec})


def about(kind: Any) -> dict[str, Setting]:
    """Return the `Setting` of every field of a settings class, or of its instance, by name."""
    return {item.name: item.metadata["setting"] for item in dataclasses.fields(kind)}


def identity_of(settings: Any, fine_tuning: bool = False) -> dict[str, Any]:
    """Return the settings that tell one training from another, by name."""
    values = {name: (getattr(settings, name), one.identifies) for name, one in about(settings).items()}
    return {
        name: value
        for name, (value, how) in values.items()
        if how is True or how == "given" and value is not None or how == "fine-tuning" and fine_tuning
    }


def card_of(settings: Any) -> dict[str, Any]:
    """Return the settings that a model's card gives, by name."""
    return {name: value for name, value in identity_of(settings).items() if about(settings)[name].card}


def check_effects(kind: Any, flags: Iterable[str], work: str, otherwise: str = "see --help") -> None:
    """Raise BadInputError where a flag was given that has no effect in what was asked for.

    Args:
        kind: the settings class.
        flags: the settings that were given.
        work: ``"generating"``, ``"a new model"`` or ``"fine-tuning"``.
        otherwise: what else to do than to leave it out.
    """
    works = {
        "always": WORKS, "training": WORKS[1:], "new model": WORKS[1:2], "fine-tuning": WORKS[2:], "model": WORKS[1:],
    }  # fmt: skip
    for name in flags:
        effect = about(kind)[name].effect
        if work not in works[effect]:
            where = {"model": "training a new model", "new model": "training a new model"}.get(effect, effect)
            raise BadInputError(
                f"{flag_of(name)} has an effect in {where} only; what was asked for is {work}; leave it out, or "
                f"{otherwise}"
            )


def searchable(kind: Any) -> list[str]:
    """Return the names of the settings that a sweep may search."""
    return [name for name, one in about(kind).items() if one.searchable]


def check_ranges(settings: Any) -> None:
    """Raise BadInputError where a setting is outside its range."""
    for name, one in about(settings).items():
        value = getattr(settings, name)
        if isinstance(value, int) and abs(value) > _LARGEST:
            raise BadInputError(f"{flag_of(name)} must be at most {_LARGEST}; received a number of over 18 digits")
        if one.within and value is not None and not one.within.holds(value):
            raise BadInputError(f"{flag_of(name)} must be {one.within.words}; received {value!r}")
        paths = [value] if isinstance(value, str) else value or () if one.many else ()
        if re.search("DIR|FILE|RUN", one.metavar or "") and any("\0" in path for path in paths):
            raise BadInputError(f"{flag_of(name)} must have no NUL character; received {value!r:.100}")


def resolve(
    kind: type[Settings], default_file: str | None, values: Mapping[str, Any], config: str | Path | None = None
) -> Settings:
    """Fill `kind` from keyword arguments: they beat the file, and the file beats the defaults.

    Args:
        kind: the dataclass.
        default_file: the file under ``configs/`` that is read where `config` is None; None for no such file.
        values: settings by name; a path may stand where a text is asked for.
        config: a TOML file.

    Raises:
        BadInputError: an unknown name (the nearest known one is given), or a value of the wrong type or outside its
            range.
        MissingFileError: `config` is not there.
    """
    known = list(about(kind))
    for name in values:
        if name not in known:
            raise BadInputError(f"unknown setting {name!r}{nearest(name, known)}")
    try:
        file = config or default_file
        from_file = read_settings(kind, str(file)) if file else {}
        return kind(**{**from_file, **_typed(kind, values)})
    except (BadInputError, MissingFileError) as error:  # from Python, a setting is known by its name
        raise type(error)(re.sub(r"--([a-z][a-z-]*)", lambda flag: flag[1].replace("-", "_"), str(error))) from None


def read_settings(kind: type, file: str) -> dict[str, Any]:
    """Read the settings in a TOML file, of the right types, though their ranges are not checked yet.

    Raises:
        MissingFileError: there is no such file.
        BadInputError: it is malformed, or has an unknown key or a value of the wrong type.
    """
    values = read_toml(file, list(about(kind)))
    try:
        return _typed(kind, values)
    except BadInputError as error:
        raise BadInputError(f"in {file!r}: {error}") from None


def settings_by_size(kind: type, file: str) -> set[str]:
    """Return the names of the settings that a table of ours sets, by the size of a text."""
    return {name for _, values in read_rows(kind, file) for name in values}


def read_rows(kind: type, file: str) -> list[tuple[int | None, dict[str, Any]]]:
    """Read a table of ours: settings by size.

    Args:
        kind: the dataclass.
        file: a TOML file of ``[[rows]]``: ``up_to``, which the last row has not, and settings.

    Returns:
        The rows in their order: the largest size, None for any, and the settings.
    """
    rows = read_toml(file, ["rows"])["rows"]
    return [(row.get("up_to"), _typed(kind, {key: row[key] for key in row if key != "up_to"})) for row in rows]


def read_toml(file: str, known: list[str], flag: str = "--config") -> dict[str, Any]:
    """Read a TOML file; a path that leads nowhere may be that of a file of ours.

    Raises:
        MissingFileError: there is no such file.
        BadInputError: it is malformed, or has a key that is not in `known`.
    """
    path = ours(Path(file))
    if not os.path.isfile(path):
        present = ", ".join(sorted(f"configs/{p.name}" for p in bundled("configs").glob("*.toml")))
        raise MissingFileError(f"{flag} must name a TOML file; received {file!r}; ours are {present}")
    try:
        values = tomllib.loads(read_small(path).decode("utf-8"))
    except (OSError, ValueError, RecursionError) as error:  # the last where it is nested a thousand deep
        raise BadInputError(f"{flag} must name a TOML file; {file!r} can't be read: {reason(error)}") from None
    for key in values:
        if key not in known:
            raise BadInputError(f"{file!r} has the unknown key {key!r}{nearest(key, known) or '; see --help'}")
    return values


def _typed(kind: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """Check values against the types of their fields: a float may be given as an int, a text as a path."""
    hints = get_type_hints(kind)
    many = {name for name, one in about(kind).items() if one.many}
    return {name: _of_type(name, hints[name], value, name in many) for name, value in values.items()}


def _of_type(name: str, hint: Any, value: Any, many: bool = False) -> Any:
    plain = plain_type(hint)
    if many and isinstance(value, list | tuple) and value:
        return several([_of_type(name, hint, one) for one in value])
    if value is None and type(None) in get_args(hint):
        return None
    if plain is str and isinstance(value, os.PathLike):
        return os.fspath(value)
    if plain is float and isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1e308:
        return float(value)
    fits = isinstance(value, plain) and isinstance(value, bool) == (plain is bool)
    if not fits or (choices(hint) and value not in choices(hint)):
        raise BadInputError(f"{flag_of(name)} must be {type_words(hint)}; received {received(value)}")
    return value


def several(values: Sequence[str]) -> str | tuple[str, ...]:
    """Return the value of a setting that may have several: each once, and one alone as it is."""
    each = tuple(dict.fromkeys(values))
    return each if len(each) > 1 else each[0]


def choices(hint: Any) -> tuple[str, ...]:
    """Return the words of a ``Literal``, or none for another type."""
    return get_args(hint) if get_origin(hint) is Literal else ()


def plain_type(hint: Any) -> type:
    """Return the type behind an optional one, or behind the words of a ``Literal``."""
    return str if choices(hint) else next(one for one in (get_args(hint) or (hint,)) if one is not type(None))


def type_words(hint: Any) -> str:
    """Say what a value of a type is, as it follows "must be" in a message."""
    return f"one of {', '.join(choices(hint))}" if choices(hint) else _WORDS[plain_type(hint)]


def flag_of(name: str) -> str:
    """Return the flag of a setting."""
    return "--" + name.replace("_", "-")
