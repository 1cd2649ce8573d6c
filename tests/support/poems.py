"""What the tests of the prose command share: small texts, a model with random weights, a pseudo-terminal."""

import os
import pty
import select
import signal
import subprocess
import sys
import sysconfig
import time

import numpy as np

from kerasgen.modelfile import store
from kerasgen.models.prose import stacked_lstm
from kerasgen.text.vocab import CharVocab
from tests.conftest import ROOT

CHARS = "\n !',.?abcdefghijklmnopqrstuvwxyz"
CARD = {"kind": "prose", "start": "\n", "lower_case": True, "data": {"name": "nothing", "sha256": "0" * 64}}
TINY = ("--units", "8", "--batch-size", "4", "--seq-len", "10", "--no-log")
LINES = "Shall I compare thee to a summer's day? thou art more lovely and more temperate but hell is empty, Brute"
WORDS = LINES.split()


def save(path, units=8, chars=CHARS, card=None, scale=0.5):
    """Save a model with random weights, lively enough to write every character."""
    model = stacked_lstm(len(chars), units)
    rng = np.random.RandomState(1)
    for variable in model.trainable_variables:
        variable.assign(rng.randn(*variable.shape) * scale)
    store.save(path, model, CharVocab(chars), {**CARD, **(card or {})}, [])
    return path


def write_text(path, lines=200):
    """Write a text of the words above in random order, five a line."""
    rng = np.random.RandomState(0)
    path.write_text("".join(" ".join(rng.choice(WORDS, 5)) + "\n" for _ in range(lines)), encoding="utf-8")


def environment(**more):
    clean = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "TF_CPP_MIN_LOG_LEVEL", "XLA_FLAGS")}
    return {**clean, "PYTHONPATH": str(ROOT), **more}


def in_a_terminal(folder, *arguments, typed=b"", module="shakespeare", **env):
    """Run a command with a pseudo-terminal as its input, output and error; return what it shows and the exit code."""
    main, side = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", f"kerasgen.{module}", *map(str, arguments)],
        cwd=folder, env=environment(TERM="xterm-256color", **env), stdin=side, stdout=side, stderr=side,
    )  # fmt: skip
    os.close(side)
    shown, deadline = b"", time.monotonic() + 100
    while time.monotonic() < deadline:
        if select.select([main], [], [], 0.2)[0]:
            try:
                shown += os.read(main, 65536)
            except OSError:  # the other side was closed
                break
            if typed and b"beginning of your poem" in shown:
                os.write(main, typed)
                typed = b""
        elif process.poll() is not None:
            break
    os.close(main)
    return shown.decode().replace("\r\n", "\n"), process.wait(10)


def interrupted(folder, module, *arguments, after):
    """Press Ctrl-C once a training has printed some words; return the exit code, its output and what went wrong."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", f"kerasgen.{module}", *arguments],
        cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    printed = []
    try:
        for line in process.stdout:
            printed.append(line)
            if after in line:
                break
        process.send_signal(signal.SIGINT)
        rest, error = process.communicate(timeout=30)
    finally:
        process.kill()
    return process.returncode, "".join([*printed, rest]), error


def refused(done, *words):
    """Hold a result (code, output, error) against: nothing but one line of error that has all of the words."""
    code, out, err = done
    assert (code, out) == (2, ""), err
    lines = [line for line in err.splitlines() if line.startswith("kerasgen: error:")]
    assert len(lines) == 1 and "Traceback" not in err
    for word in words:
        assert word in lines[0]


def logits_in_plain_keras(file, ids, folder):
    """Load a model in a process that has Keras but can't have kerasgen, and ask it for its logits."""
    np.save(folder / "ids.npy", ids)
    packages = [sysconfig.get_path(kind) for kind in ("purelib", "platlib")]
    code = (
        "import sys\n"
        f"sys.path += {packages!r}\n"  # without the .pth files in there, which an editable kerasgen hangs on
        "try:\n    import kerasgen.models\n"
        "except ModuleNotFoundError:\n    pass\n"
        "else:\n    raise SystemExit('kerasgen is here, too')\n"
        "import keras, numpy as np\n"
        f"model = keras.saving.load_model({str(file)!r})\n"
        "assert type(model).__module__.startswith('keras')\n"
        "np.save('logits.npy', model(np.load('ids.npy')))\n"
    )
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    command = [sys.executable, "-I", "-S", "-c", code]
    done = subprocess.run(command, cwd=folder, env=clean, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return np.load(folder / "logits.npy")
