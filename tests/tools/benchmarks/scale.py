"""The scale section: texts of a megabyte to a gigabyte, how long they take to prepare, and what they hold and cost."""

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

from kerasgen.text import corpora
from tests.tools.benchmarks.processes import Finished, run
from tests.tools.benchmarks.report import Goal, Section, number, progress

SIZES = (1, 10, 100, 1000)  # MB
OTHER = 100  # MB of the text in Cyrillic letters
ABOVE, SLOWER = 300, 10  # MB, %
LATIN_PACE, OTHER_PACE = 150, 100  # MB/s


@dataclass(frozen=True)
class Row:
    """What was measured of a text.

    Attributes:
        size: MB.
        prepared: MB/s.
        alone: the same by the processor's time, as where nothing else runs.
        held: the most MB that learning it held.
        above: that, above what learning the Sonnets held.
        step: seconds.
        slower: how much longer than a step on the Sonnets it takes, in %.
    """

    size: int
    prepared: float
    alone: float
    held: float
    above: float
    step: float
    slower: float


def measure(quick: bool, chart: Path | None) -> Section:
    """Write the texts into a temporary folder, learn each for some steps, and draw what it took if told to.

    Args:
        quick: small texts.
        chart: the PNG file to write, or None.
    """
    sizes, other = ((1, 20), 20) if quick else (SIZES, OTHER)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sonnets = folder / "sonnets.txt"
        sonnets.write_text(str(corpora.read("shakespeare", "shakespeare").text))
        before = _work("learn", sonnets, folder / "0").megabytes or 0.0
        texts, prepared, held = [sonnets], [], []
        for size in sizes:
            progress(f"scale: {size:,} MB")
            texts.append(folder / f"{size}.txt")
            _work("write", texts[-1], size * 10**6, "latin")
            prepared.append(_pace(texts[-1], folder / str(size)))
            held.append(_work("learn", texts[-1], folder / str(size)).megabytes or 0.0)
        progress("scale: the pace of training")
        found = json.loads(_work("pace", folder / "pace", *texts).output.splitlines()[-1])["seconds"]
        _work("write", folder / "other.txt", other * 10**6, "cyrillic")
        other_pace = _pace(folder / "other.txt", folder / "other")
    rows = [
        Row(size, *pace, most, most - before, step, 100 * (step / found[0] - 1))
        for size, pace, most, step in zip(sizes, prepared, held, found[1:], strict=True)
    ]
    last = rows[-1]
    section = Section(
        "Scale: texts of a megabyte to a gigabyte",
        ["text, MB", "prepared, MB/s", "held, MB", "above the Sonnets, MB", "a step, ms", "than the Sonnets', %"],
        [
            [
                f"{r.size:,}",
                number(r.prepared),
                number(r.held),
                number(r.above),
                number(1000 * r.step),
                f"{r.slower:+.1f}",
            ]
            for r in rows
        ],
        notes=[
            f"Learning the Sonnets held {number(before)} MB, and a step took {number(1000 * found[0])} ms. In Cyrillic "
            f"letters, {other} MB were prepared at {number(other_pace[0])} MB/s. By the processor's time, as where "
            f"nothing else runs: {number(last.alone)} and {number(other_pace[1])} MB/s.",
        ],
        goals=[
            Goal(f"memory for {last.size:,} MB above the Sonnets", last.above, ABOVE, " MB", at_most=True),
            Goal(f"a step on {last.size:,} MB, longer than on the Sonnets by", last.slower, SLOWER, " %", at_most=True),
            Goal(f"preparing {last.size:,} MB of ASCII", last.prepared, LATIN_PACE, " MB/s"),
            Goal(f"preparing {other} MB of other letters", other_pace[0], OTHER_PACE, " MB/s"),
        ],
        data={"sonnets_megabytes": before, "texts": [vars(row) for row in rows], "cyrillic": other_pace},
    )
    if chart:
        from tests.tools.benchmarks.scale_chart import draw

        draw(rows, chart, quick)
    return section


def _work(*words: object) -> Finished:
    return run(["-m", "tests.tools.benchmarks.long_texts", *map(str, words)], small=False)


def _pace(path: Path, folder: Path) -> tuple[float, float]:
    """Return the MB/s at which a text is prepared where nothing of it is there yet; and by the processor's time."""
    found = json.loads(_work("prepare", path, folder).output.splitlines()[-1])
    megabytes = found["bytes"] / 1e6
    return megabytes / found["seconds"], megabytes / found["processor"]
