"""Which of two models a text is likelier from, and where they differ most."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kerasgen.base import console
from kerasgen.scoring.given import Given
from kerasgen.scoring.report import AROUND, LN2, figures

PARTS = re.compile(r"\S+\s*|\s+")  # words with what follows them


def compared(paths: Sequence[str], given: Sequence[Given], nats: Sequence[Sequence[np.ndarray]], most: int) -> dict:
    """Return how two models score the same texts.

    Args:
        paths: of the models.
        given: what each reads.
        nats: of every character of each item, by model.
        most: how many of the words or names where they differ most to return, for each model.
    """
    chars = given[0].chars
    totals = [float(sum(each.sum() for each in one)) for one in nats]
    likelier = int(totals[1] < totals[0])
    parts = list(_parts(given, nats))
    order = sorted(parts, key=lambda part: part["bits"][0] - part["bits"][1])
    return {
        "models": [{"file": path, **figures(total, chars)} for path, total in zip(paths, totals, strict=True)],
        "likelier": paths[likelier],
        "by_bits": abs(totals[0] - totals[1]) / LN2,
        "differ": [
            [part for part in order[:most] if part["bits"][0] < part["bits"][1]],
            [part for part in order[::-1][:most] if part["bits"][0] > part["bits"][1]],
        ],
        "names": parts if given[0].ends else None,
    }


def _parts(given: Sequence[Given], nats: Sequence[Sequence[np.ndarray]]):
    """Yield the names, or the words of a text, with the bits of both models."""
    whole = given[0]
    for number, text in enumerate(whole.shown):
        both = [np.asarray(one[number]) / LN2 for one in nats]
        if whole.ends:
            yield {"text": text, "before": "", "bits": [float(one.sum()) for one in both]}
            continue
        sums = [np.concatenate([[0.0], np.cumsum(one)]) for one in both]
        for found in PARTS.finditer(text):
            here = [float(one[found.end()] - one[found.start()]) for one in sums]
            yield {"text": found[0], "before": text[max(0, found.start() - AROUND) : found.start()], "bits": here}


def print_compared(found: Mapping[str, Any]) -> None:
    """Print the same for people."""
    models = found["models"]
    rows = [(console.one_line(m["file"]), f"{m['bits_per_char']:.4f}", f"{m['bits']:,.1f}") for m in models]
    console.table(rows, ("model", "bits/char", "bits"))
    bits, chars = found["by_bits"], models[0]["chars"]
    if bits < 0.05:
        print("\nboth are as likely")
    else:
        odds = f"2^{bits:,.0f}" if bits >= 20 else f"{2**bits:,.1f}"
        print(
            f"\nlikelier by {console.one_line(found['likelier'])}: {bits:,.1f} bits in all, {bits / chars:.3f} a "
            f"character; {odds} times as likely"
        )
    for model, parts in zip(models, found["differ"], strict=True):
        if not parts:
            continue
        print(f"\nwhere {console.one_line(model['file'])} is the less surprised:")
        lines = [
            (
                *(f"{bits:.1f}" for bits in (abs(part["bits"][0] - part["bits"][1]), *part["bits"])),
                console.one_line(f"{part['before']}[{part['text'].rstrip() or part['text']}]"),
            )
            for part in parts
        ]
        console.table(lines, ("bits", "first", "second", "where"))
