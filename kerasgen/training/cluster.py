"""The processes that train together: where each listens, and how they meet before TensorFlow connects them.

They meet without TensorFlow, which waits for ever, deaf to signals, for a worker that does not come. The chief listens
at its own address until every other worker has said who it is and what it was started with; then all go on, or all end
with the same words. Importing this module imports no TensorFlow.
"""

import contextlib
import json
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kerasgen.base.errors import BadInputError, FailedError, LostError, reason
from kerasgen.base.machine import cores

PATIENCE = 60.0  # seconds that workers wait for each other
_PAUSE = 0.2
_LONGEST = 2**20  # bytes of a message


@dataclass(frozen=True)
class Cluster:
    """The workers of a training, and which of them this process is.

    Attributes:
        addresses: ``host:port`` of each; the first is the chief, which alone writes models, logs and checkpoints.
        index: of this process among them.
    """

    addresses: tuple[str, ...]
    index: int

    def __post_init__(self) -> None:
        for address in self.addresses:
            if not _is_address(address):
                raise BadInputError(f"a worker's address must be HOST:PORT; received {address!r}")
        if len(set(self.addresses)) < len(self.addresses):
            raise BadInputError(f"each worker needs an address of its own; received {','.join(self.addresses)}")
        if not 0 <= self.index < len(self.addresses):
            most = len(self.addresses) - 1
            raise BadInputError(f"a worker's index must be between 0 and {most}; received {self.index}")

    @property
    def chief(self) -> bool:
        """Whether this process is the chief."""
        return self.index == 0

    @property
    def cores(self) -> int:
        """The cores that this process has for itself, as far as the workers on this machine share them evenly."""
        hosts = [address.rpartition(":")[0] for address in self.addresses]
        return max(1, cores() // hosts.count(hosts[self.index]))

    def named(self, index: int) -> str:
        """Return what to call a worker in a message."""
        return f"worker {index}{' (the chief)' if index == 0 else ''} at {self.addresses[index]}"


def of_environment(text: str | None) -> Cluster:
    """Return the cluster that the variable ``TF_CONFIG`` describes, in TensorFlow's own form.

    Raises:
        BadInputError: it describes none.
    """
    form = '{"cluster": {"worker": ["host:port", ...]}, "task": {"type": "worker", "index": 0}}'
    try:
        config = json.loads(text or "")
        jobs, task = config["cluster"], config["task"]
        groups = {name: [str(address) for address in jobs.get(name, [])] for name in ("chief", "worker")}
        kind, index = task["type"], int(task["index"])
        if kind not in groups or not groups[kind] or set(jobs) - set(groups):
            raise ValueError
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        received = f"received {text!r:.200}" if text else "it is not set"
        raise BadInputError(
            f"--strategy multiworker needs --workers and --worker-index, or TF_CONFIG like {form}; {received}"
        ) from None
    before = len(groups["chief"]) if kind == "worker" else 0
    return Cluster((*groups["chief"], *groups["worker"]), before + index)


def meet(cluster: Cluster, ours: Mapping[str, Any], differences: Callable[[Any, Any], str]) -> int:
    """Wait until all workers are there and were started alike.

    Args:
        cluster: that of this process.
        ours: what all must have in common; JSON.
        differences: says in what the first such mapping differs from the second, or ``"nothing"``.

    Returns:
        The fewest cores that a worker has for itself.

    Raises:
        LostError: somebody did not come within a minute, or can't listen.
        BadInputError: one was started with something else.
    """
    if cluster.chief:
        return _gather(cluster, ours, differences)
    return _join(cluster, ours)


def _gather(cluster: Cluster, ours: Mapping[str, Any], differences: Callable[[Any, Any], str]) -> int:
    """Wait for the others, as the chief, and tell them all how it ended."""
    here: dict[int, socket.socket] = {}
    counts = [cluster.cores]
    wrong: Exception | None = None
    until = time.monotonic() + PATIENCE
    with _listening(cluster) as server, contextlib.ExitStack() as stack:
        while len(here) < len(cluster.addresses) - 1 and not wrong:
            if time.monotonic() > until:
                missing = [cluster.named(n) for n in range(1, len(cluster.addresses)) if n not in here]
                wrong = LostError(f"{' and '.join(missing)} did not come up within {PATIENCE:.0f} s")
                break
            for ready in select.select([server, *here.values()], [], [], _PAUSE)[0]:
                if ready is not server:  # it says nothing more, so it has gone
                    here = {index: one for index, one in here.items() if one is not ready}
                    continue
                one = stack.enter_context(server.accept()[0])
                hello = _hear(one, 2)
                if not hello:
                    continue
                index = hello["index"]
                if hello["addresses"] != list(cluster.addresses) or index in (0, *here):
                    wrong = BadInputError(
                        f"every worker needs the same addresses and an index of its own; {cluster.named(0)} has "
                        f"{','.join(cluster.addresses)}; another one came as number {index} of "
                        f"{','.join(map(str, hello['addresses']))}"
                    )
                elif (found := differences(hello["ours"], ours)) != "nothing":
                    wrong = BadInputError(f"all workers must be started alike; {cluster.named(index)} has {found}")
                here[index if index not in here else len(cluster.addresses)] = one
                counts.append(hello["cores"])
        for one in here.values():
            _say(one, {"wrong": str(wrong) if wrong else "", "cores": min(counts)})
    if wrong:
        raise wrong
    return min(counts)


def _join(cluster: Cluster, ours: Mapping[str, Any]) -> int:
    """Say to the chief that this worker is there, and wait for its answer."""
    host, port = _parted(cluster.addresses[0])
    hello = {"addresses": cluster.addresses, "index": cluster.index, "ours": ours, "cores": cluster.cores}
    until = time.monotonic() + PATIENCE
    while (left := until - time.monotonic()) > 0:
        try:
            with socket.create_connection((host, port), timeout=min(2, left)) as one:
                _say(one, hello)
                answer = _hear(one, PATIENCE - 2)  # the chief may have begun to wait just now
        except OSError:
            answer = {}
        if answer:
            if answer["wrong"]:
                raise FailedError(answer["wrong"])
            return answer["cores"]
        time.sleep(_PAUSE)
    raise LostError(f"{cluster.named(0)} did not come up within {PATIENCE:.0f} s")


def _listening(cluster: Cluster) -> socket.socket:
    host, port = _parted(cluster.addresses[cluster.index])
    error: OSError | None = None
    for name in (host, ""):  # behind a translated address, it has none of that name
        try:
            return socket.create_server((name, port))
        except OSError as failed:
            error = error or failed
    raise LostError(f"{cluster.named(cluster.index)} can't listen there: {reason(error or OSError())}")


def _say(one: socket.socket, message: Mapping[str, Any]) -> None:
    with contextlib.suppress(OSError):  # whoever has gone is missed later
        one.sendall(json.dumps(message).encode() + b"\n")


def _hear(one: socket.socket, seconds: float) -> dict[str, Any]:
    """Return the message of a connection; nothing where it sends none of ours in time."""
    one.settimeout(seconds)
    try:
        with one.makefile("rb") as file:
            found = json.loads(file.readline(_LONGEST))
    except (OSError, ValueError, RecursionError):
        return {}
    known = {"addresses", "index", "ours", "cores"}, {"wrong", "cores"}
    return found if isinstance(found, dict) and found.keys() in known else {}


@contextlib.contextmanager
def deadline(message: str) -> Iterator[None]:
    """End this process with one line where the block takes over a minute, which no code of its own could do meanwhile.

    TensorFlow holds Python's lock while it connects the workers. All have met just before, so that only one that dies
    right then makes the others wait.
    """
    code = (
        "import os, signal, sys, time\nparent = os.getppid()\n"
        f"time.sleep({PATIENCE})\n"
        "if os.getppid() == parent:\n    print(sys.argv[1], file=sys.stderr)\n    os.kill(parent, signal.SIGKILL)\n"
    )
    watch = subprocess.Popen([sys.executable, "-I", "-S", "-c", code, message], stdin=subprocess.DEVNULL)
    try:
        yield
    finally:
        watch.kill()
        watch.wait()


def _is_address(address: str) -> bool:
    host, _, port = address.rpartition(":")
    return bool(host) and port.isascii() and port.isdecimal() and 0 < int(port) < 2**16


def _parted(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)
