"""What each hyperparameter does, as a figure."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from kerasgen.tuning.ranking import Row


def save_picture(path: Path, ranking: Sequence[Row], name: str) -> None:
    """Write `picture` as a PNG file; a failure to do so is a note on standard error."""
    from kerasgen.base.figures import save_figure

    save_figure(path, lambda: picture(ranking, name), "the picture of the trials")


def picture(ranking: Sequence[Row], name: str):
    """Draw bits/char against each hyperparameter, as a `matplotlib.figure.Figure` of small multiples.

    Args:
        ranking: the trials, the best first; those that failed stand as crosses at the top.
        name: the corpus'.
    """
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # its notes on font caches are of no use here
    from matplotlib.figure import Figure

    from kerasgen.base.figures import BLUE, GREY, ORANGE

    done = [row for row in ranking if row.status == "done"]
    failed = [row for row in ranking if row.status == "failed"]
    scores = [row.score for row in done]
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
            best, x, y = row is done[0], place(row.values[parameter]), min(row.score, top + margin / 2)
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
    """Prepare the x axis for some values; return the position of one: itself, or its index among words."""
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
