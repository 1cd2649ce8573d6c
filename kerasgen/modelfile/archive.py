"""What a model file must be before anything of it is used: a file of unknown origin gets no further than this module.

Whoever makes a file can make its checksums, too. So the structure itself is held against what kerasgen writes: a few
plain members, JSON without surprises. No name in the file is ever followed, nothing is unpacked to a disk, nothing
here needs TensorFlow. `tensors` and `hdf5` say what its arrays must be.
"""

import contextlib
import hashlib
import json
import stat
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CONTENT, CONFIG, WEIGHTS, TENSORS = "kerasgen.json", "config.json", "model.weights.h5", "model.safetensors"
METADATA = "metadata.json"
_LARGEST_FILE = 2**31 - 1  # bytes; archives beyond have a second directory, which is neither written nor read here
_LARGEST_CONTENT = 128 * 1024 * 1024  # bytes, unpacked: the hashes of eight million texts
_SMALL_CONTENT = 32 * 1024 * 1024  # of more, most are hashes, which can't be packed into much less than half
_PACKED = 3  # times that they are larger unpacked, at the most
_LARGEST_CONFIG = 1024 * 1024  # bytes; ours have 6,000
_LARGEST_MEMBERS = {WEIGHTS: _LARGEST_FILE, TENSORS: _LARGEST_FILE, CONTENT: _LARGEST_CONTENT}
_MOST_VALUES = 2_000_000  # in a JSON text; each takes up to 100 bytes of memory
_DIRECTORY = 4096  # bytes of the archive's list of members; ours take 300
_LONGEST_STRING = 10_000  # characters of a card's string, as long as all of the card is shown
_LONGEST_CARD = 1_000_000  # of all its strings; ours has 1,000
_DEEPEST = 20  # lists and objects in each other on a card; ours has two
_MOST_ON_A_CARD = 10_000  # values; ours has 60


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
        largest = _LARGEST_MEMBERS.get(info.filename, _LARGEST_CONFIG)
        if packed:
            largest = min(largest, max(_SMALL_CONTENT, _PACKED * info.compress_size))
        if info.file_size > largest:
            raise Refused(f"has the member {name} of {info.file_size} bytes, more than any of ours")
        if info.header_offset + 30 + len(info.filename) + info.compress_size > following:
            raise Refused(f"has the member {name} inside of another")


def check_names(members: zipfile.ZipFile, expected: set[str]) -> None:
    """Refuse an archive of other members than the expected ones.

    Raises:
        Refused: one is missing, or one is too many.
    """
    names = set(members.namelist())
    if missing := expected - names:
        raise Refused(f"is damaged: it has no {' and no '.join(sorted(missing))}")
    if names > expected:
        raise Refused(f"has members that kerasgen never writes: {sorted(names - expected)!r:.200}")


def place(members: zipfile.ZipFile, name: str) -> tuple[int, int]:
    """Return where the bytes of a stored member begin in the file, and how many there are."""
    info, file = members.getinfo(name), members.fp
    assert file is not None
    file.seek(info.header_offset + 26)
    lengths = struct.unpack("<HH", file.read(4))  # of the name and of what may follow it
    return info.header_offset + 30 + sum(lengths), info.file_size


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


def check_card(card: Any) -> None:
    """Refuse a card that is too large to be shown.

    Raises:
        Refused: it has a long string, too many values, or lists too deep in each other.
    """
    level, count, letters = [card], 0, 0
    for _ in range(_DEEPEST):
        inside: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                inside += [*item, *item.values()]
            elif isinstance(item, list):
                inside += item
            elif isinstance(item, str):
                letters += len(item)
                if len(item) > _LONGEST_STRING or letters > _LONGEST_CARD:
                    raise Refused(f"has {len(item):,} characters in a string of its card, more than any of ours")
        level, count = inside, count + len(inside)
        if count > _MOST_ON_A_CARD:
            raise Refused(f"has more than the {_MOST_ON_A_CARD:,} values of a card")
        if not level:
            return
    raise Refused(f"has a card of lists that are more than {_DEEPEST} deep in each other")


def check_arrays(
    found: dict[str, Any], shapes: dict[str, tuple[int, ...]], dtype: str, member: str
) -> tuple[list[Any], list[Any]]:
    """Return the weights and the optimizer's state, once they are those of the model and nothing else.

    Args:
        found: NumPy arrays by their paths.
        shapes: the path and the shape of every weight; the arrays come in this order, then those of the optimizer.
        dtype: that of the weights, as NumPy writes it.
        member: where they were found.

    Raises:
        Refused: there is anything but an array of finite numbers for each weight, and those of an optimizer.
    """
    import numpy as np

    for path, shape in shapes.items():
        array = found.get(path)
        if array is None or (array.shape, array.dtype.str) != (shape, dtype):
            has = "nothing" if array is None else f"{array.dtype.str} {array.shape!r:.100}"
            raise Refused(f"has {has} as its weights {path} in {member}; its {CONFIG} asks for {dtype} {shape}")
        if not np.isfinite(array).all():
            raise Refused(f"has weights {path} that are no finite numbers")
    state = [f"optimizer/vars/{number}" for number in range(len(found) - len(shapes))]
    if strange := set(found) - set(shapes) - set(state):
        raise Refused(f"has weights of no layer: {sorted(strange)!r:.200}")
    counts = [found[path] for path in state[:1]]
    if any((count.shape, count.dtype.str) != ((), "<i8") or not 0 <= count < 2**53 for count in counts):
        raise Refused("has an optimizer that does not count its steps")
    return [found[path] for path in shapes], [found[path] for path in state]
