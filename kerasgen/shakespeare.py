"""``python -m kerasgen.shakespeare``: a stacked two-layer LSTM learns a text and goes on from a prompt."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from kerasgen.base import console
from kerasgen.base import settings as config
from kerasgen.base.errors import BadInputError, MissingFileError, reason
from kerasgen.base.files import bundled, check_writable, sha256
from kerasgen.modelfile import store
from kerasgen.tasks.prose import ShakespeareConfig
from kerasgen.text import corpora
from kerasgen.text.vocab import CharVocab

OPENING = "\n\n"  # what a poem of its own follows: a stanza has ended


TEMPERATURES = (0.2, 0.5, 1.0, 1.2)  # of the samples after an epoch


ABOUT = """Go on from a prompt in the manner of a text; learn that text.

examples:
  python -m kerasgen.shakespeare --prompt "Et tu, Brute?"       the model that is there answers at once
  python -m kerasgen.shakespeare                                asks for the beginning of your poem
  python -m kerasgen.shakespeare --prompt FILE:start.txt --lines 14 --num-samples 3
  python -m kerasgen.shakespeare --epochs 1                     go on training, a sample after each epoch
  python -m kerasgen.shakespeare --data mybook.txt              learn your own text, or write like it once learned
  python -m kerasgen.shakespeare --data mybook.txt --epochs 20 --from-scratch    learn it anew"""


def main(argv: Sequence[str] | None = None) -> None:
    """Train where told to, then go on from the prompt."""
    settings = config.parse(
        ShakespeareConfig, "python -m kerasgen.shakespeare", ABOUT, "configs/shakespeare.toml", argv
    )
    unknown_text = settings.data and settings.data not in corpora.KNOWN and not own_model(settings)
    if unknown_text and settings.prompt is None and not (settings.epochs or settings.model):
        settings = replace(settings, from_scratch=True)  # a text of the user's that nothing has learned yet
    prompt = read_prompt(settings)
    wanted = settings.from_scratch or settings.epochs or settings.resume not in (None, "no")
    if wanted and not settings.sample_only:
        poet = train(settings, prompt, console.command_line("python -m kerasgen.shakespeare", argv))
    else:
        poet = load(settings, prompt)
    write(poet, prompt, settings)


def read_prompt(settings: ShakespeareConfig) -> str:
    """Return what to go on from: the flag's text, a file's, standard input's, or what the user types."""
    prompt = settings.prompt
    if prompt is None:
        training = settings.epochs or settings.from_scratch
        if training or settings.quiet or not (sys.stdin.isatty() and sys.stdout.isatty()):
            return ""
        try:
            return input("Write the beginning of your poem, and kerasgen goes on: ")
        except EOFError:
            return ""
    if prompt == "-":
        try:
            return sys.stdin.read()
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


def find_model(settings: ShakespeareConfig) -> Path:
    """Return the file that answers: that of ``--model``, else the user's own of that ``--data``, else ours."""
    return Path(settings.model) if settings.model else own_model(settings) or bundled("saved_models/shakespeare.keras")


def own_model(settings: ShakespeareConfig) -> Path | None:
    """Return the user's own model of that ``--data``, or None."""
    return store.own(settings.save_dir, corpora.names(settings.data, "shakespeare"))


def load(settings: ShakespeareConfig, prompt: str):
    """Load the model that answers, once the prompt is known to be one that it can go on from."""
    contents = store.read(find_model(settings))
    store.check_kind(contents, "prose")
    fold(prompt, contents.vocab, contents.card, settings.on_unknown, quiet=True)
    console.note(f"generating with {contents.path}", settings.quiet)

    from kerasgen import load

    return load(contents.path, device=settings.device)


def fold(prompt: str, vocab: CharVocab, card: dict, on_unknown: str, quiet: bool = False) -> str:
    """Turn a prompt into characters that the model knows.

    Raises:
        BadInputError: with ``on_unknown="error"``, a character that the model never saw.
    """
    folded = prompt.lower() if card.get("lower_case") else prompt
    unknown = sorted({char for char in folded if char not in vocab})
    if not unknown:
        return folded
    if on_unknown == "error":
        vocab.encode(folded)
    instead = {char: vocab.nearest(char, 1)[0] if on_unknown == "replace" else "" for char in unknown}
    changes = ", ".join(f"{char!r} as {new!r}" if new else f"without {char!r}" for char, new in instead.items())
    console.note(f"the model never saw some characters of the prompt and reads it {changes[:300]}", quiet)
    return "".join(instead.get(char, char) for char in folded)


def write(poet, prompt: str, settings: ShakespeareConfig) -> None:
    """Print the prompt as it was typed and what the model goes on with, as it comes; then how new it is."""
    folded = fold(prompt, poet.vocab, poet.card, settings.on_unknown) or OPENING
    options = dict(temperature=settings.temperature, top_k=settings.top_k, top_p=settings.top_p, seed=settings.seed)
    if settings.num_samples == 1:
        texts = iter([poet.stream(folded, length=settings.length, **options)])
    else:
        whole = poet.generate(settings.num_samples, prefix=folded, max_length=len(folded) + settings.length, **options)
        texts = (iter([text[len(folded) :]]) for text in whole)
    written = []
    for number, pieces in enumerate(texts):
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


def novelty(written: list[str], card: dict, settings: ShakespeareConfig) -> str:
    """Say how much of what was written stands in the text that was learned, where that lies on this machine."""
    from kerasgen.metrics.novelty import LONGEST, copying

    data = card.get("data", {})
    given = settings.data and settings.data not in corpora.KNOWN and Path(settings.data).is_file()
    corpus = corpora.read(settings.data, "") if given else corpora.at_hand(data.get("name", ""))
    if corpus is None or corpus.sha256 != data.get("sha256"):
        return "novelty: unavailable, since the text that was learned is not on this machine"
    learned = corpus.text.lower() if card.get("lower_case") else corpus.text
    if len(learned) > LONGEST:
        return f"novelty: not measured, since {data['name']} has over {LONGEST:,} characters"
    found = [copying(text, learned) for text in written]
    longest = max((one.longest for one in found), key=len)
    share = sum(one.share for one in found) / len(found)
    words = sum(one.words for one in found) / len(found)
    return (
        f"novelty: {share:.1%} of its {found[0].width}-character spans and {words:.1%} of its words stand in "
        f"{data['name']}; the longest span is {longest!r} ({len(longest)} characters)"
    )


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


def train(settings: ShakespeareConfig, prompt: str, command: str):
    """Learn a text: a new model, or one more epoch of the one that would answer; return the best of its epochs.

    Args:
        settings: those of the command.
        prompt: what is to be gone on from afterwards.
        command: what asked for this.
    """
    corpus = corpora.read(settings.data, default="shakespeare")
    if corpus.note:
        console.note(corpus.note)
    path = Path(settings.save_dir) / f"my-{corpus.name}.keras"
    if path.exists():
        store.check_kind(store.read(path), "prose")

    from kerasgen.tasks.prose import ProseRecipe

    recipe = ProseRecipe(settings, corpus)
    found, why = find_trained(settings, recipe.vocab)
    if found:
        recipe = ProseRecipe(settings, corpus, found.vocab)
    fold(prompt, recipe.vocab, {"lower_case": settings.lower_case}, settings.on_unknown, quiet=True)

    from kerasgen.runs import run as runs

    def build():
        model, how = None, ""
        if found:
            model = store.load(found, compile=True)
            how = "" if getattr(model, "optimizer", None) is None else " with its optimizer's state"
            recipe.go_on(model)
        console.note(f"learning {corpus.name}: {why}{how}", settings.quiet)
        return model or recipe.build()

    check_writable(path.parent)
    origin = sha256(found.path.read_bytes()) if found else ""
    poet, seconds = runs.train(recipe, path, command=command, reporter=reporter, build=build, origin=origin)
    scores = poet.card["scores"]
    console.note(
        f"{scores['part']}: {scores['bits_per_char']:.4f} bits/char (counting n-grams: "
        f"{scores['ngram_bits_per_char']:.4f}); {seconds:.0f} s; saved {path}",
        settings.quiet,
    )
    return poet


def find_trained(settings: ShakespeareConfig, vocab: CharVocab) -> tuple[store.Contents | None, str]:
    """Return the model to go on from, or None for a new one, and a line that says which and why.

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
    strange = "".join(char for char in vocab.chars if char not in contents.vocab)
    if strange and path == own_model(settings):
        raise BadInputError(
            f"the text has {strange[:20]!r}, which {path} never saw; --from-scratch learns a new model in its place, "
            "another --save-dir keeps both"
        )
    if strange:
        return None, f"a new model, since {path} never saw {strange[:20]!r}"
    if contents.card["kind"] != "prose":
        return None, f"a new model, since {path} is no model of prose"
    return contents, f"going on from {path}"


def reporter(poet, settings: ShakespeareConfig):
    """Return what prints the scores and samples at several temperatures after an epoch."""

    def report(epoch, logs):
        measured = ", ".join(f"{name} {logs[name]:.4f}" for name in ("loss", "val_bits_per_char") if name in logs)
        print(f"Epoch {epoch + 1}: {measured}")
        for temperature in TEMPERATURES:
            sample = "".join(poet.stream(OPENING, length=160, temperature=temperature, seed=settings.seed))
            print(f"--- temperature {temperature}\n{console.shown(sample.strip())}")
        print()

    return report


if __name__ == "__main__":
    sys.exit(console.run_command(main))
