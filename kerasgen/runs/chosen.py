"""Which model answers for a text, and which one is fine-tuned on it; the text's hash on the card decides.

Importing this module imports no TensorFlow.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kerasgen.base import console
from kerasgen.base.errors import BadInputError, MissingFileError
from kerasgen.base.files import bundled
from kerasgen.base.settings import about, flag_of, resolve
from kerasgen.modelfile import store
from kerasgen.runs import checkpoints
from kerasgen.runs import run as runs
from kerasgen.runs.run import Run
from kerasgen.tasks.registry import Kind, Own
from kerasgen.tasks.settings import TaskSettings
from kerasgen.text import corpora, sources
from kerasgen.text.casing import Casing

THIS, EARLIER, ANOTHER = "this text", "this text, before it changed", "another text"


@dataclass(frozen=True)
class OwnModel:
    """The user's own model, found by the name of a text.

    Attributes:
        contents: of its file.
        learned: what it learned: `THIS`, `EARLIER` or `ANOTHER`.
    """

    contents: store.Contents
    learned: str

    @property
    def fits(self) -> bool:
        """Whether it learned the text, as it is or as it was."""
        return self.learned != ANOTHER


def own_model(kind: Kind, settings: TaskSettings) -> OwnModel | None:
    """Return the user's own model of ``--data``, or None.

    Args:
        kind: of the model.
        settings: those of the command.

    Raises:
        BadInputError: the file is damaged, or the text can't be read.
    """
    names = corpora.names(settings.data, kind.corpus, settings.column)
    path = store.own(settings.save_dir, names)
    if path is None:
        return None
    contents = store.read(path)
    learned = contents.card.get("data", {})
    if not sources.comes_again(corpora.each(settings.data)):  # a pipe: what comes is learned anew
        return OwnModel(contents, ANOTHER)
    try:
        if learned.get("sha256") in _hashes(kind, settings):
            return OwnModel(contents, THIS)
    except MissingFileError:  # a model without its text is good enough to generate with
        return OwnModel(contents, THIS)
    return OwnModel(contents, EARLIER if learned.get("source") == corpora.place(settings.data) != "" else ANOTHER)


def _hashes(kind: Kind, settings: TaskSettings) -> set[str]:
    """Return the SHA-256 that the text of ``--data`` may have."""
    known = corpora.hashes(settings.data, kind.corpus)
    return known or {corpora.read(settings.data, kind.corpus, settings.column).sha256}


@dataclass(frozen=True)
class Answering:
    """The model to generate with.

    Attributes:
        contents: of its file.
        run: the unfinished run that its weights come from; None for those of the file.
    """

    contents: store.Contents
    run: Run | None = None

    def load(self, settings: TaskSettings):
        """Return its `TrainedGenerator`; of a run, with the best weights so far, also while it trains.

        One line on standard error says which it is.
        """
        where, arrays = str(self.contents.path), None
        if self.run:
            arrays, step = checkpoints.weights(self.run.folder)
            where = f"the unfinished {self.run.folder} at step {step:,}"
        console.note(f"generating with {where}", settings.quiet)

        from kerasgen.modelfile import loader

        generator = loader.load(self.contents, device=settings.place)
        if arrays:
            loader.assign(generator.model, arrays, self.contents.path.parent)
        return generator


def answering(kind: Kind, settings: TaskSettings, own: OwnModel | None) -> Answering:
    """Return the model to generate with: that of ``--model``, else the user's own of that ``--data``, else ours.

    Args:
        kind: of the model.
        settings: those of the command.
        own: from `own_model`.

    Raises:
        MissingFileError: the file is not there, or the user's own text has no model yet.
        BadInputError: the model of that name learned another text, or is of another kind.
    """
    given = " ".join(corpora.each(settings.data))
    is_known = bool(corpora.hashes(settings.data, kind.corpus))
    run = runs.named(settings.model, settings.save_dir) if settings.model else None
    if settings.model:
        contents = store.read(run.model if run else Path(settings.model))
        if settings.data and contents.card.get("data", {}).get("sha256") not in _hashes(kind, settings):
            console.note(f"{contents.path} learned another text than {given}", settings.quiet)
    elif own and own.fits:
        contents = own.contents
        if own.learned == EARLIER:
            console.note(f"{given} has changed since {contents.path} learned it", settings.quiet)
    elif is_known:
        if own:
            console.note(f"{own.contents.path} learned another text than {given or kind.corpus}")
        contents = store.read(bundled(f"saved_models/{kind.command}.keras"))
    elif own:
        path = own.contents.path
        raise BadInputError(
            f"the model must have learned --data; {str(path)!r} learned another text of that name, not "
            f"{given!r}; leave --sample-only out to learn this one (the other is kept), or generate with "
            f"--model {console.quoted(str(path))} alone"
        )
    else:
        raise MissingFileError(
            f"--sample-only needs a model that has learned --data; there is none of {given!r} in "
            f"{settings.save_dir!r}; leave --sample-only out to learn it"
        )
    store.check_kind(contents, kind.name)
    return Answering(contents, run)


def as_the_model(kind: Kind[Own], settings: Own, flags: Mapping[str, Any], parent: store.Contents) -> Own:
    """Return the settings to fine-tune a model with: what belongs to a model is as its file has it.

    Args:
        kind: of the model.
        settings: those of the command.
        flags: the settings that were given.
        parent: the model.

    Raises:
        BadInputError: a flag contradicts it.
    """
    theirs = {**parent.blueprint.arguments, "case": Casing.of_card(parent.card).asked}
    names = [name for name, one in about(settings).items() if one.effect == "model" and name in theirs]
    found = resolve(kind.settings, None, {name: theirs[name] for name in names})
    for name in names:
        if name in flags and flags[name] not in (getattr(found, name), "auto"):
            raise BadInputError(
                f"{flag_of(name)} must be that of the model that is fine-tuned; {str(parent.path)!r} has "
                f"{getattr(found, name)}; received {flags[name]}; leave it out, or train a new model"
            )
    return replace(settings, **{name: getattr(found, name) for name in names})


def learned_text(kind: Kind, card: Mapping[str, Any], settings: TaskSettings) -> tuple[str, str]:
    """Return the text that a model learned, as it learned it, or as much of it as texts are compared with.

    With it, return what it is called, or where there is none, why nothing can be compared with it.

    Args:
        kind: of the model.
        card: its card.
        settings: those of the command; ``--data`` may be that text.
    """
    from kerasgen.metrics.novelty import LONGEST
    from kerasgen.text.corpus_ids import excerpt

    data = card.get("data", {})
    corpus = corpora.again(settings.data, kind.corpus, settings.column) or corpora.at_hand(data.get("name", ""))
    if corpus is None or corpus.sha256 != data.get("sha256"):
        return "", "novelty: unavailable, since the text that was learned is not on this machine"
    return excerpt(Casing.of_card(card).fold(corpus.text), LONGEST, store.text_name(card))
