"""Who computes which shards of a batch: one device, several, or several processes; and how they agree.

The models stay plain Keras models of each process. TensorFlow's strategy brings up the cluster and its collective
operations; a step sums one packed vector, loss and gradients, over all processes.
"""

import contextlib
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from kerasgen.base.errors import BadInputError, LostError
from kerasgen.models.backend import tf
from kerasgen.models.contract import CharModel
from kerasgen.training import cluster as clusters
from kerasgen.training.cluster import Cluster

STATE, END = 0, -1  # orders of the chief: take its variables; end. Others are how many steps to make
_GROUP = 14_000  # the key of our collective operations; any that TensorFlow does not use itself
_TYPES = ("float32", "float64", "int32")  # of what is summed


class Replicas:
    """This process alone, on one device or on several.

    Args:
        devices: the names of the devices that share a batch; none for the one that the process computes on anyway.

    Attributes:
        index: of this process among the workers; 0 is the chief.
        count: the number of workers.
        signal: the number of the signal that another worker was told to stop by, or 0.
    """

    index, count, signal = 0, 1, 0

    def __init__(self, devices: Sequence[str] = ()):
        self.devices = tuple(devices)

    def shards(self, model: CharModel, batch_size: int) -> int:
        """Return into how many shards a batch is cut; it can be shared evenly."""
        return len(self.devices) or model.shards(batch_size)

    def own(self, shards: int) -> range:
        """Return which of the shards this process computes."""
        share = shards // self.count
        return range(self.index * share, (self.index + 1) * share)

    def device(self, shard: int) -> Any:
        """Return a context in which a shard is computed where it belongs."""
        return tf.device(self.devices[shard]) if self.devices else contextlib.nullcontext()

    def sum(self, tensors: list[Any]) -> list[Any]:
        """Return the sums of some tensors over all workers; in a graph, all in one operation."""
        return tensors

    def begin(self, variables: Sequence[Any]) -> None:
        """Give all other workers the values of the chief's variables."""

    def lead(self, steps: int, learning_rate: float | None) -> None:
        """Let the other workers make so many steps, as the chief does now, at a rate; None where a schedule gives it.

        The others are in `follow`.
        """

    def end(self, message: dict[str, Any], variables: Sequence[Any] = ()) -> None:
        """Let the other workers end.

        Args:
            message: how the training ended; JSON.
            variables: whose last values the others take.
        """

    @contextlib.contextmanager
    def alive(self) -> Iterator[None]:
        """Turn what TensorFlow raises where another worker is gone into a `LostError`."""
        yield


class Workers(Replicas):
    """Several processes; making one connects them all.

    Args:
        cluster: all have met, see `cluster.meet`.
        cores: the fewest that one of them has for itself.

    Raises:
        LostError: they can't be connected.
        BadInputError: TensorFlow has computed in this process before.
    """

    def __init__(self, cluster: Cluster, cores: int):
        super().__init__()
        self.cluster, self.index, self.count, self._cores = cluster, cluster.index, len(cluster.addresses), cores
        self.lost = False
        resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
            tf.train.ClusterSpec({"worker": list(cluster.addresses)}),
            task_type="worker",
            task_id=cluster.index,
            rpc_layer="grpc",
        )
        with self.alive(), clusters.deadline("kerasgen: error: the workers could not be connected within a minute"):
            try:
                self._strategy = tf.distribute.MultiWorkerMirroredStrategy(resolver)
            except RuntimeError as error:
                raise BadInputError(f"several workers need a process that TensorFlow is new to: {error}") from None
        self._sum = tf.function(lambda vector: self.sum([vector])[0], autograph=False)

    def shards(self, model, batch_size):
        """Return a multiple of the workers, as many as all their cores can use; see `Replicas.shards`."""
        most = model.shards(batch_size, self.count * self._cores) // self.count
        return self.count * max(n for n in range(1, max(1, most) + 1) if batch_size % (n * self.count) == 0)

    def sum(self, tensors):
        """Return the sums over all workers, by one operation on all numbers; see `Replicas.sum`."""
        packed = tf.concat([tf.reshape(tensor, [-1]) for tensor in tensors], 0)
        key = packed.shape[0] * len(_TYPES) + _TYPES.index(packed.dtype.name)  # one for each kind of vector
        with tf.device("/CPU:0"):  # where the network is
            total = tf.raw_ops.CollectiveReduceV2(
                input=packed, group_size=self.count, group_key=_GROUP, instance_key=key, ordering_token=[],
                merge_op="Add", final_op="Id", communication_hint="ring",
            )  # fmt: skip
        parts = tf.split(total, [int(np.prod(tensor.shape)) for tensor in tensors])
        return [tf.reshape(part, tensor.shape) for part, tensor in zip(parts, tensors, strict=True)]

    @contextlib.contextmanager
    def alive(self):
        """Turn TensorFlow's errors into a `LostError`; see `Replicas.alive`."""
        try:
            yield
        except tf.errors.ResourceExhaustedError:
            raise
        except tf.errors.OpError as error:
            self.lost = True
            found = re.search(r"unhealthy.*?/task:(\d+)", str(error), re.DOTALL)
            who = self.cluster.named(int(found[1])) if found else "another worker"
            raise LostError(f"{who} has ended or does not answer, so this one ends, too") from error

    def begin(self, variables):
        """Give all others the values of the chief's variables; see `Replicas.begin`."""
        self.exchange(STATE, np.nan, 0)
        self.share_variables(variables)

    def lead(self, steps, learning_rate):
        """Let the others make so many steps; see `Replicas.lead`."""
        self.exchange(steps, np.nan if learning_rate is None else float(learning_rate), 0)

    def exchange(self, order: int, learning_rate: float, signal: int) -> tuple[int, float]:
        """Take part in what precedes every chunk: the chief gives an order, and each tells the signal that it got.

        Args:
            order: the chief's: `STATE`, `END`, or how many steps to make; others give any.
            learning_rate: the chief's; NaN where a schedule gives it.
            signal: the number of the signal that asks this process to stop, or 0.

        Returns:
            The chief's order and learning rate.
        """
        told = np.zeros(2 + self.count)
        if self.index == 0:
            told[:2] = order, learning_rate
        told[2 + self.index] = signal
        with self.alive():
            told = self._sum(tf.constant(told)).numpy()
        self.signal = int(max(told[2:]))
        return int(told[0]), float(told[1])

    def share(self, content: bytes | None = None) -> bytes:
        """Give the chief's bytes to all; the others give nothing."""
        length = self._bits(np.array([len(content or b"")], np.int64))
        size = int(length.view(np.int64)[0])
        padded = np.frombuffer((content or b"").ljust(-(-size // 1024) * 1024, b"\0"), np.uint8)
        return self._bits(padded).tobytes()[:size] if size else b""

    def share_variables(self, variables: Sequence[Any]) -> None:
        """Give the values of the chief's variables to those of all others, bit for bit."""
        for variable in variables:
            value = variable.numpy()
            found = self._bits(value).view(value.dtype).reshape(value.shape)
            if self.index:
                variable.assign(found)

    def end(self, message, variables=()):
        """Let the others end, unless one is lost; see `Replicas.end`."""
        if self.lost:
            return
        with contextlib.suppress(LostError):
            self.exchange(END, np.nan, 0)
            self.share(json.dumps(message).encode())
            self.share_variables(variables)

    def _bits(self, array: np.ndarray) -> np.ndarray:
        """Return the chief's array of numbers of 4 bytes or more, as bytes; a sum with zeros is exact for whole ones.

        Raises:
            LostError: another worker is gone.
        """
        raw = np.ascontiguousarray(array).reshape(-1).view(np.int32)
        with self.alive():
            return self._sum(tf.constant(raw if self.index == 0 else np.zeros_like(raw))).numpy().view(np.uint8)
