"""The workers section: what the sum over two processes costs a step, against the step itself."""

import json
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from tests.tools.benchmarks.processes import answer
from tests.tools.benchmarks.report import Goal, Section, medians, number, progress, spread

UNITS, BATCH, TIME, VOCAB = (192, 512), 64, 40, 38
COUNT = 2


def measure(quick: bool, rounds: int) -> Section:
    """Time steps of one process and of two on this machine, and the sum alone.

    Args:
        quick: fewer steps.
        rounds: how often each is run.
    """
    steps, found = 5 if quick else 20, {}
    for units in UNITS[: 1 if quick else None]:
        for turn in range(rounds):
            progress(f"workers: 2 x {units}, round {turn + 1} of {rounds}")
            alone = answer("workers", 0, "", units, steps, small=False)
            together = _together(units, steps)
            for name, value in {"alone": alone["step"], "together": together["step"], "sum": together["sum"]}.items():
                found.setdefault((units, name), []).append(1000 * value)
            found[units, "numbers"] = [together["numbers"]]
    rows, goals = [], []
    for units in UNITS[: 1 if quick else None]:
        one, two, summed = (float(np.median(found[units, name])) for name in ("alone", "together", "sum"))
        count = found[units, "numbers"][0]
        rows.append([f"2 x {units}", f"{count:,}", number(one), number(two), number(summed), f"{summed / two:.0%}"])
        if units == UNITS[0]:
            goals.append(Goal(f"the sum of 2 x {units}, a step", summed, 6, " ms", at_most=True))
    return Section(
        f"{COUNT} workers on one machine, ms a step of {BATCH} windows of {TIME}",
        ["model", "numbers summed", "step of one process", f"step of {COUNT}", "the sum alone", "of the step"],
        rows,
        notes=[f"{medians(rounds)}. Both share the cores that one process has to itself, so no step can be faster."],
        goals=goals,
        data={f"{units}-{name}": spread(values) for (units, name), values in found.items()},
    )


def _together(units: int, steps: int) -> dict:
    """Run both workers; return what the slower one measured."""
    taken = [socket.create_server(("127.0.0.1", 0)) for _ in range(COUNT)]
    addresses = ",".join(f"127.0.0.1:{one.getsockname()[1]}" for one in taken)
    for one in taken:
        one.close()
    with ThreadPoolExecutor(COUNT) as pool:
        asked = [pool.submit(answer, "workers", n, addresses, units, steps, small=False) for n in range(COUNT)]
        answers = [one.result() for one in asked]
    return {name: max(one[name] for one in answers) for name in answers[0]}


def _worker(index: int, addresses: str, units: int, steps: int) -> dict:
    """Measure steps as one of the workers, or as the only process."""
    from kerasgen.models.backend import keras, tf
    from kerasgen.models.prose import ProseLSTM, stacked_lstm
    from kerasgen.training import cluster as clusters
    from kerasgen.training.program import Program
    from kerasgen.training.replicas import Replicas, Workers

    replicas = Replicas()
    if addresses:
        cluster = clusters.Cluster(tuple(addresses.split(",")), index)
        replicas = Workers(cluster, clusters.meet(cluster, {}, lambda one, other: "nothing"))
    model = stacked_lstm(VOCAB, units)
    model.compile(optimizer=keras.optimizers.AdamW(0.002, global_clipnorm=1.0))
    program = Program(ProseLSTM(model), (BATCH, TIME + 1), steps, replicas)
    rows = np.random.RandomState(0).randint(0, VOCAB, (steps, BATCH, TIME + 1)).astype(np.int32)
    program.make(rows)  # compiles
    started = time.perf_counter()
    program.make(rows)
    step = (time.perf_counter() - started) / steps
    vector = tf.concat([tf.reshape(v.value, [-1]) for v in model.trainable_variables], 0)

    def summed(vector):
        more = lambda i, _: i < steps  # noqa: E731
        return tf.while_loop(more, lambda i, v: (i + 1, replicas.sum([v * 0.5])[0]), (tf.constant(0), vector))[1]

    loop = tf.function(summed, autograph=False)
    loop(vector)
    started = time.perf_counter()
    float(loop(vector)[0])
    return {"step": step, "sum": (time.perf_counter() - started) / steps, "numbers": int(vector.shape[0])}


if __name__ == "__main__":
    print(json.dumps(_worker(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))))
