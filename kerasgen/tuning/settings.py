"""The settings of a sweep."""

from dataclasses import dataclass
from typing import Literal

from kerasgen.base.errors import BadInputError
from kerasgen.base.settings import check_ranges, setting


@dataclass(frozen=True, kw_only=True)
class TuneConfig:
    """The settings of ``python -m kerasgen.tune``: what is searched, how, and how long.

    Raises:
        BadInputError: a value is outside its range.
    """

    data: str | None = setting(
        None, "the text to learn from: a file, or the name of a known corpus", metavar="FILE|NAME"
    )
    space: str | None = setting(
        None, "the TOML file of what is searched (default: configs/tune_dino.toml, ...)", metavar="FILE"
    )
    config: str | None = setting(
        None, "the TOML file of all other training settings (default: configs/dino.toml, ...)", metavar="FILE"
    )
    tuner: Literal["random", "bayesian", "hyperband", "grid"] = setting(
        "random", "who chooses the next trial; hyperband tries many for few epochs and the better ones for more, each "
        "time from the beginning; grid takes 10 points of a range without a step", group="the search",
    )  # fmt: skip
    max_trials: int | None = setting(
        None, "how many trials (default: 20; for grid, all combinations; for hyperband, as many as its plan for "
        "--epochs has, which this can only shorten)",
    )  # fmt: skip
    executions_per_trial: int = setting(1, "how often to train each, from other seeds; the mean counts")
    epochs: int = setting(10, "how many passes over the text a trial takes; for hyperband, the longest")
    time_limit: str | None = setting(
        None, "begin no trial after so long and put back the running one: seconds, 10m or 1h", metavar="TIME"
    )
    seed: int = setting(0, "the seed of the search and of its trainings")
    directory: str = setting(
        "sweeps", "the folder that each sweep has a folder in, to go on from: <corpus>-<what is swept>", metavar="DIR",
        group="what is kept",
    )  # fmt: skip
    save_dir: str = setting("saved_models", "the folder that the winner is saved in, as my-<corpus>.keras")
    final: bool = setting(True, "train the winner fully and save it; --no-final leaves it at its configuration")
    quiet: bool = setting(False, "print the ranking and nothing else")
    chief: bool = setting(
        False, "choose the trials for the workers of other processes or machines, and train none", group="in parallel"
    )
    worker: str | None = setting(
        None,
        "train trials that a chief chooses; each worker has another name and the chief's other flags",
        metavar="ID",
    )
    oracle_address: str = setting(
        "127.0.0.1:8787", "where the chief listens and the workers find it. Nothing protects this port: whoever can "
        "reach it can read and change the sweep, so give another address than this in a trusted network only",
        metavar="HOST:PORT",
    )  # fmt: skip

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.chief and self.worker:
            raise BadInputError(f"a process is --chief or --worker ID; received both (--worker {self.worker})")
