"""A model, its vocabulary and its card in one safe file: a Keras archive with one member more.

The member ``kerasgen.json`` holds the vocabulary, the card, the hashes of the names that were learned from, and the
checksums of the others; it can be read without TensorFlow, and plain Keras ignores it.
"""

import hashlib
import json
import platform
import zipfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from kerasgen import __version__
from kerasgen.errors import BadInputError, KerasgenError, MissingFileError, reason
from kerasgen.files import sha256, whole
from kerasgen.vocab import CharVocab

FORMAT = 1
_MEMBER = "kerasgen.json"
_KERAS_MEMBERS = ("config.json", "model.weights.h5")
_LARGEST = 256 * 1024 * 1024  # bytes of a member, unpacked
_CLASSES = {
    "NameRNN", "Sequential", "InputLayer", "Embedding", "LSTM", "Dropout", "Dense", "DTypePolicy", "GlorotUniform",
    "Orthogonal", "Identity", "Zeros", "L2", "SGD", "AdamW", "CosineDecay", "PolynomialDecay",
    "SparseCategoricalCrossentropy", "function",
}  # fmt: skip
_FUNCTIONS = {"kerasgen>nats_per_name"}
_HASH = 16  # hexadecimal digits of a known text's hash: one false hit in 10^16 texts


@dataclass(frozen=True)
class Contents:
    """What a model file says of itself.

    Attributes:
        path: where it lies.
        vocab: the characters.
        card: format, kind, config, data, versions, scores: what a person wants to know.
        known: the hashes of the texts that were learned from.
    """

    path: Path
    vocab: CharVocab
    card: dict[str, Any]
    known: frozenset[str]

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
        FailedError: it can't be written; what stood there is untouched.
    """
    card = {"format": FORMAT, "kerasgen": __version__, **card, "versions": _versions()}
    hashes = sorted({_fingerprint(text) for text in known})
    with whole(path) as temporary:
        if not optimizer:
            weights, model = model.get_weights(), model.__class__.from_config(model.get_config())
            model.set_weights(weights)
        model.save(temporary)
        with zipfile.ZipFile(temporary, "a", zipfile.ZIP_DEFLATED) as archive:
            checksums = {name: sha256(archive.read(name)) for name in _KERAS_MEMBERS}
            content = {"vocab": list(vocab.chars), "card": card, "known": "".join(hashes)}
            content["checksums"] = {**checksums, "content": _content_hash(content)}
            archive.writestr(_MEMBER, json.dumps(content, indent=1, sort_keys=True))


def read(path: Path) -> Contents:
    """Read what a model file says of itself, and verify all of it, without TensorFlow.

    Raises:
        MissingFileError: there is no such file.
        BadInputError: it is no model file of kerasgen, damaged, or made by a later version.
    """
    if not path.exists():
        raise MissingFileError(f"a model must be a .keras file of kerasgen; there is no {str(path)!r}")
    try:
        with zipfile.ZipFile(path) as archive:
            sizes = {info.filename: info.file_size for info in archive.infolist()}
            if _MEMBER not in sizes:
                raise BadInputError(f"{str(path)!r} is a Keras file, but not one of kerasgen: it has no {_MEMBER}")
            if set(sizes) - {*_KERAS_MEMBERS, _MEMBER, "metadata.json"} or len(sizes) != len(archive.infolist()):
                raise BadInputError(f"{str(path)!r} has members that kerasgen never writes: {sorted(sizes)!r:.200}")
            if max(sizes.values()) > _LARGEST:
                raise BadInputError(f"{str(path)!r} has a member of over {_LARGEST} bytes, more than any model here")
            content = json.loads(archive.read(_MEMBER))
            found = {name: sha256(archive.read(name)) for name in _KERAS_MEMBERS}
            config = json.loads(archive.read("config.json"))
        if content["card"]["format"] > FORMAT:
            made = content["card"].get("kerasgen")
            raise BadInputError(f"{str(path)!r} was made by a later kerasgen ({made}); this is {__version__}: upgrade")
        found["content"] = _content_hash(content)
        if content["checksums"] != found:
            damaged = [name for name in found if content["checksums"].get(name) != found[name]]
            raise BadInputError(
                f"{str(path)!r} is damaged: the checksum of {' and '.join(damaged)} is not the noted one"
            )
        _only_ours(path, config)
        known = content["known"]
        hashes = frozenset(known[i : i + _HASH] for i in range(0, len(known), _HASH))
        return Contents(path, CharVocab(content["vocab"]), content["card"], hashes)
    except KerasgenError:
        raise
    except Exception as error:  # zipfile and json raise many kinds; each means that the file is not what we wrote
        raise BadInputError(f"{str(path)!r} is damaged or no .keras file of kerasgen: {reason(error)}") from None


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
        BadInputError: Keras can't build it.
    """
    from kerasgen import models  # noqa: F401  (registers the classes)
    from kerasgen.backend import keras

    try:
        return keras.saving.load_model(contents.path, compile=compile, safe_mode=True)
    except Exception as error:
        raise BadInputError(f"{str(contents.path)!r} holds no model that can be built: {reason(error)}") from error


def _only_ours(path: Path, config: Any) -> None:
    """Refuse a configuration that names any class or function but those that kerasgen writes."""
    pending = [config]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            if "class_name" in item and item["class_name"] not in _CLASSES:
                raise BadInputError(f"{str(path)!r} asks for {item['class_name']!r}, which kerasgen never writes")
            if item.get("class_name") == "function" and item.get("config") not in _FUNCTIONS:
                raise BadInputError(f"{str(path)!r} asks for a function that kerasgen never writes")
            pending += item.values()
        elif isinstance(item, list):
            pending += item


def _content_hash(content: dict[str, Any]) -> str:
    signed = {key: content[key] for key in ("vocab", "card", "known")}
    return sha256(json.dumps(signed, sort_keys=True).encode())


def _fingerprint(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH]


def _versions() -> dict[str, str]:
    packages = {name: version(name) for name in ("tensorflow", "keras", "numpy")}
    return {"python": platform.python_version(), **packages}
