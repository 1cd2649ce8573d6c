"""``python -m kerasgen.inspect``: what a model file holds, and whether it is intact; nothing of it is run.

With ``--upgrade``, files of an older format are written anew.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kerasgen.base import console
from kerasgen.base.errors import BadInputError, KerasgenError, nearest
from kerasgen.base.files import bundled, ours
from kerasgen.base.parser import Parser
from kerasgen.modelfile import store
from kerasgen.modelfile.upgrade import upgrade

LONGEST = 1000  # characters of a cell; a file may say anything of itself
FLAGS = ["--json", "--upgrade", "--help", "--version"]
ABOUT = "Show what a model file holds, and whether it is intact. Nothing in it is run, and TensorFlow is not needed."
EXAMPLES = """examples:
  %(prog)s                          list the models that travel with kerasgen
  %(prog)s saved_models/my-towns.keras
  %(prog)s --json model.keras       everything, for programs
  %(prog)s --upgrade *.keras        write files of format 1 anew in format 2, which loads faster"""


def main(argv: Sequence[str] | None = None) -> None:
    """Show one file, or list those that travel with kerasgen; or upgrade files."""
    arguments = parse(argv)
    if arguments.upgrade:
        for path in map(Path, arguments.files):
            done = upgrade(path)
            print(console.shown(f"{path}: {'now' if done else 'already'} of format {store.FORMAT}"), flush=True)
        return
    file = next(iter(arguments.files), None)
    if file is None:
        folder = bundled("saved_models")  # where a checkout keeps the user's own, too
        described = [describe(path) for path in sorted(folder.glob("*.keras")) if not path.name.startswith("my-")]
    else:
        path = ours(Path(file))
        try:
            described = [describe(path)]
        except KerasgenError as error:
            if arguments.json:
                print_json({"file": str(path), "intact": False, "error": str(error)})
            raise
    if arguments.json:
        print_json(described if file is None else described[0])
    elif file is None:
        console.table([summary(one) for one in described], ("file", "kind", "parameters", "learned from", "score"))
    else:
        console.table(story(described[0]), ("of this file", ""))


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line: one file at the most, or some to upgrade."""
    parser = Parser("inspect", usage="%(prog)s [flags] [FILE]...", description=ABOUT, epilog=EXAMPLES)
    parser.add_argument("files", nargs="*", metavar="FILE", help="a .keras file of kerasgen (default: list ours)")
    parser.add_argument("--json", action="store_true", help="print everything as JSON, for programs")
    words = "write files of an older format anew in this one; weights and card stay as they are"
    parser.add_argument("--upgrade", action="store_true", help=words)
    arguments, unknown = parser.parse_known_args(argv)
    unknown += [] if arguments.upgrade else arguments.files[1:]
    if arguments.upgrade and (arguments.json or not arguments.files):
        raise BadInputError("--upgrade must have the files to upgrade, and no --json; see --help")
    if unknown:
        raise BadInputError(f"unknown argument {unknown[0]!r}{nearest(unknown[0], FLAGS) or '; see --help'}")
    return arguments


def describe(path: Path) -> dict[str, Any]:
    """Return all that a file says of itself, once it is verified as it is before a model is built from it.

    Raises:
        BadInputError: it is damaged, or no file that kerasgen writes.
        MissingFileError: there is no such file.
    """
    contents = store.read(path)
    weights, state = store.arrays(contents)
    plan = contents.blueprint
    return {
        "file": str(path),
        "intact": True,
        "bytes": path.stat().st_size,
        "kind": plan.kind,
        "model": plan.arguments,
        "parameters": plan.parameters,
        "vocab": list(contents.vocab.chars),
        "known": len(contents.known),
        "optimizer": {"class": plan.optimizer[0], "steps": int(state[0])} if plan.optimizer and state else None,
        "members": contents.sizes,
        "checksums": contents.checksums,
        "card": contents.card,
    }


def print_json(value: Any) -> None:
    """Print JSON that every program reads: it has no word for infinity."""
    print(json.dumps(json.loads(json.dumps(value), parse_constant=str), indent=1))


def story(found: dict[str, Any]) -> list[tuple[str, str]]:
    """Tell of one file in rows of a name and what it holds."""
    card, sizes = found["card"], found["members"]
    made = ", ".join(f"{name} {number}" for name, number in card.get("versions", {}).items())
    rows = [
        ("file", f"{found['file']}, {found['bytes']:,} bytes"),
        ("intact", "yes: its checksums are right, and it holds nothing but what kerasgen writes"),
        ("kind", found["kind"]),
        ("written by", f"kerasgen {card.get('kerasgen')} in format {card['format']}" + (f" ({made})" if made else "")),
        ("model", settings(found["model"])),
        ("parameters", f"{found['parameters']:,}"),
        ("vocabulary", f"{len(found['vocab'])} characters: {''.join(found['vocab'])!r}"),
        (
            "learned from",
            learned_from(card) + (f", {found['known']:,} known by their hashes" if found["known"] else ""),
        ),
        ("settings", settings(card.get("config", {}))),
        ("score", store.score_sentence(card)),
        ("optimizer", "{class}, {steps:,} steps".format(**found["optimizer"]) if found["optimizer"] else "none"),
        ("members", ", ".join(f"{name} {size:,} bytes" for name, size in sizes.items())),
    ]
    return [(name, console.one_line(cropped(text))) for name, text in rows]


def summary(found: dict[str, Any]) -> tuple[str, ...]:
    """Tell of one file in a row."""
    card = found["card"]
    cells = (found["file"], found["kind"], f"{found['parameters']:,}", learned_from(card), store.score_sentence(card))
    return tuple(console.one_line(cropped(cell)) for cell in cells)


def learned_from(card: dict[str, Any]) -> str:
    """Name the text, and how much of it there was."""
    sizes = [f"{value:,} {unit}" for unit, value in card.get("data", {}).items() if isinstance(value, int)]
    return ", ".join([store.text_name(card), *sizes])


def settings(values: dict[str, Any]) -> str:
    """Write settings in one line."""
    return ", ".join(f"{name} {value}" for name, value in values.items()) or "none"


def cropped(text: str) -> str:
    """Return the beginning of a text that is too long to be read."""
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}... ({len(text):,} characters)"


if __name__ == "__main__":
    sys.exit(console.run_command(main))
