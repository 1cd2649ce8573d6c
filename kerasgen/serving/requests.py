"""What may be asked of a server: the fields are settings, so that they are refused in the words of the commands."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from kerasgen.base import seeds
from kerasgen.base.errors import BadInputError, reason, received
from kerasgen.base.settings import about, at_least, check_ranges, resolve, setting

Asked = TypeVar("Asked", bound="OfAModel")
PROSE, NAMES = "of a text", "of names"  # the groups of fields that the other kind of model has no use for
_OF = "draw from the smallest set of likeliest characters that have this probability together"


@dataclass(frozen=True, kw_only=True)
class OfAModel:
    """What every request has.

    Raises:
        BadInputError: a value is outside its range.
    """

    model: str | None = setting(None, "the model's name (default: the first of GET /models)")
    on_unknown: str | None = setting(
        None, "a character that the model never saw is refused (error), left out (skip), read as its twin or left out "
        "(replace), or read as its twin or refused (twin)",
    )  # fmt: skip

    def __post_init__(self) -> None:
        check_ranges(self)


@dataclass(frozen=True, kw_only=True)
class Generate(OfAModel):
    """Asks for a text that continues a prompt, or for names.

    Raises:
        BadInputError: a value is outside its range.
    """

    temperature: float | None = setting(None, "below 1 safer, above 1 bolder, 0 the likeliest character always")
    top_k: int | None = setting(None, "draw from the k likeliest characters only")
    top_p: float | None = setting(None, _OF)
    seed: int = setting(0, "the same seed gives the same text; the word random draws one, which the answer names")
    prompt: str = setting("", "what the text continues; it is not part of the answer", group=PROSE)
    length: int | None = setting(None, "how many characters (default: 400)", group=PROSE)
    prefix: str = setting("", "what each name begins with", group=NAMES)
    num_samples: int = setting(1, "how many names", group=NAMES, within=at_least(1))
    min_length: int | None = setting(None, "the fewest characters of a name", group=NAMES)
    max_length: int | None = setting(None, "the most characters of a name (default: 50)", group=NAMES)
    ends_with: str | None = setting(None, "what each name ends with", group=NAMES)
    contains: str | None = setting(None, "what each name holds", group=NAMES)
    pattern: str | None = setting(None, "a regular expression that each whole name matches", group=NAMES)
    unique: bool = setting(False, "leave out repetitions", group=NAMES)
    novel_only: bool = setting(False, "leave out names that the model learned", group=NAMES)


@dataclass(frozen=True, kw_only=True)
class Score(OfAModel):
    """Asks how well a model predicts texts."""

    text: str | tuple[str, ...] = setting("", "a text, or a list of texts", many=True)
    each: bool = setting(False, "give the nats of every character, too")


@dataclass(frozen=True, kw_only=True)
class Next(OfAModel):
    """Asks for the probabilities of the next character."""

    text: str = setting("", "what was written before")
    top: int | None = setting(None, "give so many of the likeliest only (default: all)", within=at_least(1))


def read(kind: type[Asked], body: bytes) -> tuple[Asked, set[str]]:
    """Read a request's body.

    Args:
        kind: what is asked for.
        body: JSON, an object; nothing for no field.

    Returns:
        The request, and the names of the fields that were given.

    Raises:
        BadInputError: it is malformed, or has an unknown field or a value of the wrong type or outside its range.
    """
    try:
        values = json.loads(body or b"{}", parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise BadInputError(f"the body must be JSON; it is not: {reason(error):.200}") from None
    if not isinstance(values, dict):
        raise BadInputError(f"the body must be a JSON object; received {received(values)}")
    values = {name: value for name, value in values.items() if value is not None}
    texts, seed = values.pop("text", None) if kind is Score else None, values.get("seed")
    if seed == "random":
        values["seed"] = seeds.draw()
    asked = resolve(kind, None, values)
    if kind is Score:
        each = (texts,) if isinstance(texts, str) else texts
        if not isinstance(each, list | tuple) or not each or not all(isinstance(one, str) for one in each):
            raise BadInputError(f"text must be a text or a list of texts; received {received(texts)}")
        asked = replace(asked, text=tuple(each))  # type: ignore[call-arg]
    return asked, {*values}


def check_fields(given: set[str], names: bool, model: str) -> None:
    """Refuse a field that a model has no use for.

    Args:
        given: the names of the fields.
        names: whether the model writes names.
        model: what it is called.

    Raises:
        BadInputError: there is such a field.
    """
    groups = grouped(Generate)
    useless = [name for name in given if groups[name] == (PROSE if names else NAMES)]
    if useless:
        its = ", ".join(name for name, group in groups.items() if group == (NAMES if names else PROSE))
        writes = "names" if names else "a text"
        raise BadInputError(f"{min(useless)} has no effect here, as {model} writes {writes}; its own are {its}")


def grouped(kind: type) -> Mapping[str, str]:
    """Return the group of each field by its name; "" where all models take it."""
    return {name: one.group or "" for name, one in about(kind).items()}


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is no number of JSON")
