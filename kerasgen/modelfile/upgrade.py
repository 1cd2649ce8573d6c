"""A file of format 1, made one of format 2: the same weights, the same card; without TensorFlow."""

import os
import zipfile
from pathlib import Path

from kerasgen.base.errors import FailedError
from kerasgen.base.files import ours, sha256, whole
from kerasgen.modelfile import archive, store
from kerasgen.modelfile.blueprint import UPGRADED


def upgrade(path: Path) -> bool:
    """Write a model file anew in the format of today, in its own place, whole or not at all.

    The members that plain Keras reads stay as they are, byte by byte; the card then says the new format, and which
    file it was, so that a training that began with it can be resumed.

    Args:
        path: the file.

    Returns:
        Whether it was of an older format.

    Raises:
        MissingFileError: there is no such file.
        BadInputError: it is no model file of kerasgen, or damaged.
        FailedError: it can't be written; it is as it was.
    """
    contents = store.read(ours(path))
    weights, state = store.arrays(contents, quiet=True)
    if contents.format == store.FORMAT:
        return False
    content = {
        "vocab": list(contents.vocab.chars),
        "card": {**contents.card, "format": store.FORMAT, UPGRADED: contents.sha256},
        "known": contents.known.digits,
    }
    target = Path(os.path.realpath(contents.path))
    mode = target.stat().st_mode
    with whole(target) as temporary:
        try:
            _copy(contents, temporary)
            store.write(temporary, content, weights, state)
        except archive.Refused as error:
            raise FailedError(f"{str(path)!r} is not upgraded and stays as it is: it {error}") from None
    os.chmod(target, mode)
    return True


def _copy(contents: store.Contents, path: Path) -> None:
    """Copy the members that plain Keras reads."""
    with archive.opened(contents.path) as old, zipfile.ZipFile(path, "w") as new:
        for name in (archive.METADATA, archive.CONFIG, archive.WEIGHTS):
            data, before = archive.read(old, name), old.getinfo(name)
            if sha256(data) != contents.checksums.get(name, sha256(data)):
                raise archive.Refused("has changed since it was opened")
            info = zipfile.ZipInfo(name, before.date_time)
            info.external_attr = before.external_attr
            new.writestr(info, data, zipfile.ZIP_STORED)
