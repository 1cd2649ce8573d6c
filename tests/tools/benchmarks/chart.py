"""The picture of the growth section."""

from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from kerasgen.base.files import whole
from tests.tools.benchmarks.growth import BASE, NAMES, TITLES, Curve
from tests.tools.benchmarks.report import number

COLOURS = {"learn": "#0072B2", "generate": "#D55E00"}  # of Okabe and Ito: told apart by all eyes
GREY = "#888888"


def draw(curves: list[Curve], path: Path, quick: bool) -> None:
    """Write the panels, time against each setting, both logarithmic, as a PNG file.

    Args:
        curves: one a panel, in the order of `AXES`.
        path: of the file.
        quick: say that the figures are a look, not a measurement.
    """
    figure = Figure(figsize=(10, 6), dpi=140, layout="constrained")
    panels = figure.subplots(2, 3, sharey="row")
    for panel, curve in zip(panels.flat, curves, strict=True):
        panel.loglog(curve.values, curve.linear, color=GREY, linewidth=1.2)
        panel.loglog(curve.values, curve.seconds, "o-", color=COLOURS[curve.action], markersize=5, linewidth=1)
        panel.set_xlabel(NAMES[curve.action, curve.axis])
        panel.set_xticks(curve.values, [f"{value:,}" for value in curve.values], fontsize=8)
        panel.xaxis.set_minor_formatter(NullFormatter())
        panel.minorticks_off()
        panel.grid(color="#eeeeee")
        panel.spines[["top", "right"]].set_visible(False)
        panel.yaxis.set_major_formatter(FuncFormatter(lambda seconds, _: number(seconds)))
        what = "a step: time" if (curve.action, curve.axis) == ("learn", "batch") else "time"
        panel.text(0.03, 0.92, f"{what} ~ work$^{{{curve.power:.2f}}}$", transform=panel.transAxes)
    for row, action in zip(panels, TITLES, strict=True):
        row[0].set_ylabel(f"{TITLES[action]}, seconds")
    widest = curves[1]
    panels[0, 1].annotate(
        "linear in the work",
        (widest.values[len(widest.values) // 2], widest.linear[len(widest.values) // 2]),
        xytext=(-8, 4),
        textcoords="offset points",
        ha="right",
        color=GREY,
    )
    learn, generate = BASE["learn"], BASE["generate"]
    figure.suptitle("Measured, and linear in the work (floating-point operations) from the first point on")
    figure.supxlabel(
        f"Where nothing else is said: {learn.units} units a layer; an epoch over {learn.length:,} characters in "
        f"batches of {learn.batch}; {generate.batch} texts of {generate.length} characters side by side"
        + "\nA quick run: a look, not a measurement."
        * quick,
        fontsize=8,
    )
    with whole(path) as temporary:
        figure.savefig(temporary, format="png")
