"""The picture of the scale section."""

from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from kerasgen.base.files import whole
from tests.tools.benchmarks.chart import COLOURS, GREY
from tests.tools.benchmarks.scale import ABOVE, LATIN_PACE, SLOWER, Row


def draw(rows: list[Row], path: Path, quick: bool) -> None:
    """Write three panels over the size of the text as a PNG file, each with its goal as a line.

    Args:
        rows: one a text.
        path: of the file.
        quick: say that the figures are a look, not a measurement.
    """
    figure = Figure(figsize=(10, 3.4), dpi=140, layout="constrained")
    sizes = [row.size for row in rows]
    panels = figure.subplots(1, 3)
    measured = (
        ("prepared, MB/s", [row.prepared for row in rows], LATIN_PACE, "at least"),
        ("memory above the Sonnets, MB", [row.above for row in rows], ABOVE, "at most"),
        ("a step, longer than on the Sonnets, %", [row.slower for row in rows], SLOWER, "at most"),
    )
    for panel, (title, values, goal, bound) in zip(panels, measured, strict=True):
        panel.axhline(goal, color=GREY, linewidth=1)
        panel.annotate(f"goal: {bound} {goal}", (sizes[0], goal), xytext=(0, 3), textcoords="offset points", color=GREY)
        if panel is panels[0]:
            values = [*values, *(row.alone for row in rows)]
            panel.plot(sizes, values[len(sizes) :], "o--", color=COLOURS["learn"], markersize=5, linewidth=1)
            panel.annotate(
                "by the processor's time",
                (sizes[-1], values[-1]),
                ha="right",
                xytext=(0, 6),
                textcoords="offset points",
            )
        panel.plot(sizes, values[: len(sizes)], "o-", color=COLOURS["learn"], markersize=5, linewidth=1)
        panel.set_xscale("log")
        panel.set_xticks(sizes, [f"{size:,}" for size in sizes])
        panel.xaxis.set_minor_formatter(NullFormatter())
        panel.minorticks_off()
        panel.set_ylim(min(0, *values) * 1.1, max(goal, *values) * 1.15)
        panel.set_xlabel("text, MB")
        panel.set_title(title, fontsize=10)
        panel.grid(color="#eeeeee")
        panel.spines[["top", "right"]].set_visible(False)
    if quick:
        figure.supxlabel("A quick run: a look, not a measurement.", fontsize=8)
    with whole(path) as temporary:
        figure.savefig(temporary, format="png")
