"""The one way in which a task is trained and saved, so that nothing is lost when it is interrupted.

Importing this module imports no TensorFlow.
"""

import contextlib
import functools
import glob
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from kerasgen.base import console, files, streams
from kerasgen.base.errors import DivergedError, FailedError, KerasgenError, LostError, StoppedError
from kerasgen.modelfile import store
from kerasgen.runs import last_save, previous, ray_group, signals, workers
from kerasgen.runs import run as runs
from kerasgen.runs.parent import ParentScore
from kerasgen.runs.progress_bar import progress_bar
from kerasgen.runs.run import Run
from kerasgen.tasks import limits
from kerasgen.tasks.registry import kind_of
from kerasgen.tasks.task import StartingPoint, Task

Report = Callable[[int, dict[str, float]], None]  # what prints after an epoch: its number and its logs


def train(
    task: Task,
    path: Path | None,
    *,
    command: str = "the Python call that began it",
    reporter: Callable[[Any], Report] | None = None,
    start: StartingPoint = StartingPoint(),  # noqa: B008 (frozen)
    callbacks: Sequence[Any] = (),
):
    """Train a task, from its beginning or from where it was interrupted, and save the model.

    Args:
        task: what is trained.
        path: of the model, ``<save-dir>/my-<corpus>.keras``; None to keep nothing, neither model nor checkpoints.
        command: what resumes the run, once it is interrupted.
        reporter: ``reporter(generator)`` gives what prints the scores and samples after an epoch.
        start: what the training begins with.
        callbacks: more Keras callbacks; what they know is not part of a checkpoint.

    Returns:
        The `TrainedGenerator` of the trained model, with its card and history, and the seconds that it took.

    Raises:
        FailedError: another process trains the same model, the loss became NaN, or nothing can be written.
        BadInputError: the run of ``--resume`` is another one, or the training can't fit in memory, or be shared so.
        StoppedError: a signal ended it; all is kept.
    """
    limits.check(task.sizes, saved=path is not None)
    streams.keep_going()
    if path and task.settings.strategy == "ray":
        return ray_group.train(task, path, functools.partial(train, command=command, reporter=reporter, start=start))
    cluster = workers.cluster_of(task.settings)
    if cluster and not cluster.chief:
        return workers.follow(task, cluster, start)
    with contextlib.ExitStack() as stack:
        if path:
            stack.enter_context(runs.lock(path.parent, task.corpus.name))
        replicas = stack.enter_context(workers.leading(task, cluster, start))
        found = _train(task, path, command, reporter, start, callbacks, replicas)
        kept = f"the model is {path}, where {cluster.named(0)} is" if cluster and path else ""
        replicas.end({"trained": True, "kept": kept}, found[0].model.weights)
    return found


def _train(
    task: Task, path: Path | None, command: str, reporter: Callable | None, start: StartingPoint,
    callbacks: Sequence[Any], replicas,
):  # fmt: skip
    """Train a task as `train` does, once nobody else does and all workers are there."""
    with contextlib.ExitStack() as stack:
        run = None
        if path:
            files.remove_leftovers(path.parent, glob.escape(path.name))
            if ended := runs.ended(task, path):
                return _saved(task, ended, path)
            run = runs.claim(task, path.parent, command, start.origin)
            files.remove_leftovers(run.folder)
        signalled = stack.enter_context(signals.noted(run is not None or replicas.count > 1))

        from kerasgen.models import backend

        with backend.tf.device(backend.device(task.settings.place)):
            if reporter and not task.settings.finish:
                plan = f"learning {task.corpus.name}: {start.why}; {task.plan}; Ctrl-C keeps everything"
                console.note(plan, task.settings.quiet)
            generator = task.generator(start.build(task))
            if run and not run.model.exists():
                _begin(task, run, generator, start)
            seconds = _fit(task, run, start, generator, reporter, callbacks, signalled, replicas)
            generator.card = task.card(generator, round(seconds, 2)) | ({"run": run.config["id"]} if run else {})
            if reporter:
                console.note(advice(task, generator.card), task.settings.quiet)
        if path and run:
            kept = ""

            def write(to: Path) -> None:
                nonlocal kept
                kept = previous.keep(path, generator.card) if to == path else ""
                generator.save(to, optimizer=task.keeps_optimizer)

            last_save.save(write, path, run, signalled)
            run.remove()
            if kept:
                console.note(kept)
            if signal := signalled():  # it came when all steps were made
                raise StoppedError(f"stopped once {path} was saved", signal)
    return generator, seconds


def advice(task: Task, card: dict[str, Any]) -> str:
    """Say what to try where counting n-grams would do better than a model; nothing where the model is better."""
    scores = card["scores"]
    if not task.split.validation and not task.split.test or scores["nats_per_char"] <= scores["ngram_nats_per_char"]:
        return ""
    return (
        "counting n-grams predicts this text better; what may help: a longer text, more --epochs, or a search for "
        f"settings, {console.program('tune')} {kind_of(task.settings).command}"
    )


def _saved(task: Task, run: Run, path: Path):
    """Return the model that a run has left, and the seconds that it took; the run goes, as it should have then."""
    from kerasgen.modelfile import loader

    generator = loader.load(path, device=task.settings.place)
    console.note(f"this run has ended before, and {path} is its model; the same command again goes on from there")
    run.remove()
    return generator, generator.card["training"]["seconds"]


def _begin(task: Task, run: Run, generator, start: StartingPoint) -> None:
    """Write what the training begins with, so that the run can be sampled from before its end, or resumed without it.

    A model that is fine-tuned may be gone by then, as another run's model stands in its place.
    """
    generator.card = {**generator.card, **task.origin_card()}
    try:
        generator.save(run.model, optimizer=start.parent is not None)
    except FailedError as error:  # as with a checkpoint, the training is worth more
        console.note(f"{error}; the training continues")


def destination(save_dir: str | Path, corpus: str, kind: str) -> Path:
    """Return where a model of a corpus is saved, ``<save-dir>/my-<corpus>.keras``, once it can be.

    Raises:
        FailedError: nothing can be written there.
        BadInputError: a model of another kind is in the way.
    """
    path = store.own_path(save_dir, corpus)
    files.check_writable(path.parent, longest=path.with_suffix(".previous-999.keras").name)
    if path.exists():
        store.check_kind(store.read(path), kind)
    return path


def measured(logs: dict[str, float]) -> str:
    """Say how an epoch went, by its logs: ``loss 2.812, validation 2.934 bits/char``."""
    parts = {"loss": "bits_per_char", "validation": "val_bits_per_char"}
    return ", ".join(f"{name} {logs[key]:.3f}" for name, key in parts.items() if key in logs) + " bits/char"


def _fit(
    task: Task,
    run: Run | None,
    start: StartingPoint,
    generator,
    reporter,
    callbacks: Sequence[Any],
    signalled,
    replicas,
) -> float:
    """Fit with everything around it: checkpoints, logs, early stopping, progress bar; return the seconds."""
    from kerasgen.runs.checkpointer import Checkpointer
    from kerasgen.runs.estimate import Estimate
    from kerasgen.training.fit import fit
    from kerasgen.training.progress import Progress

    settings, model = task.settings, generator.char_model
    first = int(generator.model.optimizer.iterations)
    progress, stopping = Progress(task.first_smoothed_loss), task.early_stopping()
    told = lambda: signalled() or replicas.signal  # noqa: E731
    checkpointer = Checkpointer(run.folder if run else None, model, progress, stopping, told)
    _restore(checkpointer)
    monitor = _monitor(task, run, generator, progress) if settings.log else None
    parent = ParentScore(task, start, stopping, checkpointer.saved >= 0, generator)
    if settings.finish:
        if checkpointer.saved < 0:
            raise FailedError("--finish needs a checkpoint that can be read; leave it out to start over")
        checkpointer.take_best()
        return checkpointer.seconds
    done = checkpointer.step - first
    with progress_bar(task.steps, settings.quiet, first, int(task.chars_per_step), done) as bar:
        shown = reporter if not settings.quiet else None
        report = _printing(shown(generator)) if shown else None
        estimate = Estimate(task.epoch_ends(first)[-1], stopping is not None) if shown else None
        # The checkpointer is the last, so that it keeps what the others are after an epoch.
        hooks = [bar, estimate, stopping, parent.callback, report, monitor, *callbacks, checkpointer]
        try:
            generator.history = fit(
                model,
                task.batches,
                epoch_ends=task.epoch_ends(first),
                validate=(lambda: task.validate(generator)) if stopping or monitor or report or not run else None,
                callbacks=[hook for hook in hooks if hook],
                chunk=task.chunk,
                chars_per_loss=task.chars_per_loss,
                progress=progress,
                replicas=replicas,
            )
        except BaseException as error:
            if isinstance(error, LostError):
                checkpointer.keep()
            if monitor:
                monitor.on_train_end()  # what is logged so far gets to the disk
            if isinstance(error, KerasgenError):
                raise _explained(error, run, checkpointer.saved, start) from None
            raise
    parent.tell()
    return checkpointer.seconds


def _restore(checkpointer) -> None:
    """Restore the newest checkpoint that can be read; say which were damaged."""
    for wrong in checkpointer.restore():
        console.note(
            f"{wrong}; resuming from the one before it" if checkpointer.saved >= 0 else f"{wrong}; starting over"
        )


def _printing(report: Report):
    from kerasgen.models.backend import keras

    def print_at_once(epoch, logs):
        report(epoch, logs)
        sys.stdout.flush()

    return keras.callbacks.LambdaCallback(on_epoch_end=print_at_once)


def _monitor(task: Task, run: Run | None, generator, progress):
    """Return the callback that logs; a resumed run keeps its log folder."""
    from kerasgen.runs.monitor import Monitor, run_folder

    known = run.config.get("logs") if run else None
    folder = Path(known) if known else run_folder(task.settings.log_dir, task, datetime.now())
    if run:
        run.config["logs"] = str(folder)
        run.note()
    return Monitor(folder, task, generator, progress)


def _explained(error: KerasgenError, run: Run | None, saved: int, start: StartingPoint) -> KerasgenError:
    """Say with an error what is kept and how to resume."""
    if run and isinstance(error, StoppedError):
        command = run.resumption if start.copied else run.config["command"]
        kept = f"resume with: {command}; or end it here with --finish" if saved >= 0 else "it could not be saved"
        return StoppedError(f"{error}; {kept}", error.exit_code - 128)
    if run and isinstance(error, LostError) and saved >= 0:
        return LostError(f"{error}; all is kept up to step {saved:,}; to go on, start all workers again as before")
    if run and isinstance(error, DivergedError):
        message = f"{error}; the same settings would end the same way, so this run is not resumed"
        with contextlib.suppress(FailedError), files.whole(run.folder / runs.DIVERGED) as temporary:
            temporary.write_text(message, encoding="utf-8")
        return DivergedError(f"{message}; to remove it: {run.removal}")
    return error
