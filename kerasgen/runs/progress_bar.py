"""A progress bar of a training, in terminals and in Jupyter."""

import contextlib
import os
import sys
from importlib.util import find_spec

from kerasgen.base import console


@contextlib.contextmanager
def progress_bar(total: int, quiet: bool = False, first: int = 0, chars: int = 0, done: int = 0):
    """Yield a Keras callback that shows the steps, the loss and the time left; elsewhere it shows nothing.

    Args:
        total: the number of steps of the whole training.
        quiet: show nothing.
        first: the steps that the optimizer had behind it when this training began.
        chars: characters a step; where given, their rate is shown.
        done: the steps of this training that were made before it was interrupted.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from kerasgen.models.backend import keras

    screen = console.screen()
    shows = screen.is_jupyter and find_spec("ipywidgets") or screen.is_terminal and not os.environ.get("NO_COLOR")
    if quiet or not shows:
        yield keras.callbacks.Callback()
        return
    loss = TextColumn("steps, loss {task.fields[loss]} bits/char{task.fields[rate]}")
    columns = (TextColumn("training"), BarColumn(), MofNCompleteColumn(), loss, TimeRemainingColumn())
    # What is printed meanwhile goes above the bar, unless it goes into a file or a pipe.
    above = bool(sys.stdout and sys.stdout.isatty())
    with Progress(*columns, console=screen, transient=True, redirect_stdout=above) as bar:
        task = bar.add_task("training", total=total, completed=done, loss="-", rate="")

        class ProgressBar(keras.callbacks.Callback):
            def on_train_batch_end(self, batch, logs=None):
                rate = f", {bar.tasks[0].speed * chars:,.0f} chars/s" if chars and bar.tasks[0].speed else ""
                bar.update(task, completed=batch + 1 - first, loss=f"{logs['bits_per_char']:.2f}", rate=rate)

        yield ProgressBar()
