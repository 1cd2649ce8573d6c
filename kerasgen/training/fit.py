"""The one way to fit: whole chunks of steps in one compiled program, between ordinary Keras callbacks."""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from kerasgen.models.backend import keras
from kerasgen.training.program import Program
from kerasgen.training.progress import Progress

SMOOTHING = 0.999  # the notebook's: loss = 0.999 * loss + 0.001 * step_loss


PATIENCE = 10.0  # seconds that a chunk may take: Ctrl-C and checkpoints wait for its end


def fit(
    model: keras.Model,
    batches,
    *,
    epoch_ends: Iterable[int],
    passes=None,
    validate: Callable[[], dict[str, float]] | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    first_smoothed_loss: float | None = None,
    chunk: int = 500,
    progress: Progress | None = None,
) -> keras.callbacks.History:
    """Train a compiled model, from the step that its optimizer has reached to the last of `epoch_ends`.

    A step is ``model.gradients`` (a pure function of weights, batch, carried state and step number), then the place
    where those of several workers are added up, then the update. A chunk of steps is one program that carries
    everything as plain tensors; the model's and the optimizer's variables are read before and written after it. Where
    `passes` asks for it, a batch is cut into parts whose gradients are computed side by side, on a core each.

    Args:
        model: compiled.
        batches: ``batches.chunks(first, end, size)`` gives the batches of the steps from `first` to before `end`, up to
            `size` of them at a time, int32 ``(steps, batch, time + 1)``; ``batches(0, 1)`` gives the first.
        epoch_ends: the step numbers after which an epoch, real or virtual, ends: the callbacks' rhythm.
        passes: has ``gradients(weights, rows, state, step)``, ``carried`` (the list of carried-state variables, empty
            where each batch begins anew), ``initial_state(batch_size)``, ``compute_dtype``, ``fused`` (whether XLA is
            to compile it) and ``parts(batch_size)``; where that is above 1, ``gradients`` takes the number of its part
            and their count, too. None for the model itself.
        validate: called at the end of an epoch; what it returns is added to the logs.
        callbacks: ordinary Keras callbacks. Batch hooks are called once a chunk, as with ``steps_per_execution``. The
            logs have ``loss`` (the mean over the steps of the epoch so far; after an epoch, of that epoch), and
            ``smoothed_loss``, the notebook's running mean.
        first_smoothed_loss: where the running mean begins; None for the first step's loss.
        chunk: how many steps a program makes at the most; where they take more than 10 seconds, it makes fewer.
        progress: that of the training to go on with, whose model and optimizer have been brought back by the caller;
            None for a new one. With it, the result is bit for bit that of a training without interruption.

    Returns:
        The `History`: the logs of every epoch.

    Raises:
        DivergedError: the loss is NaN or infinite; the model is left as it was after the last chunk before that.
    """
    program = Program(model, passes or model, batches(0, 1).shape[1:], chunk)
    history = keras.callbacks.History()
    hooks = keras.callbacks.CallbackList([*callbacks, history], model=model)
    progress = progress or Progress(first_smoothed_loss)
    step = int(model.optimizer.iterations)
    model.stop_training = progress.stopped
    hooks.on_train_begin()
    for epoch, row in enumerate(progress.epochs):
        history.on_epoch_end(epoch, {key: value for key, value in row.items() if key != "step"})
    logs: dict[str, float] = {}
    for epoch, end in enumerate(epoch_ends):
        if model.stop_training:
            break
        if step > end or (step == end and not progress.losses):  # with losses, the epoch's end is still to come
            continue
        hooks.on_epoch_begin(epoch)
        for rows in _chunks(batches, step, end, chunk):
            hooks.on_train_batch_begin(step)
            new = program.run(np.asarray(rows))
            for loss in new:
                before = progress.smoothed_loss
                progress.smoothed_loss = loss if before is None else SMOOTHING * before + (1 - SMOOTHING) * loss
            progress.losses += new
            step += len(new)
            hooks.on_train_batch_end(step - 1, _logs(progress))
            if model.stop_training:
                break
        logs = {**_logs(progress), **(validate() if validate else {})}
        progress.losses = []
        progress.epochs.append({"step": step, **logs})
        hooks.on_epoch_end(epoch, dict(logs))
    model.optimizer.finalize_variable_values(model.trainable_variables)
    hooks.on_train_end(logs)
    return history


def _logs(progress: Progress) -> dict[str, float]:
    return {"loss": math.fsum(progress.losses) / len(progress.losses), "smoothed_loss": progress.smoothed_loss or 0.0}


def _chunks(batches, step: int, end: int, size: int) -> Iterator[np.ndarray]:
    """Yield the batches of an epoch, in smaller chunks once they take long; where they are cut does not show."""
    slow, compiled = True, False
    while slow and step < end:
        slow = False
        for rows in batches.chunks(step, end, size):
            started = time.perf_counter()
            yield rows
            step, seconds = step + len(rows), time.perf_counter() - started
            if compiled and seconds > PATIENCE and size > 1:  # the first one is compiled as well
                slow, size = True, max(1, int(size * PATIENCE / 2 / seconds))
                break
            compiled = True
