"""How fast this machine multiplies matrices, in its own process: ``python -m tests.tools.benchmarks.products HOW``."""

import functools
import json
import os
import sys
import time

from tests.tools.benchmarks.processes import answer
from tests.tools.benchmarks.report import progress

SIZE, SECONDS = 2048, 1.5


@functools.cache
def fastest(rounds: int) -> dict[str, float]:
    """Return the best rate of NumPy and of TensorFlow, in FLOP/s: what shares are shares of is the better of both.

    Args:
        rounds: how often each is measured.
    """
    rates: dict[str, float] = {}
    for _ in range(rounds):
        for how in ("numpy", "tensorflow"):
            progress(f"the machine's matrix products: {how}")
            rates[how] = max(rates.get(how, 0.0), answer("products", how, small=False)["flops_per_second"])
    return rates


def note(rates: dict[str, float]) -> str:
    """Return the sentence that says what shares are shares of."""
    best = max(rates, key=lambda how: rates[how])
    return (
        f"The share is that of the {rates[best] / 1e9:.0f} GFLOP/s which {best} reached in float32 products of "
        f"{SIZE} x {SIZE} on {os.cpu_count()} cores in the same run; the FLOPs are those of the formula in "
        "`tests/tools/benchmarks/prose_task.py`."
    )


def measure(how: str) -> float:
    """Multiply for a while; return the rate of the fastest product, in FLOP/s."""
    import numpy as np

    a, b = (np.random.RandomState(seed).rand(SIZE, SIZE).astype(np.float32) for seed in (0, 1))
    product = np.matmul
    if how == "tensorflow":
        import tensorflow as tf

        a, b, product = tf.constant(a), tf.constant(b), tf.matmul
    best, end = float("inf"), time.perf_counter() + SECONDS
    while time.perf_counter() < end:
        started = time.perf_counter()
        product(a, b)
        best = min(best, time.perf_counter() - started)
    return 2 * SIZE**3 / best


if __name__ == "__main__":
    print(json.dumps({"flops_per_second": measure(sys.argv[1])}))
