"""The Ray cluster that a training runs on: one that there is, or one of this machine that ends with it.

Importing this module does not import Ray.
"""

import contextlib
import importlib.util
import os
import secrets
import shutil
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kerasgen.base import streams
from kerasgen.base.errors import BadInputError, FailedError, StoppedError, reason
from kerasgen.base.machine import cores
from kerasgen.runs import run as runs

_STORE = 2**27  # bytes of Ray's own store of objects, of which a training uses next to none
PATIENCE = "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S"  # how long Ray waits for the cores of the workers
_QUIET = {
    "RAY_TRAIN_V2_ENABLED": "1",
    "RAY_TRAIN_ENABLE_PRINT_PATCH": "0",
    "RAY_TRAIN_METRICS_ENABLED": "0",
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "1",
    PATIENCE: "60",
}  # fmt: skip
_LOCAL = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # all listens on 127.0.0.1 only, as it does there
    "RAY_AUTH_MODE": "token",
    "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",
}  # fmt: skip
_REACHED = 10.0  # seconds that a cluster has to answer at all


def _address() -> str:
    """Return where the cluster is that the user has; nothing for one of this machine that is to be started."""
    return os.environ.get("RAY_ADDRESS", "").removeprefix("local")


def imported() -> Any:
    """Return Ray's package, told to be quiet, and to keep to this machine where no other cluster is named.

    Raises:
        BadInputError: it is not installed, or can't be used in this way.
    """
    address = _address()
    if "://" in address:
        raise BadInputError(f"RAY_ADDRESS must be HOST:PORT or auto, on a machine of the cluster; received {address!r}")
    if "ray" not in sys.modules and importlib.util.find_spec("ray") is None:  # before TensorFlow's five seconds
        raise BadInputError("--strategy ray needs Ray, which is not installed: pip install 'kerasgen[ray]'")
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # else Ray would tell its makers
    local = {} if address else {**_LOCAL, "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    for name, value in {**_QUIET, **local}.items():
        os.environ.setdefault(name, value)

    from kerasgen.models import backend  # noqa: F401  (else Ray imports TensorFlow first, which then is not quiet)

    try:
        import ray
        import ray.train.tensorflow
    except ImportError as error:
        raise BadInputError(f"--strategy ray needs Ray ({reason(error)}): pip install 'kerasgen[ray]'") from None
    return ray


@contextlib.contextmanager
def cluster(ray: Any, workers: int) -> Iterator[None]:
    """Connect to a Ray cluster while the block runs; one of this machine ends with it, and leaves no files.

    Raises:
        FailedError: there is no such cluster.
    """
    address = _address()
    with contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.redirect_stdout(_WithoutRay(sys.stdout)))
        if not ray.is_initialized():
            own: dict[str, Any] = {}
            if not address:
                # Sockets lie in it, whose paths must be short.
                place = stack.enter_context(_temporary("/tmp" if os.path.isdir("/tmp") else None))
                own = {"address": "local", "num_cpus": max(workers, cores()), "include_dashboard": False}
                own |= {"object_store_memory": _STORE, "_temp_dir": place}
            stack.callback(_end if own else lambda _: ray.shutdown(), ray)
            _connect(ray, own, address)
        yield


class _WithoutRay(streams.Remarks):
    """Standard output without what Ray itself has to say of workers that die, whatever it was told to log."""

    def write(self, text: str) -> int:
        """Write a text, unless a thread of Ray's does."""
        return len(text) if threading.current_thread().name.startswith("ray_") else super().write(text)


def _end(ray: Any) -> None:
    """End the cluster of this machine, and what still cleans up after itself, which takes Ray's controller seconds."""
    own = [pid for pid in descendants(os.getpid()) if title(pid).startswith(b"ray::")]
    ray.shutdown()
    for pid in own:
        if title(pid).startswith(b"ray::"):
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)


def title(pid: int) -> bytes:
    """Return what a process calls itself; nothing once it has ended."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def descendants(root: int) -> set[int]:
    """Return the processes that one has started, and those that they have; none where the system has no /proc."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
    found: set[int] = set()
    more = {root}
    while more:
        more = {pid for pid, parent in parents.items() if parent in more}
        found |= more
    return found


def _connect(ray: Any, own: dict[str, Any], address: str) -> None:
    """Connect to the cluster at an address, or start one by the arguments in `own`.

    Raises:
        FailedError: it can't be done.
        StoppedError: SIGTERM came.
    """
    from kerasgen.models import backend

    before = signal.getsignal(signal.SIGTERM)
    try:
        host, _, port = address.rpartition(":")
        if host and host not in ("127.0.0.1", "localhost"):  # which Ray takes for another one of this machine's
            socket.create_connection((host, int(port)), timeout=_REACHED).close()  # Ray would try for two minutes
        with backend.without_standard_error():
            ray.init(log_to_driver=False, logging_level="CRITICAL", **own)
    except SystemExit:  # Ray's way with SIGTERM
        raise StoppedError("stopped; what was there before is untouched", signal.SIGTERM) from None
    except (OSError, RuntimeError, ValueError) as error:  # a ConnectionError is the first
        hint = "" if "RAY_AUTH_MODE" in os.environ else "; where it asks for a token, set RAY_AUTH_MODE=token"
        where = f"start Ray on this machine: {reason(error):.200}"
        if address:
            where = f"connect to the Ray cluster at RAY_ADDRESS {address!r}: {reason(error):.200}{hint}"
        raise FailedError(f"can't {where}") from None
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)  # Ray has put its own there


@contextlib.contextmanager
def records(ray: Any, path: Path) -> Iterator[str]:
    """Yield a folder that all machines see, where Ray keeps its own records while the block runs."""
    home = runs.home(path.parent) if len(ray.nodes()) > 1 else None
    if home:
        home.mkdir(parents=True, exist_ok=True)
    with _temporary(home) as folder:
        yield folder


@contextlib.contextmanager
def _temporary(inside: str | Path | None) -> Iterator[str]:
    folder = tempfile.mkdtemp(prefix="kerasgen-ray-", dir=None if inside is None else os.path.abspath(inside))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
