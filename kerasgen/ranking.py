"""What became of a sweep's trials: ranked, shown while they are made, kept in files, and drawn; no TensorFlow."""

import csv
import dataclasses
import json
import logging
import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kerasgen import console, files
from kerasgen.errors import FailedError
from kerasgen.space import Parameter

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


class Board:
    """Shows the trials while they are made: a table in a terminal, else a line for each that ends.

    Args:
        quiet: show nothing.
    """

    def __init__(self, quiet: bool):
        self._quiet = quiet
        self._live: Any = None
        self._running: dict[int, int] = {}  # trials, and the epochs that they have behind them

    def open(self, rows: Callable[[], list], planned: list[int]) -> None:
        """Take the function that gives the row of every trial, the best first, and the epochs of all to be made."""
        self._rows, self._planned, self._started = rows, planned, time.perf_counter()
        self._before = sum(row.epochs for row in rows() if row.status != "unfinished")
        if self._before:
            done = [row for row in rows() if row.status != "unfinished"]
            console.note(f"going on: {len(done)} of {len(planned)} trials were made before", self._quiet)

    def __enter__(self):
        if not self._quiet:
            from rich.console import Console
            from rich.live import Live

            screen = Console(stderr=True)
            if screen.is_terminal and not os.environ.get("NO_COLOR"):
                self._live = Live(console=screen, transient=True, auto_refresh=False)
                self._live.start()
        return self

    def __exit__(self, *error):
        if self._live:
            self._live.stop()

    def begin(self, trial) -> None:
        """Take note that a trial has begun."""
        self._running[int(trial.trial_id) + 1] = 0
        self._draw()

    def epoch(self, number: int) -> None:
        """Take note that the one running trial of this process has made so many epochs."""
        self._running = dict.fromkeys(self._running, number)
        self._draw()

    def end(self, trial) -> None:
        """Take note that a trial has ended, or was put back."""
        number = int(trial.trial_id) + 1
        self._running.pop(number, None)
        self._draw()
        row = next(row for row in self._rows() if row.trial == number)
        if self._live or self._quiet or row.status == "unfinished":
            return
        result = row.reason if row.status == "failed" else f"{scored(row.bits_per_char)} bits/char"
        values = ", ".join(f"{name} {shown(value)}" for name, value in row.values.items())
        console.note(f"trial {number} of {len(self._planned)}: {result} ({values}); {self._summary()}")

    def _summary(self) -> str:
        """Say which is the best, and how long the rest will take by what the epochs took so far."""
        rows = self._rows()
        made = sum(row.epochs for row in rows if row.status != "unfinished")
        words = "none is finished"
        if rows[0].status == "done":
            words = f"the best is trial {rows[0].trial} with {scored(rows[0].bits_per_char)}"
        if self._before < made < sum(self._planned):
            rate = (time.perf_counter() - self._started) / (made - self._before)
            words += f"; about {duration(rate * (sum(self._planned) - made))} left"
        return words

    def _draw(self) -> None:
        if not self._live:
            return
        from rich.table import Table

        rows = self._rows()
        names = list(rows[0].values)
        table = Table(
            "", "trial", "bits/char", *map(broken, names), caption=f"of {len(self._planned)} trials, {self._summary()}"
        )
        running = [row for row in rows if row.trial in self._running]
        others = [row for row in rows if row.trial not in self._running and row.status != "unfinished"]
        for rank, row in enumerate(others[: max(1, SHOWN - len(running))], 1):
            result = "failed" if row.bits_per_char is None else scored(row.bits_per_char)
            style = "green" if rank == 1 and row.bits_per_char else ""
            table.add_row(str(rank), str(row.trial), result, *map(shown, row.values.values()), style=style)
        for row in running:
            epoch = self._running[row.trial]
            result = f"epoch {epoch + 1} of {row.epochs}" if epoch < row.epochs else "scoring"
            table.add_row("", str(row.trial), result, *map(shown, row.values.values()), style="dim")
        self._live.update(table, refresh=True)


def duration(seconds: float) -> str:
    """Return some seconds in words that fit them."""
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


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


def save_picture(path: Path, ranking: list, name: str) -> None:
    """Draw `picture` into a PNG file, as `monitor.save_figure` does."""
    from kerasgen.monitor import save_figure

    save_figure(path, lambda: picture(ranking, name), "the picture of the trials")


def picture(ranking: list, name: str):
    """Draw bits/char against each hyperparameter, as a `matplotlib.figure.Figure` of small multiples.

    Args:
        ranking: the trials, the best first; those that failed stand as crosses at the top.
        name: the corpus'.
    """
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # its notes on font caches are not for our users
    from matplotlib.figure import Figure

    from kerasgen.monitor import BLUE, GREY, ORANGE

    done = [row for row in ranking if row.status == "done"]
    failed = [row for row in ranking if row.status == "failed"]
    scores = [row.bits_per_char for row in done]
    low, middle = scores[0], scores[len(scores) // 2]
    top = min(scores[-1], max(middle + 3 * (middle - low), low + 0.05), low + 3)  # beyond, nothing was learned
    margin = 0.08 * (top - low) or 0.05
    names = list(ranking[0].values)
    columns = min(3, len(names))
    lines = -(-len(names) // columns)
    figure = Figure(figsize=(0.8 + 3.2 * columns, 0.7 + 2.8 * lines), dpi=150, layout="constrained")
    grid = figure.subplots(lines, columns, sharey=True, squeeze=False)
    longest = max(row.epochs for row in done)
    for axes, parameter in zip(grid.flat, names, strict=False):
        place = _places(axes, [row.values[parameter] for row in ranking])
        for row in reversed(done):
            best, x, y = row is done[0], place(row.values[parameter]), min(row.bits_per_char, top + margin / 2)
            axes.plot(
                x, y, "^" if y > top else "o", color=ORANGE if best else BLUE, markersize=9 if best else 6,
                markerfacecolor=None if row.epochs == longest else "none", markeredgewidth=1.5,
            )  # fmt: skip
        for row in failed:
            axes.plot(place(row.values[parameter]), top + margin / 2, "x", color=GREY, markersize=6)
        axes.set_xlabel(parameter)
        axes.set_ylim(low - margin, top + margin)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color="#E5E5E5")
        axes.set_axisbelow(True)
    for axes in list(grid.flat)[len(names) :]:
        axes.remove()
    figure.supylabel("validation, bits per character", fontsize="medium")
    hollow = "; hollow: fewer epochs" if any(row.epochs < longest for row in done) else ""
    beyond = "; triangles: above the scale" if scores[-1] > top + margin / 2 else ""
    crosses = "; crosses: failed" if failed else ""
    title = f"{name}: {len(ranking)} trials, the best {low:.4f} bits/char (orange){hollow}{beyond}{crosses}"
    figure.suptitle(title, x=0.01, ha="left", fontsize="large", parse_math=False)
    return figure


def _places(axes, values: list) -> Callable[[Any], float]:
    """Prepare the x axis for some values; return where one stands: at itself, or at its place among words."""
    if isinstance(values[0], bool | str):
        words = sorted(set(map(str, values)))
        axes.set_xticks(range(len(words)), words)
        axes.set_xlim(-0.5, len(words) - 0.5)
        return lambda value: words.index(str(value))
    if min(values) > 0 and 5 <= max(values) / min(values) <= 10_000:
        from matplotlib.ticker import LogLocator, NullFormatter

        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
    return lambda value: value
