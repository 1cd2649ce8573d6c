"""Generation in its own process: ``python -m tests.tools.benchmarks.generation COUNT``."""

import json
import sys
import time

import kerasgen
from kerasgen.generation.generator import Generator

STREAM, STREAMS = 20_000, 20  # characters of the one stream; how often it is begun anew


def measure(count: int) -> dict[str, float]:
    """Time a call for many names, and one stream of names one after the other, both after compiling."""
    many = kerasgen.load("saved_models/dino.keras")
    started = time.perf_counter()
    many.generate(2_000)
    first_call = time.perf_counter() - started
    started = time.perf_counter()
    names = many.generate(count)
    seconds = time.perf_counter() - started

    stream = Generator(many.char_model, many.vocab)  # without a stop character it goes on from name to name
    stream.generate(1, max_length=STREAM)
    started = time.perf_counter()
    chars = sum(len(stream.generate(1, max_length=STREAM, seed=seed)[0]) for seed in range(STREAMS))
    stream_seconds = time.perf_counter() - started
    return {
        "names_per_minute": 60 * len(names) / seconds,
        "chars_per_second": sum(len(name) + 1 for name in names) / seconds,
        "stream_chars_per_second": chars / stream_seconds,
        "first_call_seconds": first_call,
    }


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]))))
