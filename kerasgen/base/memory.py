"""How much memory this process may have at the most."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

_GROUPS = Path("/sys/fs/cgroup")
_OWN_GROUPS = Path("/proc/self/cgroup")


def most() -> tuple[int, str]:
    """Return the most bytes that the process can ever have, and who says so; what others have of it is not counted."""
    bounds = [*_machine(), *_group(), *_process()]
    return min(bounds, default=(2**63, "this machine"))


def _machine() -> Iterator[tuple[int, str]]:
    with contextlib.suppress(OSError, ValueError, AttributeError):  # Windows has no sysconf
        swapped = 0
        with contextlib.suppress(OSError, StopIteration):
            lines = Path("/proc/meminfo").read_text().splitlines()
            swapped = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("SwapTotal"))
        yield os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") + swapped, "this machine"


def _group() -> Iterator[tuple[int, str]]:
    """Yield the limits of the control groups that the process is in, of both versions."""
    with contextlib.suppress(OSError):
        for line in _OWN_GROUPS.read_text().splitlines():
            _, controllers, place = line.split(":", 2)
            if controllers and "memory" not in controllers.split(","):
                continue
            root, file = (_GROUPS / "memory", "memory.limit_in_bytes") if controllers else (_GROUPS, "memory.max")
            own = root / place.lstrip("/")
            for folder in (own, *own.parents):
                with contextlib.suppress(OSError, ValueError):  # "max" for no limit
                    yield int((folder / file).read_text()), "the control group"
                if folder == root:
                    break


def _process() -> Iterator[tuple[int, str]]:
    with contextlib.suppress(ImportError):  # Windows
        import resource

        soft, _ = resource.getrlimit(resource.RLIMIT_AS)
        if soft != resource.RLIM_INFINITY:
            yield soft, "ulimit -v"
