"""The serve section: many streams at once by a real client on this machine, beside one request at a time."""

import statistics
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version

import requests

import kerasgen
from tests.support.server import serving
from tests.tools.benchmarks.report import Goal, Section, medians, number, progress, spread

PROMPT, LENGTH, STREAMS = "Et tu, Brute?", 400, 200
HOW = {
    "**side by side**, in one compiled call": ["--streams", "256", "--waiting", "0"],
    "one request at a time (`--streams 1`)": ["--streams", "1", "--waiting", "255"],
}


@dataclass(frozen=True)
class Answer:
    """What a client got.

    Attributes:
        text: all of it.
        first: seconds until its first piece.
        whole: seconds until its end.
    """

    text: str
    first: float
    whole: float


def measure(quick: bool, rounds: int) -> Section:
    """Ask a server for many texts at once, and for them one at a time; each must be what Python writes.

    Args:
        quick: fewer texts.
        rounds: how often all are asked for.
    """
    streams = STREAMS // 4 if quick else STREAMS
    progress("serve: what Python writes")
    poet = kerasgen.load("saved_models/shakespeare.keras")
    expected = ["".join(poet.stream(PROMPT, length=LENGTH, seed=seed)) for seed in range(streams)]
    rows, data, right = [], {}, 0
    for how, flags in HOW.items():
        progress(f"serve: {how}")
        with tempfile.TemporaryDirectory() as folder, serving(folder, *flags, "--quiet") as server:
            _all_at_once(server.address, streams)  # connections and threads have been made once
            turns = [_all_at_once(server.address, streams) for _ in range(rounds)]
        answers = [answer for found, _ in turns for answer in found]
        right += sum(answer.text == text for found, _ in turns for answer, text in zip(found, expected, strict=True))
        seconds = statistics.median(seconds for _, seconds in turns)
        figures = {
            "characters_per_second": streams * LENGTH / seconds,
            **{f"first_p{share}": _quantile([one.first for one in answers], share) for share in (50, 99)},
            **{f"whole_p{share}": _quantile([one.whole for one in answers], share) for share in (50, 99)},
        }
        rows.append([how, *map(number, figures.values())])
        data[how] = {**figures, "seconds": spread([seconds for _, seconds in turns])}
    together, alone = (data[how]["characters_per_second"] for how in HOW)
    return Section(
        f"Serving: {streams} streams of {LENGTH} characters at once",
        ["how", "characters/s", "first piece, p50 s", "p99 s", "whole text, p50 s", "p99 s"],
        rows,
        notes=[
            f"{medians(rounds)}, {streams} threads of `requests` in another process on the same cores. {right:,} of "
            f"{2 * rounds * streams:,} texts were Python's to the letter."
        ],
        goals=[
            Goal("texts that were Python's", right, 2 * rounds * streams),
            Goal("side by side over one at a time, characters/s", together / alone, 1),
        ],
        data=data,
        versions={name: version(name) for name in ("starlette", "uvicorn", "requests")},
    )


def _all_at_once(address: str, streams: int) -> tuple[list[Answer], float]:
    """Ask for all texts at the same moment; return the answers in the order of their seeds, and the seconds in all."""
    together = threading.Barrier(streams + 1)

    def ask(seed: int) -> Answer:
        body = {"prompt": PROMPT, "length": LENGTH, "seed": seed}
        together.wait()
        started, first, pieces = time.perf_counter(), 0.0, []
        with requests.post(f"{address}/generate", json=body, stream=True, timeout=300) as answer:
            answer.raise_for_status()
            for piece in answer.iter_content(None):
                first = first or time.perf_counter() - started
                pieces.append(piece)
        return Answer(b"".join(pieces).decode(), first, time.perf_counter() - started)

    with ThreadPoolExecutor(streams) as pool:
        asked = [pool.submit(ask, seed) for seed in range(streams)]
        together.wait()
        started = time.perf_counter()
        answers = [one.result() for one in asked]
        return answers, time.perf_counter() - started


def _quantile(values: list[float], share: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[share - 1]
