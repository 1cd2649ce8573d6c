"""``python -m kerasgen.dino``: a SimpleRNN learns a list of names, one SGD step a name, and invents new ones."""

import sys
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from kerasgen.base import console, flags
from kerasgen.base.errors import TooFewError, TooFewWarning
from kerasgen.base.settings import check_effects
from kerasgen.modelfile import store
from kerasgen.runs.chosen import answering, as_the_model, own_model
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
    settings = given.settings
    if settings.sample_only or settings.model and not {"steps", "epochs"} & given.flags.keys():
        check_effects(NamesSettings, given.flags, "generating")
        generate(folded(settings))
    else:
        check_effects(NamesSettings, given.flags, "fine-tuning" if settings.model else "a new model")
        learn(given, console.command_line(console.program("dino"), argv))


def folded(settings: NamesSettings) -> NamesSettings:
    """Return settings whose prefix is in the letters of the model."""
    return replace(settings, prefix=settings.prefix.lower())


def generate(settings: NamesSettings) -> None:
    """Invent names with a model that is there already."""
    answer = answering(NAMES, settings, None if settings.model else own_model(NAMES, settings))
    answer.contents.vocab.encode(settings.prefix)  # refuses what the model never saw, before anything slow begins
    show(answer.load(settings.device), settings)


def learn(given: flags.CommandLine[NamesSettings], command: str) -> None:
    """Learn a list of names, show how it goes, save the model, and invent names with it; `command` asked for that."""
    corpus = corpora.read(given.settings.data, NAMES.corpus, given.settings.column)
    if corpus.note:
        console.note(corpus.note)
    settings = folded(settings_for(NAMES, corpus, given.flags, given.config))
    parent = store.read(Path(settings.model)) if settings.model else None
    if parent:
        store.check_kind(parent, "names")
        settings = as_the_model(NAMES, settings, given.flags, parent)

    from kerasgen.runs.train import destination, train
    from kerasgen.tasks.names import NamesTask
    from kerasgen.tasks.task import StartingPoint

    task = NamesTask(settings, corpus, parent.vocab if parent else None)
    task.vocab.encode(settings.prefix)
    path = destination(settings.save_dir, corpus.name, task.kind)
    task.tune_process()
    generator, seconds = train(
        task,
        path,
        command=command,
        reporter=lambda dino: reporter(dino, settings, task.every),
        start=StartingPoint(parent, f"fine-tuning {parent.path}") if parent else StartingPoint(),
    )
    console.note(f"{task.steps:,} steps in {seconds:.1f} s; saved {path}", settings.quiet)
    show(generator, settings)


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
    found = novelty(sample, generator.known)
    print(f"\n{found}")
    if found.new < 0.5:
        console.note(
            "over half of what it invents stands in the list, which it has learned by heart; what may help: fewer "
            "--epochs or --units, a higher --temperature, or --novel-only, which leaves these out"
        )
    if "scores" in generator.card:
        print(score_sentence(generator.card))


if __name__ == "__main__":
    sys.exit(console.run_command(main))
