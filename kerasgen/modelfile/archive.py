"""What a model file must be before anything of it is used: a file of unknown origin gets no further than this module.

Whoever makes a file can make its checksums, too. So the structure itself is held against what kerasgen writes: four
plain members, JSON without surprises, HDF5 that is nothing but groups and plain arrays. No name in the file is ever
followed, nothing is unpacked to a disk, nothing here needs TensorFlow. The weights take no more memory than the file's
own size accounts for, all else at most 400 MB.
"""

import contextlib
import hashlib
import io
import json
import math
import stat
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CONTENT, CONFIG, WEIGHTS = "kerasgen.json", "config.json", "model.weights.h5"
MEMBERS = {CONTENT, CONFIG, WEIGHTS, "metadata.json"}
_LARGEST_FILE = 2**31 - 1  # bytes; archives beyond have a second directory, which is neither written nor read here
_LARGEST_CONTENT = 32 * 1024 * 1024  # bytes, unpacked: the hashes of two million texts
_LARGEST_CONFIG = 1024 * 1024  # bytes; ours have 6,000
_MOST_VALUES = 2_000_000  # in a JSON text; each takes up to 100 bytes of memory
_DIRECTORY = 4096  # bytes of the archive's list of members; ours take 300
_OBJECTS = 500  # groups and arrays of an HDF5 file; ours have 50
_FRAMEWORK = 256 * 1024  # bytes of an HDF5 file that are no numbers; ours have 40,000


class Refused(Exception):
    """What is wrong with a file, in words that go on from its name."""


@contextlib.contextmanager
def opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open an archive whose members are plain: few, apart from each other, of bounded size, never encrypted or linked.

    Raises:
        Refused: it is no such file.
    """
    if path.suffix != ".keras" or not path.is_file():  # a folder, a pipe, an .h5 file
        raise Refused("is no .keras file")
    size = path.stat().st_size
    if size > _LARGEST_FILE:
        raise Refused(f"has {size} bytes; a model file has at most {_LARGEST_FILE}")
    with open(path, "rb") as file:
        file.seek(max(0, size - 42))
        tail = file.read()
        # The list of the members ends the file. Before its end stands none of the second kind, for large archives, as
        # zipfile would take that one instead, whatever its length.
        length, start = struct.unpack("<LL", tail[-10:-2]) if tail[-22:-18] == b"PK\5\6" else (-1, -1)
        if start + length + 22 != size or b"PK\6\7" in tail:
            raise Refused("is damaged or no .keras file of kerasgen: it does not end like one")
        if length > _DIRECTORY:
            raise Refused("has members that kerasgen never writes: their list alone is longer than ours")
        with zipfile.ZipFile(file) as members:
            _check_members(members, start)
            yield members


def _check_members(members: zipfile.ZipFile, end: int) -> None:
    infos = sorted(members.infolist(), key=lambda info: info.header_offset)
    names = [info.filename for info in infos]
    if len(set(names)) < len(names):
        raise Refused(f"has a member twice: {sorted(names)!r:.200}")
    ends = [*(info.header_offset for info in infos[1:]), end]
    for info, following in zip(infos, ends, strict=False):
        name = f"{info.filename!r:.100}"
        packed = info.compress_type == zipfile.ZIP_DEFLATED and info.filename == CONTENT
        stored = info.compress_type == zipfile.ZIP_STORED and info.compress_size == info.file_size
        if info.flag_bits or not (packed or stored) or stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG):
            raise Refused(f"has the member {name} encrypted, packed or linked as kerasgen never does")
        largest = {WEIGHTS: _LARGEST_FILE, CONTENT: _LARGEST_CONTENT}.get(info.filename, _LARGEST_CONFIG)
        if info.file_size > largest:
            raise Refused(f"has the member {name} of {info.file_size} bytes, more than any of ours")
        if info.header_offset + 30 + len(info.filename) + info.compress_size > following:
            raise Refused(f"has the member {name} inside of another")


def check_names(members: zipfile.ZipFile) -> None:
    """Refuse an archive of other members than ours.

    Raises:
        Refused: one is missing, or one is too many.
    """
    names = set(members.namelist())
    if missing := MEMBERS - names:
        raise Refused(f"is damaged: it has no {' and no '.join(sorted(missing))}")
    if names > MEMBERS:
        raise Refused(f"has members that kerasgen never writes: {sorted(names - MEMBERS)!r:.200}")


def read(members: zipfile.ZipFile, name: str) -> bytes:
    """Read a member, never more than its noted size, whatever is packed into it."""
    info = members.getinfo(name)
    with members.open(info) as member:
        return member.read(info.file_size + 1)  # without a number, zipfile would unpack first and count then


def digest(members: zipfile.ZipFile, name: str) -> str:
    """Return the SHA-256 of a member in hexadecimal, without holding all of it."""
    with members.open(name) as member:
        return hashlib.file_digest(member, "sha256").hexdigest()  # type: ignore[arg-type]


def parse(data: bytes) -> dict[str, Any]:
    """Parse a JSON object: ASCII, as kerasgen and Keras write it, no key twice, not too many values.

    Raises:
        Refused: it is anything else.
    """
    if sum(data.count(sign) for sign in (b",", b"[", b"{")) > _MOST_VALUES:
        raise Refused("has more values in its JSON than any of ours")
    try:
        value = json.loads(data.decode("ascii"), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise Refused(f"is damaged: its JSON can't be read ({error!s:.200})") from None
    if not isinstance(value, dict):
        raise Refused("is damaged: its JSON is no object")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice")
    return found


def arrays(data: bytes, shapes: dict[str, tuple[int, ...]], dtype: str) -> tuple[list[Any], list[Any]]:
    """Return the weights and the optimizer's state, NumPy arrays ``<f4``, ``<f8`` or ``<i8``.

    The HDF5 library is only asked where they lie, as a hostile file could lead it to other files, to filters, and to
    memory that the file does not have; the bytes are then taken from there.

    Args:
        data: the member ``model.weights.h5``.
        shapes: the path and the shape of every weight; the arrays come in this order, then those of the optimizer.
        dtype: that of the weights.

    Raises:
        Refused: the file has anything but one plain array of finite numbers for each weight, and those of an optimizer.
    """
    import h5py
    import numpy as np

    try:
        with h5py.File(io.BytesIO(data), "r") as file:
            found = {path: _array(path, dataset, data) for path, dataset in _datasets(file)}
    except Refused:
        raise
    except Exception as error:  # h5py has one for each kind of damage
        raise Refused(f"is damaged: its {WEIGHTS} can't be read ({error!s:.200})") from None
    total = sum(array.nbytes for array in found.values())
    if not total <= len(data) <= total + _FRAMEWORK:
        raise Refused(f"has {len(data)} bytes of {WEIGHTS} for {total} bytes of weights")
    for path, shape in shapes.items():
        array = found.get(path)
        if array is None or (array.shape, array.dtype.str) != (shape, dtype):
            has = "nothing" if array is None else f"{array.dtype.str} {array.shape}"
            raise Refused(f"has {has} as its weights {path}; its {CONFIG} asks for {dtype} {shape}")
        if not np.isfinite(array).all():
            raise Refused(f"has weights {path} that are no finite numbers")
    state = [f"optimizer/vars/{number}" for number in range(len(found) - len(shapes))]
    if strange := set(found) - set(shapes) - set(state):
        raise Refused(f"has weights of no layer: {sorted(strange)!r:.200}")
    if state and (found[state[0]].shape, found[state[0]].dtype.str) != ((), "<i8"):
        raise Refused("has an optimizer that does not count its steps")
    return [found[path] for path in shapes], [found[path] for path in state]


def _datasets(file: Any) -> Iterator[tuple[str, Any]]:
    """Yield the datasets with their paths: not many, and none that lies outside of the file."""
    import h5py

    pending, objects = [("", file)], 0
    while pending:
        place, group = pending.pop()
        objects += len(group)
        if objects > _OBJECTS:  # or a group that holds itself
            raise Refused(f"has more groups in its {WEIGHTS} than any of ours")
        for name in group:
            path = place + name
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise Refused(f"has a link in its {WEIGHTS} that leads elsewhere: {path!r:.100}")
            item = group[name]
            if isinstance(item, h5py.Group):
                pending.append((f"{path}/", item))
            elif isinstance(item, h5py.Dataset):
                yield path, item
            else:
                raise Refused(f"has neither a group nor numbers in its {WEIGHTS}: {path!r:.100}")


def _array(path: str, dataset: Any, data: bytes) -> Any:
    """Return a view of a dataset that is nothing but numbers at one place in the file."""
    import h5py
    import numpy as np

    plan, dtype, shape = dataset.id.get_create_plist(), dataset.dtype, dataset.shape
    outside = plan.get_layout() != h5py.h5d.CONTIGUOUS or plan.get_nfilters() or plan.get_external_count()
    if outside or shape is None or dtype.str not in ("<f4", "<f8", "<i8"):
        raise Refused(f"has no plain numbers in its {WEIGHTS} at {path!r:.100}")
    size, offset = math.prod(shape) * dtype.itemsize, dataset.id.get_offset()
    if dataset.id.get_storage_size() != size or offset is None or not 0 <= offset <= len(data) - size:
        raise Refused(f"has no such numbers in its {WEIGHTS} as it says at {path!r:.100}: {dtype} {shape!r:.100}")
    return np.frombuffer(data, dtype, math.prod(shape), offset).reshape(shape)
