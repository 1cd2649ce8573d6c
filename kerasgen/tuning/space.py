"""What a sweep searches: the settings of a training with their choices or ranges, read from TOML; no TensorFlow."""

import math
from dataclasses import dataclass, replace
from typing import Any, get_type_hints

from kerasgen.base.errors import BadInputError, received
from kerasgen.base.settings import choices, plain_type, read_toml, searchable
from kerasgen.tasks.settings import TaskSettings

_MOST_POINTS = 100_000  # of a range with a step; a grid makes a list of them


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


@dataclass(frozen=True)
class Entry:
    """One entry of a space file, as it is written there.

    Attributes:
        name: of the setting.
        value: a list of choices, or the table of a range.
        type: of the setting, as it is annotated.
        base: the other settings, which say whether a value is in range.
        file: for messages.
    """

    name: str
    value: Any
    type: Any
    base: TaskSettings
    file: str

    @property
    def words(self) -> tuple:
        """The values of a setting that is no number; empty for a number."""
        return choices(self.type) or ((True, False) if self.plain is bool else ())

    @property
    def plain(self) -> type:
        """The type of one value."""
        return plain_type(self.type)

    def parameter(self) -> Parameter:
        """Return what the tuner searches.

        Raises:
            BadInputError: the entry makes no sense.
        """
        if isinstance(self.value, list):
            return self._of_choices()
        if self.words or not isinstance(self.value, dict):
            raise self._refused("a list of choices" + ("" if self.words else ", or a range like {min = 1, max = 9}"))
        return self._of_range()

    def _of_choices(self) -> Parameter:
        found = tuple(dict.fromkeys(map(self._checked, self.value)))
        if len(found) < 2:
            raise self._refused("a list of at least two different choices")
        return Parameter(self.name, found)

    def _of_range(self) -> Parameter:
        if unknown := set(self.value) - {"min", "max", "step", "sampling"}:
            raise self._refused(f"a range of min, max, step and sampling, without {min(unknown)}")
        if not {"min", "max"} <= set(self.value):
            raise self._refused("a range with both min and max")
        low, high = self._checked(self.value["min"]), self._checked(self.value["max"])
        if not low < high:
            raise self._refused("a range whose min is below its max")
        log = self._is_log(low)
        return Parameter(self.name, (), low, high, self._step(low, high, log), log)

    def _is_log(self, low: float) -> bool:
        sampling = self.value.get("sampling")
        if sampling not in (None, "linear", "log"):
            raise self._refused('a range whose sampling is "linear" or "log"')
        if sampling == "log" and low <= 0:
            raise self._refused('a range above 0, with sampling = "log"')
        return sampling == "log"

    def _step(self, low: float, high: float, log: bool) -> float | None:
        step = self.value.get("step")
        if step is None:
            return None
        if not self._is_number(step) or step <= log:
            raise self._refused(f"a range whose step is a {'factor above 1' if log else 'number above 0'}")
        if (high / low if log else high - low) < step:
            raise self._refused("a range that its step fits into")
        if (math.log(high / low, step) if log else (high - low) / step) > _MOST_POINTS:
            raise self._refused(f"a range of at most {_MOST_POINTS:,} steps")
        return step

    def _checked(self, one: Any) -> Any:
        """Return one value as the command would take it."""
        if self.words:
            if one not in self.words or isinstance(one, bool) != (self.plain is bool):
                raise self._refused(f"a list of {', '.join(map(str, self.words)).lower()}")
            return one
        if not self._is_number(one):
            raise self._refused(f"made of {'whole ' if self.plain is int else ''}numbers")
        try:
            return getattr(replace(self.base, **{self.name: self.plain(one)}), self.name)
        except BadInputError as error:
            raise BadInputError(f"in {self.file!r}: {error}") from None

    def _is_number(self, one: Any) -> bool:
        number = isinstance(one, int if self.plain is int else int | float) and not isinstance(one, bool)
        return number and abs(one) < (2**53 if self.plain is int else 1e308)  # neither infinite nor NaN

    def _refused(self, rule: str) -> BadInputError:
        return BadInputError(f"in {self.file!r}: {self.name} must be {rule}; received {received(self.value)}")


def read_space(file: str, base: TaskSettings) -> list[Parameter]:
    """Read what is searched: a key is a training setting, its value a list of choices or a table with min and max.

    Args:
        file: TOML.
        base: the settings of a trial but for those that are searched.

    Raises:
        MissingFileError: there is no such file.
        BadInputError: a key is unknown, or a list or range makes no sense.
    """
    table = read_toml(file, searchable(base), "--space")
    if not table:
        raise BadInputError(f"--space must name a file with at least one setting to search; {file!r} has none")
    hints = get_type_hints(type(base))
    return [Entry(name, value, hints[name], base, file).parameter() for name, value in table.items()]
