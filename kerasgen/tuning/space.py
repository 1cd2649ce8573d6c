"""What a sweep searches: the settings of a training with their choices or ranges, read from TOML; no TensorFlow."""

import math
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args, get_origin, get_type_hints

from kerasgen.base import settings as config
from kerasgen.base.errors import BadInputError
from kerasgen.tasks.names import DinoConfig

CHOSEN_ELSEWHERE = {  # by the sweep, or what changes the measure, so that trials could not be compared
    "holdout", "seed", "dtype", "from_scratch", "epochs", "scratch_epochs", "next_learning_rate", "patience",
    "lower_case",
}  # fmt: skip


@dataclass(frozen=True)
class Parameter:
    """A setting that is searched: among choices, or in a range.

    Attributes:
        name: the setting's.
        choices: its values; empty for a range.
        low: of the range.
        high: of the range, which it may reach.
        step: between two values, by addition, or by multiplication where `log`; None for any value.
        log: small and large values are equally likely by their ratio.
    """

    name: str
    choices: tuple = ()
    low: float = 0
    high: float = 0
    step: float | None = None
    log: bool = False

    def value(self, raw: Any) -> Any:
        """Return a value that a tuner chose, with four digits, as a message between processes may have rounded it."""
        if self.choices and not isinstance(raw, float):
            return raw
        if self.choices:
            return min(self.choices, key=lambda choice: abs(choice - raw))
        return int(raw) if isinstance(self.low, int) else min(self.high, max(self.low, float(f"{raw:.4g}")))

    def points(self) -> list:
        """Return the values that a grid takes: the choices, the steps, or ten of a range without a step."""
        if self.choices:
            return list(self.choices)
        if self.step and self.log:
            count = int(math.log(self.high / self.low, self.step) + 1e-9) + 1
            found = [self.low * self.step**i for i in range(count)]
        elif self.step:
            found = [self.low + i * self.step for i in range(int((self.high - self.low) / self.step + 1e-9) + 1)]
        elif self.log:
            found = [self.low * (self.high / self.low) ** (i / 9) for i in range(10)]
        else:
            found = [self.low + (self.high - self.low) * i / 9 for i in range(10)]
        return list(dict.fromkeys(self.value(round(x) if isinstance(self.low, int) else x) for x in found))

    def __str__(self) -> str:
        if self.choices:
            return "among " + ", ".join(map(str, self.choices))
        return f"{self.low} to {self.high}"


def read_space(file: str, base) -> list[Parameter]:
    """Read what is searched: a key is a training setting, its value a list of choices or a table with min and max.

    Args:
        file: TOML.
        base: the settings of the command, for their names and kinds.

    Raises:
        MissingFileError: there is no such file.
        BadInputError: a key is unknown, or a list or range makes no sense.
    """
    from kerasgen.tasks.names import NamesRecipe
    from kerasgen.tasks.prose import ProseRecipe

    kind = NamesRecipe if isinstance(base, DinoConfig) else ProseRecipe
    table = config.read_toml(file, sorted(kind.TRAINING_KEYS - CHOSEN_ELSEWHERE), "--space")
    if not table:
        raise BadInputError(f"--space must name a file with at least one setting to search; {file!r} has none")
    hints = get_type_hints(type(base))
    return [_parameter(name, value, hints[name], base, file) for name, value in table.items()]


def _parameter(name: str, value: Any, hint: Any, base, file: str) -> Parameter:
    """Check one entry of the search space; its values must be such as the command itself would take."""

    def refuse(rule: str):
        return BadInputError(f"in {file!r}: {name} must be {rule}; received {value!r}")

    kind = next(one for one in (get_args(hint) or (hint,)) if one is not type(None))
    words = get_args(hint) if get_origin(hint) is Literal else ()

    def typed(one: Any) -> Any:
        if words or kind is bool:
            if one not in (words or (True, False)) or not words and not isinstance(one, bool):
                raise refuse(f"a list of {', '.join(words) or 'true, false'}")
            return one
        if isinstance(one, bool) or not isinstance(one, int if kind is int else int | float) or not math.isfinite(one):
            raise refuse(f"made of {'whole ' if kind is int else ''}numbers")
        try:
            replace(base, **{name: kind(one)})
        except BadInputError as error:
            raise BadInputError(f"in {file!r}: {error}") from None
        return kind(one)

    if isinstance(value, list):
        choices = tuple(dict.fromkeys(map(typed, value)))
        if len(choices) < 2:
            raise refuse("a list of at least two different choices")
        return Parameter(name, choices)
    if not isinstance(value, dict) or words or kind is bool:
        raise refuse("a list of choices" + ("" if words or kind is bool else ", or a range like {min = 1, max = 9}"))
    if unknown := set(value) - {"min", "max", "step", "sampling"}:
        raise refuse(f"a range of min, max, step and sampling, without {min(unknown)}")
    if not {"min", "max"} <= set(value):
        raise refuse("a range with both min and max")
    low, high, step, sampling = typed(value["min"]), typed(value["max"]), value.get("step"), value.get("sampling")
    if sampling not in (None, "linear", "log"):
        raise refuse('a range whose sampling is "linear" or "log"')
    log = sampling == "log"
    if not low < high:
        raise refuse("a range whose min is below its max")
    if log and low <= 0:
        raise refuse('a range above 0, with sampling = "log"')
    if step is not None:
        whole = int if kind is int else int | float
        if isinstance(step, bool) or not isinstance(step, whole) or step <= log:
            raise refuse(f"a range whose step is a {'factor above 1' if log else 'number above 0'}")
        if (high / low if log else high - low) < step:
            raise refuse("a range that its step fits into")
    return Parameter(name, (), low, high, step, log)
