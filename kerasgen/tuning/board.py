"""The trials of a sweep on the screen."""

import os
import time
from collections.abc import Callable
from typing import Any

from kerasgen.base import console
from kerasgen.tuning.ranking import Row, broken, scored, shown

SHOWN = 12  # trials in the live table


class Board:
    """Shows the trials while they are trained: a live table in a terminal, else a line for each that ends.

    Args:
        quiet: show nothing.
    """

    def __init__(self, quiet: bool):
        self._quiet = quiet
        self._live: Any = None
        self._running: dict[int, int] = {}  # trials, and the epochs that each has had

    def open(self, rows: Callable[[], list[Row]], planned: list[int]) -> None:
        """Take what gives the rows of all trials, the best first, and the epochs of each trial that is planned."""
        self._rows, self._planned, self._started = rows, planned, time.perf_counter()
        self._before = sum(row.epochs for row in rows() if row.status != "unfinished")
        if self._before:
            done = [row for row in rows() if row.status != "unfinished"]
            console.note(f"resuming: {len(done)} of {len(planned)} trials are already done", self._quiet)

    def __enter__(self):
        if not self._quiet:
            from rich.live import Live

            screen = console.screen()
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
        """Take note that the running trial of this process has had so many epochs."""
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
        """Say which is the best, and estimate from the epochs so far how long the rest will take."""
        rows = self._rows()
        made = sum(row.epochs for row in rows if row.status != "unfinished")
        words = "none has finished"
        if rows[0].status == "done":
            words = f"the best is trial {rows[0].trial} with {scored(rows[0].bits_per_char)}"
        if self._before < made < sum(self._planned):
            rate = (time.perf_counter() - self._started) / (made - self._before)
            words += f"; about {console.duration(rate * (sum(self._planned) - made))} left"
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
