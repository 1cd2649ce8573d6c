"""What became of a sweep's trials: ranked, shown while they are made, kept in files, and drawn; no TensorFlow."""

import csv
import dataclasses
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kerasgen.base import console, files
from kerasgen.base.errors import FailedError
from kerasgen.tuning.picture import save_picture
from kerasgen.tuning.space import Parameter

SHOWN = 12  # trials in the live table


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


def report(ranking: list, folder: Path, name: str) -> None:
    """Print the ranking, and keep it in the sweep's folder, with a picture of what each hyperparameter does.

    Raises:
        FailedError: no trial finished.
    """
    with files.whole(folder / "ranking.json") as temporary:
        rows = [{"rank": rank, **dataclasses.asdict(row)} for rank, row in enumerate(ranking, 1)]
        temporary.write_text(json.dumps({"corpus": name, "trials": rows}, indent=1) + "\n", encoding="utf-8")
    header = ["rank", "trial", "bits_per_char", "epochs", *(ranking[0].values if ranking else ()), "status", "reason"]
    with files.whole(folder / "ranking.csv") as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        for rank, row in enumerate(ranking, 1):
            writer.writerow(
                [rank, row.trial, row.bits_per_char, row.epochs, *row.values.values(), row.status, row.reason]
            )
    cells = [
        (str(rank), str(row.trial), scored(row.bits_per_char), str(row.epochs))
        + tuple(map(shown, row.values.values()))
        + (row.status if not row.reason else f"{row.status}: {row.reason[:50]}",)
        for rank, row in enumerate(ranking, 1)
    ]
    titles = ("rank", "trial", "bits/char", *header[3:-1])
    same = {  # columns that say nothing, in a table that has to fit into 80 characters
        *({3} if len({row.epochs for row in ranking}) < 2 else ()),
        *({len(titles) - 1} if all(row.status == "done" for row in ranking) else ()),
    }
    kept = [tuple(cell for i, cell in enumerate(row) if i not in same) for row in (titles, *cells)]
    if console.plain():
        console.table(kept, kept[0])
    else:
        console.table(kept[1:], ("", *map(broken, kept[0][1:])))
    if not ranking or ranking[0].status != "done":
        why = next((f"; the first failed so: {row.reason}" for row in ranking if row.reason), ", as the time was over")
        raise FailedError(f"no trial finished{why}; the same command with more time goes on, or change the space")
    save_picture(folder / "trials.png", ranking, name)
