"""The rivals that learn prose: ``python -m tests.tools.benchmarks.prose_rivals NAME TARGET LAPS STEPS``.

A rival takes the task, the kind of target, how many laps to make and how many steps a lap has, and returns the `Laps`.
All make the same arithmetic from the same weights on the same batches: float32 but where a name says bfloat16, no
dropout, plain SGD.
"""

import json
import os
import sys

import numpy as np

from kerasgen.base import machine
from tests.tools.benchmarks.prose_task import BATCH, LEARNING_RATE, SEQ_LEN, UNITS, Laps, ProseTask, torch_weights
from tests.tools.benchmarks.task import NotHereError


def kerasgen(task: ProseTask, target: str, laps: int, steps: int, dtype: str = "float32") -> Laps:
    """Train a `stacked_lstm` as the command does: `training.fit`."""
    from kerasgen.models.backend import keras
    from kerasgen.models.prose import ProseLSTM, stacked_lstm
    from kerasgen.training import fit as training

    model = stacked_lstm(len(task.vocab), UNITS, dropout=0.0, dtype=dtype)
    for variable, value in zip(model.trainable_variables, task.weights(), strict=True):
        variable.assign(value)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.SGD(LEARNING_RATE), loss=loss)
    measured = Laps(steps, os.cpu_count() or 1, {"keras": keras.__version__})
    training.fit(
        ProseLSTM(model, target=target, seed=0),
        task.batches,
        epoch_ends=[steps * (lap + 1) for lap in range(laps)],
        callbacks=[measured.callback()],
        chunk=steps,
    )
    return measured


def kerasgen_bfloat16(task: ProseTask, target: str, laps: int, steps: int) -> Laps:
    """Train the same with ``--dtype mixed_bfloat16``."""
    from kerasgen.models import backend

    if not machine.multiplies_bfloat16():
        raise NotHereError("this processor multiplies no bfloat16")
    backend.use_one_thread()
    return kerasgen(task, target, laps, steps, dtype="mixed_bfloat16")


def stock_keras(task: ProseTask, target: str, laps: int, steps: int, jit_compile: bool | str = "auto") -> Laps:
    """Train by Keras' own layers and `fit`, on arrays of one-hot windows."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    import keras

    every, vocab_size = target == "every", len(task.vocab)
    model = keras.Sequential(
        [
            keras.Input((SEQ_LEN, vocab_size)),
            keras.layers.LSTM(UNITS, return_sequences=True),
            keras.layers.LSTM(UNITS, return_sequences=every),
            keras.layers.Dense(vocab_size),
        ]
    )
    model.set_weights(task.weights())
    model.compile(
        optimizer=keras.optimizers.SGD(LEARNING_RATE),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=jit_compile,
    )
    measured, one_hot = Laps(steps, os.cpu_count() or 1), np.eye(vocab_size, dtype=np.float32)
    callback = measured.callback()
    for lap in range(laps):
        batches = [task.batch(step) for step in range(lap * steps, (lap + 1) * steps)]
        inputs, targets = (np.concatenate(part) for part in zip(*batches, strict=True))
        targets = targets if every else targets[:, -1]
        model.fit(one_hot[inputs], targets, batch_size=BATCH, shuffle=False, verbose=0, callbacks=[callback])
    return measured


def stock_keras_jit(task: ProseTask, target: str, laps: int, steps: int) -> Laps:
    """Train the same with ``jit_compile=True``."""
    return stock_keras(task, target, laps, steps, jit_compile=True)


def pytorch(task: ProseTask, target: str, laps: int, steps: int, bfloat16: bool = False) -> Laps:
    """Train an `nn.LSTM` on all cores."""
    try:
        import torch
    except ImportError:
        raise NotHereError("PyTorch is not installed") from None
    threads, vocab_size = os.cpu_count() or 1, len(task.vocab)
    torch.set_num_threads(threads)
    lstm, out = torch.nn.LSTM(vocab_size, UNITS, num_layers=2), torch.nn.Linear(UNITS, vocab_size)
    for module, weights in zip((lstm, out), torch_weights(task.weights()), strict=True):
        module.load_state_dict({name: torch.tensor(value) for name, value in weights.items()})
    for name, parameter in lstm.named_parameters():
        parameter.requires_grad_("bias_hh" not in name)  # PyTorch has two biases where there is one here
    sgd = torch.optim.SGD([p for p in (*lstm.parameters(), *out.parameters()) if p.requires_grad], lr=LEARNING_RATE)
    one_hot = torch.eye(vocab_size)

    def learn(step):
        inputs, targets = (torch.tensor(ids.T, dtype=torch.int64) for ids in task.batch(step))  # (time, batch)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bfloat16):
            states, _ = lstm(one_hot[inputs])
            if target == "next":
                states, targets = states[-1:], targets[-1:]
            loss = torch.nn.functional.cross_entropy(out(states).flatten(0, 1).float(), targets.flatten())
        sgd.zero_grad()
        loss.backward()
        sgd.step()
        return loss.item()

    measured = Laps(steps, threads, {"torch": torch.__version__})
    for lap in range(laps):
        losses = measured.time(lambda lap=lap: [learn(lap * steps + step) for step in range(steps)])
        measured.losses.append(sum(losses) / steps)
    return measured


def pytorch_bfloat16(task: ProseTask, target: str, laps: int, steps: int) -> Laps:
    """Train the same under `torch.autocast`."""
    return pytorch(task, target, laps, steps, bfloat16=True)


RIVALS = {
    rival.__name__: rival
    for rival in (stock_keras, stock_keras_jit, pytorch, pytorch_bfloat16, kerasgen, kerasgen_bfloat16)
}


if __name__ == "__main__":
    name, target, laps, steps = sys.argv[1:]
    try:
        print(RIVALS[name](ProseTask(), target, int(laps), int(steps)).as_json())
    except NotHereError as error:
        print(json.dumps({"missing": str(error)}))
