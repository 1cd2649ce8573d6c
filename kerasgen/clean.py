"""``python -m kerasgen.clean``: list what unfinished trainings and logs have left, and remove it."""

import argparse
import contextlib
import os
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kerasgen.base import console, files
from kerasgen.base.errors import BadInputError, FailedError
from kerasgen.base.parser import Parser
from kerasgen.runs import run as runs

ABOUT = """List unfinished runs and log folders, or remove them; models and runs that are being trained stay."""
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


@dataclass(frozen=True)
class Item:
    """Something that may be removed.

    Attributes:
        kind: ``"run"`` or ``"log"``.
        path: its folder.
        about: how far it got.
        size: bytes.
        age: seconds since it was last written to.
    """

    kind: str
    path: Path
    about: str
    size: int
    age: float


def main(argv: Sequence[str] | None = None) -> None:
    """List what there is, or remove what was asked for."""
    wanted = parse(argv)
    items = [item for item in find(wanted.save_dir, wanted.log_dir) if item.age >= wanted.older_than]
    if not items:
        print(f"no unfinished runs in {runs.home(wanted.save_dir)} and no logs in {wanted.log_dir}")
        return
    chosen = choose(items, wanted)
    show(chosen or items)
    if not chosen:
        print("\nto remove: a name, --runs, --logs or --all; models are never removed")
    elif wanted.yes or confirmed(len(chosen)):
        for item in chosen:
            remove(item, wanted.save_dir)


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line.

    Raises:
        BadInputError: it has an unknown flag or a value that is not one.
    """
    parser = Parser("clean", description=ABOUT)
    parser.add_argument("names", nargs="*", metavar="NAME", help="runs or logs to remove, by the names in the list")
    parser.add_argument("--runs", action="store_true", help="remove all unfinished runs")
    parser.add_argument("--logs", action="store_true", help="remove all logs")
    parser.add_argument("--all", action="store_true", help="remove both")
    parser.add_argument("--older-than", default="0s", metavar="TIME", help="only what is so old: 7d, 12h, 30m, 2w")
    parser.add_argument("--yes", action="store_true", help="ask no question")
    parser.add_argument("--save-dir", default="saved_models", metavar="DIR", help="as in training (saved_models)")
    parser.add_argument("--log-dir", default="logs", metavar="DIR", help="as in training (logs)")
    wanted = parser.parse_args(argv)
    age = re.fullmatch(r"(\d+(?:\.\d+)?)([smhdw])", wanted.older_than)
    if not age:
        raise BadInputError(f"--older-than must be a number and s, m, h, d or w; received {wanted.older_than!r}")
    wanted.older_than = float(age[1]) * UNITS[age[2]]
    return wanted


def find(save_dir: str, log_dir: str) -> list[Item]:
    """Return the unfinished runs of a folder of models, and the logs of a folder of logs."""
    found = []
    for run in runs.unfinished(save_dir):
        steps = run.config.get("settings", {}).get("steps")
        about = f"step {run.step:,}" + (f" of {steps:,}" if steps else "") + ", diverged" * bool(run.diverged)
        found.append(_item("run", run.folder, about))
    marks = sorted(Path(log_dir).glob(f"*/{runs.LOG_MARK}"))
    return found + [_item("log", mark.parent, "") for mark in marks if not mark.parent.is_symlink()]


def choose(items: list[Item], wanted: argparse.Namespace) -> list[Item]:
    """Return the items that shall be removed.

    Raises:
        BadInputError: there is none of a name.
    """
    for name in wanted.names:
        if name not in [item.path.name for item in items]:
            known = ", ".join(item.path.name for item in items)
            raise BadInputError(f"a name must be one of {known}; received {name!r}")
    kinds = {"run": wanted.runs or wanted.all, "log": wanted.logs or wanted.all}
    return [item for item in items if item.path.name in wanted.names or kinds[item.kind]]


def show(items: list[Item]) -> None:
    """Print a table of them."""
    named = [(item, console.one_line(item.path.name)) for item in items]
    rows = [(item.kind, name, item.about, _size(item.size), _age(item.age)) for item, name in named]
    console.table(rows, ("", "name", "state", "size", "age"))


def confirmed(count: int) -> bool:
    """Ask whether to remove them; without a terminal, nobody can answer.

    Raises:
        BadInputError: standard input is no terminal.
    """
    if not sys.stdin.isatty():
        raise BadInputError("removing asks first, and there is no terminal to ask in; give --yes; nothing was removed")
    with contextlib.suppress(EOFError):
        return input(f"\nremove these {count}? [y/N] ").strip().lower() in ("y", "yes")
    return False


def remove(item: Item, save_dir: str) -> None:
    """Remove an item, unless a process is training it; files that are not kerasgen's stay."""
    try:
        with contextlib.ExitStack() as stack:
            for run in runs.unfinished(save_dir):
                mine = run.folder == item.path if item.kind == "run" else _same(run.config.get("logs"), item.path)
                if mine:
                    stack.enter_context(runs.lock(save_dir, run.corpus))
            left = files.remove_known(item.path, runs.FILES if item.kind == "run" else runs.LOG_FILES)
    except FailedError as error:
        console.note(f"{item.path} stays: {error}")
    except OSError as error:
        raise FailedError(f"{item.path} can't be removed: {error.strerror}") from error
    else:
        but = f": all but {', '.join(path.name for path in left)}" if left else ""
        print(console.one_line(f"removed {item.path}{but}"))


def _same(logs: str | None, path: Path) -> bool:
    return logs is not None and Path(logs).resolve() == path.resolve()


def _item(kind: str, path: Path, about: str) -> Item:
    stats, now = [], time.time()
    for file in [path, *(Path(folder, name) for folder, _, names in os.walk(path) for name in names)]:
        with contextlib.suppress(FileNotFoundError):  # it is being trained, or has just ended
            stats.append(file.lstat())
    age = max(0.0, now - max((stat.st_mtime for stat in stats), default=now))
    return Item(kind, path, about, sum(stat.st_size for stat in stats), age)


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def _age(seconds: float) -> str:
    unit = next(unit for unit in "wdhms" if seconds >= UNITS[unit] or unit == "s")
    return f"{seconds / UNITS[unit]:.0f} {unit}"


if __name__ == "__main__":
    sys.exit(console.run_command(main))
