"""`Sampling`: how characters are drawn, and how many; imports no TensorFlow."""

import sys
from dataclasses import dataclass
from numbers import Integral, Real

from kerasgen.base.errors import BadInputError

GREEDY = 1e-30  # temperatures below are zero: single precision could not divide by them


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How characters are drawn, and how many.

    Attributes:
        temperature: the logits are divided by it; 0 takes the likeliest character (greedy).
        top_k: draw from the k likeliest characters only (all those as likely as the k-th); None for all.
        top_p: draw from the smallest set of likeliest characters that have this probability together (Holtzman et al.
            2020, "The curious case of neural text degeneration"); None for all.
        min_length: the fewest characters, the prefix included.
        max_length: the most characters, the prefix included.
        ends_with: what every text ends with, in the model's own characters.
        contains: what every text holds, likewise.
        pattern: the regular expression that every text matches as a whole; None for none.
        seed: the same seed gives the same texts.

    Raises:
        BadInputError: a value is outside its range.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    min_length: int = 0
    max_length: int = 50
    ends_with: str = ""
    contains: str = ""
    pattern: str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        top_k, top_p, least, most = self.top_k, self.top_p, self.min_length, self.max_length
        require("temperature", self.temperature, _real(self.temperature, 0), "zero (greedy) or a positive number")
        require("seed", self.seed, _whole(self.seed, 0, 2**32 - 1), "between 0 and 4294967295")
        require("top_k", top_k, top_k is None or _whole(top_k, 1), "at least 1")
        require("top_p", top_p, top_p is None or _real(top_p, 0, 1) and top_p > 0, "above 0 and at most 1")
        require("max_length", most, _whole(most, 1), "at least 1")
        require("min_length", least, _whole(least, 0, most), f"between 0 and the maximum of {most}")

    @property
    def greedy(self) -> bool:
        """Whether the likeliest character is taken, without a draw."""
        return self.temperature < GREEDY


def require(name: str, value: object, holds: bool, rule: str) -> None:
    """Raise a `BadInputError` with rule and value unless the rule holds."""
    if not holds:
        raise BadInputError(f"{name} must be {rule}; received {value!r}")


def require_whole(name: str, value: object, least: int) -> None:
    """Raise a `BadInputError` unless a value is a whole number, `least` at the fewest."""
    require(name, value, _whole(value, least), f"at least {least}")


def _whole(value: object, least: int, most: int = sys.maxsize) -> bool:
    return isinstance(value, Integral) and least <= int(value) <= most


def _real(value: object, least: float, most: float = sys.float_info.max) -> bool:
    return isinstance(value, Real) and least <= float(value) <= most
