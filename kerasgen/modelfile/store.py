"""A model, its vocabulary and its card in one safe file: a Keras archive with one member more.

The member ``kerasgen.json`` holds the vocabulary, the card, the hashes of the names that were learned from, and the
checksums of the others; it can be read without TensorFlow, and plain Keras ignores it. Plain Keras opens the file, but
this room does not ask it to: `gate` and `blueprint` say what a file must be, and the model is built from that.
"""

import hashlib
import json
import os
import platform
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from kerasgen.base.errors import BadInputError, FailedError, MissingFileError, reason
from kerasgen.base.files import ours, sha256, whole
from kerasgen.base.version import __version__
from kerasgen.modelfile import archive as gate
from kerasgen.modelfile.blueprint import HASH, Blueprint, blueprint, check_content
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
    known: frozenset[str]
    blueprint: Blueprint
    sizes: dict[str, int]
    checksums: dict[str, str]

    def is_known(self, text: str) -> bool:
        """Tell whether the model learned from this text, by its hash."""
        return _fingerprint(text) in self.known


def save(
    path: Path, model, vocab: CharVocab, card: dict[str, Any], known: list[str], *, optimizer: bool = True
) -> None:
    """Write a model file, whole or not at all.

    Args:
        path: ends in ``.keras``; its folder is made.
        model: the Keras model.
        vocab: its characters.
        card: what to tell of it; format and versions are added.
        known: the texts that it learned from, kept as hashes.
        optimizer: save the optimizer's state, too.

    Raises:
        FailedError: it can't be written, or could not be loaded again; what stood there is untouched.
    """
    card = {"format": FORMAT, "kerasgen": __version__, **card, "versions": versions()}
    hashes = sorted({_fingerprint(text) for text in known})
    with whole(path) as temporary:
        if not optimizer:
            weights, model = model.get_weights(), model.__class__.from_config(model.get_config())
            model.set_weights(weights)
        model.save(temporary)
        with zipfile.ZipFile(temporary, "a", zipfile.ZIP_DEFLATED) as archive:
            checksums = {name: gate.digest(archive, name) for name in (gate.CONFIG, gate.WEIGHTS)}
            content = {"vocab": list(vocab.chars), "card": card, "known": "".join(hashes)}
            content["checksums"] = {**checksums, "content": _content_hash(content)}
            archive.writestr(gate.CONTENT, json.dumps(content, indent=1, sort_keys=True))
        try:
            _arrays(_read(temporary))
        except gate.Refused as error:
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


def own(save_dir: str, names: list[str]) -> Path | None:
    """Return the user's own model of the first of these corpora that has one, or None."""
    paths = [Path(save_dir) / f"my-{name}.keras" for name in names]
    return next((path for path in paths if path.exists()), None)


def check_kind(contents: Contents, kind: str) -> None:
    """Refuse a model of the other kind, to generate with or to write over.

    Raises:
        BadInputError: the model is not of this kind (``"names"`` or ``"prose"``).
    """
    found = contents.card.get("kind")
    if found != kind:
        command = {"names": "dino", "prose": "shakespeare"}.get(str(found), "...")
        raise BadInputError(
            f"a model of {kind} is needed here; {str(contents.path)!r} is one of {found}, for python -m "
            f"kerasgen.{command}; name another --model or --save-dir"
        )


def load(contents: Contents, *, compile: bool = False):
    """Build the model of a file that `read` has verified.

    Args:
        contents: from `read`.
        compile: with its optimizer, where the file has one.

    Raises:
        BadInputError: its weights are damaged or not those of the model.
    """
    weights, state = arrays(contents)

    from kerasgen.models.backend import keras
    from kerasgen.models.names import NameRNN, nats_per_name
    from kerasgen.models.prose import stacked_lstm

    plan = contents.blueprint
    try:
        model = {"names": NameRNN, "prose": stacked_lstm}[plan.kind](**plan.arguments)
        model.set_weights(weights)
        if compile and plan.optimizer:
            optimizer = _call(keras.optimizers, plan.optimizer)
            if len(state) > len(optimizer.variables):  # else it never made a step
                optimizer.build(model.trainable_variables)
            for variable, value in zip(optimizer.variables, state, strict=True):
                variable.assign(value)
            prose_loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
            loss = nats_per_name if plan.kind == "names" else prose_loss
            model.compile(optimizer=optimizer, loss=loss, auto_scale_loss=False)
        return model
    except Exception as error:  # Keras and TensorFlow raise many kinds
        raise BadInputError(f"{str(contents.path)!r} holds no model that can be built: {reason(error)}") from error


def _call(module, call: tuple[str, dict[str, Any]]):
    """Make an optimizer with its schedule."""
    name, arguments = call
    rate = arguments.get("learning_rate")
    if isinstance(rate, tuple):
        arguments = {**arguments, "learning_rate": _call(module.schedules, rate)}
    return getattr(module, name)(**arguments)


def _or_refuse(path: Path, work: Callable[[], Any]) -> Any:
    try:
        return work()
    except gate.Refused as error:
        raise BadInputError(f"{str(path)!r} {error}") from None
    except Exception as error:  # zipfile raises many kinds; each means that the file is not what we wrote
        raise BadInputError(f"{str(path)!r} is damaged or no .keras file of kerasgen: {reason(error)}") from None


def _read(path: Path) -> Contents:
    with gate.archive(path) as archive:
        sizes = {info.filename: info.file_size for info in archive.infolist()}
        if gate.CONTENT not in sizes:
            raise gate.Refused(f"is an archive, but no model of kerasgen: it has no {gate.CONTENT}")
        content = gate.parse(gate.read(archive, gate.CONTENT))
        if content["card"]["format"] > FORMAT:
            made = content["card"].get("kerasgen")
            raise gate.Refused(f"was made by a later kerasgen ({made!r:.40}); this is {__version__}: upgrade")
        gate.check_names(archive)
        found = {name: gate.digest(archive, name) for name in (gate.CONFIG, gate.WEIGHTS)}
        found["content"] = _content_hash(content)
        if content["checksums"] != found:
            damaged = [name for name in found if content["checksums"].get(name) != found[name]]
            raise gate.Refused(f"is damaged: the checksum of {' and '.join(damaged)} is not the noted one")
        plan = blueprint(gate.parse(gate.read(archive, gate.CONFIG)))
    vocab, card, known = check_content(content), content["card"], content["known"]
    if (plan.kind, plan.arguments["vocab_size"]) != (card["kind"], len(vocab)):
        raise gate.Refused(
            f"says on its card that it is a model of {card['kind']} of {len(vocab)} characters, and holds one of "
            f"{plan.kind} of {plan.arguments['vocab_size']}"
        )
    hashes = frozenset(known[i : i + HASH] for i in range(0, len(known), HASH))
    return Contents(path, vocab, card, hashes, plan, sizes, found)


def _arrays(contents: Contents) -> tuple[list, list]:
    with gate.archive(contents.path) as archive:
        data = gate.read(archive, gate.WEIGHTS)
    if sha256(data) != contents.checksums[gate.WEIGHTS]:
        raise gate.Refused("has changed since it was opened")
    return gate.arrays(data, contents.blueprint.shapes, contents.blueprint.dtype)


def _content_hash(content: dict[str, Any]) -> str:
    signed = {key: content[key] for key in ("vocab", "card", "known")}
    return sha256(json.dumps(signed, sort_keys=True).encode())


def _fingerprint(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:HASH]


def versions() -> dict[str, str]:
    """Return the versions of Python and of what models are made with."""
    packages = {name: version(name) for name in ("tensorflow", "keras", "numpy")}
    return {"python": platform.python_version(), **packages}
