"""The memory section: the most that each command holds, and what a character more of text adds."""

import os
import statistics
import tempfile
from concurrent.futures import ThreadPoolExecutor

from tests.tools.benchmarks.processes import run
from tests.tools.benchmarks.prose_task import SEQ_LEN, STRIDE, ProseTask
from tests.tools.benchmarks.report import Goal, Section, medians, number, progress, spread
from tests.tools.benchmarks.task import STEPS

COMMANDS = {  # run in an empty folder, where the shipped models answer
    "`import tensorflow`, and nothing else": ["-c", "import tensorflow"],
    f"`kerasgen.dino --steps {STEPS}`": ["-m", "kerasgen.dino", "--data", "dinos", "--steps", str(STEPS)],
    "`kerasgen.dino --sample-only`": ["-m", "kerasgen.dino", "--sample-only"],
    "`kerasgen.shakespeare --from-scratch --epochs 1`": (
        ["-m", "kerasgen.shakespeare", "--data", "shakespeare", "--from-scratch", "--epochs", "1"]
    ),
    '`kerasgen.shakespeare --prompt "Et tu, Brute?"`': ["-m", "kerasgen.shakespeare", "--prompt", "Et tu, Brute?"],
}
COPIES = (10, 40)  # of the text, so that its share stands out from that of TensorFlow
MOST = 100  # bytes a character of text: ids, where windows begin and their order, with room


def measure(quick: bool, rounds: int) -> Section:
    """Run each command, and training on a text and on one four times as long; read the peaks of resident memory.

    Args:
        quick: only what learns or writes prose.
        rounds: how often each process runs.
    """
    commands = {label: words for label, words in COMMANDS.items() if not quick or "shakespeare" in label}
    processes = {**commands, **{n: ["-m", "tests.tools.benchmarks.sizes", "hold", str(n)] for n in COPIES}}
    peaks: dict[object, list[float]] = {label: [] for label in processes}
    for turn in range(rounds):
        progress(f"memory: round {turn + 1} of {rounds}")
        with ThreadPoolExecutor(os.cpu_count()) as pool:  # side by side: nothing is timed here
            for label, peak in zip(processes, pool.map(_peak, processes.values()), strict=True):
                peaks[label].append(peak)
    task = ProseTask()
    short, long = (statistics.median(peaks[copies]) for copies in COPIES)
    growth = (long - short) * 1e6 / (len(task.text) * (COPIES[1] - COPIES[0]))
    one_hot = SEQ_LEN * len(task.vocab) / STRIDE
    return Section(
        "Memory: the most that a process held",
        ["what", "MB"],
        [[label, number(statistics.median(peaks[label]))] for label in commands]
        + [[f"training on {len(task.text) * n:,} characters", number(statistics.median(peaks[n]))] for n in COPIES],
        notes=[
            f"{medians(rounds)}. A character more of text takes {growth:.0f} bytes more; one-hot windows of {SEQ_LEN} "
            f"every {STRIDE} would take {one_hot:.0f} as booleans and {4 * one_hot:,.0f} as float32."
        ],
        goals=[Goal("memory for a character of text more", growth, MOST, " bytes", at_most=True)],
        data={
            "megabytes": {str(label): spread(found) for label, found in peaks.items()},
            "bytes_per_character": growth,
        },
    )


def _peak(arguments: list[str]) -> float:
    with tempfile.TemporaryDirectory() as folder:
        ours = ["--quiet", "--save-dir", folder] if any("kerasgen." in word for word in arguments) else []
        megabytes = run([*arguments, *ours], folder, small=False).megabytes
    if megabytes is None:
        raise RuntimeError("this system does not tell how much memory a process held; leave this section out")
    return megabytes
