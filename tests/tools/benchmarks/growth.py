"""The growth section: how the time grows with the text, the units and the batch, in learning and in generating."""

import json
import statistics
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from tests.tools.benchmarks.processes import answer
from tests.tools.benchmarks.report import Goal, Section, medians, number, progress
from tests.tools.benchmarks.sizes import Size

STEEPEST = 1.1  # power of the work; 1 is linear, the rest is for noise
BASE = {"learn": Size(length=20_480, units=128, batch=64), "generate": Size(length=256, units=128, batch=64)}
AXES = {
    ("learn", "length"): (20_480, 40_960, 81_920, 163_840, 327_680, 655_360),
    ("learn", "units"): (32, 64, 128, 256, 512),
    ("learn", "batch"): (8, 16, 32, 64, 128, 256),
    ("generate", "length"): (64, 256, 1_024, 4_096),
    ("generate", "units"): (32, 64, 128, 256, 512),
    ("generate", "batch"): (1, 8, 64, 1_024),  # the numbers of rows that programs are compiled for
}
NAMES = {
    ("learn", "length"): "characters of text",
    ("learn", "units"): "units a layer",
    ("learn", "batch"): "windows a batch",
    ("generate", "length"): "characters of each text",
    ("generate", "units"): "units a layer",
    ("generate", "batch"): "texts side by side",
}
TITLES = {"learn": "learning an epoch", "generate": "generating"}


@dataclass(frozen=True)
class Curve:
    """One panel: the same work at several values of one setting.

    Attributes:
        action: ``"learn"`` or ``"generate"``.
        axis: the field of `Size` that varies.
        values: its values.
        flops: the work at each.
        seconds: the time at each.
    """

    action: str
    axis: str
    values: list[int]
    flops: list[float]
    seconds: list[float]

    @property
    def power(self) -> float:
        """The slope of the straight line through the logarithms of time and work, by least squares.

        An epoch is the same work with every batch size, so there it is that of a step's time and a step's work.
        """
        share = np.array(self.values) if (self.action, self.axis) == ("learn", "batch") else 1
        flops, seconds = np.array(self.flops) * share, np.array(self.seconds) * share
        return float(np.polyfit(np.log(flops), np.log(seconds), 1)[0])

    @property
    def linear(self) -> list[float]:
        """The seconds at each value if time grew with the work from the first value on."""
        return [self.seconds[0] * flops / self.flops[0] for flops in self.flops]


def measure(quick: bool, rounds: int, chart: Path | None) -> Section:
    """Time all sizes, and draw them if told to.

    Args:
        quick: two small values of each setting.
        rounds: how often all of it is run, in a fresh process for learning and one for generating.
        chart: the PNG file to write, or None.
    """
    sizes = {
        (action, axis): [replace(BASE[action], **{axis: value}) for value in (values[::2][:2] if quick else values)]
        for (action, axis), values in AXES.items()
    }
    runs: dict[str, list[dict[Size, float]]] = {action: [] for action in BASE}
    for turn in range(rounds):
        for action, done in runs.items():
            progress(f"growth: round {turn + 1} of {rounds}, {action}")
            work = list(dict.fromkeys(size for (its, _), row in sizes.items() if its == action for size in row))
            asked = json.dumps([asdict(size) for size in work])
            found = answer("sizes", action, asked, 1 if quick else 2, small=False)["seconds"]
            done.append(dict(zip(work, found, strict=True)))
    curves = [
        Curve(
            action,
            axis,
            [getattr(size, axis) for size in row],
            [size.flops(action) for size in row],
            [statistics.median(times[size] for times in runs[action]) for size in row],
        )
        for (action, axis), row in sizes.items()
    ]
    section = Section(
        "Growth: time against the work (floating-point operations)",
        ["what", "setting", "from", "to", "work", "time", "power"],
        notes=[
            f"{medians(rounds)}, the best of some calls each. The power is the slope of the logarithms, 1 for a time "
            "that grows with the work; where the batch of learning varies, it is that of a step."
        ],
        data={"curves": [asdict(curve) | {"power": curve.power} for curve in curves]},
    )
    for curve in curves:
        grown = [f"x {number(ends[-1] / ends[0])}" for ends in (curve.flops, curve.seconds)]
        ends = [f"{curve.values[0]:,}", f"{curve.values[-1]:,}"]
        name = NAMES[curve.action, curve.axis]
        section.rows.append([TITLES[curve.action], name, *ends, *grown, f"{curve.power:.2f}"])
        what = f"growth of {TITLES[curve.action]} with the {name}, power of the work"
        section.goals.append(Goal(what, curve.power, STEEPEST, at_most=True))
    if chart:
        from tests.tools.benchmarks.chart import draw

        draw(curves, chart, quick)
        section.notes.append(f"Drawn in `{chart}`.")
    return section
