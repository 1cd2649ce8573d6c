"""The learning section: how well the whole prose command has learned after less than two minutes."""

import statistics
import tempfile
from pathlib import Path

from kerasgen.modelfile import store
from tests.tools.benchmarks.processes import run
from tests.tools.benchmarks.report import Goal, Section, medians, number, progress, spread

NANOGPT, NANOGPT_SECONDS = 2.494, 110  # bits a character of the same tenth, published; measured on another machine
BETTER = 0.22  # bits


def measure(quick: bool, rounds: int) -> Section:
    """Train on the first nine tenths of the Sonnets, each round from another seed, and read the score of the last one.

    Args:
        quick: two epochs instead of the default's.
        rounds: how many seeds.
    """
    words = "-m kerasgen.shakespeare --data shakespeare --from-scratch --holdout test"
    words += " --scratch-epochs 2" * quick
    cards, waited = [], []
    for seed in range(rounds):
        progress(f"learning: round {seed + 1} of {rounds}")
        with tempfile.TemporaryDirectory() as folder:
            arguments = f"{words} --quiet --length 1 --seed {seed} --save-dir {folder}".split()
            waited.append(run(arguments, folder, small=False).seconds)
            cards.append(store.read(Path(folder) / "my-shakespeare.keras").card)
    epochs = cards[0]["config"]["scratch_epochs"]
    scores, seconds = [card["scores"] for card in cards], [card["training"]["seconds"] for card in cards]
    if any(score["part"] != "held out" for score in scores):
        raise RuntimeError(f"the scores must be of the held-out part; the cards say {scores}")
    bits = [score["bits_per_char"] for score in scores]
    found, training, waiting = (statistics.median(values) for values in (bits, seconds, waited))
    ngrams = scores[0]["ngram_bits_per_char"]
    return Section(
        "Learning per second: the Sonnets' last tenth, held out",
        ["how", "bits/char", "training, s", "whole command, s"],
        [
            ["interpolated n-grams", f"{ngrams:.3f}", "-", "-"],
            ["nanoGPT's CPU recipe, as published", f"{NANOGPT:.3f}", str(NANOGPT_SECONDS), "-"],
            [
                f"**kerasgen**, `--from-scratch --scratch-epochs {epochs}`",
                f"{found:.3f}",
                number(training),
                number(waiting),
            ],
        ],
        notes=[
            f"{medians(rounds)}, each with another seed. nanoGPT's figure is a published one: the same split, but "
            "measured elsewhere, so its seconds are those of another machine."
        ],
        goals=[
            Goal(f"held out, {BETTER} bits/char below nanoGPT's recipe", found, NANOGPT - BETTER, at_most=True),
            Goal("training for it", training, NANOGPT_SECONDS, " s", at_most=True),
        ],
        data={"bits_per_char": spread(bits), "seconds": spread(seconds), "waited": spread(waited), "epochs": epochs},
    )
