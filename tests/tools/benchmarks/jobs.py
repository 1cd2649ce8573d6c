"""The section jobs: millions of names into a file, in how much memory, and how fast beside the bare loop."""

import argparse
import json
import tempfile
import time
from pathlib import Path

from tests.tools.benchmarks.processes import ROOT, run
from tests.tools.benchmarks.report import Goal, Section, number, progress

COUNTS = (100_000, 1_000_000, 10_000_000)
MODEL = ROOT / "saved_models" / "dino.keras"
SHARE = 0.85  # of the loop's rate, that a job is to reach
GROWTH = 50  # MB, that ten million names may take more than a hundred thousand


def measure(quick: bool) -> Section:
    """Write names by processes of their own; the loop is timed before and after the job, in the same process.

    Args:
        quick: the fewest only.
    """
    rows, found = [], []
    for count in COUNTS[:1] if quick else COUNTS:
        progress(f"jobs: {count:,} names")
        with tempfile.TemporaryDirectory() as folder:
            done = run(["-m", "tests.tools.benchmarks.jobs", str(count), f"{folder}/names.txt"], small=False)
        told = json.loads(done.output.splitlines()[-1])
        found.append({"names": count, "megabytes": done.megabytes, **told})
        share = told["job"] / told["loop"]
        rows.append(
            [f"{count:,}", number(done.megabytes or 0), number(told["job"]), number(told["loop"]), f"{share:.2f}"]
        )
    share = min(one["job"] / one["loop"] for one in found)
    goals = [Goal("names a second of a job, beside the bare loop", share, SHARE, "")]
    if len(found) > 1:
        growth = found[-1]["megabytes"] - found[0]["megabytes"]
        goals.append(Goal(f"memory for {COUNTS[-1]:,} names more", growth, GROWTH, " MB", at_most=True))
    return Section(
        "Jobs: names into a file",
        ["names", "MB at the most", "names/s", "the bare loop", "share"],
        rows,
        notes=["The loop makes ids and nothing of them; its rate is that before and after the job."],
        goals=goals,
        data={"jobs": found},
    )


def job(count: int, output: str) -> dict[str, float]:
    """Write names as the command does, and time that and the loop alone; return names a second."""
    from kerasgen import dino, load
    from kerasgen.generation.batches import BLOCK
    from kerasgen.tasks.settings import NamesSettings

    settings = NamesSettings(num_samples=count, output=output, quiet=True, model=str(MODEL))
    generator = load(MODEL)
    start, sampling = generator._begin(""), settings.sampling
    blocks = max(20, min(200, count // BLOCK // 20))

    def loop() -> float:
        began = time.perf_counter()
        for block in range(blocks):
            generator._rows._block(block, BLOCK, start, sampling)
        return time.perf_counter() - began

    generator._rows._block(0, BLOCK, start, sampling)  # compiles
    before, began = loop(), time.perf_counter()
    dino.show(generator, settings)
    seconds = time.perf_counter() - began
    with open(output, encoding="utf-8") as file:
        assert sum(1 for _ in file) == count
    return {"job": count / seconds, "loop": 2 * blocks * BLOCK / (before + loop())}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("count", type=int)
    parser.add_argument("output", type=Path)
    asked = parser.parse_args()
    print(json.dumps(job(asked.count, str(asked.output))))
