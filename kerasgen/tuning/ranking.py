"""What became of a sweep's trials: ranked, printed and kept in files; no TensorFlow."""

import csv
import dataclasses
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kerasgen.base import console, files
from kerasgen.base.errors import FailedError
from kerasgen.tuning.space import Parameter


@dataclass(frozen=True)
class Row:
    """What became of a trial.

    Attributes:
        trial: its number, from 1.
        bits_per_char: of the validation part, at its best epoch; None where it did not finish.
        epochs: how many it was trained for.
        values: its hyperparameters.
        status: ``"done"``, ``"failed"`` or ``"unfinished"``.
        reason: why it failed, or nothing.
    """

    trial: int
    bits_per_char: float | None
    epochs: int
    values: dict[str, Any]
    status: str
    reason: str = ""

    @property
    def score(self) -> float:
        """`bits_per_char`, or infinity where there is none."""
        return math.inf if self.bits_per_char is None else self.bits_per_char


def rank(trials: Iterable, space: Sequence[Parameter], epochs: int) -> list[Row]:
    """Return what became of the trials: the best first, then those that failed, then those that did not finish."""
    places = {"done": 0, "failed": 1, "unfinished": 2}
    rows = [row_of(trial, space, epochs) for trial in trials]
    return sorted(rows, key=lambda row: (places[row.status], row.bits_per_char or 0, row.trial))


def row_of(trial, space: Sequence[Parameter], epochs: int) -> Row:
    """Return what became of one of keras-tuner's trials."""
    raw = trial.hyperparameters.values
    values = {one.name: one.value(raw[one.name]) for one in space}
    status = {"COMPLETED": "done", "FAILED": "failed"}.get(trial.status, "unfinished")
    score = round(trial.score, 6) if status == "done" else None
    why = (trial.message or "no reason is known") if status == "failed" else ""
    return Row(int(trial.trial_id) + 1, score, epochs_of(raw, epochs), values, status, why)


def epochs_of(values: dict[str, Any], epochs: int) -> int:
    """Return how many epochs a trial takes: hyperband says, else `epochs`."""
    return values.get("tuner/epochs", epochs)


def broken(name: str) -> str:
    """Return a hyperparameter's name as the narrow head of a column."""
    return name.replace("_", "\n")


def scored(bits_per_char: float | None) -> str:
    """Return a score as it is shown."""
    if bits_per_char is None:
        return "-"
    return f"{bits_per_char:.4f}" if bits_per_char < 1000 else f"{bits_per_char:.1e}"  # where it diverged


def shown(value: Any) -> str:
    """Return a hyperparameter as it is shown."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def report(ranking: Sequence[Row], folder: Path, name: str) -> None:
    """Keep the ranking in the sweep's folder, and print it.

    Args:
        ranking: the trials, the best first.
        folder: of the sweep.
        name: the corpus'.

    Raises:
        FailedError: no trial finished.
    """
    _keep(ranking, folder, name)
    _show(ranking)
    if not ranking or ranking[0].status != "done":
        why = next((f"; the first failed with: {row.reason}" for row in ranking if row.reason), ": the time was over")
        raise FailedError(f"no trial finished{why}; run the same command with more time, or change the space")


def _keep(ranking: Sequence[Row], folder: Path, name: str) -> None:
    """Write the ranking as JSON and as CSV."""
    with files.whole(folder / "ranking.json") as temporary:
        rows = [{"rank": rank, **dataclasses.asdict(row)} for rank, row in enumerate(ranking, 1)]
        temporary.write_text(json.dumps({"corpus": name, "trials": rows}, indent=1) + "\n", encoding="utf-8")
    header = ["rank", "trial", "bits_per_char", "epochs", *_searched(ranking), "status", "reason"]
    with files.whole(folder / "ranking.csv") as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        for rank, row in enumerate(ranking, 1):
            writer.writerow(
                [rank, row.trial, row.bits_per_char, row.epochs, *row.values.values(), row.status, row.reason]
            )


def _show(ranking: Sequence[Row]) -> None:
    """Print the ranking, without the columns that say nothing, as it has to fit into 80 characters."""
    titles = ["rank", "trial", "bits/char", "epochs", *_searched(ranking), "status"]
    rows = [
        [str(rank), str(row.trial), scored(row.bits_per_char), str(row.epochs), *map(shown, row.values.values())]
        + [f"{row.status}: {row.reason[:50]}" if row.reason else row.status]
        for rank, row in enumerate(ranking, 1)
    ]
    left_out = set()
    if len({row.epochs for row in ranking}) < 2:
        left_out.add(titles.index("epochs"))
    if all(row.status == "done" for row in ranking):
        left_out.add(len(titles) - 1)
    header, *cells = [tuple(cell for i, cell in enumerate(row) if i not in left_out) for row in (titles, *rows)]
    if console.plain():
        console.table([header, *cells], header)
    else:
        console.table(cells, ("", *map(broken, header[1:])))


def _searched(ranking: Sequence[Row]) -> list[str]:
    """Return the names of the hyperparameters."""
    return list(ranking[0].values) if ranking else []
