"""``python -m kerasgen.dino``: a SimpleRNN learns a list of names, one SGD step a name, and invents new ones."""

import sys
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from kerasgen.base import console, flags
from kerasgen.base.errors import MissingFileError, TooFewError, TooFewWarning
from kerasgen.base.files import bundled
from kerasgen.modelfile import store
from kerasgen.tasks.registry import NAMES
from kerasgen.tasks.settings import NamesSettings
from kerasgen.tasks.sizes import settings_for
from kerasgen.text import corpora

SHOWN = 7  # names shown on the way, as in the notebook
MEASURED = 1000  # names by which the share of new ones is measured
ABOUT = """Learn a list of names, one a line, and invent new ones; save the model.

examples:
  %(prog)s                                  learn the dinosaurs (seconds), show new ones
  %(prog)s --sample-only --prefix tri       only invent, with the model that is there
  %(prog)s --data towns.txt                 your own list
  %(prog)s --config configs/dino_notebook.toml   the course's notebook, digit for digit
  %(prog)s --sample-only --quiet --num-samples 1000 --unique --novel-only > names.txt"""


def main(argv: Sequence[str] | None = None) -> None:
    """Train a model unless told to generate only, then generate."""
    given = flags.read(NamesSettings, console.program("dino"), ABOUT, NAMES.config, argv, by_size=NAMES.by_size)
    if given.settings.sample_only or given.settings.model:
        generate(folded(given.settings))
    else:
        learn(given, console.command_line(console.program("dino"), argv))


def folded(settings: NamesSettings) -> NamesSettings:
    """Return settings whose prefix is in the letters of the model."""
    return replace(settings, prefix=settings.prefix.lower())


def generate(settings: NamesSettings) -> None:
    """Invent names with a model that is there already."""
    contents = store.read(find_model(settings))
    store.check_kind(contents, "names")
    contents.vocab.encode(settings.prefix)  # refuses what the model never saw, before anything slow begins
    console.note(f"generating with {contents.path}", settings.quiet)

    from kerasgen.modelfile import loader

    show(loader.load(contents, device=settings.device), settings)


def learn(given: flags.CommandLine[NamesSettings], command: str) -> None:
    """Learn a list of names, show how it goes, save the model, and invent names with it; `command` asked for that."""
    corpus = corpora.read(given.settings.data, NAMES.corpus, given.settings.column)
    if corpus.note:
        console.note(corpus.note)
    settings = folded(settings_for(NAMES, corpus, given.flags, given.config))

    from kerasgen.runs.train import destination, train
    from kerasgen.tasks.names import NamesTask

    task = NamesTask(settings, corpus)
    task.vocab.encode(settings.prefix)
    path = destination(settings.save_dir, corpus.name, task.kind)
    task.tune_process()
    generator, seconds = train(task, path, command=command, reporter=lambda dino: reporter(dino, settings, task.every))
    console.note(f"{task.steps:,} steps in {seconds:.1f} s; saved {path}", settings.quiet)
    show(generator, settings)


def find_model(settings: NamesSettings) -> Path:
    """Return the file to generate with: that of ``--model``, else the user's own of that ``--data``, else ours.

    Raises:
        MissingFileError: the user's own list has no model yet.
    """
    if settings.model:
        return Path(settings.model)
    own = store.own(settings.save_dir, corpora.names(settings.data, NAMES.corpus, settings.column))
    if not own and settings.data and settings.data not in corpora.KNOWN:
        raise MissingFileError(
            f"--sample-only needs a model that has learned --data; there is none of {settings.data!r} in "
            f"{settings.save_dir!r}; leave --sample-only out to learn it"
        )
    return own or bundled("saved_models/dino.keras")


def reporter(generator, settings: NamesSettings, every: int):
    """Return what prints the scores and seven names after the steps 0, 2000, 4000, ..., as the notebook does."""
    from kerasgen.runs.train import measured
    from kerasgen.tasks.notebook import notebook_uniforms

    uniforms = notebook_uniforms(SHOWN, 50) if settings.notebook_draws else None

    def report(epoch, logs):
        iteration = epoch * every
        if iteration >= int(generator.model.optimizer.iterations):
            return  # the last epoch is a shorter one
        names = generator.generate(SHOWN, seed=settings.seed, uniforms=uniforms)
        if settings.notebook_draws:
            print(f"Iteration: {iteration}, Loss: {logs['smoothed_loss']:f}\n")
            print("\n".join(map(capitalised, names)), end="\n\n\n")
        else:
            print(f"step {iteration:,}: {measured(logs)}\n")
            print("\n".join(map(capitalised, names)), end="\n\n")

    return report


def invent(generator, settings: NamesSettings) -> list[str]:
    """Generate the names that were asked for, or as many as there are."""
    with warnings.catch_warnings(action="ignore", category=TooFewWarning):
        return generator.generate(
            settings.num_samples,
            prefix=settings.prefix,
            unique=settings.unique,
            novel_only=settings.novel_only,
            sampling=settings.sampling,
        )


def capitalised(name: str) -> str:
    """Give a name as it is printed: like the notebook, the first letter in upper case and the others as they are."""
    return console.shown(name[:1].upper() + name[1:])


def show(generator, settings: NamesSettings) -> None:
    """Print the names that were asked for.

    Raises:
        TooFewError: there are fewer than were asked for; these were printed.
    """
    names = invent(generator, settings)
    print_names(names, generator, settings)
    if len(names) < settings.num_samples:
        raise TooFewError(len(names), settings.num_samples)


def print_names(names: list[str], generator, settings: NamesSettings) -> None:
    """Print them: one a line where quiet, else a table that marks each as known or new, and the scores."""
    from kerasgen.metrics.novelty import novelty
    from kerasgen.modelfile.store import score_sentence

    shown = [capitalised(name) for name in names]
    if settings.quiet:
        print("".join(f"{name}\n" for name in shown), end="")
        return
    marks = ["known" if name in generator.known else "new" for name in names]
    console.table(list(zip(shown, marks, strict=True)), ("name", "novelty"))
    sample = generator.generate(MEASURED, temperature=settings.temperature, seed=settings.seed)
    print(f"\n{novelty(sample, generator.known)}")
    if "scores" in generator.card:
        print(score_sentence(generator.card))


if __name__ == "__main__":
    sys.exit(console.run_command(main))
