"""The settings of a sweep."""

import re
from dataclasses import dataclass
from typing import Literal

from kerasgen.base.errors import BadInputError
from kerasgen.base.settings import SEED, Range, between, check_ranges, setting


@dataclass(frozen=True, kw_only=True)
class TuneSettings:
    """The settings of ``python -m kerasgen.tune``: what is searched, how, and for how long.

    Raises:
        BadInputError: a value is outside its range.
    """

    data: str | tuple[str, ...] | None = setting(
        None, "the text to learn: whatever dino and shakespeare take", metavar="FILE|NAME", many=True
    )
    column: str | None = setting(None, "the column to take where --data is a table, as for them", metavar="NAME|N")
    space: str | None = setting(
        None, "the TOML file of what is searched (default: configs/tune_dino.toml, ...)", metavar="FILE"
    )
    config: str | None = setting(
        None, "the TOML file of all other training settings (default: configs/dino.toml, ...)", metavar="FILE"
    )
    tuner: Literal["random", "bayesian", "hyperband", "grid"] = setting(
        "random", "who chooses the next trial; hyperband trains many for few epochs and the better ones for more, each "
        "time from the start; grid takes 10 points of a range without a step", group="the search",
    )  # fmt: skip
    max_trials: int | None = setting(
        None, "how many trials (default: 20; for grid, all combinations; for hyperband, as many as --epochs asks for, "
        "which this can only shorten)", within=between(1, 100_000),
    )  # fmt: skip
    executions_per_trial: int = setting(
        1, "how often to train each trial, with different seeds; the mean counts", within=between(1, 1000)
    )
    epochs: int = setting(
        10, "how many passes over the text a trial takes; for hyperband, the longest", within=between(1, 10**6)
    )
    time_limit: str | None = setting(
        None, "after so long, start no trial and put back the one that runs: seconds, 10m or 1h", metavar="TIME",
        within=Range("seconds, or minutes or hours like 10m or 1h", lambda value: seconds(value) > 0),
    )  # fmt: skip
    seed: int = setting(0, "the seed of the search and of its trainings", within=SEED)
    directory: str = setting(
        "sweeps", "the folder that holds a folder for each sweep, to resume it: <corpus>-<what is swept>",
        metavar="DIR", group="what is kept",
    )  # fmt: skip
    save_dir: str = setting(
        "saved_models", "the folder to save the winner's model in, as my-<corpus>.keras", metavar="DIR"
    )
    final: bool = setting(True, "train the winner fully and save it; --no-final only writes its configuration")
    quiet: bool = setting(False, "print the ranking and nothing else")
    workers: int | None = setting(
        None, "train so many trials at a time, each in a process of its own on this machine; one that dies is started "
        "again", group="in parallel", within=between(1, 256),
    )  # fmt: skip
    chief: bool = setting(
        False, "choose the trials for workers in other processes or on other machines, and train none"
    )
    worker: str | None = setting(
        None, "train the trials that a chief chooses; each worker needs its own ID and the chief's other flags",
        metavar="ID",
        within=Range("a name without the word chief", lambda value: value and "chief" not in value),
    )  # fmt: skip
    oracle_address: str = setting(
        "127.0.0.1:8787", "where the chief listens and the workers find it. Nothing protects this port: whoever can "
        "reach it can read and change the sweep, so use another address than this in a trusted network only",
        metavar="HOST:PORT", within=Range("HOST:PORT", lambda value: re.fullmatch(r".+:\d{1,5}", value)),
    )  # fmt: skip

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.chief and self.worker:
            raise BadInputError(f"a process is --chief or --worker ID; received both (--worker {self.worker})")
        if self.workers and (self.chief or self.worker):
            raise BadInputError("--workers starts a chief and its workers; received --chief or --worker, too")


def seconds(duration: str) -> float:
    """Return the seconds of a duration like ``90``, ``90s``, ``10m`` or ``1.5h``; 0 where it is malformed."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", duration.strip())
    return float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]] if match else 0.0
