"""``python -m kerasgen.dino``: a SimpleRNN learns a list of names, one SGD step a name, and invents new ones."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from kerasgen.base import console
from kerasgen.base import settings as config
from kerasgen.base.errors import MissingFileError
from kerasgen.base.files import bundled, check_writable
from kerasgen.modelfile import store
from kerasgen.tasks.names import DinoConfig
from kerasgen.text import corpora
from kerasgen.text.vocab import CharVocab

SHOWN = 7  # names shown on the way, as in the notebook


MEASURED = 1000  # names by which the share of new ones is measured


ABOUT = """Learn a list of names, one a line, and invent new ones; save the model.

examples:
  python -m kerasgen.dino                                  learn the dinosaurs (seconds), show new ones
  python -m kerasgen.dino --sample-only --prefix tri       only invent, with the model that is there
  python -m kerasgen.dino --data towns.txt                 your own list
  python -m kerasgen.dino --config configs/dino_notebook.toml   the course's notebook, digit for digit
  python -m kerasgen.dino --sample-only --quiet --num-samples 1000 --unique --novel-only > names.txt"""


def main(argv: Sequence[str] | None = None) -> None:
    """Train a model unless told to generate only, then generate."""
    settings = config.parse(DinoConfig, "python -m kerasgen.dino", ABOUT, "configs/dino.toml", argv)
    settings = replace(settings, prefix=settings.prefix.lower())
    if settings.sample_only or settings.model:
        generate(settings)
    else:
        train(settings, console.command_line("python -m kerasgen.dino", argv))


def generate(settings: DinoConfig) -> None:
    """Invent names with a model that is there already."""
    contents = store.read(find_model(settings))
    store.check_kind(contents, "names")
    check_prefix(settings, contents.vocab)
    console.note(f"generating with {contents.path}", settings.quiet)

    from kerasgen import load
    from kerasgen.models import backend

    backend.use_one_thread()
    generator = load(contents.path, device=settings.device)
    show(generator, invent(generator, settings), settings)


def train(settings: DinoConfig, command: str) -> None:
    """Learn a list of names, show how it goes, save the model, and invent names with it; `command` asked for that."""
    corpus = corpora.read(settings.data, default="dinos")
    if corpus.note:
        console.note(corpus.note)

    from kerasgen.tasks.names import NamesRecipe

    recipe = NamesRecipe(settings, corpus)
    check_prefix(settings, recipe.vocab)
    path = Path(settings.save_dir) / f"my-{corpus.name}.keras"
    check_writable(path.parent)
    if path.exists():
        store.check_kind(store.read(path), recipe.kind)

    from kerasgen.runs import run as runs

    generator, seconds = runs.train(recipe, path, command=command, reporter=reporter)
    show(generator, invent(generator, settings), settings)
    console.note(f"{recipe.steps:,} steps in {seconds:.1f} s; saved {path}", settings.quiet)


def find_model(settings: DinoConfig) -> Path:
    """Return the file to generate with: that of ``--model``, else the user's own of that ``--data``, else ours.

    Raises:
        MissingFileError: the user's own list has no model yet.
    """
    if settings.model:
        return Path(settings.model)
    own = store.own(settings.save_dir, corpora.names(settings.data, "dinos"))
    if not own and settings.data and settings.data not in corpora.KNOWN:
        raise MissingFileError(
            f"--sample-only needs a model that has learned --data; there is none of {settings.data!r} in "
            f"{settings.save_dir!r}; leave --sample-only out to learn it"
        )
    return own or bundled("saved_models/dino.keras")


def check_prefix(settings: DinoConfig, vocab: CharVocab) -> None:
    """Refuse a prefix that can't be gone on from, before anything slow begins."""
    vocab.encode(settings.prefix)


def reporter(generator, settings: DinoConfig):
    """Return what prints the loss and seven names, as the notebook does, after the steps 0, 2000, 4000, ..."""
    from kerasgen.tasks.notebook import notebook_uniforms

    uniforms = notebook_uniforms(SHOWN, 50) if settings.notebook_draws else None

    def report(epoch, logs):
        iteration = epoch * settings.sample_every
        if iteration >= int(generator.model.optimizer.iterations):
            return  # the last epoch is a shorter one
        names = generator.generate(SHOWN, seed=settings.seed, uniforms=uniforms)
        print(f"Iteration: {iteration}, Loss: {logs['smoothed_loss']:f}\n")
        print("\n".join(map(capitalised, names)), end="\n\n\n")

    return report


def invent(generator, settings: DinoConfig) -> list[str]:
    """Generate the names that were asked for."""
    keys = ("prefix", "temperature", "top_k", "top_p", "min_length", "max_length", "seed", "unique", "novel_only")
    return generator.generate(settings.num_samples, **{key: getattr(settings, key) for key in keys})


def capitalised(name: str) -> str:
    """Give a name as it is printed: like the notebook, the first letter in upper case and the others as they are."""
    return console.shown(name[:1].upper() + name[1:])


def show(generator, names: list[str], settings: DinoConfig) -> None:
    """Print names: one a line where quiet, else a table that marks each as known or new, and the scores."""
    from kerasgen.metrics import novelty as measured

    shown = [capitalised(name) for name in names]
    if settings.quiet:
        print("\n".join(shown))
        return
    marks = ["known" if generator.is_known(name) else "new" for name in names]
    console.table(list(zip(shown, marks, strict=True)), ("name", "novelty"))
    sample = generator.generate(MEASURED, temperature=settings.temperature, seed=settings.seed)
    novelty = measured.novelty(sample, generator.is_known)
    print(f"\nof {novelty.count:,} names, {novelty.new:.1%} are new and {novelty.distinct:.1%} are different")
    if scores := generator.card.get("scores"):
        print(
            f"{scores['part']}, {scores['names']} names: {scores['nats_per_char']:.4f} nats/char "
            f"({scores['bits_per_char']:.4f} bits/char); counting n-grams: {scores['ngram_nats_per_char']:.4f} "
            f"({scores['ngram_bits_per_char']:.4f})"
        )


if __name__ == "__main__":
    sys.exit(console.run_command(main))
