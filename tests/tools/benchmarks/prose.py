"""The prose sections: two LSTM layers of 128 units against their rivals, learning and generating."""

import os
import statistics
import sys

from tests.tools.benchmarks import products
from tests.tools.benchmarks.processes import answer
from tests.tools.benchmarks.prose_generation import LENGTHS, STREAMED
from tests.tools.benchmarks.prose_task import (
    BATCH,
    SEQ_LEN,
    TARGETS,
    UNITS,
    UNTIMED,
    Laps,
    ProseTask,
    forward_flops,
    training_flops,
)
from tests.tools.benchmarks.report import Goal, Section, medians, number, progress

LABELS = {
    "stock_keras": "stock Keras, `fit`",
    "stock_keras_jit": "the same, `jit_compile=True`",
    "pytorch": "PyTorch `nn.LSTM`",
    "pytorch_bfloat16": "the same, `torch.autocast` in bfloat16",
    "kerasgen": "**kerasgen**, `training.fit`",
    "kerasgen_bfloat16": "**kerasgen**, `--dtype mixed_bfloat16`",
}
LEFT_OUT = {"stock_keras_jit"}  # of a quick run
FEWER = {"stock_keras_jit": 2}  # timed laps
TOLERANCE, HALF_TOLERANCE = 0.01, 0.03  # nats; the latter in bfloat16
AT_LEAST = {
    "pytorch": ("PyTorch", 1.35),
    "stock_keras": ("stock Keras", 1.9),
    "pytorch_bfloat16": ("PyTorch, both in bfloat16", 1.25),
}

GENERATORS = {
    "example": "the Keras example: `predict` on 40 characters for each",
    "loop": "one `tf.function` step a character, called from Python",
    **{f"streams_{count}": f"**kerasgen**, {count:,} at once" for count in LENGTHS},
}
GENERATORS["streams_1"] = "**kerasgen**, one stream"
GENERATORS["streamed"] = f"**kerasgen**, one stream of {STREAMED:,} characters, piece by piece"


def train(quick: bool, rounds: int, torch_python: str) -> Section:
    """Time training steps with both kinds of targets, all rivals in turns.

    Args:
        quick: fewer and shorter laps, and nothing of Keras' slow jit.
        rounds: how often each rival runs, in a fresh process each time.
        torch_python: the interpreter of the PyTorch rows.
    """
    timed, steps = (2, 5) if quick else (5, 20)
    names = [name for name in LABELS if not (quick and name in LEFT_OUT)]
    runs: dict[tuple[str, str], list[dict]] = {(target, name): [] for target in TARGETS for name in names}
    for turn in range(rounds):
        for (target, name), done in runs.items():
            progress(f"prose-train: round {turn + 1} of {rounds}, {target} position, {name}")
            laps = UNTIMED + min(timed, FEWER.get(name, timed))
            python = torch_python if name.startswith("pytorch") else sys.executable
            done.append(answer("prose_rivals", name, target, laps, steps, python=python, small=False))
    return training_section(runs, ProseTask(), products.fastest(rounds), medians(rounds))


def training_section(
    runs: dict[tuple[str, str], list[dict]], task: ProseTask, product_rates: dict[str, float], rounds: str
) -> Section:
    """Make the section of what was measured.

    Args:
        runs: by target and rival, the `Laps` of each round, as JSON gives them.
        task: tells how many windows and characters there are.
        product_rates: from `products.fastest`.
        rounds: what the figures are.
    """
    section = Section(
        f"Learning prose: 2 x {UNITS} units, windows of {SEQ_LEN}, batches of {BATCH}",
        ["how", "targets", "threads", "windows/s", "characters/s", "epoch, s", "compiling, s", "share", "loss"],
    )
    peak, windows, vocab_size = max(product_rates.values()), task.batches.windows, len(task.vocab)
    rates: dict[tuple[str, str], float] = {}
    wrong, unrest = [], 0.0
    for (target, name), done in runs.items():
        if "missing" in done[0]:
            section.rows.append([LABELS[name], target, *[""] * 6, done[0]["missing"]])
            continue
        laps = [Laps(**run) for run in done]
        rates[target, name] = rate = BATCH * statistics.median(lap.rate for lap in laps)
        losses = [lap.losses[UNTIMED - 1] for lap in laps]
        ours = runs[target, "kerasgen"][0]["losses"][UNTIMED - 1]
        most = HALF_TOLERANCE if name.endswith("bfloat16") else TOLERANCE
        wrong += [f"{name} ({target})"] * any(abs(loss - ours) > most for loss in losses)
        share = rate / BATCH * training_flops(UNITS, vocab_size, BATCH, SEQ_LEN, target) / peak
        compiling = statistics.median(lap.compile_seconds for lap in laps)
        unrest = max(unrest, *(lap.unrest for lap in laps))
        section.rows.append(
            [LABELS[name], target, str(laps[0].threads), number(rate), number(rate * SEQ_LEN), number(windows / rate)]
            + [number(compiling), f"{share:.0%}", f"{losses[0]:.4f}"]
        )
        section.versions |= laps[0].versions
    for (target, name), rate in rates.items():
        if name in AT_LEAST:
            rival, wanted = AT_LEAST[name]
            ours = rates.get((target, "kerasgen_bfloat16" if name.endswith("bfloat16") else "kerasgen"))
            if ours:
                what = f"learning prose ({target} position), against {rival}"
                section.goals.append(Goal(what, ours / rate, wanted, "x"))
    first = Laps(**runs[TARGETS[0], "kerasgen"][0])
    section.notes = [
        f"{rounds} in turns, a fresh process each; of each run the best lap of {first.work} steps, after {UNTIMED} "
        "untimed laps. Float32 where nothing else is said, no dropout, plain SGD, the same weights and batches for "
        f"all; an epoch is the course's {windows:,} windows; the loss is the mean of the last untimed lap, in nats a "
        "target.",
        products.note(product_rates),
        f"In the most restless run the median lap took {unrest:.0%} longer than the best one.",
    ]
    if wrong:
        section.notes.append(f"WRONG: {', '.join(wrong)} did not learn what kerasgen learned.")
    by_name = {f"{name}, {target}": done for (target, name), done in runs.items()}
    per_second = {f"{name}, {target}": rate for (target, name), rate in rates.items()}
    section.data = {"runs": by_name, "windows_per_second": per_second, "products": product_rates}
    return section


def generate(quick: bool, rounds: int) -> Section:
    """Time the ways of generating, in turns.

    Args:
        quick: shorter laps.
        rounds: how often each way runs, in a fresh process each time.
    """
    runs: dict[str, list[dict]] = {name: [] for name in GENERATORS}
    for turn in range(rounds):
        for way in ("example", "loop", "kerasgen"):
            progress(f"prose-generate: round {turn + 1} of {rounds}, {way}")
            for name, laps in answer("prose_generation", way, int(quick), small=False).items():
                runs[name].append(laps)
    product_rates = products.fastest(rounds)
    rates = {name: statistics.median(Laps(**run).rate for run in done) for name, done in runs.items()}
    flops = forward_flops(UNITS, len(ProseTask().vocab))
    shares = {name: rate * flops / max(product_rates.values()) for name, rate in rates.items()}
    section = Section(
        f"Generating prose: 2 x {UNITS} units, random weights",
        ["how", "characters/s", "x the example", "x the loop", "share", "first call, s"],
        notes=[
            f"{medians(rounds)} in turns, the best lap of each run, on {os.cpu_count()} cores. The example computes "
            f"{SEQ_LEN} steps for a character, and its share counts one of them.",
            products.note(product_rates),
        ],
        data={"runs": runs, "characters_per_second": rates, "shares": shares, "products": product_rates},
    )
    for name, rate in rates.items():
        first = statistics.median(run["seconds"][0] for run in runs[name])
        ratios = [number(rate / rates["example"]), number(rate / rates["loop"])]
        section.rows.append([GENERATORS[name], number(rate), *ratios, f"{shares[name]:.2%}", number(first)])
    most = max(LENGTHS)
    one, many = rates["streams_1"], rates[f"streams_{most}"]
    section.goals = [
        Goal("one stream, against the Keras example's way", one / rates["example"], 2500, "x"),
        Goal("one stream, against one step a call", one / rates["loop"], 40, "x"),
        Goal("one stream piece by piece, against one at once", 100 * rates["streamed"] / one, 90, " %"),
        Goal(f"{most:,} streams, against the example's way", many / rates["example"], 12000, "x"),
        Goal(f"{most:,} streams, share of the matrix products' rate", 100 * shares[f"streams_{most}"], 60, " %"),
    ]
    return section
