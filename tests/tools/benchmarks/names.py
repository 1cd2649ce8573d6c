"""The names sections: per-name SGD against its rivals, and generation."""

import statistics
import sys

from tests.tools.benchmarks.processes import answer
from tests.tools.benchmarks.report import Goal, Section, medians, number, progress, spread
from tests.tools.benchmarks.task import CHECKED, STEPS

LABELS = {
    "stock_keras": "stock Keras, `fit(batch_size=1)`",
    "stock_keras_jit": "the same, `jit_compile=True`",
    "stock_keras_unpadded": "the same, no jit, batches as long as the name",
    "pytorch": "PyTorch `nn.RNN`, eager",
    "numpy": "the notebook's NumPy procedure",
    "vector_numpy": "NumPy on vectors (`tests/oracle.py`)",
    "kerasgen": "**kerasgen**, `training.fit`",
    "c": "hand-written C, `gcc -O3 -march=native -ffast-math`",
}
FEWER = {
    "stock_keras": 1_500,
    "stock_keras_jit": 3_000,
    "stock_keras_unpadded": 3_000,
    "pytorch": 5_000,
    "numpy": 15_000,
    "vector_numpy": 15_000,
}
LEFT_OUT = {"stock_keras_jit", "stock_keras_unpadded"}  # of a quick run
TOLERANCE = 0.01  # nats: what float32 may differ by at step 2,000


def train(quick: bool, rounds: int, torch_python: str) -> Section:
    """Time the notebook's training steps, all rivals in turns.

    Args:
        quick: fewer steps, and stock Keras in one way only.
        rounds: how often each rival runs, in a fresh process each time.
        torch_python: the interpreter of the PyTorch row.
    """
    runs: dict[str, list[dict]] = {name: [] for name in LABELS if not (quick and name in LEFT_OUT)}
    for turn in range(rounds):
        for name, done in runs.items():
            steps = FEWER.get(name, STEPS)
            progress(f"names-train: round {turn + 1} of {rounds}, {name}")
            python = torch_python if name == "pytorch" else sys.executable
            done.append(answer("rivals", name, steps // 5 if quick else steps, python=python))
    rates = {
        name: statistics.median(run["steps"] / run["seconds"] for run in done)
        for name, done in runs.items()
        if "missing" not in done[0]
    }
    section = Section(
        "Learning names: the notebook's per-name SGD, 50 units",
        ["how", "threads", "steps/s", "x NumPy", "x stock Keras", "share of C", "loss at 2,000"],
        data={"runs": runs, "steps_per_second": rates},
    )
    ours = runs["kerasgen"][0]["loss"]
    wrong = []
    for name, done in runs.items():
        if name not in rates:
            section.rows.append([LABELS[name], *[""] * 5, done[0]["missing"]])
            continue
        rate, loss = rates[name], done[0]["loss"]
        if not all(abs(run["loss"] - ours) <= TOLERANCE for run in done):
            wrong.append(name)
        share = f"{rate / rates['c']:.0%}" if "c" in rates else "-"
        ratios = [number(rate / rates["numpy"]), number(rate / rates["stock_keras"])]
        mark = " (wrong)" if name in wrong else ""
        section.rows.append(
            [LABELS[name], str(done[0]["threads"]), f"{rate:,.0f}", *ratios, share, f"{loss:.4f}{mark}"]
        )
        section.versions |= done[0]["versions"]
    fewer = ", ".join(f"{name} {runs[name][0]['steps']:,}" for name in FEWER if name in rates)
    section.notes.append(
        f"{medians(rounds)} in turns, a fresh process each; {runs['kerasgen'][0]['steps']:,} steps after {CHECKED:,} "
        f"untimed ones and after compiling; the slow ones made fewer steps, and the rate is theirs ({fewer}). NumPy "
        "is float64, as in the notebook, all others float32."
    )
    if busy := busy_note(runs):
        section.notes.append(busy)
    compiling = spread([run["compile_seconds"] for run in runs["kerasgen"]])
    section.data["compile_seconds"] = compiling
    section.notes.append(f"Compiling kerasgen's program took {number(compiling['median'])} s.")
    section.goals = [
        Goal("learning names, against the notebook's NumPy", rates["kerasgen"] / rates["numpy"], 12, "x"),
        Goal("the same, against stock Keras `fit(batch_size=1)`", rates["kerasgen"] / rates["stock_keras"], 90, "x"),
        Goal("compiling the training program", compiling["median"], 2, " s", at_most=True),
    ]
    if wrong:
        section.notes.append(
            f"WRONG: {', '.join(wrong)} did not learn what kerasgen learned; their rates mean nothing."
        )
    return section


def busy_note(runs: dict[str, list[dict]]) -> str:
    """Say so where other work took the processor away from the rivals of one thread."""
    shares = [run["cpu_seconds"] / run["seconds"] for done in runs.values() for run in done if run.get("threads") == 1]
    least = min(shares)
    return f"The machine was busy: one run had only {least:.0%} of a core." if least < 0.9 else ""


def generate(quick: bool, rounds: int) -> Section:
    """Time names in one call, and one stream of characters, with the shipped model."""
    count = 50_000 if quick else 200_000
    runs = []
    for turn in range(rounds):
        progress(f"names-generate: round {turn + 1} of {rounds}")
        runs.append(answer("generation", count))
    section = Section(
        f"Inventing names: `generate({count:,})`, and one stream",
        ["names/minute", "characters/s", "one stream, characters/s", "first call, s"],
        notes=[f"{medians(rounds)}; the shipped model, temperature 1, after a first call that compiles."],
        data={"runs": runs},
    )
    keys = ("names_per_minute", "chars_per_second", "stream_chars_per_second", "first_call_seconds")
    names, *others = (statistics.median(run[key] for run in runs) for key in keys)
    section.rows.append([number(names), *map(number, others)])
    section.goals = [Goal("names a minute in one call", names, 1_000_000)]
    return section
