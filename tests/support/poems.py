"""What the tests of the prose command share: small texts, a model with random weights, plain Keras."""

import os
import subprocess
import sys
import sysconfig

import numpy as np

from kerasgen.metrics.novelty import KnownTexts
from kerasgen.modelfile import store
from kerasgen.models.prose import stacked_lstm
from kerasgen.text.vocab import CharVocab
from tests.support.commands import environment as environment

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
    store.save(path, model, CharVocab(chars), {**CARD, **(card or {})}, KnownTexts())
    return path


def write_text(path, lines=200):
    """Write a text of the words above in random order, five a line."""
    rng = np.random.RandomState(0)
    path.write_text("".join(" ".join(rng.choice(WORDS, 5)) + "\n" for _ in range(lines)), encoding="utf-8")


def refused(done, *words):
    """Hold a result (code, output, error) against: nothing but one line of error that has all of the words."""
    code, out, err = done
    assert (code, out) == (2, ""), err
    lines = [line for line in err.splitlines() if line.startswith("kerasgen: error:")]
    assert len(lines) == 1 and "Traceback" not in err
    for word in words:
        assert word in lines[0]


def logits_in_plain_keras(files, ids, folder):
    """Load models in a process that has Keras but can't have kerasgen, and ask each for its logits."""
    np.save(folder / "ids.npy", ids)
    packages = [sysconfig.get_path(kind) for kind in ("purelib", "platlib")]
    code = (
        "import sys\n"
        f"sys.path += {packages!r}\n"  # without the .pth files in there, which an editable kerasgen hangs on
        "try:\n    import kerasgen.models\n"
        "except ModuleNotFoundError:\n    pass\n"
        "else:\n    raise SystemExit('kerasgen is here, too')\n"
        "import keras, numpy as np\n"
        f"models = [keras.saving.load_model(file) for file in {list(map(str, files))!r}]\n"
        "assert all(type(model).__module__.startswith('keras') for model in models)\n"
        "np.savez('logits.npz', *[model(np.load('ids.npy')) for model in models])\n"
    )
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    command = [sys.executable, "-I", "-S", "-c", code]
    done = subprocess.run(command, cwd=folder, env=clean, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return list(np.load(folder / "logits.npz").values())
