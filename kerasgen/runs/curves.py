"""Loss curves as a figure."""

import logging
import math
from bisect import bisect_left
from collections.abc import Sequence
from pathlib import Path

from kerasgen.base.figures import BLUE, GREY, ORANGE, save_figure
from kerasgen.tasks.task import Task


def curves(history: Sequence[dict[str, float]], task: Task):
    """Draw how the loss fell, as a `matplotlib.figure.Figure`.

    In bits a character: training, validation where there is one, and the n-grams as a line to be beaten where they are
    scored on what they did not count. For the
    notebook configuration: the smoothed loss, in nats a name, over the points that the notebook published.

    Args:
        history: of every epoch, the logs ``bits_per_char``, ``smoothed_loss``, ``val_bits_per_char`` where there is a
            validation part, and ``step``, the number of training steps behind it.
        task: what was trained.
    """
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # its notes on font caches are not for our users
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(8, 4.5), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#E5E5E5")
    axes.set_axisbelow(True)
    axes.margins(x=0.01)
    axes.set_xlabel("training steps")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.xaxis.set_major_formatter("{x:,.0f}")
    if task.published:
        _draw_notebook(axes, history, task.published)
    else:
        _draw_losses(axes, history, task)
    return figure


def save_curves(path: Path, history: Sequence[dict[str, float]], task: Task) -> None:
    """Draw `curves` into a PNG file, as `save_figure` does."""
    save_figure(path, lambda: curves(history, task), "the loss curves")


def _draw_losses(axes, history, task) -> None:
    steps = [epoch["step"] for epoch in history]
    lines = {"train": (BLUE, [epoch["bits_per_char"] for epoch in history])}
    if "val_bits_per_char" in history[-1]:
        lines["validation"] = (ORANGE, [epoch.get("val_bits_per_char", math.nan) for epoch in history])
    for color, values in lines.values():
        axes.plot(steps, values, color=color, linewidth=2, marker="o", markersize=4)
    learned = bisect_left(steps, steps[-1] / 20)  # before it, the loss is that of guessing, far above the rest
    shown = [value for _, values in lines.values() for value in values[learned:] if math.isfinite(value)]
    ends = [(f"{name} {values[-1]:.2f}", color, values[-1]) for name, (color, values) in lines.items()]
    if task.unseen:
        baseline = task.baseline().bits_per_char
        axes.axhline(baseline, color=GREY, linestyle="--", linewidth=1.5)
        shown.append(baseline)
        ends.append((f"n-grams {baseline:.2f}", GREY, baseline))
    margin = 0.08 * (max(shown) - min(shown)) or 0.1
    axes.set_ylim(min(shown) - margin, max(shown) + margin)
    _label(axes, steps[-1], ends)
    axes.set_ylabel("loss (bits per character)")
    title = f"{task.corpus.name}: {task.units} units, {steps[-1]:,} steps"
    axes.set_title(title, loc="left", parse_math=False)


def _draw_notebook(axes, history, published: dict[int, float]) -> None:
    steps, losses = [epoch["step"] - 1 for epoch in history], [epoch["smoothed_loss"] for epoch in history]
    axes.plot(steps, losses, color=BLUE, linewidth=2)
    points = [(step, loss) for step, loss in published.items() if step <= steps[-1]]
    axes.plot(*zip(*points, strict=True), "o", color=ORANGE, markersize=9, markerfacecolor="none", clip_on=False)
    _label(axes, steps[-1], [("kerasgen", BLUE, losses[-1])])
    _label(axes, points[-1][0], [("the notebook", ORANGE, points[-1][1])])
    axes.set_ylabel("smoothed loss (nats per name)")
    axes.set_title("what the notebook printed, and kerasgen", loc="left")


def _label(axes, x, ends) -> None:
    """Write names beside the right ends of lines, none over another."""
    low, high = axes.get_ylim()
    gap, last = (high - low) / 18, -math.inf
    for text, color, y in sorted(ends, key=lambda end: end[2]):
        last = max(y, last + gap)
        axes.annotate(
            text, (x, last), xytext=(8, 0), textcoords="offset points", color=color, va="center", annotation_clip=False
        )
