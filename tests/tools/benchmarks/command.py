"""The command section: how long a user waits, from the shell's prompt to the end."""

import statistics
import tempfile
from pathlib import Path

from tests.tools.benchmarks.processes import run
from tests.tools.benchmarks.report import Goal, Section, medians, number, progress, spread
from tests.tools.benchmarks.task import STEPS


def measure(quick: bool, rounds: int) -> Section:
    """Time the whole training command, ``--help``, and ``import kerasgen``.

    Args:
        quick: fewer short runs.
        rounds: how often the training command runs.
    """
    training, memory = [], []
    for turn in range(rounds):
        progress(f"command: round {turn + 1} of {rounds}, training")
        with tempfile.TemporaryDirectory() as folder:
            # The corpus is named, so that no other one steps in for it.
            words = f"-m kerasgen.dino --data dinos --steps {STEPS} --quiet --save-dir {folder}".split()
            finished = run(words, folder)
            if not (Path(folder) / "my-dinos.keras").exists():
                raise RuntimeError("the training command saved no model")
        training.append(finished.seconds)
        memory.append(finished.megabytes or 0.0)
    short = {"help": ["-m", "kerasgen.dino", "--help"], "import": ["-c", "import kerasgen"], "bare": ["-c", "pass"]}
    times: dict[str, list[float]] = {name: [] for name in short}
    progress("command: --help and import")
    for _ in range(5 if quick else 10):
        for name, words in short.items():
            times[name].append(run(words).seconds)
    helping, importing, bare = (statistics.median(times[name]) for name in short)
    importing = max(0.0, importing - bare)
    whole = statistics.median(training)
    command = f"`python -m kerasgen.dino --steps {STEPS} --quiet`"
    section = Section(
        "Waiting",
        ["what", "seconds"],
        [
            [f"{command}, cold start to saved model", number(whole)],
            ["`python -m kerasgen.dino --help`", number(helping)],
            ["`import kerasgen`, beyond starting Python", number(importing)],
            ["starting Python", number(bare)],
        ],
        notes=[f"{medians(rounds)} of training, {len(times['help'])} of the others, in turns."],
        goals=[
            Goal("the whole training command", whole, 12, " s", at_most=True),
            Goal("`--help`", helping, 0.3, " s", at_most=True),
            Goal("`import kerasgen`", importing, 0.1, " s", at_most=True),
        ],
        data={"training": spread(training), **{name: spread(values) for name, values in times.items()}},
    )
    if peak := statistics.median(memory):
        section.data["training_megabytes"] = spread(memory)
        section.notes.append(f"Training held {number(peak)} MB at most.")
    return section
