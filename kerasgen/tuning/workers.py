"""A sweep in several processes: a chief, which chooses the trials, answers workers, which train them.

Workers say every few seconds that they are there, in the metadata of keras-tuner's own messages. A trial of one that
has not been heard of for a minute goes to another.
"""

import contextlib
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc

from kerasgen.base import console
from kerasgen.base.errors import FailedError

import keras_tuner  # isort: skip  (after the backend is set)  # noqa: F401
from keras_tuner.src import protos  # isort: skip  (these have no public name)
from keras_tuner.src.distribute import oracle_chief, oracle_client  # isort: skip

PATIENCE = 60.0  # seconds that a worker waits for its chief, and a chief for a sign of a worker
BEAT = 5.0  # seconds between two signs of a worker
_WORKER = "kerasgen-worker"  # the key of a sign: the worker's ID


class _Servicer(oracle_chief.OracleServicer):
    """Answers workers, and knows when each was last heard of, in seconds of `time.monotonic`."""

    def __init__(self, oracle):
        super().__init__(oracle)
        self.heard: dict[str, float] = {}

    def GetSpace(self, request, context):
        for key, value in context.invocation_metadata():
            if key == _WORKER:
                self.heard[value] = time.monotonic()
        return super().GetSpace(request, context)

    def CreateTrial(self, request, context):
        self.heard[request.tuner_id] = time.monotonic()
        return super().CreateTrial(request, context)

    def lost(self) -> list[str]:
        """Return the workers that have not been heard of for too long."""
        now, known = time.monotonic(), {*self.oracle.tuner_ids, *self.oracle.ongoing_trials}
        return [worker for worker in known if now - self.heard.setdefault(worker, now) > PATIENCE]


def serve(oracle, address: str) -> None:
    """Answer the workers until every trial is made; keras-tuner's own loop shares its port and ends 20 s later.

    Args:
        oracle: from `oracles.make`.
        address: host and port to listen at.

    Raises:
        FailedError: it can't listen there.
    """
    server = grpc.server(ThreadPoolExecutor(max_workers=1), options=[("grpc.so_reuseport", 0)])
    servicer = _Servicer(oracle)
    protos.get_service_grpc().add_OracleServicer_to_server(servicer, server)
    try:
        bound = server.add_insecure_port(address)
    except RuntimeError:
        bound = 0
    if not bound:
        raise FailedError(f"the chief can't listen at --oracle-address {address}; name another that is free")
    server.start()
    console.note(f"the chief listens at {address}; start workers with --worker ID and the same other flags")
    while not (servicer.stop_triggered and oracle_chief.exit_chief(oracle)):
        if time.monotonic() > oracle.deadline and not oracle.ongoing_trials:
            break
        for worker in servicer.lost():
            oracle.release(worker, f"not heard of for {PATIENCE:.0f} s")
        time.sleep(0.1)
    server.stop(grace=1).wait()


def work(tuner, address: str, worker: str) -> None:
    """Train trials for a chief until it has no more.

    Args:
        tuner: keras-tuner's; it talks to the chief itself.
        address: the chief's host and port.
        worker: our ID.

    Raises:
        FailedError: no chief answers.
    """
    oracle_client.TIMEOUT = PATIENCE
    channel = grpc.insecure_channel(address, [("grpc.enable_http_proxy", 0)])  # a chief is on our own network
    tuner.oracle.stub = protos.get_service_grpc().OracleStub(channel)
    try:
        grpc.channel_ready_future(channel).result(timeout=PATIENCE)
        with _beating(channel, worker):
            tuner.search()
    except (grpc.RpcError, grpc.FutureTimeoutError) as error:
        raise FailedError(f"no chief answers at {address}; start one with --chief, or see how it ended") from error
    finally:
        channel.close()


@contextlib.contextmanager
def _beating(channel, worker: str) -> Iterator[None]:
    """Tell the chief that this worker is there while the block runs."""
    ask = protos.get_service_grpc().OracleStub(channel).GetSpace
    over = threading.Event()

    def beat():
        while not over.wait(BEAT):
            with contextlib.suppress(grpc.RpcError, ValueError):  # a closed channel; the loop itself finds out
                ask(protos.get_service().GetSpaceRequest(), metadata=((_WORKER, worker),), timeout=BEAT)

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(2 * BEAT)
