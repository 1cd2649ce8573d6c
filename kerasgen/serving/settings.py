"""The settings of a server."""

from dataclasses import dataclass
from typing import Literal

from kerasgen.base.settings import Range, at_least, between, check_ranges, setting

STREAMS = 256  # side by side; no program is compiled for more
_WITHIN = between(1, 10**9)


@dataclass(frozen=True, kw_only=True)
class ServeSettings:
    """The settings of ``python -m kerasgen.serve``: which models, for whom, and how much a request may ask for.

    Raises:
        BadInputError: a value is outside its range.
    """

    model: str | tuple[str, ...] | None = setting(
        None, "a model file, or several; the first answers where a request names none (default: the shipped poet)",
        metavar="FILE", many=True,
    )  # fmt: skip
    device: Literal["auto", "cpu", "gpu", "tpu"] = setting("auto", "where to compute; auto takes the CPU")
    host: str = setting(
        "127.0.0.1", "the address to listen at; one that others can reach needs a token", metavar="ADDRESS",
        group="for whom",
    )  # fmt: skip
    port: int = setting(8000, "the port to listen at; 0 for one that is free", within=between(0, 65535))
    token_file: str | None = setting(
        None, "the file of the token that every request must bring (default: the variable KERASGEN_TOKEN; none where "
        "neither is given)", metavar="FILE",
    )  # fmt: skip
    streams: int = setting(
        STREAMS, "how many texts are generated side by side", within=between(1, STREAMS), group="how much"
    )
    waiting: int = setting(64, "how many more requests may wait; others are told to come back", within=at_least(0))
    max_length: int = setting(10_000, "the most characters of a text", within=_WITHIN)
    max_prompt: int = setting(10_000, "the most characters of a prompt, or of texts to score", within=_WITHIN)
    max_samples: int = setting(1000, "the most names of a request", within=_WITHIN)
    max_body: int = setting(1 << 18, "the most bytes of a request's body", within=_WITHIN)
    seconds: float = setting(
        60.0, "the most seconds that a request may take", within=Range("between 1 and 86400", lambda x: 1 <= x <= 86400)
    )
    quiet: bool = setting(False, "print the address and nothing else")

    def __post_init__(self) -> None:
        check_ranges(self)
