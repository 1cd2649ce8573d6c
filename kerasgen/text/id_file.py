"""Files of ids: a text that is too long for memory, one or two bytes a character, and what it is."""

import json
import os
import shutil
import weakref
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from kerasgen.base.errors import BadInputError, FailedError, reason
from kerasgen.base.files import locked, remove_leftovers, whole

BLOCK = 1 << 18  # ids that are read, or widened, at once
_UNICODE = 0x110000  # code points
_FORMAT = 1
_TAIL = 8  # bytes at the end of an id file: the length of its description
_ROOM = 0.9  # the share of the disk's free space that an id file may take
_MOST_CHARS = 65_535  # different ones of a text: what two bytes tell apart, but one
_ANOTHER = " with KERASGEN_CACHE"


class IdFile:
    """An id file: the ids of a text, one or two bytes each, then what it is as JSON, and the length of that.

    Args:
        path: written by `id_file`.

    Attributes:
        chars: the characters, by their ids, in the order in which they come first.
        sha256: of the text, as `kerasgen.text.corpora.Text` has it.
        stamp: what changes with the text.

    Raises:
        OSError: it can't be read.
        ValueError: it is damaged.
    """

    def __init__(self, path: Path):
        self.path, self._handle = path, os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._handle)  # open as long as the text is read
        size = os.fstat(self._handle).st_size
        about = int.from_bytes(os.pread(self._handle, _TAIL, max(0, size - _TAIL)), "big")
        if about > size - _TAIL:
            raise ValueError("it was cut")
        found: dict[str, Any] = json.loads(os.pread(self._handle, about, size - _TAIL - about))
        self._type, self._count = np.dtype(found["type"]), int(found["count"])
        self.chars, self.sha256, self.stamp = tuple(found["chars"]), str(found["sha256"]), found["stamp"]
        if found["format"] != _FORMAT or self._count * self._type.itemsize + about + _TAIL != size:
            raise ValueError("it is damaged")

    def __reduce__(self):
        return IdFile, (self.path.absolute(),)  # another process opens it itself

    def __len__(self) -> int:
        return self._count

    def read(self, starts: Sequence[int] | np.ndarray, width: int) -> np.ndarray:
        """Return the ids of windows that begin at some places, ``(windows, width)``.

        Raises:
            FailedError: the file was cut, or can't be read.
        """
        size, why = self._type.itemsize, "it was cut"
        try:
            found = b"".join(os.pread(self._handle, width * size, start * size) for start in map(int, starts))
            if len(found) == len(starts) * width * size:
                return np.frombuffer(found, self._type).reshape(len(starts), width)
        except OSError as error:
            why = reason(error)
        raise FailedError(f"{self.path} can't be read: {why}; the same command again makes it anew")


def id_file(path: Path, stamp: list[Any], pieces: Callable[[], Iterable[str]], sha256: Callable[[], str]) -> IdFile:
    """Return the id file of a text, which is written, whole or not at all, unless it is there.

    Args:
        path: where it is kept.
        stamp: what changes with the text, as JSON can have it.
        pieces: gives the text, cut anywhere.
        sha256: gives its hash, once all pieces were taken.

    Raises:
        BadInputError: the text has more than 65,535 different characters.
        FailedError: it can't be written.
    """
    if found := _opened(path, stamp):
        return found
    with locked(path.with_suffix(".lock"), f"writes {path}", wait=True):
        if found := _opened(path, stamp):  # by the process that was waited for
            return found
        remove_leftovers(path.parent, path.name)
        _write(path, stamp, pieces(), sha256)
    return IdFile(path)


def _opened(path: Path, stamp: list[Any]) -> IdFile | None:
    """Return an id file; None where there is none, a damaged one, or one of another text."""
    try:
        found = IdFile(path)
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return None
    return found if found.stamp == stamp else None


def _write(path: Path, stamp: list[Any], pieces: Iterable[str], sha256: Callable[[], str]) -> None:
    with whole(path, _ANOTHER) as temporary, open(temporary, "rb+") as file:
        writer = _Writer(file, path)
        for piece in pieces:
            writer.put(piece)
        about = {
            "format": _FORMAT, "type": writer.table.dtype.str, "count": writer.count, "chars": "".join(writer.chars),
            "sha256": sha256(), "stamp": stamp,
        }  # fmt: skip
        tail = json.dumps(about).encode()
        file.write(tail + len(tail).to_bytes(_TAIL, "big"))


class _Writer:
    """Turns characters into ids as they come, one byte each until there are too many different ones.

    Args:
        file: is empty.
        path: what it becomes, for a message.
    """

    def __init__(self, file: BinaryIO, path: Path):
        self._file, self._path = file, path
        self._room = int(_ROOM * shutil.disk_usage(path.parent).free)
        self.chars: list[str] = []
        self.count = 0
        self.table: np.ndarray = np.full(_UNICODE, 255, np.uint8)  # the id of each code point; the last number is none

    def put(self, text: str) -> None:
        """Write the ids of some more characters."""
        codes = np.frombuffer(text.encode("utf-16-le"), np.uint16)
        if len(codes) > len(text):  # some take two
            codes = np.frombuffer(text.encode("utf-32-le"), np.uint32)
        ids = self.table.take(codes, mode="clip")
        if ids.max(initial=0) == np.iinfo(ids.dtype).max:
            self._learn(codes[ids == np.iinfo(ids.dtype).max])
            ids = self.table.take(codes, mode="clip")
        self.count += len(ids)
        if self.count * ids.itemsize > self._room:
            raise FailedError(
                f"{self._path} would take more than the {self._room / 1e9:.1f} GB that it may; free some space or name "
                f"another folder{_ANOTHER}"
            )
        self._file.write(ids.data)

    def _learn(self, codes: np.ndarray) -> None:
        """Give new characters their ids, in the order in which they come."""
        different, places = np.unique(codes, return_index=True)
        new = different[np.argsort(places)]
        if len(self.chars) + len(new) > np.iinfo(self.table.dtype).max:
            self._widen(len(new))
        self.table[new] = np.arange(len(self.chars), len(self.chars) + len(new))
        self.chars += map(chr, new)

    def _widen(self, more: int) -> None:
        """Give each id two bytes, from the last one to the first, so that none is written over before it is read."""
        if len(self.chars) + more > _MOST_CHARS:
            raise BadInputError(f"a text must have at most {_MOST_CHARS:,} different characters; {self._path} has more")
        wider = np.full(_UNICODE, _MOST_CHARS, np.uint16)
        known = self.table < 255
        wider[known] = self.table[known]
        self.table = wider
        self._file.flush()
        handle = self._file.fileno()
        for first in reversed(range(0, self.count, BLOCK)):
            ids = np.frombuffer(os.pread(handle, min(BLOCK, self.count - first), first), np.uint8)
            os.pwrite(handle, ids.astype(np.uint16).tobytes(), 2 * first)
        self._file.seek(0, os.SEEK_END)
