"""Long texts, each in a process: ``python -m tests.tools.benchmarks.long_texts write|prepare|learn|pace ...``.

``write FILE BYTES latin|cyrillic`` writes a text; ``prepare FILE FOLDER`` prints how long it takes until its first
batch is there; ``learn FILE FOLDER`` trains some steps on it as the command does, with validation, n-grams, novelty,
logs and a model file, for the memory that this takes; ``pace FOLDER FILE...`` makes steps on all of them in turns and
prints the seconds of a step on each.
"""

import json
import os
import statistics
import sys
import time
from pathlib import Path

import numpy as np

from kerasgen.runs.train import train
from kerasgen.tasks.prose import ProseTask
from kerasgen.tasks.settings import ProseSettings
from kerasgen.text import corpora
from kerasgen.text.vocab import CharVocab

STEPS = 60
LAPS = 15
CHUNK = 20
_LINES = 200_000  # different ones of a text
_CHANGED = 0.2  # the share of words that stand in for others
_CYRILLIC = dict(zip(map(ord, "abcdefghijklmnopqrstuvwxyz"), "абцдефгхийклмнопрстувшщызю"[:26], strict=True))


def write(path: Path, size: int, letters: str) -> None:
    """Write a text of about so many bytes: lines of the Sonnets with other words of theirs in them, in any order."""
    rng, text = np.random.RandomState(0), str(corpora.read("shakespeare", "shakespeare").text)
    lines, words = [line.split() for line in text.split("\n") if line.strip()], np.array(text.split())
    varied = []
    for number in range(_LINES):
        line = np.array(lines[number % len(lines)], object)
        changed = rng.rand(len(line)) < _CHANGED
        line[changed] = rng.choice(words, changed.sum())
        varied.append(" ".join(line) + "\n")
    if letters == "cyrillic":
        varied = [line.lower().translate(_CYRILLIC) for line in varied]
    encoded = np.array([line.encode() for line in varied], object)
    with open(path, "wb") as file:
        while (left := size - file.tell()) > 0:
            file.write(b"".join(rng.choice(encoded, min(_LINES, left // 40 + 1))))


def task_of(path: Path, folder: Path, vocab: CharVocab | None = None) -> ProseTask:
    """Return a training on a text, with the settings that `configs/text_by_size.toml` has for long ones."""
    settings = ProseSettings(
        data=str(path), units=192, dropout=0.0, seq_len=64, batch_size=16, scratch_epochs=1, from_scratch=True,
        log_dir=str(folder / "logs"), save_dir=str(folder), case="lower", quiet=True,
    )  # fmt: skip
    return ProseTask(settings, corpora.read(str(path), "shakespeare"), vocab)


def prepare(path: Path, folder: Path) -> dict[str, float]:
    """Return the seconds until the first batch of a text is there, and those of the processor among them."""
    started, busy = time.perf_counter(), time.process_time()
    task = task_of(path, folder)
    task.batches(0, 1)
    seconds = {"seconds": time.perf_counter() - started, "processor": time.process_time() - busy}
    return {**seconds, "bytes": path.stat().st_size}


def learn(path: Path, folder: Path) -> dict[str, float]:
    """Train some steps on a text, and all that comes with them; return the seconds."""
    task = task_of(path, folder)
    task.steps, started = STEPS, time.perf_counter()
    train(task, folder / "my-text.keras")
    return {"seconds": time.perf_counter() - started}


def pace(folder: Path, paths: list[Path]) -> dict[str, list[float]]:
    """Return the seconds of a step on each text, the median of some laps in turns on one model."""
    from kerasgen.training.program import Program

    known = CharVocab.from_text({char for path in paths for char in task_of(path, folder).vocab.chars})
    tasks = [task_of(path, folder, known) for path in paths]
    program = Program(tasks[0].char_model(tasks[0].build()), (16, 65), CHUNK)
    laps: list[list[float]] = [[] for _ in tasks]
    for lap in range(1 + LAPS):
        for task, found in zip(tasks, laps, strict=True):
            started = time.perf_counter()
            program.run(task.batches(lap * CHUNK, CHUNK))
            found.append((time.perf_counter() - started) / CHUNK)
    return {"seconds": [statistics.median(found[1:]) for found in laps]}


if __name__ == "__main__":
    action, *arguments = sys.argv[1:]
    if action == "write":
        write(Path(arguments[0]), int(arguments[1]), arguments[2])
    else:
        place = Path(arguments[0] if action == "pace" else arguments[1])
        os.environ["KERASGEN_CACHE"] = str(place)
        if action == "pace":
            print(json.dumps(pace(place, list(map(Path, arguments[1:])))))
        else:
            print(json.dumps({"prepare": prepare, "learn": learn}[action](Path(arguments[0]), place)))
