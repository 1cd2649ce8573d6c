"""What the command does once it knows what is wanted: read, and show."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kerasgen.base import console
from kerasgen.base.errors import BadInputError
from kerasgen.generation.reading import Reader
from kerasgen.modelfile import loader
from kerasgen.modelfile.store import Contents
from kerasgen.scoring import features, report
from kerasgen.scoring.compare import compared, print_compared
from kerasgen.scoring.given import Given
from kerasgen.scoring.passes import Found, Sink, Surprises, Total, pieces

UNITS = 5  # that are shown of those that correlate


def score(contents: Contents, given: Given, wanted: argparse.Namespace) -> None:
    """Score what is given with one model."""
    looked_for = {pattern: features.masks(pattern, given.items) for pattern in wanted.find}
    check_units(contents, wanted.unit)
    generator = loader.load(contents)
    reader = Reader(generator.char_model, generator.device)
    total, surprises = Total(len(given.items)), Surprises(wanted.places)
    found = {pattern: Found(masks) for pattern, masks in looked_for.items()}
    sinks: list[Sink] = [total, surprises, *found.values()]
    for piece in pieces(generator, given, reader):
        for sink in sinks:
            sink.add(piece)
    result = told(contents, generator, given, total, surprises)
    result["find"] = [
        {
            "find": pattern,
            "characters": one.hits,
            "units": [{"unit": f"{layer}:{unit}", "correlation": r} for layer, unit, r in one.best(UNITS)],
        }
        for pattern, one in found.items()
    ]
    if wanted.temperatures:
        probs = generator.next_probabilities(given.items[0])
        result["temperatures"] = report.distributions(probs, wanted.temperatures)
    if wanted.html:
        page(Path(wanted.html), result, given, surprises, generator, reader, wanted)
    if wanted.json:
        print(json.dumps(result, indent=1, allow_nan=False))
    else:
        show(result, given)


def page(path: Path, result: Any, given: Given, surprises: Surprises, generator: Any, reader: Reader, wanted) -> None:
    """Write the page: a second pass keeps what the units give out that the first one has found."""
    from kerasgen.scoring.page import Kept, write

    named = [unit["unit"].split(":") for one in result["find"] for unit in one["units"]]
    units = dict.fromkeys([*wanted.unit, *((int(layer), int(unit)) for layer, unit in named)])
    kept = Kept(given, [*units], len(generator.vocab))
    for piece in pieces(generator, given, reader):
        kept.add(piece)
    write(path, {**result, "surprises": surprises.places}, given, kept, generator.vocab, report.summary(result, given))
    console.note(f"wrote {path}", wanted.quiet)


def told(contents: Contents, generator: Any, given: Given, total: Total, surprises: Surprises) -> dict[str, Any]:
    """Return what came out, in values for JSON."""
    result = {"model": str(contents.path), **report.figures(total.sum, given.chars)}
    if given.ends:
        rows = [
            {"name": name, **report.figures(nats, len(read) + 1), "novelty": novelty(generator, read)}
            for name, read, nats in zip(given.shown, given.items, total.nats.tolist(), strict=True)
        ]
        result["names"] = sorted(rows, key=lambda row: row["bits_per_char"])
    result["places"] = [report.place(one, given, generator.vocab.chars) for one in surprises.places]
    return result


def novelty(generator: Any, name: str) -> str:
    """Say whether a model learned a name."""
    return "known" if name in generator.known else "new"


def show(result: dict[str, Any], given: Given) -> None:
    """Print what came out for people."""
    if given.ends:
        report.print_names(result["names"])
        print()
    print(report.summary(result, given) + "\n")
    report.print_places(result["places"])
    for one in result["find"]:
        report.print_units(one)
    if "temperatures" in result:
        report.print_distributions(result["temperatures"], given.shown[0][-report.AROUND :])


def check_units(contents: Contents, units: Sequence[tuple[int, int]]) -> None:
    """Raise BadInputError where a model has no such unit."""
    sizes = [shape[0] for name, shape in contents.blueprint.shapes.items() if name.endswith("/cell/vars/1")]
    for layer, unit in units:
        if layer > len(sizes) or unit > sizes[layer - 1]:
            has = " and ".join(f"{number}:1 to {number}:{size}" for number, size in enumerate(sizes, 1))
            raise BadInputError(
                f"--unit must be one of the model; {str(contents.path)!r} has {has}; received {layer}:{unit}"
            )


def compare(models: Sequence[Contents], texts: Sequence[Given], wanted: argparse.Namespace) -> None:
    """Score what is given with two models."""
    nats = []
    for contents, given in zip(models, texts, strict=True):
        generator = loader.load(contents)
        nats.append([one.each for one in generator.score([*given.items])])
    found = compared([str(one.path) for one in models], texts, nats, wanted.places)
    if texts[0].items != texts[1].items:
        console.note("one of them reads the text in lower case, and has less to predict", wanted.quiet)
    if wanted.json:
        print(json.dumps(found, indent=1, allow_nan=False))
    else:
        print_compared(found)
