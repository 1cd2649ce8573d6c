"""What came out, in lines for people and in values for JSON."""

import math
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasgen.base import console
from kerasgen.metrics import surprisal
from kerasgen.scoring.given import Given

if TYPE_CHECKING:
    from kerasgen.scoring.passes import Place
    from kerasgen.text.corpus_ids import LongText

LINE = 100_000  # characters that a line has at the most where a column is told
AROUND = 24  # characters before a place, and half as many after it
SHOWN = 3  # alternatives of a place, in lines
BARS = 8  # characters of a distribution
WIDTH = 16  # of its bars
LN2 = math.log(2)


def figures(nats: float, chars: int) -> dict[str, Any]:
    """Return a score in the units that people use."""
    return {
        "chars": chars,
        "bits": nats / LN2,
        "nats_per_char": nats / chars,
        "bits_per_char": nats / chars / LN2,
        "perplexity": finite(surprisal.perplexity(nats / chars)),
    }


def finite(value: float) -> float | None:
    """Return a number, or None for what JSON has no word for."""
    return value if math.isfinite(value) else None


def summary(result: Mapping[str, Any], given: Given) -> str:
    """Say a score in a line."""
    names = f"{len(given.items):,} names, " if given.ends and len(given.items) > 1 else ""
    what = f"{names}{given.chars:,} characters" + ", ends included" * bool(given.ends)
    return (
        f"{what}: {result['bits_per_char']:.4f} bits/char, perplexity {result['perplexity'] or math.inf:,.2f}, "
        f"{result['bits']:,.1f} bits in all"
    )


def place(one: "Place", given: Given, chars: Sequence[str]) -> dict[str, Any]:
    """Return what is known of a place."""
    text, here = given.shown[one.item], min(one.index, LINE)
    near = text + given.ends if given.ends else str(text[one.index - here : one.index + 1 + AROUND])
    before, after = near[:here], near[here + 1 :]
    where = {"name": text} if given.ends else {"line": _lines(text[: one.index]) + 1}
    return {
        **where,
        "column": here - (before.rfind("\n") + 1) + 1 if here < LINE or "\n" in before else None,
        "char": near[here],
        "bits": one.bits,
        "probability": math.exp(-one.nats),
        "before": before[-AROUND:],
        "after": after[: AROUND // 2],
        "expected": [[chars[each], chance] for each, chance in one.expected],
    }


def _lines(text: "str | LongText") -> int:
    """Count the line ends of a text."""
    return sum(piece.count("\n") for piece in ([text] if isinstance(text, str) else text.pieces()))


def print_places(places: Sequence[Mapping[str, Any]]) -> None:
    """Print the most surprising places, each in its context."""
    rows = []
    for one in places:
        before, char, after = (console.one_line(one[part]) for part in ("before", "char", "after"))
        likely = ", ".join(f"{letter!r} {percent(chance)}" for letter, chance in one["expected"][:SHOWN])
        where = f"{one['line']}:{one['column']}" if "line" in one else f"{one['column']}"
        rows.append((where, f"{one['bits']:.1f}", f"{before}[{char}]{after}", likely))
    console.table(rows, ("place", "bits", "most surprising", "expected"))


def print_names(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print a score for each name."""
    cells = [
        (console.one_line(row["name"]), f"{row['bits_per_char']:.3f}", f"{row['bits']:.1f}", row["novelty"])
        for row in rows
    ]
    console.table(cells, ("name", "bits/char", "bits", "novelty"))


def print_units(found: Mapping[str, Any]) -> None:
    """Print the units that correlate with what was looked for."""
    print(f"\nunits that go with {console.one_line(found['find'])} ({found['characters']:,} characters):")
    console.table([(one["unit"], f"{one['correlation']:+.3f}") for one in found["units"]], ("unit", "correlation"))


def distributions(probs: Mapping[str, float], temperatures: Sequence[float]) -> list[dict[str, Any]]:
    """Return the next character's distribution at each temperature: the likeliest characters, and all of the rest.

    Args:
        probs: by character, likeliest first, at temperature 1.
        temperatures: in their order.
    """
    values, letters = np.array([*probs.values()]), [*probs][:BARS]
    found = []
    for temperature in temperatures:
        changed = surprisal.tempered(values, temperature)
        top = [[letter, float(chance)] for letter, chance in zip(letters, changed, strict=False)]
        found.append({"temperature": temperature, "next": top, "others": float(changed[BARS:].sum())})
    return found


def print_distributions(found: Sequence[Mapping[str, Any]], after: str) -> None:
    """Print distributions as bars, side by side."""
    blocks = "█" if _prints("█") else "#"
    print(f"\nwhat may follow {console.one_line(after)!r}, by temperature:")
    names = [repr(letter) for letter, _ in found[0]["next"]]
    rows = []
    for number, name in enumerate([*names, "others"]):
        cells = [name]
        for one in found:
            chance = one["next"][number][1] if number < len(names) else one["others"]
            cells.append(f"{blocks * round(WIDTH * chance):{WIDTH}} {percent(chance):>7}")
        rows.append(tuple(cells))
    console.table(rows, ("next", *(f"{one['temperature']:g}" for one in found)))


def percent(chance: float) -> str:
    """Return a probability as it is read: with as many digits as say something."""
    share = 100 * chance
    return f"{share:.0f} %" if share >= 10 else f"{share:.1f} %" if share >= 0.1 else "< 0.1 %"


def _prints(text: str) -> bool:
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return False
    return True
