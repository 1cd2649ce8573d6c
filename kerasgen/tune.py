"""``python -m kerasgen.tune``: search for the settings that learn a text best, and train a model with them."""

import contextlib
import dataclasses
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from kerasgen.base import console, files
from kerasgen.base import settings as config
from kerasgen.base.errors import BadInputError, nearest
from kerasgen.modelfile import store
from kerasgen.tasks.names import DinoConfig
from kerasgen.tasks.prose import ShakespeareConfig
from kerasgen.text import corpora
from kerasgen.tuning.board import Board
from kerasgen.tuning.ranking import Row, report
from kerasgen.tuning.settings import TuneConfig
from kerasgen.tuning.space import Parameter, read_space

KINDS: dict[str, tuple[type, str]] = {
    "dino": (DinoConfig, "dinos"),
    "shakespeare": (ShakespeareConfig, "shakespeare"),
}


ABOUT = """Search for the settings that learn a text best, by the validation part; train a model with the winner's.

A sweep that was stopped, or killed, goes on where it was when the same command is given again; what is searched is a
TOML file: a list is choices, {min, max, step or sampling = "log"} is a range. The ranking, a picture, the winner's
configuration and TensorBoard's logs lie in the sweep's folder.

examples:
  python -m kerasgen.tune dino --max-trials 20                  the winner is saved as my-dinos.keras
  python -m kerasgen.tune shakespeare --tuner hyperband --epochs 20 --time-limit 2h
  python -m kerasgen.tune dino --data towns.txt --space my_space.toml --no-final
  python -m kerasgen.tune dino --chief                          in parallel: the chief chooses the trials ...
  python -m kerasgen.tune dino --worker a                       ... and each worker trains some of them

The chief waits for a worker that was killed: start one with the same name again, and it makes that trial anew."""


def main(argv: Sequence[str] | None = None) -> None:
    """Make the trials, show what they found, and train the winner."""
    kind, settings = read_arguments(sys.argv[1:] if argv is None else list(argv))
    base: Any = base_settings(kind, settings)
    space = read_space(settings.space or f"configs/tune_{kind}.toml", base)
    corpus = corpora.read(settings.data, KINDS[kind][1])
    if corpus.note:
        console.note(corpus.note)

    from kerasgen.tasks.registry import make_recipe

    recipe = make_recipe(base, corpus)
    if not recipe.split.validation:
        raise BadInputError(f"a sweep chooses by the validation part, a tenth of the text; {corpus.name} is too short")
    folder = Path(settings.directory) / f"{corpus.name}-{fingerprint(base, space, corpus, settings)}"
    files.check_writable(folder, "--directory")
    model = Path(settings.save_dir) / f"my-{corpus.name}.keras"
    if settings.final and not settings.worker:
        files.check_writable(model.parent)
        if model.exists():
            store.check_kind(store.read(model), recipe.kind)
    with contextlib.nullcontext() if settings.worker else files.locked(folder / "lock", f"sweeps in {folder}"):
        console.note(f"the sweep is kept in {folder}", settings.quiet)
        ranking = search(recipe, space, settings, folder)
        if settings.worker:
            return
        report(ranking, folder, corpus.name)
        winner = winner_settings(recipe, ranking[0])
        write_config(folder / "best.toml", winner, recipe, space, about_winner(kind, settings, ranking, folder))
        print(f"\nthe winner's settings: {folder / 'best.toml'}")
        if settings.final:
            winner = replace(winner, log_dir=str(folder / "logs"), quiet=settings.quiet)
            command = console.command_line("python -m kerasgen.tune", argv)
            train_winner(make_recipe(winner, corpus), model, command)


def read_arguments(arguments: list[str]) -> tuple[str, TuneConfig]:
    """Return what is swept, ``"dino"`` or ``"shakespeare"``, and the settings."""
    kind = arguments[0] if arguments else ""
    if kind not in KINDS and not {"-h", "--help", "--version"} & set(arguments):
        hint = nearest(kind, list(KINDS)) or "; see --help"
        raise BadInputError(f"python -m kerasgen.tune must be told first dino or shakespeare; received {kind!r}{hint}")
    flags = arguments[1:] if kind in KINDS else arguments
    return kind, config.parse(TuneConfig, "python -m kerasgen.tune dino|shakespeare", ABOUT, None, flags)


def base_settings(kind: str, settings: TuneConfig):
    """Return the settings of a trial but for those that are searched; the test part stays unseen."""
    file = settings.config or f"configs/{kind}.toml"
    base: Any = config.parse(KINDS[kind][0], f"python -m kerasgen.{kind}", ABOUT, file, [])
    return replace(base, holdout="both", seed=settings.seed)


def search(recipe, space: list[Parameter], settings: TuneConfig, folder: Path) -> list[Row]:
    """Make the trials that are still to be made; return all, the best first."""
    from kerasgen.models.backend import tf
    from kerasgen.tasks.registry import make_recipe
    from kerasgen.tuning import trials

    def of_trial(values, epochs, execution):
        base = replace(recipe.settings, **values, seed=recipe.settings.seed + execution)
        return make_recipe(with_epochs(base, epochs), recipe.corpus)

    try:
        with tf.device(recipe.device()):
            return trials.search(of_trial, space, settings, folder, Board(settings.quiet or bool(settings.worker)))
    except KeyboardInterrupt:
        console.note(f"stopped; the trials so far are kept in {folder}, and the same command goes on with them")
        raise SystemExit(130) from None


def with_epochs(settings, epochs: int):
    """Return the settings of a new model that is trained for so many passes over the text."""
    if isinstance(settings, DinoConfig):
        return replace(settings, epochs=epochs)
    return replace(settings, epochs=None, scratch_epochs=epochs)


def own_epochs(recipe) -> int:
    """Return the passes over the text that the configuration itself asks for."""
    return math.ceil(recipe.steps / recipe.batches.steps_per_epoch)


def fingerprint(base, space, corpus: corpora.Text, settings: TuneConfig) -> str:
    """Return what tells one sweep from another: a change of any of these is another sweep."""
    how = [settings.tuner, settings.epochs, settings.executions_per_trial]
    return files.sha256(repr((base, space, corpus.sha256, how)).encode())[:8]


def winner_settings(recipe, best: Row):
    """Return the settings that the winner is trained fully with: a model of the user's own sees the test part, too."""
    epochs = max(best.epochs, own_epochs(recipe))
    return replace(with_epochs(replace(recipe.settings, **best.values), epochs), holdout="validation")


def about_winner(kind: str, settings: TuneConfig, ranking: list[Row], folder: Path) -> str:
    """Return the comment that tells which sweep a configuration won."""
    best, done = ranking[0], sum(row.status == "done" for row in ranking)
    return (
        f"# The best of {done} trials of `python -m kerasgen.tune {kind} --tuner {settings.tuner}`, the sweep\n"
        f"# {folder.name}: {best.bits_per_char:.4f} bits/char (validation) after the best of {best.epochs} passes."
    )


def write_config(path: Path, winner, recipe, space: list[Parameter], about: str) -> None:
    """Write settings as a commented difference from the defaults, for ``--config`` of the command."""
    searched = {parameter.name: f"searched {parameter}" for parameter in space}
    length = "epochs" if isinstance(winner, DinoConfig) else "scratch_epochs"
    comments = {**searched, length: "passes over the text"}
    plain = type(winner)()
    keys = [item.name for item in dataclasses.fields(winner) if item.name in {*recipe.TRAINING_KEYS, *comments}]
    found = {key: getattr(winner, key) for key in keys}
    found = {key: value for key, value in found.items() if key in comments or value != getattr(plain, key)}
    lines = [f"{key} = {json.dumps(value)}" for key, value in found.items()]
    width = max(map(len, lines))
    notes = [comments.get(key, "as the trials had it") for key in found]
    body = [f"{line.ljust(width)}  # {note}" for line, note in zip(lines, notes, strict=True)]
    with files.whole(path) as temporary:
        temporary.write_text("\n".join([about, "", *body, ""]), encoding="utf-8")


def train_winner(recipe, path: Path, command: str) -> None:
    """Train a new model as its command would with the same settings, and save it; `command` asked for that."""
    from kerasgen.runs import run as runs

    def reporter(generator, settings):
        return lambda epoch, logs: None  # a bar and the logs show it; samples are for those who train but one model

    generator, seconds = runs.train(recipe, path, command=command, reporter=reporter)
    scores = generator.card["scores"]
    print(
        f"the winner, trained for {recipe.steps:,} steps in {seconds:.1f} s: {scores['bits_per_char']:.4f} bits/char "
        f"({scores['part']}; counting n-grams: {scores['ngram_bits_per_char']:.4f}); saved {path}"
    )


if __name__ == "__main__":
    sys.exit(console.run_command(main))
