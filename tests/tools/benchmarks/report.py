"""What the benchmark prints: Markdown tables, goals, and the machine that the figures come from."""

import datetime
import os
import platform
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path


@dataclass(frozen=True)
class Goal:
    """A figure beside the one to reach.

    Attributes:
        what: what was measured.
        value: what came out.
        target: the least, or with `at_most` the most, that is wanted.
        unit: is printed after both.
    """

    what: str
    value: float
    target: float
    unit: str = ""
    at_most: bool = False

    @property
    def met(self) -> bool:
        """Tell whether the goal is reached."""
        return self.value < self.target if self.at_most else self.value >= self.target

    def row(self) -> list[str]:
        """Return the cells of its line."""
        bound = "below" if self.at_most else "at least"
        return [
            self.what,
            f"{number(self.value)}{self.unit}",
            f"{bound} {number(self.target)}{self.unit}",
            self.verdict,
        ]

    @property
    def verdict(self) -> str:
        """Say in a word whether the goal is reached."""
        return "met" if self.met else "missed"


@dataclass
class Section:
    """What a part of the benchmark found.

    Attributes:
        title: the heading.
        head: the table's heading cells.
        rows: its lines.
        notes: sentences below it.
        goals: what was to be reached.
        data: everything measured, for JSON.
        versions: of what was measured.
    """

    title: str
    head: Sequence[str]
    rows: list[list[str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    goals: list[Goal] = field(default_factory=list)
    data: dict = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)

    def text(self) -> str:
        """Return the section as Markdown."""
        return "\n".join([f"### {self.title}\n", table(self.head, self.rows), *(f"\n{note}" for note in self.notes)])

    def as_dict(self) -> dict:
        """Return what goes into the JSON file."""
        return {"title": self.title, "measured": self.data, "goals": [asdict(g) | {"met": g.met} for g in self.goals]}


def number(value: float) -> str:
    """Write a number with three digits, or all of those before the point: 0.0123, 1.23, 12.3, 12,345."""
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3g}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return an aligned Markdown table; all columns but the first are set to the right."""
    widths = [max(3, *(len(line[i]) for line in [head, *rows])) for i in range(len(head))]

    def line(cells):
        first, *others = (c.rjust(w) if i else c.ljust(w) for i, (c, w) in enumerate(zip(cells, widths, strict=True)))
        return "| " + " | ".join([first, *others]) + " |"

    rule = "|" + "|".join("-" * (w + 2) if not i else "-" * (w + 1) + ":" for i, w in enumerate(widths)) + "|"
    return "\n".join([line(head), rule, *map(line, rows)])


def goals_text(goals: Sequence[Goal]) -> str:
    """Return the goals as Markdown."""
    return "### Goals\n\n" + table(["goal", "here", "wanted", "result"], [goal.row() for goal in goals])


def medians(rounds: int) -> str:
    """Say what the figures of so many rounds are."""
    return "One round" if rounds == 1 else f"Medians of {rounds} rounds"


def spread(values: Sequence[float]) -> dict:
    """Return the median of some runs, and the runs."""
    return {"median": statistics.median(values), "runs": list(values)}


def machine() -> dict[str, str | int | float]:
    """Describe the machine and how busy it is."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [
            line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        cpu = names[0] if names else cpu
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    return {"cpu": cpu, "cores": os.cpu_count() or 1, "system": platform.platform(terse=True), "load": round(load, 1)}


def heading(found: dict, versions: dict[str, str]) -> str:
    """Return the line that says where, when and with what."""
    made_with = ", ".join(f"{name} {number}" for name, number in versions.items())
    when = datetime.date.today().isoformat()
    where = f"{found['cpu']}, {found['cores']} cores, {found['system']}, load {found['load']} at the start"
    return f"{where}; {when}; {made_with}."


def own_versions() -> dict[str, str]:
    """Return the versions of Python and of what kerasgen is made of."""
    packages = {name: version(name) for name in ("tensorflow", "keras", "numpy")}
    return {"Python": platform.python_version(), **packages}


def progress(text: str) -> None:
    """Say on standard error what is being done."""
    print(text, file=sys.stderr, flush=True)
