"""``python -m kerasgen.dino``: a SimpleRNN learns a list of names, one SGD step a name, and invents new ones."""

import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from kerasgen.base import console, flags, output, parts, seeds
from kerasgen.base.errors import TooFewError
from kerasgen.base.settings import check_effects
from kerasgen.modelfile import store
from kerasgen.runs import run as runs
from kerasgen.runs import workers
from kerasgen.runs.chosen import answering, as_the_model, own_model
from kerasgen.tasks import limits
from kerasgen.tasks.registry import NAMES
from kerasgen.tasks.settings import NamesSettings
from kerasgen.tasks.sizes import settings_for
from kerasgen.text import corpora
from kerasgen.text.casing import Casing
from kerasgen.text.folding import Folding
from kerasgen.text.vocab import CharVocab

SHOWN = 7  # names shown on the way, as in the notebook
LISTED = 1000  # names are shown in a table at the most; more are for a program, one a line
MEASURED = 1000  # names by which the share of new ones is measured
COLUMNS = ("name", "novelty", "bits_per_char", "seed", "row")
ABOUT = """Learn a list of names, one a line, and invent new ones; save the model.

examples:
  %(prog)s                                  learn the dinosaurs (seconds), show new ones
  %(prog)s --sample-only --prefix tri       only invent, with the model that is there
  %(prog)s --data towns.txt                 your own list; several: --data a.txt b.txt
  %(prog)s --data towns.csv --column name   a column of a table
  %(prog)s --config configs/dino_notebook.toml   the course's notebook, digit for digit
  %(prog)s --sample-only --quiet --num-samples 1000 --unique --novel-only > names.txt
  %(prog)s --sample-only --num-samples 50 --rank --seed random --output names.csv"""


def main(argv: Sequence[str] | None = None) -> None:
    """Train a model unless told to generate only, then generate."""
    words, random = seeds.drawn(sys.argv[1:] if argv is None else argv)
    given = flags.read(NamesSettings, console.program("dino"), ABOUT, NAMES.config, words, by_size=NAMES.by_size)
    settings = given.settings
    console.note(f"the seed is {settings.seed}", settings.quiet or not random)
    output.check(settings.output, corpora.each(settings.data))
    parts.check(
        settings.part, output.form(settings.format, settings.output), unique=settings.unique, rank=settings.rank
    )
    if settings.unique or settings.rank:  # else names are written as they come
        limits.check_texts(settings.num_samples, settings.min_length, "--num-samples, or leave out --unique and --rank")
    if settings.sample_only or settings.model and not {"steps", "epochs"} & given.flags.keys():
        check_effects(NamesSettings, given.flags, "generating")
        generate(settings)
    else:
        check_effects(NamesSettings, given.flags, "fine-tuning" if settings.model else "a new model")
        learn(given, console.command_line(console.program("dino"), words))


def generate(settings: NamesSettings) -> None:
    """Invent names with a model that is there already."""
    answer = answering(NAMES, settings, None if settings.model else own_model(NAMES, settings))
    contents = answer.contents
    settings = with_folded_parts(settings, Casing.of_card(contents.card), contents.vocab)
    show(answer.load(settings), settings)


def learn(given: flags.CommandLine[NamesSettings], command: str) -> None:
    """Learn a list of names, show how it goes, save the model, and invent names with it; `command` asked for that."""
    corpus = corpora.read(given.settings.data, NAMES.corpus, given.settings.column)
    if corpus.note:
        console.note(corpus.note)
    settings = settings_for(NAMES, corpus, given.flags, given.config)
    kept = runs.beginning(settings)
    parent, copied = kept or (store.read(Path(settings.model)) if settings.model else None, "")
    if parent:
        store.check_kind(parent, "names")
        settings = as_the_model(NAMES, settings, given.flags, parent)

    from kerasgen.runs.train import destination, train
    from kerasgen.tasks.names import NamesTask
    from kerasgen.tasks.task import StartingPoint

    start = StartingPoint(parent, f"fine-tuning {parent.path}", copied) if parent else StartingPoint()
    task = NamesTask(settings, corpus, start.vocab, start.casing)
    settings = with_folded_parts(settings, task.casing, task.vocab)
    path = destination(settings.save_dir, corpus.name, task.kind)
    task.tune_process()
    generator, seconds = train(
        task,
        path,
        command=command,
        reporter=lambda dino: reporter(dino, settings, task.every),
        start=start,
    )
    if not workers.leads(settings):
        return
    made = generator.card["training"]["steps"]
    console.note(f"{made:,} steps in {seconds:.1f} s; saved {path}", settings.quiet)
    show(generator, settings)


def with_folded_parts(settings: NamesSettings, casing: Casing, vocab: CharVocab) -> NamesSettings:
    """Return the settings with the parts of names as the model reads them, before anything slow begins.

    Raises:
        BadInputError: one has a character that the model never saw, nor its twin; or no name can be what was asked for.
    """
    folding = Folding(casing, "twin")
    parts = settings.prefix, settings.ends_with, settings.contains
    for part in parts:
        if changes := folding.changes(part, vocab):
            console.note(changes)
    prefix, end, inside = (folding.fold(part, vocab) for part in parts)
    settings = replace(settings, prefix=prefix, ends_with=end, contains=inside)

    from kerasgen.generation.constraints import fulfilling
    from kerasgen.text.names import STOP

    fulfilling(settings.sampling, vocab, STOP, casing.learned == "lower", settings.prefix)
    return settings


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
        file = output.aside(settings.format, settings.output)
        shown = "\n".join(console.shown(name, file) for name in generator.folding.casing.printed(names))
        if settings.notebook_draws:
            print(f"Iteration: {iteration}, Loss: {logs['smoothed_loss']:f}\n\n{shown}\n\n", file=file)
        else:
            print(f"step {iteration:,}: {measured(logs)}\n\n{shown}\n", file=file)

    return report


def show(generator, settings: NamesSettings) -> None:
    """Write the names that were asked for, as they come, then how new such names are and what the model is worth.

    Raises:
        TooFewError: there are fewer than were asked for; these were written.
    """
    asked, count = parts.rows(settings.part, settings.num_samples), 0
    header = parts.is_first(settings.part)
    with output.sink(settings.format, settings.output, COLUMNS, header) as sink:
        for rows in invented(generator, settings, asked):
            count += len(rows)
            if sink.put:
                for row in rows:
                    sink.put(row)
            else:
                print_names(rows, settings, sink.file)
    if settings.output:
        console.note(f"wrote {count:,} names to {settings.output}", settings.quiet)
    if not settings.quiet:
        tell(generator, settings)
    if count < len(asked):
        raise TooFewError(count, len(asked))


def listed(settings: NamesSettings) -> bool:
    """Tell whether names are shown in a table."""
    few = settings.num_samples <= LISTED or settings.rank
    return few and not (settings.quiet or settings.part) and output.form(settings.format, settings.output) == "text"


def invented(generator, settings: NamesSettings, asked: range) -> Iterator[list[output.Row]]:
    """Yield the names of some rows, or as many as there are, as rows of the output; those that are shown at once."""
    batches = generator.batches(
        settings.num_samples,
        rows=asked if settings.part else None,
        prefix=settings.prefix,
        unique=settings.unique,
        novel_only=settings.novel_only,
        sampling=settings.sampling,
    )
    told = (described(batch, generator, settings)[batch.own] for batch in batches)
    if not (settings.rank or listed(settings)):
        yield from told
    else:
        rows = [row for rows in told for row in rows]
        yield sorted(rows, key=lambda row: row["bits_per_char"]) if settings.rank else rows


def described(batch, generator, settings: NamesSettings) -> list[output.Row]:
    """Return what is known of each name of a batch, by `COLUMNS`; only the name where no more is written."""
    names, form = batch.texts, output.form(settings.format, settings.output)
    printed = generator.folding.casing.printed(names)
    scored = settings.rank or form != "text"
    if not (scored or listed(settings)):
        return [{"name": name} for name in printed]
    bits = bits_per_char(names, generator) if scored else [0.0] * len(names)
    return [
        {
            "name": name,
            "novelty": "known" if text in generator.known else "new",
            "bits_per_char": round(of_name, 4),
            "seed": settings.seed,
            "row": row,
        }
        for row, (text, name, of_name) in enumerate(zip(names, printed, bits, strict=True), batch.row)
    ]


def bits_per_char(names: list[str], generator) -> list[float]:
    """Return the model's own score of each name: bits a character, the one that ends it included."""
    from kerasgen.text.names import STOP

    end = -math.log2(generator.next_probabilities()[STOP]) if "" in names else 0.0
    scores = iter(generator.score([name for name in names if name]))
    return [next(scores).bits_per_char if name else end for name in names]


def print_names(rows: list[output.Row], settings: NamesSettings, file: TextIO) -> None:
    """Print names: in a table that marks each as known or new, or one a line."""
    names = [row["name"] for row in rows]
    if file.isatty():
        names = [console.shown(name, file) for name in names]
    if not listed(settings):
        file.write("\n".join([*names, ""]))
        return
    shown = {"name": names, "novelty": [row["novelty"] for row in rows]}
    if settings.rank:
        shown["bits/char"] = [f"{row['bits_per_char']:.3f}" for row in rows]
    console.table(list(zip(*shown.values(), strict=True)), tuple(shown), file)


def tell(generator, settings: NamesSettings) -> None:
    """Print how new the names of a model are, and what it is worth."""
    from kerasgen.metrics.novelty import novelty
    from kerasgen.modelfile.store import score_sentence

    file = output.aside(settings.format, settings.output)
    sample = generator.generate(MEASURED, temperature=settings.temperature, seed=settings.seed)
    found = novelty(sample, generator.known)
    print(f"\n{found}", file=file)
    if found.new < 0.5:
        console.note(
            "over half of what it invents stands in the list, which it has learned by heart; what may help: fewer "
            "--epochs or --units, a higher --temperature, or --novel-only, which leaves these out"
        )
    if "scores" in generator.card:
        print(score_sentence(generator.card), file=file)


if __name__ == "__main__":
    sys.exit(console.run_command(main))
