"""A model, its vocabulary and its card in one safe file: a Keras archive with one member more.

The member ``kerasgen.json`` holds the vocabulary, the card, the hashes of the names that were learned from, and the
checksums of the others; it can be read without TensorFlow, and plain Keras ignores it. Plain Keras opens the file, but
kerasgen does not ask it to: `archive` and `blueprint` say what a file must be, and `loader` builds the model from that.
"""

import hashlib
import json
import os
import platform
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

from kerasgen.base.errors import BadInputError, FailedError, MissingFileError, reason
from kerasgen.base.files import ours, sha256, whole
from kerasgen.base.version import __version__
from kerasgen.metrics.novelty import DIGITS, KnownTexts
from kerasgen.modelfile import archive
from kerasgen.modelfile.blueprint import Blueprint, blueprint, check_content
from kerasgen.text.vocab import CharVocab

FORMAT = 1


@dataclass(frozen=True)
class Contents:
    """What a model file says of itself.

    Attributes:
        path: where it lies.
        vocab: the characters.
        card: format, kind, config, data, versions, scores: what a person wants to know.
        known: the hashes of the texts that were learned from.
        blueprint: what the model is built from.
        sizes: the bytes of each member, unpacked.
        checksums: the SHA-256 of each member that has one noted, and of the content of this one.
    """

    path: Path
    vocab: CharVocab
    card: dict[str, Any]
    known: KnownTexts
    blueprint: Blueprint
    sizes: dict[str, int]
    checksums: dict[str, str]

    def is_of(self, kind: str) -> bool:
        """Tell whether it is a model of ``"names"`` or of ``"prose"``."""
        return self.blueprint.kind == kind

    @cached_property
    def sha256(self) -> str:
        """The SHA-256 of the whole file: the identity of what a fine-tuned model begins with."""
        with open(self.path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


def save(
    path: Path, model, vocab: CharVocab, card: dict[str, Any], known: KnownTexts, *, optimizer: bool = True
) -> None:
    """Write a model file, whole or not at all.

    Args:
        path: ends in ``.keras``; its folder is made.
        model: the Keras model.
        vocab: its characters.
        card: what to tell of it; format and versions are added.
        known: the texts that it learned from.
        optimizer: save the optimizer's state, too.

    Raises:
        FailedError: it can't be written, or could not be loaded again; what stood there is untouched.
    """
    card = {**card, "format": FORMAT, "kerasgen": __version__, "versions": versions()}
    with whole(path) as temporary:
        if not optimizer:
            weights, model = model.get_weights(), model.__class__.from_config(model.get_config())
            model.set_weights(weights)
        model.save(temporary)
        with zipfile.ZipFile(temporary, "a", zipfile.ZIP_DEFLATED) as members:
            checksums = {name: archive.digest(members, name) for name in (archive.CONFIG, archive.WEIGHTS)}
            content = {"vocab": list(vocab.chars), "card": card, "known": "".join(sorted(known.hashes))}
            content["checksums"] = {**checksums, "content": _content_hash(content)}
            members.writestr(archive.CONTENT, json.dumps(content, indent=1, sort_keys=True))
        try:
            _arrays(_read(temporary))
        except archive.Refused as error:
            raise FailedError(f"{str(path)!r} is not written, as it could not be loaded again: it {error}") from None


def read(path: Path) -> Contents:
    """Read what a model file says of itself, and verify it and its checksums, without TensorFlow.

    Raises:
        MissingFileError: there is no such file.
        BadInputError: it is no model file of kerasgen, damaged, or made by a later version.
    """
    path = ours(path)
    if not os.path.exists(path):
        raise MissingFileError(f"a model must be a .keras file of kerasgen; there is no {str(path)!r}")
    return _or_refuse(path, lambda: _read(path))


def arrays(contents: Contents) -> tuple[list, list]:
    """Return the weights of a file that `read` has verified, and its optimizer's state, without TensorFlow.

    Returns:
        Two lists of NumPy arrays, in the order of the model's and of the optimizer's own lists.

    Raises:
        BadInputError: they are damaged, or not those of the model that the file describes.
    """
    return _or_refuse(contents.path, lambda: _arrays(contents))


def own_path(save_dir: str | Path, corpus: str) -> Path:
    """Return where the user's own model of a corpus is saved."""
    return Path(save_dir) / f"my-{corpus}.keras"


def own(save_dir: str, names: list[str]) -> Path | None:
    """Return the user's own model of the first of these corpora that has one, or None."""
    paths = [own_path(save_dir, name) for name in names]
    return next((path for path in paths if path.exists()), None)


def check_kind(contents: Contents, kind: str) -> None:
    """Refuse a model of the other kind, to generate with or to write over.

    Raises:
        BadInputError: the model is not of this kind (``"names"`` or ``"prose"``).
    """
    if not contents.is_of(kind):
        found = contents.blueprint.kind
        command = {"names": "dino", "prose": "shakespeare"}[found]
        raise BadInputError(
            f"a model of {kind} is needed here; {str(contents.path)!r} is one of {found}, for python -m "
            f"kerasgen.{command}; name another --model or --save-dir"
        )


def _or_refuse(path: Path, work: Callable[[], Any]) -> Any:
    try:
        return work()
    except archive.Refused as error:
        raise BadInputError(f"{str(path)!r} {error}") from None
    except Exception as error:  # zipfile raises many kinds; each means that the file is not what we wrote
        raise BadInputError(f"{str(path)!r} is damaged or no .keras file of kerasgen: {reason(error)}") from None


def _read(path: Path) -> Contents:
    with archive.opened(path) as members:
        sizes = {info.filename: info.file_size for info in members.infolist()}
        if archive.CONTENT not in sizes:
            raise archive.Refused(f"is an archive, but no model of kerasgen: it has no {archive.CONTENT}")
        content = archive.parse(archive.read(members, archive.CONTENT))
        if content["card"]["format"] > FORMAT:
            made = content["card"].get("kerasgen")
            raise archive.Refused(f"was made by a later kerasgen ({made!r:.40}); this is {__version__}: upgrade")
        archive.check_names(members)
        found = {name: archive.digest(members, name) for name in (archive.CONFIG, archive.WEIGHTS)}
        found["content"] = _content_hash(content)
        if content["checksums"] != found:
            damaged = [name for name in found if content["checksums"].get(name) != found[name]]
            raise archive.Refused(f"is damaged: the checksum of {' and '.join(damaged)} is not the noted one")
        plan = blueprint(archive.parse(archive.read(members, archive.CONFIG)))
    vocab, card, known = check_content(content), content["card"], content["known"]
    if (plan.kind, plan.arguments["vocab_size"]) != (card["kind"], len(vocab)):
        raise archive.Refused(
            f"says on its card that it is a model of {card['kind']} of {len(vocab)} characters, and holds one of "
            f"{plan.kind} of {plan.arguments['vocab_size']}"
        )
    texts = KnownTexts(known[i : i + DIGITS] for i in range(0, len(known), DIGITS))
    return Contents(path, vocab, card, texts, plan, sizes, found)


def _arrays(contents: Contents) -> tuple[list, list]:
    with archive.opened(contents.path) as members:
        data = archive.read(members, archive.WEIGHTS)
    if sha256(data) != contents.checksums[archive.WEIGHTS]:
        raise archive.Refused("has changed since it was opened")
    return archive.arrays(data, contents.blueprint.shapes, contents.blueprint.dtype)


def _content_hash(content: dict[str, Any]) -> str:
    signed = {key: content[key] for key in ("vocab", "card", "known")}
    return sha256(json.dumps(signed, sort_keys=True).encode())


def text_name(card: Mapping[str, Any]) -> str:
    """Return what a card calls the text that was learned; in a foreign file that may be anything."""
    return card.get("data", {}).get("name") or "a text that it does not name"


def score_sentence(card: dict[str, Any]) -> str:
    """Say what a model is worth in bits a character, by its card; ``"none"`` where nothing was measured."""
    scores = card.get("scores")
    if not scores:
        return "none"
    counted = next((f", {scores[unit]:,} {unit}" for unit in ("names", "characters") if unit in scores), "")
    in_sample = scores["part"] == "in sample"  # n-grams that are scored on what they counted are no measure
    ngrams = "" if in_sample else f"; counting n-grams: {scores['ngram_bits_per_char']:.4f}"
    return f"{scores['part']}{counted}: {scores['bits_per_char']:.4f} bits/char{ngrams}"


def versions() -> dict[str, str]:
    """Return the versions of Python and of what models are made with."""
    packages = {name: version(name) for name in ("tensorflow", "keras", "numpy")}
    return {"python": platform.python_version(), **packages}
