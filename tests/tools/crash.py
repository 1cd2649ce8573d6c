"""Kill a training at random moments, resume, compare: ``python -m tests.tools.crash --kills 50 --kind names``.

Every checkpoint that a chunk of steps allows is written, so that many of the kills fall into a save. The result must be
that of a run without interruption, bit for bit: weights, optimizer, best model, the history of losses, the scores.
"""

import argparse
import json
import os
import random
import select
import signal
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from kerasgen.base import console, files
from kerasgen.modelfile import store
from kerasgen.runs import run as runs
from tests.support.poems import write_text

COMMANDS = {
    "names": (
        "--data", "mini.txt", "--units", "12", "--steps", "40000", "--sample-every", "500", "--momentum", "0.5",
        "--recurrent-dropout", "0.1", "--carry-state", "--no-log",
    ),
    "prose": (
        "--data", "mini.txt", "--from-scratch", "--units", "8", "--batch-size", "4", "--seq-len", "10",
        "--epochs", "30", "--learning-rate", "0.05", "--dropout", "0.2", "--recurrent-dropout", "0.1",
        "--patience", "4", "--no-log", "--length", "20",
    ),
}  # fmt: skip


@dataclass
class Report:
    """What a series of kills did.

    Attributes:
        kills: how many.
        saving: how many of them left a half-written file.
        finished: the runs that reached their end, and were the same as the one without interruption.
        steps: after which steps the runs were gone on with.
    """

    kills: int = 0
    saving: int = 0
    finished: int = 0
    steps: set = field(default_factory=set)


def write_data(folder: Path, kind: str) -> None:
    """Write what is learned."""
    folder.mkdir()
    if kind == "prose":
        write_text(folder / "mini.txt")
        return
    rng = np.random.RandomState(0)
    names = ["".join(rng.choice(list("aeioukmnrst"), rng.randint(3, 9))) for _ in range(60)]
    (folder / "mini.txt").write_text("\n".join(names))


def start(folder: Path, kind: str, steps: tuple[str, ...] = ()) -> tuple[int, int]:
    """Fork a process that runs the command; return its id and a pipe that has a byte once the training makes steps."""
    reader, writer = os.pipe()
    if process := os.fork():
        os.close(writer)
        return process, reader
    code = 1
    try:
        output = os.open(folder / "output.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.chdir(folder)
        code = _work(kind, steps, writer)
    except BaseException:
        traceback.print_exc()
    os._exit(code)


def _work(kind: str, more: tuple[str, ...], writer: int) -> int:
    from kerasgen import dino, shakespeare
    from kerasgen.runs import checkpointer
    from kerasgen.training import fit as training
    from kerasgen.training.program import Program

    checkpointer.OFTEN = checkpointer.SELDOM = 0.0
    run, fit = Program.run, training.fit

    def telling(self, rows):
        losses = run(self, rows)
        os.write(writer, b".")
        return losses

    def noting(*arguments, **options):
        history = fit(*arguments, **options)
        with files.whole(Path("history.json")) as temporary:
            temporary.write_text(json.dumps(history.history))
        return history

    Program.run, training.fit = telling, noting
    command = {"names": dino, "prose": shakespeare}[kind].main
    return console.run_command(command, [*COMMANDS[kind], *more])


def result(folder: Path) -> dict:
    """Return all that a finished run leaves, as hashes and numbers."""
    contents = store.read(folder / "saved_models" / "my-mini.keras")
    weights, optimizer = store.arrays(contents)
    return {
        "weights": files.sha256(b"".join(array.tobytes() for array in weights)),
        "optimizer": files.sha256(b"".join(np.asarray(array).tobytes() for array in optimizer)),
        "history": json.loads((folder / "history.json").read_text()),
        "scores": contents.card["scores"],
        "left": sorted(os.listdir(folder / "saved_models")),
    }


def wait(process: int) -> int:
    """Return how a process ended: its exit code, or minus the signal."""
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def torture(home: Path, kind: str, kills: int, seed: int = 0, more: tuple[str, ...] = ()) -> Report:
    """Kill runs until there were so many kills, then let the last one end; hold all of them against one that was not.

    Args:
        home: an empty folder.
        kind: ``"names"`` or ``"prose"``.
        kills: how many.
        seed: of the moments.
        more: flags that are added to the command.

    Raises:
        AssertionError: a run ended otherwise than the uninterrupted one.
    """
    import kerasgen.runs.monitor  # noqa: F401  (imported here once, as each of the forked processes needs it)
    import kerasgen.training.fit  # noqa: F401

    write_data(home / "whole", kind)
    process, pipe = start(home / "whole", kind, more)
    select.select([pipe], [], [])
    started = time.perf_counter()
    assert wait(process) == 0, (home / "whole" / "output.txt").read_text()
    seconds = time.perf_counter() - started
    os.close(pipe)
    expected, report, rng = result(home / "whole"), Report(), random.Random(seed)
    while True:
        folder = home / f"killed-{report.finished}"
        write_data(folder, kind)
        while True:
            process, pipe = start(folder, kind, more)
            if report.kills < kills:
                select.select([pipe], [], [])  # steps are made, or the process has ended
                time.sleep(rng.uniform(0, min(2, kills / 4) * seconds / kills))
                os.kill(process, signal.SIGKILL)
            code = wait(process)
            os.close(pipe)
            if code != -signal.SIGKILL:
                break
            report.kills += 1
            report.saving += any(path.name.startswith(".") for path in (folder / "saved_models").rglob("*"))
            report.steps |= {run.step for run in runs.unfinished(folder / "saved_models")}
        assert code == 0, (folder / "output.txt").read_text()
        assert result(folder) == expected, f"killed {report.kills} times, it differs"
        report.finished += 1
        if report.kills >= kills:
            return report


def main() -> None:
    """Print the figures of a long series."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--kind", choices=COMMANDS, default="names")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("more", nargs="*", help="flags that are added to the command, after --")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = torture(Path(folder), arguments.kind, arguments.kills, arguments.seed, tuple(arguments.more))
    print(
        f"{arguments.kind}: {report.kills} kills, {report.saving} of them within a save; resumed at "
        f"{len(report.steps)} different steps; {report.finished} runs reached their end, each bit for bit the "
        "uninterrupted one (weights, optimizer, history, scores)"
    )


if __name__ == "__main__":
    sys.exit(main())
