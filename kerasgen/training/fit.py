"""The one way to fit: whole chunks of steps in one compiled program, between ordinary Keras callbacks."""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from kerasgen.models.backend import keras
from kerasgen.models.contract import CharModel
from kerasgen.training.program import Program
from kerasgen.training.progress import Progress
from kerasgen.training.replicas import Replicas

SMOOTHING = 0.999  # the notebook's: loss = 0.999 * loss + 0.001 * step_loss
PATIENCE = 10.0  # seconds that a chunk may take: Ctrl-C and checkpoints wait for its end


def fit(
    model: CharModel,
    batches,
    *,
    epoch_ends: Iterable[int],
    validate: Callable[[], dict[str, float]] | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    first_smoothed_loss: float | None = None,
    chunk: int = 500,
    chars_per_loss: float = 1.0,
    progress: Progress | None = None,
    replicas: Replicas | None = None,
) -> keras.callbacks.History:
    """Train a model, from the step that its optimizer has reached to the last of `epoch_ends`.

    A step is the model's loss and gradients, then the synchronisation point of shards, then the update. A chunk of
    steps is one program; see `Program`.

    Args:
        model: its Keras model is compiled.
        batches: ``batches.chunks(first, end, size)`` gives the batches of the steps from `first` to before `end`, up to
            `size` of them at a time, int32 ``(steps, batch, time + 1)``; ``batches(0, 1)`` gives the first.
        epoch_ends: the step numbers after which an epoch, real or virtual, ends: the callbacks' rhythm.
        validate: called at the end of an epoch; what it returns is added to the logs.
        callbacks: ordinary Keras callbacks. Batch hooks are called once a chunk, as with ``steps_per_execution``. The
            logs have ``loss`` (the mean over the steps of the epoch so far; after an epoch, of that epoch), the same
            as ``bits_per_char``, and ``smoothed_loss``, the notebook's running mean.
        first_smoothed_loss: where the running mean begins; None for the first step's loss.
        chunk: the most steps of a program; where they take more than 10 seconds, it makes fewer.
        chars_per_loss: how many characters one unit of the loss, in nats, is summed over, on average.
        progress: that of the training to resume, whose model and optimizer the caller has restored; None for a new
            one. The result is bit for bit that of a training without interruption.
        replicas: who computes which shards of a batch; None for this process alone. All workers but the chief, who is
            here, are in `follow`.

    Returns:
        The `History`: the logs of every epoch.

    Raises:
        BadInputError: the optimizer is one that `PlainUpdate` does not know.
        DivergedError: the loss is NaN or infinite; the model is left as it was after the last chunk before that.
        LostError: another worker has ended; likewise.
    """
    keras_model = model.keras_model()
    replicas = replicas or Replicas()
    program = Program(model, batches(0, 1).shape[1:], chunk, replicas)
    replicas.begin(program.state)
    history = keras.callbacks.History()
    epoch_ends = list(epoch_ends)
    told = {"epochs": len(epoch_ends), "steps": None, "verbose": 0}
    hooks = keras.callbacks.CallbackList([*callbacks, history], model=keras_model, **told)
    progress = progress or Progress(first_smoothed_loss)
    step = int(keras_model.optimizer.iterations)
    keras_model.stop_training = progress.stopped
    for row in progress.epochs:
        row.setdefault("bits_per_char", row["loss"] / chars_per_loss / math.log(2))  # a run of an earlier version
    hooks.on_train_begin()
    for epoch, row in enumerate(progress.epochs):
        history.on_epoch_end(epoch, {key: value for key, value in row.items() if key != "step"})
    logs: dict[str, float] = {}
    for epoch, end in enumerate(epoch_ends):
        if keras_model.stop_training:
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
            hooks.on_train_batch_end(step - 1, _logs(progress, chars_per_loss))
            if keras_model.stop_training:
                break
        logs = {**_logs(progress, chars_per_loss), **(validate() if validate else {})}
        progress.losses = []
        progress.epochs.append({"step": step, **logs})
        hooks.on_epoch_end(epoch, dict(logs))
    hooks.on_train_end(logs)
    return history


def _logs(progress: Progress, chars_per_loss: float) -> dict[str, float]:
    loss = math.fsum(progress.losses) / len(progress.losses)
    bits = loss / chars_per_loss / math.log(2)
    return {"loss": loss, "bits_per_char": bits, "smoothed_loss": progress.smoothed_loss or 0.0}


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
