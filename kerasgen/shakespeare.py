"""``python -m kerasgen.shakespeare``: a stacked two-layer LSTM learns a text and continues a prompt."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from kerasgen.base import console, flags, output, parts, prompts, seeds
from kerasgen.base.errors import BadInputError
from kerasgen.base.files import bundled
from kerasgen.base.settings import check_effects
from kerasgen.generation.batches import BLOCK
from kerasgen.generation.lines import ended, whole_lines
from kerasgen.modelfile import store
from kerasgen.runs import run as runs
from kerasgen.runs import workers
from kerasgen.runs.chosen import OwnModel, answering, as_the_model, learned_text, own_model
from kerasgen.tasks import limits
from kerasgen.tasks.registry import PROSE
from kerasgen.tasks.settings import ProseSettings
from kerasgen.tasks.sizes import settings_for
from kerasgen.text import corpora
from kerasgen.text.casing import Casing
from kerasgen.text.corpora import Text
from kerasgen.text.folding import Folding
from kerasgen.text.sources import STANDARD_INPUT

COLUMNS = ("prompt", "text", "seed", "row", "copied_spans", "copied_words", "longest_copy")
LONGEST_LINE = 2000  # characters, on average, that --lines waits for
POEMS = ("shakespeare", "pastiche")  # texts whose beginnings are those of a poem
TEMPERATURES = (0.2, 0.5, 1.0, 1.2)  # of the samples after an epoch
ABOUT = """Continue a prompt in the manner of a text; learn that text.

examples:
  %(prog)s "Et tu, Brute?"                the trained model continues at once; also --prompt "Et tu, Brute?"
  %(prog)s                                asks for the beginning of your poem
  %(prog)s FILE:start.txt --lines 14 --num-samples 3       as does < start.txt
  %(prog)s --epochs 1                     fine-tune the model, with samples after each epoch
  %(prog)s --data mybook.txt              learn your own text, or write like it once learned
  %(prog)s --data mybook.txt --epochs 20 --from-scratch    learn it from scratch
  %(prog)s "Hell is" --num-samples 5 --seed random --output poems.json"""


def main(argv: Sequence[str] | None = None) -> None:
    """Train where told to, then continue the prompt."""
    words, random = seeds.drawn(sys.argv[1:] if argv is None else argv)
    given = flags.read(
        ProseSettings, console.program("shakespeare"), ABOUT, PROSE.config, words, positional="prompt",
        by_size=PROSE.by_size,
    )  # fmt: skip
    settings = given.settings
    console.note(f"the seed is {settings.seed}", settings.quiet or not random)
    output.check(settings.output, corpora.each(settings.data))
    parts.check(settings.part, output.form(settings.format, settings.output))
    if settings.num_samples > 1:  # a single text is written as it comes, others by blocks
        limits.check_texts(min(settings.num_samples, BLOCK), settings.length, "--num-samples or --length")
    own = None if settings.model else own_model(PROSE, settings)
    unlearned = not (settings.model or own and own.fits or corpora.hashes(settings.data, PROSE.corpus))
    if unlearned and not (settings.epochs or settings.sample_only):
        given = replace(given, flags={**given.flags, "from_scratch": True})
    trains = not settings.sample_only and bool(
        unlearned or settings.from_scratch or settings.epochs or settings.finish or settings.resume not in (None, "no")
    )
    if not trains:
        check_effects(ProseSettings, given.flags, "generating", "learn anew with --from-scratch")
    prompt = read_prompt(settings, trains)
    if prompt is None:
        converse(settings, own)
        return
    if trains:
        poet = learn(given, own, prompt, console.command_line(console.program("shakespeare"), words))
        if not workers.leads(settings):
            return
    else:
        poet = load(settings, own, prompt)
    with output.sink(settings.format, settings.output, COLUMNS, parts.is_first(settings.part)) as sink:
        write(poet, prompt, settings, sink)
    if settings.output:
        console.note(f"wrote {settings.output}", settings.quiet)


def converse(settings: ProseSettings, own: OwnModel | None) -> None:
    """Continue what the user types, one beginning after another; the second has the next seed, and so on."""
    answer = answering(PROSE, settings, own)
    name = store.text_name(answer.contents.card)
    like = f"a text like {console.one_line(name)}"
    what, next_one = ("your poem", "the next poem") if name in POEMS else (like, like)
    question = f"Write the beginning of {what}, and kerasgen continues (an empty line ends): "
    poet, seed = None, settings.seed
    with output.sink(settings.format, settings.output, COLUMNS) as sink:
        for prompt in prompts.answers(question, f"\nThe beginning of {next_one} (an empty line ends): "):
            try:
                check_prompt(prompt, answer.contents, settings)
            except BadInputError as error:
                console.note(str(error))
                continue
            poet = poet or answer.load(settings)
            write(poet, prompt, replace(settings, seed=seed), sink)
            seed = (seed + 1) % 2**32


def check_prompt(prompt: str, contents: store.Contents, settings: ProseSettings) -> None:
    """Raise BadInputError where a model can't continue a prompt, before anything slow begins."""
    Folding(Casing.of_card(contents.card), settings.on_unknown).fold(prompt, contents.vocab)


def read_prompt(settings: ProseSettings, trains: bool) -> str | None:
    """Return what to continue: what the command was given, or what comes through a pipe; None to ask for it."""
    prompt, taken = settings.prompt, STANDARD_INPUT in corpora.each(settings.data)
    if taken and prompt == "-":
        raise BadInputError(
            "standard input is read once; received --data - and --prompt -; name a file for one of them"
        )
    if prompt is None and not trains and not taken and prompts.piped():
        console.note("reading the prompt from standard input", settings.quiet)
        prompt = "-"
    if prompt is None:
        return "" if trains or settings.quiet or not prompts.at_a_terminal() else None
    return prompts.text_of(prompt)


def load(settings: ProseSettings, own: OwnModel | None, prompt: str):
    """Load the model that answers, once the prompt is known to be one that it can continue."""
    answer = answering(PROSE, settings, own)
    check_prompt(prompt, answer.contents, settings)
    return answer.load(settings)


def write(poet, prompt: str, settings: ProseSettings, sink: output.Sink) -> None:
    """Write the prompt as it was typed and the model's continuation, as it comes; then say how new it is."""
    from kerasgen.metrics.novelty import MeanCopying, copying
    from kerasgen.tasks.prose import OPENING

    folding = Folding(poet.folding.casing, settings.on_unknown)
    if changes := folding.changes(prompt, poet.vocab):
        console.note(changes)
    folded = folding.fold(prompt, poet.vocab) or OPENING
    learned, name = learned_text(PROSE, poet.card, settings)
    found, rows = MeanCopying(), parts.rows(settings.part, settings.num_samples)
    for number, pieces in zip(rows, continuations(poet, folded, settings, rows), strict=True):
        text, told = "".join(pieces) if sink.put else stream(prompt, pieces, number, sink.file), {}
        if learned and (sink.put or not settings.quiet):
            told = found.add(copying(text, learned)).figures
        if sink.put:
            sink.put({"prompt": prompt, "text": text, "seed": settings.seed, "row": number, **told})
    note = "" if learned else name
    if found.count:
        note = f"{found.mean.sentence(name)}; the longest span is {found.longest!r} ({len(found.longest)} characters)"
    console.note(note, settings.quiet)


def stream(prompt: str, pieces: Iterable[str], number: int, file: TextIO) -> str:
    """Print a text, piece by piece, after its prompt and a line that parts it from the one before; return it."""
    between = "\n\n" + "-" * 40 + "\n\n" if number else ""
    print(f"{between}{prompt}", end="", flush=True, file=file)
    written = ""
    for piece in pieces:
        print(console.shown(piece, file), end="", flush=True, file=file)
        written += piece
    print(file=file)
    return written


def continuations(poet, prompt: str, settings: ProseSettings, rows: range) -> Iterator[Iterable[str]]:
    """Yield the texts of some rows, each as its pieces; a single text is streamed."""
    longest, begun = longest_of(settings), prompt.rpartition("\n")[2]
    if settings.num_samples == 1:
        yield from (
            in_lines(poet.stream(prompt, length=longest, sampling=settings.sampling), begun, settings) for _ in rows
        )
        return
    for first in range(rows.start - rows.start % BLOCK, rows.stop, BLOCK):
        length, some = settings.length, range(max(first, rows.start), min(first + BLOCK, rows.stop))
        while True:
            how = replace(settings.sampling, max_length=len(prompt) + length)
            made = poet.batches(settings.num_samples, rows=some, prefix=prompt, sampling=how)
            texts = [text[len(prompt) :] for batch in made for text in batch.texts[batch.own]]
            if length >= longest or min(ended(text, begun) for text in texts) >= (settings.lines or 0):
                break
            length = min(4 * length, longest)  # longer texts begin like these
        yield from (in_lines([text], begun, settings) for text in texts)


def longest_of(settings: ProseSettings) -> int:
    """Return how many characters to generate at the most."""
    return max(settings.length, (settings.lines or 0) * LONGEST_LINE)


def in_lines(pieces: Iterable[str], begun: str, settings: ProseSettings) -> Iterator[str]:
    """Yield a text up to its ``--lines`` whole lines, where these are asked for; say so where it ends fewer."""
    if not settings.lines:
        yield from pieces
        return
    missing = yield from whole_lines(pieces, settings.lines, begun)
    if missing:
        console.note(
            f"only {settings.lines - missing} of {settings.lines} lines ended within {longest_of(settings):,} "
            f"characters ({LONGEST_LINE:,} a line); a higher --length allows more"
        )


def learn(given: flags.CommandLine[ProseSettings], own: OwnModel | None, prompt: str, command: str):
    """Learn a text: a new model, or fine-tune the one that would answer; return the best of its epochs.

    Args:
        given: what the command was told.
        own: from `own_model`.
        prompt: what is to be continued afterwards.
        command: what asked for this.
    """
    corpus = corpora.read(given.settings.data, PROSE.corpus, given.settings.column)
    if corpus.note:
        console.note(corpus.note)
    settings = settings_for(PROSE, corpus, given.flags, given.config)

    from kerasgen.runs.train import destination, train
    from kerasgen.tasks.prose import ProseTask
    from kerasgen.tasks.task import StartingPoint

    parent: store.Contents | None
    if kept := runs.beginning(settings):
        settings = as_the_model(PROSE, settings, given.flags, kept[0])
        (parent, copied), why = kept, f"fine-tuning {kept[0].path}"
    else:
        copied, (parent, settings, why) = "", find_parent(given, settings, own, corpus)
    check_effects(ProseSettings, given.flags, "fine-tuning" if parent else "a new model")
    how = " with its optimizer's state" if parent and parent.blueprint.optimizer else ""
    start = StartingPoint(parent, why + how, copied)
    task = ProseTask(settings, corpus, start.vocab, start.casing)
    task.tune_process()
    Folding(task.casing, settings.on_unknown).fold(prompt, task.vocab)
    path = destination(settings.save_dir, corpus.name, task.kind)
    poet, seconds = train(task, path, command=command, reporter=lambda poet: reporter(poet, settings), start=start)
    if workers.leads(settings):
        console.note(f"{store.score_sentence(poet.card)}; {seconds:.0f} s; saved {path}", settings.quiet)
    return poet


def find_parent(
    given: flags.CommandLine[ProseSettings], settings: ProseSettings, own: OwnModel | None, corpus: Text
) -> tuple[store.Contents | None, ProseSettings, str]:
    """Return the model to fine-tune, or None for a new one; the settings for that; and a line that says which and why.

    Args:
        given: what the command was told.
        settings: for a new model.
        own: from `own_model`.
        corpus: the text, whose characters it must know, in its own case.

    Raises:
        BadInputError: the user's own model, in whose place the new one would be saved, does not know all characters, or
            a flag contradicts the model.
        MissingFileError: the file of ``--model`` is not there.
    """
    from kerasgen.tasks.prose import casing_of, vocab_of

    ours = bundled("saved_models/shakespeare.keras")
    fits = own if own and own.fits and not settings.model else None
    path = Path(settings.model) if settings.model else fits.contents.path if fits else ours
    if settings.from_scratch or not (settings.model or path.exists()):
        return None, settings, "a new model"
    contents = fits.contents if fits else store.read(path)
    if not contents.is_of("prose"):
        return None, settings, f"a new model, since {path} is no model of prose"
    tuned = as_the_model(PROSE, settings, given.flags if settings.model or fits else {}, contents)
    casing = Casing.of_card(contents.card)
    if not (settings.model or fits) and casing_of(settings, corpus).learned != casing.learned:
        return None, settings, f"a new model, since {path} {casing.sentence}"
    strange = "".join(char for char in vocab_of(casing, corpus).chars if char not in contents.vocab)
    if strange and (fits or settings.model):
        raise BadInputError(
            f"the text has {strange[:20]!r}, which {path} never saw; --from-scratch learns a new model in its place, "
            "another --save-dir keeps both"
        )
    if strange:
        return None, settings, f"a new model, since {path} never saw {strange[:20]!r}"
    as_the_model(PROSE, settings, given.flags, contents)
    return contents, tuned, f"fine-tuning {path}"


def reporter(poet, settings: ProseSettings):
    """Return what prints the scores and samples at several temperatures after an epoch."""
    from kerasgen.runs.train import measured
    from kerasgen.tasks.prose import OPENING

    def report(epoch, logs):
        file = output.aside(settings.format, settings.output)
        print(f"Epoch {epoch + 1}: {measured(logs)}", file=file)
        for temperature in TEMPERATURES:
            sample = "".join(poet.stream(OPENING, length=160, temperature=temperature, seed=settings.seed))
            print(f"--- temperature {temperature}\n{console.shown(sample.strip(), file)}", file=file)
        print(file=file)

    return report


if __name__ == "__main__":
    sys.exit(console.run_command(main))
