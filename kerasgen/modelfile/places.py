"""Where the arrays of an HDF5 file lie: a program of its own, which imports nothing of kerasgen.

``python places.py FILE OFFSET SIZE`` prints ``ready`` once it has limited itself, then JSON. The HDF5 library allocates
what a file asks for, and a hostile one can have it allocate without end, or crash. So it sees files of unknown origin
in this process only, which has little memory, a few seconds, and no other file that it could open or write.
"""

import contextlib
import io
import json
import math
import os
import sys
import time
from collections.abc import Iterator
from typing import Any

import h5py

MEMORY = 200_000_000  # bytes beyond what the process has once all is imported; ours take 2 MB
SECONDS = 2  # of computing; ours take 0.02
_OBJECTS = 500  # groups and arrays; ours have 50


class RefusedError(Exception):
    """What is wrong with the file, in words that go on from its name and ``has``."""


class Window(io.RawIOBase):
    """Some bytes of a file, as a file; they are not held in memory."""

    def __init__(self, file: Any, offset: int, size: int):
        super().__init__()
        self._file, self._offset, self._size, self._here = file, offset, size, 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a place; see `io.IOBase`."""
        self._here = offset + {0: 0, 1: self._here, 2: self._size}[whence]
        return self._here

    def tell(self) -> int:
        """Return the place."""
        return self._here

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer; see `io.RawIOBase`."""
        self._file.seek(self._offset + self._here)
        view = memoryview(buffer).cast("B")
        count = self._file.readinto(view[: max(0, min(len(view), self._size - self._here))])
        self._here += count
        return count


def limit() -> None:
    """Take from this process what it does not need: memory (on Linux), time, and files."""
    try:
        import resource
    except ImportError:  # Windows
        return
    limits = {resource.RLIMIT_CPU: math.ceil(time.process_time()) + SECONDS, resource.RLIMIT_CORE: 0}
    limits |= {resource.RLIMIT_FSIZE: 0, resource.RLIMIT_NOFILE: 0}  # files that are open stay so
    with contextlib.suppress(OSError), open("/proc/self/statm") as file:  # elsewhere, a process' size says little
        limits[resource.RLIMIT_AS] = int(file.read().split()[0]) * resource.getpagesize() + MEMORY
    for what, most in limits.items():
        _, allowed = resource.getrlimit(what)
        most = most if allowed == resource.RLIM_INFINITY else min(most, allowed)
        resource.setrlimit(what, (most, most))


def found(window: Any, size: int) -> dict[str, Any]:
    """Say where the arrays lie, or what is wrong.

    Args:
        window: the file, which can be read and sought in.
        size: its bytes.

    Returns:
        ``{"arrays": [[path, dtype, shape, offset], ...]}``, or ``{"refused": words}``.
    """
    try:
        with h5py.File(window, "r") as file:
            return {"arrays": [_array(path, dataset, size) for path, dataset in _datasets(file)]}
    except RefusedError as error:
        return {"refused": f"has {error}"}
    except Exception as error:  # h5py has one for each kind of damage
        return {"refused": f"is damaged: its HDF5 can't be read ({error!s:.200})"}


def _datasets(file: Any) -> Iterator[tuple[str, Any]]:
    """Yield the datasets with their paths: not many, and none that lies outside of the file."""
    pending, objects = [("", file)], 0
    while pending:
        place, group = pending.pop()
        objects += len(group)
        if objects > _OBJECTS:  # or a group that holds itself
            raise RefusedError("more groups in its HDF5 than any of ours")
        for name in group:
            path = place + name
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise RefusedError(f"a link in its HDF5 that leads elsewhere: {path!r:.100}")
            item = group[name]
            if isinstance(item, h5py.Group):
                pending.append((f"{path}/", item))
            elif isinstance(item, h5py.Dataset):
                yield path, item
            else:
                raise RefusedError(f"neither a group nor numbers in its HDF5: {path!r:.100}")


def _array(path: str, dataset: Any, size: int) -> list[Any]:
    """Return what is known of a dataset that is nothing but numbers at one place in the file."""
    plan, dtype, shape = dataset.id.get_create_plist(), dataset.dtype, dataset.shape
    outside = plan.get_layout() != h5py.h5d.CONTIGUOUS or plan.get_nfilters() or plan.get_external_count()
    if outside or shape is None or dtype.str not in ("<f4", "<f8", "<i8"):
        raise RefusedError(f"no plain numbers in its HDF5 at {path!r:.100}")
    length, offset = math.prod(shape) * dtype.itemsize, dataset.id.get_offset()
    if dataset.id.get_storage_size() != length or offset is None or not 0 <= offset <= size - length:
        raise RefusedError(f"no such numbers in its HDF5 as it says at {path!r:.100}: {dtype} {shape!r:.100}")
    return [path, dtype.str, list(map(int, shape)), int(offset)]


def main(path: str, offset: str, size: str) -> None:
    """Print where the arrays lie in a part of a file."""
    with open(path, "rb", buffering=0) as file:
        limit()
        print("ready", flush=True)
        print(json.dumps(found(Window(file, int(offset), int(size)), int(size))), flush=True)
    os._exit(0)  # what the library still holds may be damaged


if __name__ == "__main__":
    main(*sys.argv[1:])
