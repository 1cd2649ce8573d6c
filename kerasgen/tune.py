"""``python -m kerasgen.tune``: search for the settings that learn a text best, and train a model with them."""

import contextlib
import dataclasses
import math
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerasgen.base import console, files, streams
from kerasgen.base.errors import BadInputError, StoppedError, nearest
from kerasgen.base.flags import parse
from kerasgen.base.settings import card_of, identity_of, read_settings
from kerasgen.modelfile import store
from kerasgen.runs import signals
from kerasgen.tasks.registry import KINDS, Kind, make_task
from kerasgen.tasks.settings import TaskSettings
from kerasgen.tasks.sizes import settings_for
from kerasgen.text.corpora import Text
from kerasgen.text.corpora import read as read_corpus
from kerasgen.tuning.board import Board
from kerasgen.tuning.crew import crew
from kerasgen.tuning.picture import save_picture
from kerasgen.tuning.ranking import Row, report
from kerasgen.tuning.settings import TuneSettings
from kerasgen.tuning.space import Parameter, read_space

if TYPE_CHECKING:  # it imports NumPy, which --help does not wait for
    from kerasgen.tasks.task import Task

COMMANDS = {kind.command: kind for kind in KINDS}
ABOUT = """Search for the settings that learn a text best, by the validation part; train a model with the winner's.

The same command resumes a sweep that was stopped or killed. What is searched is a TOML file: a list is choices,
{min, max, step or sampling = "log"} is a range. The ranking, a picture, the winner's configuration and TensorBoard's
logs are in the sweep's folder.

examples:
  %(prog)s dino --max-trials 20                  the winner is saved as my-dinos.keras
  %(prog)s shakespeare --tuner hyperband --epochs 20 --time-limit 2h
  %(prog)s dino --data towns.txt --space my_space.toml --no-final
  %(prog)s dino --workers 4                      four trials at a time, each in a process of its own
  %(prog)s dino --chief                          on several machines: the chief chooses the trials ...
  %(prog)s dino --worker a                       ... and each worker trains some of them

A trial of a worker that has died goes to another one, after a minute without a sign of it."""


def main(argv: Sequence[str] | None = None, trainer: Callable[["Task"], Any] | None = None) -> None:
    """Train the trials, show what they found, and train the winner.

    Args:
        argv: the arguments; None for those of the process.
        trainer: makes what trains a trial; None for `kerasgen.tuning.trials.Trainer`.
    """
    kind, settings = read_arguments(sys.argv[1:] if argv is None else list(argv))
    if settings.config:
        read_settings(kind.settings, settings.config)  # what is wrong there is told before the text is looked for
    corpus = read_corpus(settings.data, kind.corpus, settings.column)
    if corpus.note:
        console.note(corpus.note)
    base = base_settings(kind, corpus, settings)
    space = read_space(settings.space or f"configs/tune_{kind.command}.toml", base)

    from kerasgen.runs.train import destination

    task = make_task(base, corpus)
    if not task.split.validation:
        raise BadInputError(f"a sweep chooses by the validation part, a tenth of the text; {corpus.name} is too short")
    folder = Path(settings.directory) / f"{corpus.name}-{fingerprint(base, space, corpus, settings)}"
    check_folder(folder, settings)
    wins = settings.final and not settings.worker
    model = destination(settings.save_dir, corpus.name, kind.name) if wins else None
    with contextlib.nullcontext() if settings.worker else files.locked(folder / "lock", f"sweeps in {folder}"):
        console.note(f"the sweep is kept in {folder}", settings.quiet)
        from kerasgen.models import backend  # noqa: F401  (standard error is not at hand while it is imported)

        with crew(settings, sys.argv[1:] if argv is None else argv) as role:
            ranking = search(task, space, role, folder, trainer)
        if settings.worker:
            return
        report(ranking, folder, corpus.name)
        save_picture(folder / "trials.png", ranking, corpus.name)
        winner = winner_settings(task, ranking[0])
        write_config(folder / "best.toml", winner, space, about_winner(kind, settings, ranking, folder))
        print(f"\nthe winner's settings: {folder / 'best.toml'}")
        if model:
            winner = replace(winner, log_dir=str(folder / "logs"), quiet=settings.quiet)
            train_winner(task.with_settings(winner), model, console.command_line(console.program("tune"), argv))


def read_arguments(arguments: list[str]) -> tuple[Kind, TuneSettings]:
    """Return what is swept, and the settings.

    Raises:
        BadInputError: neither ``dino`` nor ``shakespeare`` comes first, or a flag is wrong.
    """
    first, prog = arguments[0] if arguments else "", console.program("tune")
    if first not in COMMANDS and not {"-h", "--help", "--version"} & set(arguments):
        hint = nearest(first, list(COMMANDS)) or "; see --help"
        raise BadInputError(f"{prog} must be followed by {' or '.join(COMMANDS)}; received {first!r}{hint}")
    flags = arguments[1:] if first in COMMANDS else arguments
    settings = parse(TuneSettings, prog, ABOUT, None, flags, usage=f"%(prog)s {'|'.join(COMMANDS)} [flags]")
    return COMMANDS[first], settings


def base_settings(kind: Kind, corpus: Text, settings: TuneSettings) -> TaskSettings:
    """Return the settings of a trial but for those that are searched; the test part stays unseen."""
    return settings_for(kind, corpus, {"holdout": "both", "seed": settings.seed}, settings.config)


def fingerprint(base: TaskSettings, space: list[Parameter], corpus: Text, settings: TuneSettings) -> str:
    """Return what tells one sweep from another: a change of any of these is another sweep."""
    how = [settings.tuner, settings.epochs, settings.executions_per_trial]
    return files.sha256(repr((identity_of(base), space, corpus.sha256, how)).encode())[:8]


def check_folder(folder: Path, settings: TuneSettings) -> None:
    """Check that the sweep can be written; say so where it is a new sweep beside others."""
    files.check_writable(folder, "--directory")
    beside = sorted(path for path in folder.parent.glob(f"{folder.name[:-8]}????????") if path != folder)
    if beside and not settings.worker and not (folder / "oracle.json").exists():
        console.note(f"a new sweep beside {beside[0]}, which has other settings or an older version's", settings.quiet)


def search(
    task: "Task", space: list[Parameter], settings: TuneSettings, folder: Path, trainer: Callable | None
) -> list[Row]:
    """Train the trials that are still to be trained; return all, the best first."""
    from kerasgen.models import backend
    from kerasgen.tuning import trials

    board = Board(settings.quiet or bool(settings.worker))
    streams.keep_going()
    try:
        task.tune_process()
        with backend.tf.device(backend.device(task.settings.place)), signals.interrupting():
            return trials.search((trainer or trials.Trainer)(task), space, settings, folder, board)
    except KeyboardInterrupt as stop:
        number = stop.args[0] if isinstance(stop, signals.Interrupted) else signal.SIGINT
        message = f"stopped; the trials so far are kept in {folder}; the same command resumes the sweep"
        raise StoppedError(message, number) from None


def winner_settings(task: "Task", best: Row) -> TaskSettings:
    """Return the settings to train the winner fully with; the user's own model learns from the test part, too."""
    of_config = math.ceil(task.steps / task.batches.steps_per_epoch)
    winner: Any = replace(task.settings, **best.values)
    return replace(winner.with_epochs(max(best.epochs, of_config)), holdout="validation")


def about_winner(kind: Kind, settings: TuneSettings, ranking: list[Row], folder: Path) -> str:
    """Return the comment that says which sweep a configuration won."""
    best, done, command = ranking[0], sum(row.status == "done" for row in ranking), console.program("tune")
    name = "".join(char if char.isprintable() else "?" for char in folder.name)  # TOML allows no other in a comment
    return (
        f"# The best of {done} trials of `{command} {kind.command} --tuner {settings.tuner}`, the sweep\n"
        f"# {name}: {best.bits_per_char:.4f} bits/char (validation) after the best of {best.epochs} passes."
    )


def write_config(path: Path, winner: TaskSettings, space: list[Parameter], about: str) -> None:
    """Write settings as a commented difference from the defaults, for the command's ``--config``."""
    import tomlkit

    searched = {parameter.name: f"searched {parameter}" for parameter in space}
    comments = {**searched, winner.passes_key: "passes over the text"}
    plain, told = type(winner)(), {*card_of(winner), *comments}
    found = {one.name: getattr(winner, one.name) for one in dataclasses.fields(winner) if one.name in told}
    found = {key: value for key, value in found.items() if key in comments or value != getattr(plain, key)}
    found = {key: value for key, value in found.items() if value is not None}  # TOML has no word for it
    lines = [f"{key} = {tomlkit.item(value).as_string()}" for key, value in found.items()]
    width = max(map(len, lines))
    notes = [comments.get(key, "as the trials had it") for key in found]
    body = [f"{line.ljust(width)}  # {note}" for line, note in zip(lines, notes, strict=True)]
    with files.whole(path) as temporary:
        temporary.write_text("\n".join([about, "", *body, ""]), encoding="utf-8")


def train_winner(task: "Task", path: Path, command: str) -> None:
    """Train a new model as its command would with the same settings, and save it.

    Args:
        task: of the winner.
        path: of the model.
        command: what resumes it.
    """
    from kerasgen.runs.train import train

    generator, seconds = train(task, path, command=command)
    print(f"the winner, trained for {task.steps:,} steps in {seconds:.1f} s; saved {path}")
    print(store.score_sentence(generator.card))


if __name__ == "__main__":
    sys.exit(console.run_command(main))
