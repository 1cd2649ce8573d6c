"""A model, its vocabulary and its card in one safe file: a Keras archive with two members more.

The member ``kerasgen.json`` holds the vocabulary, the card, the hashes of the names that were learned from, and the
checksums of the others; it can be read without TensorFlow. The member ``model.safetensors`` holds the weights and the
optimizer's state once more: kerasgen loads these, and plain Keras those in HDF5. Plain Keras opens the file, but
kerasgen does not ask it to: `archive`, `blueprint` and `tensors` say what a file must be, and `loader` builds the model
from that. Files of format 1 have HDF5 only; see `hdf5`.
"""

import hashlib
import json
import math
import os
import platform
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

from kerasgen.base import console
from kerasgen.base.errors import BadInputError, FailedError, KerasgenError, MissingFileError, reason
from kerasgen.base.files import ours, sha256, whole
from kerasgen.base.version import __version__
from kerasgen.metrics.novelty import KnownTexts
from kerasgen.modelfile import archive, hdf5, tensors
from kerasgen.modelfile.blueprint import UPGRADED, Blueprint, blueprint, check_content
from kerasgen.text.vocab import CharVocab

FORMAT = 2
_CHECKED = {1: (archive.CONFIG, archive.WEIGHTS), 2: (archive.CONFIG, archive.WEIGHTS, archive.TENSORS)}
_offered: set[Path] = set()


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

    @property
    def format(self) -> int:
        """The format of the file."""
        return self.card["format"]

    @cached_property
    def sha256(self) -> str:
        """The identity of what a fine-tuned model begins with: the SHA-256 of the whole file, as it was first saved."""
        if UPGRADED in self.card:
            return self.card[UPGRADED]
        with open(self.path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


def save(path: Path, model, vocab: CharVocab, card: dict[str, Any], known: KnownTexts) -> None:
    """Write a model file, whole or not at all.

    Args:
        path: ends in ``.keras``; its folder is made.
        model: the Keras model; where it is compiled, its optimizer's state is saved, too.
        vocab: its characters.
        card: what to tell of it; format and versions are added.
        known: the texts that it learned from.

    Raises:
        FailedError: it can't be written, or could not be loaded again; what stood there is untouched.
    """
    card = {key: card[key] for key in card if key != UPGRADED}
    card |= {"format": FORMAT, "kerasgen": __version__, "versions": versions()}
    content = {"vocab": list(vocab.chars), "card": card, "known": known.digits}
    optimizer = getattr(model, "optimizer", None)
    state = [variable.numpy() for variable in optimizer.variables] if optimizer else []
    with whole(path) as temporary:
        model.save(temporary)
        try:
            write(temporary, content, model.get_weights(), state)
        except archive.Refused as error:
            raise FailedError(f"{str(path)!r} is not written, as it could not be loaded again: it {error}") from None


def write(path: Path, content: dict[str, Any], weights: Sequence[Any], state: Sequence[Any]) -> None:
    """Make a model file of an archive that plain Keras has written.

    Args:
        path: the archive; the members that are kerasgen's own are added.
        content: ``vocab``, ``card`` and ``known``.
        weights: NumPy arrays in the order of the model's own list.
        state: likewise, the optimizer's.

    Raises:
        Refused: it could not be loaded again.
    """
    import numpy as np

    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as members:
        plan = blueprint(archive.parse(archive.read(members, archive.CONFIG)))
        arrays = dict(zip(plan.shapes, weights, strict=True))
        one_hot = arrays.pop(plan.one_hot or "", None)
        if one_hot is not None and (np.count_nonzero(one_hot) != len(one_hot) or (np.diagonal(one_hot) != 1).any()):
            raise archive.Refused("has other vectors for its letters than one-hot ones")
        arrays |= {f"optimizer/vars/{number}": array for number, array in enumerate(state)}
        written = members.getinfo(archive.CONFIG).date_time  # so that the same upgrade gives the same bytes
        info = zipfile.ZipInfo(archive.TENSORS, written)
        members.writestr(info, tensors.pack(arrays), zipfile.ZIP_STORED)
        checksums = {name: archive.digest(members, name) for name in _CHECKED[FORMAT]}
        content = {**content, "checksums": {**checksums, "content": _content_hash(content)}}
        text = json.dumps(content, indent=1, sort_keys=True)
        members.writestr(zipfile.ZipInfo(archive.CONTENT, written), text, zipfile.ZIP_DEFLATED)
    _arrays(_read(path))


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


def arrays(contents: Contents, *, quiet: bool = False) -> tuple[list, list]:
    """Return the weights of a file that `read` has verified, and its optimizer's state, without TensorFlow.

    Args:
        contents: from `read`.
        quiet: do not say, once a file, that one of format 1 can be upgraded.

    Returns:
        Two lists of NumPy arrays, in the order of the model's and of the optimizer's own lists.

    Raises:
        BadInputError: they are damaged, or not those of the model that the file describes.
    """
    found = _or_refuse(contents.path, lambda: _arrays(contents))
    if contents.format < FORMAT and not quiet and contents.path not in _offered:
        _offered.add(contents.path)
        command = f"{console.program('inspect')} --upgrade {console.quoted(str(contents.path))}"
        console.note(f"{contents.path} is of format {contents.format}, which loads slower; to upgrade it: {command}")
    return found


def own_path(save_dir: str | Path, corpus: str) -> Path:
    """Return where the user's own model of a corpus is saved."""
    return Path(save_dir) / f"my-{corpus}.keras"


def own(save_dir: str, names: list[str]) -> Path | None:
    """Return the user's own model of the first of these corpora that has one, or None."""
    paths = [own_path(save_dir, name) for name in names]
    return next((path for path in paths if os.path.exists(path)), None)


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
        raise BadInputError(f"{str(path)!r} {error!s:.500}") from None  # names in the file may be long
    except KerasgenError:
        raise
    except Exception as error:  # zipfile raises many kinds; each means that the file is not what we wrote
        raise BadInputError(f"{str(path)!r} is damaged or no .keras file of kerasgen: {reason(error):.200}") from None


def _read(path: Path) -> Contents:
    with archive.opened(path) as members:
        sizes = {info.filename: info.file_size for info in members.infolist()}
        if archive.CONTENT not in sizes:
            raise archive.Refused(f"is an archive, but no model of kerasgen: it has no {archive.CONTENT}")
        content = archive.parse(archive.read(members, archive.CONTENT))
        card = content["card"]
        archive.check_card(card)
        number = card["format"]
        if type(number) is int and number > FORMAT:
            made = card.get("kerasgen")
            raise archive.Refused(
                f"is in format {number} of a later kerasgen ({made!r:.40}); this is {__version__}: upgrade"
            )
        if type(number) is not int or number not in _CHECKED:
            raise archive.Refused(f"is in format {number!r:.60}, which kerasgen never writes")
        archive.check_names(members, {archive.CONTENT, archive.METADATA, *_CHECKED[number]})
        found = {name: archive.digest(members, name) for name in _CHECKED[number]}
        found["content"] = _content_hash(content)
        if content["checksums"] != found:
            damaged = [name for name in found if content["checksums"].get(name) != found[name]]
            raise archive.Refused(f"is damaged: the checksum of {' and '.join(damaged)} is not the noted one")
        plan = blueprint(archive.parse(archive.read(members, archive.CONFIG)))
    vocab, known = check_content(content), content["known"]
    if (plan.kind, plan.arguments["vocab_size"]) != (card["kind"], len(vocab)):
        raise archive.Refused(
            f"says on its card that it is a model of {card['kind']} of {len(vocab)} characters, and holds one of "
            f"{plan.kind} of {plan.arguments['vocab_size']}"
        )
    texts = KnownTexts.of_digits(known)
    return Contents(path, vocab, card, texts, plan, sizes, found)


def _arrays(contents: Contents) -> tuple[list, list]:
    member = archive.TENSORS if contents.format > 1 else archive.WEIGHTS
    with archive.opened(contents.path) as members:
        data, place = archive.read(members, member), archive.place(members, member)
    if sha256(data) != contents.checksums[member]:
        raise archive.Refused("has changed since it was opened")
    shapes, dtype = contents.blueprint.shapes, contents.blueprint.dtype
    if contents.format == 1:
        return hdf5.arrays(contents.path, place, data, shapes, dtype)
    import numpy as np

    total = sum(math.prod(shape) for shape in shapes.values()) * np.dtype(dtype).itemsize
    size = contents.sizes[archive.WEIGHTS]
    if total > size:  # with one-hot vectors, which are in HDF5 only, as they are known
        raise archive.Refused(f"has {size} bytes of {archive.WEIGHTS} for {total} bytes of weights")
    one_hot = {
        name: np.eye(shape[0], dtype=dtype) for name, shape in shapes.items() if name == contents.blueprint.one_hot
    }
    weights, state = tensors.arrays(data, {name: shapes[name] for name in shapes if name not in one_hot}, dtype)
    return [*one_hot.values(), *weights], state


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
    counted += f" from all over {scores['of']:,}" if "of" in scores else ""
    in_sample = scores["part"] == "in sample"  # n-grams that are scored on what they counted are no measure
    where = f" in {scores['ngrams_of']:,} of the others" if "ngrams_of" in scores else ""
    ngrams = "" if in_sample else f"; counting n-grams{where}: {scores['ngram_bits_per_char']:.4f}"
    return f"{scores['part']}{counted}: {scores['bits_per_char']:.4f} bits/char{ngrams}"


def versions() -> dict[str, str]:
    """Return the versions of Python and of what models are made with."""
    packages = {name: version(name) for name in ("tensorflow", "keras", "numpy")}
    return {"python": platform.python_version(), **packages}
