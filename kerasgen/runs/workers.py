"""Who trains a task: this process, on one device or several, or several processes; and what those do but the chief.

Importing this module imports no TensorFlow.
"""

import contextlib
import json
import os
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from kerasgen.base import console
from kerasgen.base.errors import BadInputError, FailedError, KerasgenError, LostError, StoppedError
from kerasgen.runs import run as runs
from kerasgen.runs import signals
from kerasgen.tasks.common import TaskSettings
from kerasgen.training import cluster as clusters
from kerasgen.training.cluster import Cluster

if TYPE_CHECKING:  # they import NumPy, which --help does not wait for
    from kerasgen.tasks.task import StartingPoint, Task
    from kerasgen.training.replicas import Replicas, Workers


def cluster_of(settings: TaskSettings) -> Cluster | None:
    """Return the workers of a training, or None where this process is the only one.

    Raises:
        BadInputError: the settings, or the variable ``TF_CONFIG``, do not say which.
    """
    if settings.strategy != "multiworker":
        return None
    if settings.workers is None or settings.worker_index is None:
        found = clusters.of_environment(os.environ.get("TF_CONFIG"))
    else:
        found = Cluster(tuple(address.strip() for address in settings.workers.split(",")), settings.worker_index)
    return found if len(found.addresses) > 1 else None


def leads(settings: TaskSettings) -> bool:
    """Tell whether this process is the one that shows, writes and keeps what a training gives."""
    cluster = cluster_of(settings)
    return cluster is None or cluster.chief


@contextlib.contextmanager
def leading(task: "Task", cluster: Cluster | None, start: "StartingPoint") -> Iterator["Replicas"]:
    """Connect all workers of a training while the block runs, as the chief; tell the others where it fails.

    Args:
        task: what is trained.
        cluster: the workers; None for this process alone.
        start: what the training begins with.

    Raises:
        FailedError: a worker does not come.
        BadInputError: one was started with something else, or the batch can't be shared, or there are no such devices.
    """
    from kerasgen.training.replicas import Replicas

    if cluster is None:
        yield Replicas(_devices(task))
        return
    workers = _meet(task, cluster, start)
    try:
        yield workers
    except BaseException as error:
        code = error.exit_code if isinstance(error, KerasgenError) else 1
        workers.end({"trained": False, "wrong": str(error) or type(error).__name__, "code": code})
        raise


def follow(task: "Task", cluster: Cluster, start: "StartingPoint"):
    """Train a task as a worker that is not the chief.

    Returns:
        As for `train`: the model with its last weights, which the chief keeps and scores.

    Raises:
        FailedError: the chief failed, or another worker is gone.
        BadInputError: as for `leading`.
        StoppedError: a signal ended the training.
    """
    from kerasgen.models import backend
    from kerasgen.training.follow import follow as follow_steps

    began = time.perf_counter()
    workers = _meet(task, cluster, start)
    with signals.noted(True) as signalled, backend.tf.device(backend.device(task.settings.device)):
        generator = task.generator(start.build(task))
        try:
            model = generator.char_model
            end = follow_steps(model, task.batches, workers, chunk=task.chunk, signalled=signalled)
        except LostError as error:
            raise LostError(f"{error}; to go on from the last checkpoint, start all workers again as before") from None
    if not end["trained"]:
        message = f"{cluster.named(0)} says: {end['wrong']}"
        raise StoppedError(message, end["code"] - 128) if end["code"] > 128 else FailedError(message)
    generator.card = {**generator.card, **task.origin_card()}
    console.note(f"worker {cluster.index} of {len(cluster.addresses)} has done its part; {end['kept']}")
    return generator, time.perf_counter() - began


def _meet(task: "Task", cluster: Cluster, start: "StartingPoint") -> "Workers":
    """Wait for the others, then connect with them."""
    from kerasgen.training.replicas import Workers

    task.check_shared(len(cluster.addresses))
    ours = json.loads(json.dumps(runs.identity(task, start.origin)))
    where = " and ".join(cluster.named(n) for n in range(len(cluster.addresses)) if n != cluster.index)
    console.note(f"worker {cluster.index} waits for {where}", task.settings.quiet or not cluster.chief)
    return Workers(cluster, clusters.meet(cluster, ours, runs.differences))


def _devices(task: "Task") -> list[str]:
    """Return the devices of this process that share a batch; none for one alone.

    Raises:
        BadInputError: there are fewer than two, or no TPU.
    """
    from kerasgen.models import backend

    strategy, (device, _, gpus) = task.settings.strategy, task.settings.place.partition(":")
    if strategy not in ("mirrored", "tpu"):
        return []
    if gpus:
        backend.device(task.settings.place)  # the others are not seen from then on
    if strategy == "tpu":
        backend.device("tpu")  # connects it, or says what there is instead
    kinds = ["TPU"] if strategy == "tpu" else ["GPU", "CPU"] if device == "auto" else [device.upper()]
    found: list[Any] = next(filter(None, map(backend.tf.config.list_logical_devices, kinds)), [])
    if len(found) < 2 and strategy == "mirrored":
        raise BadInputError(
            f"--strategy mirrored needs two devices of a kind at the least; here there is: "
            f"{', '.join(one.name.rpartition('device:')[2] for one in found) or 'none'}; leave it out"
        )
    task.check_shared(len(found))
    return [one.name for one in found] if len(found) > 1 else []
