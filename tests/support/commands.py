"""Commands, run as a user runs them: in this process, which is quick, or in one of their own, as it is really."""

import contextlib
import importlib
import io
import os
import pty
import select
import signal
import subprocess
import sys
import threading
import time
from unittest import mock

from kerasgen.base import console
from tests.conftest import ROOT


def environment(**more):
    """Return the environment of a process of its own, without what would change what it prints."""
    clean = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "TF_CPP_MIN_LOG_LEVEL", "XLA_FLAGS")}
    return {**clean, "PYTHONPATH": str(ROOT), **more}


def process(folder, module, *arguments, code=0, **env):
    """Run ``python -m kerasgen.<module>`` in a process of its own; return it, finished with that exit code."""
    done = subprocess.run(
        [sys.executable, "-m", f"kerasgen.{module}", *map(str, arguments)],
        cwd=folder, env=environment(**env), capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == code, (done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    return done


def _main(module, arguments):
    try:
        return console.run_command(importlib.import_module(f"kerasgen.{module}").main, arguments)
    except SystemExit as done:  # --help
        return done.code or 0


def call(folder, module, *arguments, code=0, stdin="", stdout=None, **env):
    """Run a command in this process, in a folder; return what `process` would.

    Args:
        folder: the current folder meanwhile.
        module: ``"dino"``, say.
        arguments: the command's.
        code: the exit code that is expected; None for any.
        stdin: what it reads.
        stdout: where it prints to; None for what is returned.
        env: added to the environment meanwhile.
    """
    out, err, arguments = stdout or io.StringIO(), io.StringIO(), list(map(str, arguments))
    with (
        contextlib.chdir(folder), mock.patch.dict(os.environ, env), mock.patch.object(sys, "stdin", io.StringIO(stdin)),
        contextlib.redirect_stdout(out), contextlib.redirect_stderr(err),
    ):  # fmt: skip
        found = _main(module, arguments)
    printed = None if stdout else out.getvalue()
    assert code in (None, found), (printed, err.getvalue())
    return subprocess.CompletedProcess(arguments, found, printed, err.getvalue())


def call_in_a_terminal(folder, module, *arguments, typed=(), **env):
    """Run a command in this process with a pseudo-terminal as its input, output and error.

    Args:
        folder: the current folder meanwhile.
        module: ``"dino"``, say.
        arguments: the command's.
        typed: the keys that a user presses each time that a prompt is asked for.
        env: added to the environment meanwhile.

    Returns:
        What the terminal was sent, and the exit code.
    """
    main, side = pty.openpty()
    shown = []
    reader = threading.Thread(target=_watch, args=(main, shown, typed))
    reader.start()
    with (
        open(side, closefd=False) as keys, open(side, "w", closefd=False) as screen,
        contextlib.chdir(folder), mock.patch.dict(os.environ, {"TERM": "xterm-256color", **env}),
        mock.patch.object(sys, "stdin", keys), contextlib.redirect_stdout(screen), contextlib.redirect_stderr(screen),
    ):  # fmt: skip
        code = _main(module, list(map(str, arguments)))
    os.close(side)
    reader.join(10)
    os.close(main)
    return b"".join(shown).decode().replace("\r\n", "\n"), code


def _watch(main, shown, typed):
    """Collect what a terminal is sent until the other side is closed; type once the question has come."""
    typed = (typed, 0)
    with contextlib.suppress(OSError):  # that is how Linux says that the other side was closed
        while data := os.read(main, 65536):
            shown.append(data)
            typed = _answered(main, b"".join(shown), typed)


def _answered(main, shown, typed):
    """Press the next keys where a question has come that was not answered yet; return the keys and how many were."""
    keys, answered = typed
    if answered < min(len(keys), shown.count(b"(an empty line ends): ")):
        os.write(main, keys[answered])
        return keys, answered + 1
    return typed


def in_a_terminal(folder, module, *arguments, typed=(), **env):
    """Do the same with a process of its own, of which a terminal would also show what libraries write."""
    main, side = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", f"kerasgen.{module}", *map(str, arguments)],
        cwd=folder, env=environment(TERM="xterm-256color", **env), stdin=side, stdout=side, stderr=side,
    )  # fmt: skip
    os.close(side)
    shown, deadline, typed = b"", time.monotonic() + 100, (typed, 0)
    while time.monotonic() < deadline:
        if select.select([main], [], [], 0.2)[0]:
            try:
                shown += os.read(main, 65536)
            except OSError:  # the other side was closed
                break
            typed = _answered(main, shown, typed)
        elif process.poll() is not None:
            break
    os.close(main)
    return shown.decode().replace("\r\n", "\n"), process.wait(10)


def interrupted(folder, module, *arguments, after):
    """Press Ctrl-C once a training has printed some words; return the exit code, its output and what went wrong."""
    command = [sys.executable, "-u", "-m", f"kerasgen.{module}", *arguments]
    pipes = dict(stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    printed = []
    with subprocess.Popen(command, cwd=folder, env=environment(), **pipes) as process:
        try:
            for line in process.stdout:
                printed.append(line)
                if after in line:
                    break
            process.send_signal(signal.SIGINT)
            rest = process.stdout.read()  # `communicate` would lose what the loop has read ahead
            error = process.stderr.read()
            process.wait(30)
        finally:
            process.kill()
    return process.returncode, "".join([*printed, rest]), error
