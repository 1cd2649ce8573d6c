"""The rivals that learn names, each in a process of its own: ``python -m tests.tools.benchmarks.rivals NAME STEPS``.

A rival takes the task and a number of steps, makes the untimed steps, times the others and returns a `Result`. Rivals
import what they are made of themselves, so that no thread setting or flag of one reaches another.
"""

import ctypes
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from tests.support import oracle
from tests.tools.benchmarks import notebook
from tests.tools.benchmarks.stock import stock_keras, stock_keras_jit, stock_keras_unpadded
from tests.tools.benchmarks.task import (
    CHECKED,
    CLIP,
    LEARNING_RATE,
    UNITS,
    Clock,
    NamesTask,
    NotHereError,
    Result,
    Smoothed,
    time_steps,
)


def kerasgen(task: NamesTask, steps: int) -> Result:
    """Train a `NameRNN` as the command does: small loops fused into one kernel, `training.fit`."""
    from kerasgen.models import backend
    from kerasgen.models.backend import keras
    from kerasgen.models.names import NameRNN, nats_per_name
    from kerasgen.tasks.notebook import notebook_first_loss, notebook_order
    from kerasgen.text.names import NameBatches, NameRows
    from kerasgen.training import fit as training

    model = NameRNN(len(task.vocab), UNITS, carry_state=True)
    model.small_loops_fused = backend.fuse_small_loops()
    for variable, value in zip(model.trainable_variables, oracle.keras_weights(task.weights()), strict=True):
        variable.assign(value)
    sgd = keras.optimizers.SGD(learning_rate=LEARNING_RATE, clipvalue=CLIP)
    model.compile(optimizer=sgd, loss=nats_per_name, auto_scale_loss=False)
    rows = NameRows(task.names, task.vocab)
    batches = NameBatches(rows, order=notebook_order(len(rows), 0))
    chunks: list[float] = []
    epochs: list[tuple[tuple[float, float], float]] = []
    clock = Clock()
    begun: list[float] = []
    timer = keras.callbacks.LambdaCallback(
        on_train_batch_begin=lambda step, logs: begun.append(time.perf_counter()),
        on_train_batch_end=lambda step, logs: chunks.append(time.perf_counter() - begun[-1]),
        on_epoch_end=lambda epoch, logs: epochs.append((clock.read(), logs["smoothed_loss"])),
    )
    training.fit(
        model,
        batches,
        epoch_ends=[*range(CHECKED, CHECKED + steps, 2000), CHECKED + steps],  # the command's rhythm
        callbacks=[timer],
        first_smoothed_loss=notebook_first_loss(len(task.vocab), 7),
        chunk=2000,
    )
    ((wall, cpu), loss), *_, ((wall_end, cpu_end), _) = epochs
    compiling = chunks[0] - statistics.median(chunks[1:4])  # those are chunks as long as the first
    return Result(steps, wall_end - wall, cpu_end - cpu, loss, 1, compiling, {"keras": keras.__version__})


def numpy(task: NamesTask, steps: int) -> Result:
    """Run the notebook's procedure."""
    parameters = notebook.columns(task.weights())
    a = np.zeros((UNITS, 1))

    def step(ids):
        nonlocal a
        loss, a = notebook.optimize([None, *ids], [*ids, 0], a, parameters, LEARNING_RATE, CLIP)
        return loss

    return time_steps(task, step, steps, versions={"numpy": np.__version__})


def vector_numpy(task: NamesTask, steps: int) -> Result:
    """Run the tests' oracle: vectors instead of columns, no one-hot products."""
    weights = task.weights()
    a = np.zeros(UNITS)

    def step(ids):
        nonlocal a
        loss, a = oracle.sgd_step(weights, ids, a, LEARNING_RATE, CLIP)
        return loss

    return time_steps(task, step, steps)


def pytorch(task: NamesTask, steps: int) -> Result:
    """Train an `nn.RNN` eagerly, on one thread, which is faster for steps this small."""
    try:
        import torch
    except ImportError:
        raise NotHereError("PyTorch is not installed") from None
    torch.set_num_threads(1)
    vocab_size = len(task.vocab)
    rnn, out = torch.nn.RNN(vocab_size, UNITS), torch.nn.Linear(UNITS, vocab_size)
    w = {name: torch.tensor(value, dtype=torch.float32) for name, value in task.weights().items()}
    with torch.no_grad():
        rnn.weight_ih_l0.copy_(w["Wax"])
        rnn.weight_hh_l0.copy_(w["Waa"])
        rnn.bias_ih_l0.copy_(w["b"])
        rnn.bias_hh_l0.zero_().requires_grad_(False)  # PyTorch has two biases where there is one here
        out.weight.copy_(w["Wya"])
        out.bias.copy_(w["by"])
    parameters = [p for p in (*rnn.parameters(), *out.parameters()) if p.requires_grad]
    sgd = torch.optim.SGD(parameters, lr=LEARNING_RATE)
    one_hot, state = torch.eye(vocab_size), torch.zeros(1, UNITS)

    def step(ids):
        nonlocal state
        letters = torch.zeros(len(ids) + 1, vocab_size)
        letters[1:] = one_hot[ids]
        states, state = rnn(letters, state)
        loss = torch.nn.functional.cross_entropy(out(states), torch.tensor([*ids, 0]), reduction="sum")
        sgd.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_value_(parameters, CLIP)
        sgd.step()
        state = state.detach()
        return loss.item()

    return time_steps(task, step, steps, versions={"torch": torch.__version__})


def c(task: NamesTask, steps: int) -> Result:
    """Build and run the hand-written C."""
    compiler = shutil.which("gcc")
    if not compiler:
        raise NotHereError("there is no gcc")
    source = Path(__file__).with_name("sgd.c")
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "sgd.so"
        sizes = [f"-DUNITS={UNITS}", f"-DVOCAB={len(task.vocab)}"]
        flags = ["-O3", "-march=native", "-ffast-math", "-shared", "-fPIC"]
        subprocess.run([compiler, *flags, *sizes, source, "-o", library, "-lm"], check=True)
        code = ctypes.CDLL(str(library))
    weights = [np.ascontiguousarray(w, np.float32) for w in oracle.keras_weights(task.weights())]
    code.begin(*(w.ctypes.data_as(ctypes.c_void_p) for w in weights))
    ids = np.concatenate(task.examples).astype(np.int32)
    starts = np.cumsum([0, *map(len, task.examples)]).astype(np.int32)

    def train(first, count):
        losses = np.empty(count, np.float32)
        ids_at, starts_at, losses_at = (a.ctypes.data_as(ctypes.c_void_p) for a in (ids, starts, losses))
        rate, limit = ctypes.c_float(LEARNING_RATE), ctypes.c_float(CLIP)
        code.train(ids_at, starts_at, len(task.examples), first, count, rate, limit, losses_at)
        return losses.tolist()

    smoothed = Smoothed(task)
    smoothed.add(*train(0, CHECKED))
    loss = float(smoothed.value)
    clock = Clock()
    smoothed.add(*train(CHECKED, steps))
    times = clock.read()
    version = subprocess.run([compiler, "-dumpfullversion"], capture_output=True, text=True).stdout.strip()
    return Result(steps, *times, loss, versions={"gcc": version})


RIVALS = {
    rival.__name__: rival
    for rival in (stock_keras, stock_keras_jit, stock_keras_unpadded, pytorch, numpy, vector_numpy, kerasgen, c)
}


if __name__ == "__main__":
    try:
        answer = RIVALS[sys.argv[1]](NamesTask(), int(sys.argv[2])).as_dict()
    except NotHereError as error:
        answer = {"missing": str(error)}
    print(json.dumps(answer))
