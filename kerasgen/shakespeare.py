"""``python -m kerasgen.shakespeare``: a stacked two-layer LSTM learns a text and continues a prompt."""

import os
import stat
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from kerasgen.base import console, flags
from kerasgen.base.errors import BadInputError, MissingFileError, reason
from kerasgen.base.files import bundled
from kerasgen.modelfile import store
from kerasgen.tasks.registry import PROSE
from kerasgen.tasks.settings import ProseSettings
from kerasgen.tasks.sizes import settings_for
from kerasgen.text import corpora
from kerasgen.text.folding import Folding
from kerasgen.text.sources import STANDARD_INPUT
from kerasgen.text.vocab import CharVocab

TEMPERATURES = (0.2, 0.5, 1.0, 1.2)  # of the samples after an epoch
ABOUT = """Continue a prompt in the manner of a text; learn that text.

examples:
  %(prog)s "Et tu, Brute?"                the trained model continues at once; also --prompt "Et tu, Brute?"
  %(prog)s                                asks for the beginning of your poem
  %(prog)s FILE:start.txt --lines 14 --num-samples 3       as does < start.txt
  %(prog)s --epochs 1                     fine-tune the model, with samples after each epoch
  %(prog)s --data mybook.txt              learn your own text, or write like it once learned
  %(prog)s --data mybook.txt --epochs 20 --from-scratch    learn it from scratch"""


def main(argv: Sequence[str] | None = None) -> None:
    """Train where told to, then continue the prompt."""
    given = flags.read(
        ProseSettings, console.program("shakespeare"), ABOUT, PROSE.config, argv, positional="prompt",
        by_size=PROSE.by_size,
    )  # fmt: skip
    settings, unlearned = given.settings, is_unlearned(given.settings)
    if unlearned and not settings.epochs:
        given = replace(given, flags={**given.flags, "from_scratch": True})
    trains = not settings.sample_only and bool(
        unlearned or settings.from_scratch or settings.epochs or settings.resume not in (None, "no")
    )
    prompt = read_prompt(settings, trains)
    if trains:
        poet = learn(given, prompt, console.command_line(console.program("shakespeare"), argv))
    else:
        poet = load(settings, prompt)
    write(poet, prompt, settings)


def is_unlearned(settings: ProseSettings) -> bool:
    """Tell whether to generate like a text of the user's own that no model has learned yet."""
    return bool(settings.data) and settings.data not in corpora.KNOWN and not (settings.model or own_model(settings))


def read_prompt(settings: ProseSettings, trains: bool) -> str:
    """Return what to continue: what the command was given, what comes through a pipe, or what the user types."""
    prompt, taken = settings.prompt, STANDARD_INPUT in corpora.each(settings.data)
    if taken and prompt == "-":
        raise BadInputError(
            "standard input is read once; received --data - and --prompt -; name a file for one of them"
        )
    if prompt is None and not trains and not taken and piped():
        console.note("reading the prompt from standard input", settings.quiet)
        prompt = "-"
    if prompt is None:
        if trains or settings.quiet or not (sys.stdin and sys.stdin.isatty() and sys.stdout.isatty()):
            return ""
        try:
            return input("Write the beginning of your poem, and kerasgen continues: ")
        except EOFError:
            return ""
    if prompt == "-":
        try:
            return sys.stdin.read() if sys.stdin else ""
        except UnicodeDecodeError as error:
            raise BadInputError(f"--prompt - must be UTF-8; standard input is not: {reason(error)}") from None
    if prompt.startswith("FILE:"):
        path = Path(prompt.removeprefix("FILE:"))
        try:
            return path.read_text(encoding="utf-8-sig")
        except FileNotFoundError:
            raise MissingFileError(f"--prompt FILE:path must name a text file; there is no {str(path)!r}") from None
        except (OSError, ValueError) as error:
            raise BadInputError(f"--prompt FILE:path must name a text file; {str(path)!r}: {reason(error)}") from None
    return prompt


def piped() -> bool:
    """Tell whether standard input is a pipe or a file, from which a prompt comes without being asked for."""
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode if sys.stdin else 0
    except (OSError, ValueError):  # it is closed, or no file
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode)


def find_model(settings: ProseSettings) -> Path:
    """Return the file that answers: that of ``--model``, else the user's own of that ``--data``, else ours.

    Raises:
        MissingFileError: only to be generated from, the user's own text has no model yet.
    """
    if settings.sample_only and is_unlearned(settings):
        raise MissingFileError(
            f"--sample-only needs a model that has learned --data; there is none of {settings.data!r} in "
            f"{settings.save_dir!r}; leave --sample-only out to learn it"
        )
    return Path(settings.model) if settings.model else own_model(settings) or bundled("saved_models/shakespeare.keras")


def own_model(settings: ProseSettings) -> Path | None:
    """Return the user's own model of that ``--data``, or None."""
    return store.own(settings.save_dir, corpora.names(settings.data, PROSE.corpus, settings.column))


def load(settings: ProseSettings, prompt: str):
    """Load the model that answers, once the prompt is known to be one that it can continue."""
    contents = store.read(find_model(settings))
    store.check_kind(contents, "prose")
    Folding(bool(contents.card.get("lower_case")), settings.on_unknown).fold(prompt, contents.vocab)
    console.note(f"generating with {contents.path}", settings.quiet)

    from kerasgen.modelfile import loader

    return loader.load(contents, device=settings.device)


def write(poet, prompt: str, settings: ProseSettings) -> None:
    """Print the prompt as it was typed and the model's continuation, as it comes; then how new it is."""
    from kerasgen.tasks.prose import OPENING

    folding = Folding(poet.folding.lower_case, settings.on_unknown)
    if changes := folding.changes(prompt, poet.vocab):
        console.note(changes)
    folded = folding.fold(prompt, poet.vocab) or OPENING
    written = []
    for number, pieces in enumerate(continuations(poet, folded, settings)):
        if number:
            print("\n\n" + "-" * 40 + "\n")
        print(prompt, end="", flush=True)
        written.append("")
        for piece in until_lines(pieces, settings.lines):
            print(console.shown(piece), end="", flush=True)
            written[-1] += piece
        print()
    if not settings.quiet:
        console.note(novelty(written, poet.card, settings))


def continuations(poet, prompt: str, settings: ProseSettings) -> Iterator[Iterable[str]]:
    """Yield the texts that were asked for, each as its pieces; a single one is streamed."""
    if settings.num_samples == 1:
        yield poet.stream(prompt, length=settings.length, sampling=settings.sampling)
        return
    longest = len(prompt) + settings.length
    texts = poet.generate(settings.num_samples, prefix=prompt, max_length=longest, sampling=settings.sampling)
    yield from ([text[len(prompt) :]] for text in texts)


def novelty(written: list[str], card: dict, settings: ProseSettings) -> str:
    """Say how much of what was written stands in the text that was learned, where that lies on this machine."""
    from kerasgen.metrics.novelty import copying, mean_copying, unmeasured

    data = card.get("data", {})
    corpus = corpora.again(settings.data, PROSE.corpus, settings.column) or corpora.at_hand(data.get("name", ""))
    if corpus is None or corpus.sha256 != data.get("sha256"):
        return "novelty: unavailable, since the text that was learned is not on this machine"
    learned = corpus.text.lower() if card.get("lower_case") else corpus.text
    if why := unmeasured(learned, data["name"]):
        return why
    found = mean_copying([copying(text, learned) for text in written])
    longest = found.longest
    return f"{found.sentence(data['name'])}; the longest span is {longest!r} ({len(longest)} characters)"


def until_lines(pieces, lines: int | None):
    """Yield the pieces of a text up to so many line ends, or to the end of a stanza; all where `lines` is None."""
    seen, begun, ends = 0, False, ""  # line ends are held back until something follows them
    for piece in pieces:
        ready = ""
        for char in piece if lines else "":
            if char != "\n":
                ready, ends, begun = ready + ends + char, "", True
                continue
            seen += begun and not ends
            ends += char
            if begun and (seen == lines or len(ends) == 2):
                yield ready
                return
        yield ready if lines else piece
    if ends:
        yield ends


def learn(given: flags.CommandLine[ProseSettings], prompt: str, command: str):
    """Learn a text: a new model, or fine-tune the one that would answer; return the best of its epochs.

    Args:
        given: what the command was told.
        prompt: what is to be continued afterwards.
        command: what asked for this.
    """
    corpus = corpora.read(given.settings.data, PROSE.corpus, given.settings.column)
    if corpus.note:
        console.note(corpus.note)
    settings = settings_for(PROSE, corpus, given.flags, given.config)

    from kerasgen.runs.train import destination, train
    from kerasgen.tasks.prose import ProseTask, vocab_of
    from kerasgen.tasks.task import StartingPoint

    vocab = vocab_of(settings, corpus)
    parent, why = find_parent(settings, vocab)
    vocab = parent.vocab if parent else vocab
    Folding(settings.lower_case, settings.on_unknown).fold(prompt, vocab)
    task = ProseTask(settings, corpus, vocab)
    path = destination(settings.save_dir, corpus.name, task.kind)
    how = " with its optimizer's state" if parent and parent.blueprint.optimizer else ""
    console.note(f"learning {corpus.name}: {why}{how}", settings.quiet)
    poet, seconds = train(
        task,
        path,
        command=command,
        reporter=lambda poet: reporter(poet, settings),
        start=StartingPoint(parent),
    )
    console.note(f"{store.score_sentence(poet.card)}; {seconds:.0f} s; saved {path}", settings.quiet)
    return poet


def find_parent(settings: ProseSettings, vocab: CharVocab) -> tuple[store.Contents | None, str]:
    """Return the model to fine-tune, or None for a new one, and a line that says which and why.

    Args:
        settings: those of the command.
        vocab: the characters that it must know.

    Raises:
        BadInputError: the user's own model, in whose place the new one would be saved, does not know them all.
        MissingFileError: the file of ``--model`` is not there.
    """
    path = find_model(settings)
    if settings.from_scratch or not (settings.model or path.exists()):
        return None, "a new model"
    contents = store.read(path)
    if not contents.is_of("prose"):
        return None, f"a new model, since {path} is no model of prose"
    strange = "".join(char for char in vocab.chars if char not in contents.vocab)
    if strange and path == own_model(settings):
        raise BadInputError(
            f"the text has {strange[:20]!r}, which {path} never saw; --from-scratch learns a new model in its place, "
            "another --save-dir keeps both"
        )
    if strange:
        return None, f"a new model, since {path} never saw {strange[:20]!r}"
    return contents, f"fine-tuning {path}"


def reporter(poet, settings: ProseSettings):
    """Return what prints the scores and samples at several temperatures after an epoch."""
    from kerasgen.runs.train import measured
    from kerasgen.tasks.prose import OPENING

    def report(epoch, logs):
        print(f"Epoch {epoch + 1}: {measured(logs)}")
        for temperature in TEMPERATURES:
            sample = "".join(poet.stream(OPENING, length=160, temperature=temperature, seed=settings.seed))
            print(f"--- temperature {temperature}\n{console.shown(sample.strip())}")
        print()

    return report


if __name__ == "__main__":
    sys.exit(console.run_command(main))
