"""Commands whose standard streams are closed, on a full disk, or go away: real processes.

``python -m tests.support.streams`` reads cases as JSON and writes what became of each. It imports TensorFlow once and
forks a process for each case, whose descriptors are as a shell would have made them, and whose Python sees them as it
does at its start.
"""

import contextlib
import importlib
import io
import json
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import termios
from dataclasses import dataclass
from fcntl import ioctl
from pathlib import Path

from kerasgen.base import console
from tests.support.commands import environment

STREAMS = ("standard input", "standard output", "standard error")
CLOSED, FULL, DEVICE, PIPE = "closed", "on a full disk", "`/dev/full`", "a pipe whose other end has ended"
TERMINAL, HANGUP = "a terminal that has gone, with SIGHUP ignored", "a terminal that goes, with its SIGHUP"
_GONE = (TERMINAL, HANGUP)


@dataclass
class Outcome:
    """How a process ended: its exit code, and what it wrote where nothing was in its way."""

    code: int
    out: str
    error: str


def run_all(folder, cases, disk):
    """Run cases one after another; return their outcomes.

    Args:
        folder: where.
        cases: the words of a command and the state of each stream that is no ordinary one.
        disk: a folder on a full disk; nothing for /dev/full in its place.
    """
    fast = "--xla_backend_optimization_level=0"  # compiling takes most of the time
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.streams", str(folder), str(disk)], input=json.dumps(cases),
        env=environment(TERM="xterm", XLA_FLAGS=fast), capture_output=True, text=True, timeout=400,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [Outcome(*one) for one in json.loads(done.stdout)]


def run_case(folder, disk, words, states, command, until="", room=0):
    """Fork a process for a case; return its exit code, its output and its errors.

    Args:
        folder: where it runs.
        disk: a folder on a full disk; nothing for /dev/full in its place.
        words: for `command`.
        states: of the streams that are no ordinary ones, by their names.
        command: what the process does with the words; it returns the exit code.
        until: what its terminal shows before that goes.
        room: the bytes that are left on that disk.
    """
    if disk:
        fill(Path(disk), room)
    written = [folder / "out.txt", folder / "error.txt"]
    for file in written:
        file.write_text("")
    main, side = pty.openpty()
    ready, tell = os.pipe()
    child = os.fork()
    if not child:
        code = 70
        with contextlib.suppress(BaseException):
            signal.signal(signal.SIGHUP, signal.SIG_DFL if HANGUP in states.values() else signal.SIG_IGN)
            os.chdir(folder)
            os.setsid()
            if {*_GONE} & {*states.values()}:
                ioctl(side, termios.TIOCSCTTY, 0)
            sources = [_source(number, states.get(name), disk, side, written) for number, name in enumerate(STREAMS)]
            os.write(tell, b".")
            for number, source in enumerate(sources):
                os.close(number) if source is None else os.dup2(source, number)
            os.closerange(3, 256)
            code = command(words)
        os._exit(code)
    os.close(side)
    os.close(tell)
    os.read(ready, 1)
    os.close(ready)
    shown = b""
    while until.encode() not in shown and select.select([main], [], [], 60)[0]:
        try:
            shown += os.read(main, 65536)
        except OSError:  # it has ended
            break
    os.close(main)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return code, *(file.read_text(encoding="utf-8") for file in written)


def fill(disk, room):
    """Fill a disk, which is emptied, but for some bytes."""
    for path in disk.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    pages = os.statvfs(disk).f_bavail - (room + 4095) // 4096
    (disk / "ballast").write_bytes(bytes(4096 * pages))


def _source(number, state, disk, terminal, written):
    """Return the descriptor that a stream shall be; None for one that is closed."""
    if state == CLOSED:
        return None
    if state in _GONE:
        return terminal
    if state == PIPE:
        ends = os.pipe()
        os.close(ends[not number])
        return ends[bool(number)]
    usual = written[number - 1] if number else os.devnull
    path = {FULL: os.path.join(disk, f"stream-{number}") if disk else "/dev/full", DEVICE: "/dev/full"}.get(
        state, usual
    )
    return os.open(path, (os.O_WRONLY if number else os.O_RDONLY) | os.O_CREAT)


def execute(words):
    """Run ``python -m kerasgen...`` in the place of this process."""
    os.execve(sys.executable, [sys.executable, "-m", *words], environment(TERM="xterm"))


def _in_this_process(words):
    """Run a command as the interpreter would: a stream that is closed is None; the current folder is the user's own."""
    os.environ.update(HOME=os.getcwd(), TMPDIR=os.getcwd())
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            raw = io.FileIO(number, "w" if number else "r", closefd=False)
        except OSError:
            setattr(sys, name, None)
            continue
        buffer = io.BufferedWriter(raw) if number else io.BufferedReader(raw)
        setattr(sys, name, io.TextIOWrapper(buffer, "utf-8", line_buffering=number == 2 or os.isatty(number)))
    return console.run_command(importlib.import_module(words[0]).main, words[1:])


def main():
    """Read cases, run them, write the outcomes."""
    import kerasgen.training.fit  # noqa: F401  (here once, as each of the processes needs it)

    folder, disk = Path(sys.argv[1]), sys.argv[2]
    print(json.dumps([run_case(folder, disk, command=_in_this_process, **case) for case in json.load(sys.stdin)]))


if __name__ == "__main__":
    main()
