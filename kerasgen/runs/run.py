"""Runs: the one way in which a command trains, so that nothing is lost when it is interrupted.

An unfinished run lies in ``<save-dir>/runs/<corpus>-<hash of its settings and text>``: ``config.json`` and the last two
checkpoints. Once its model is saved, the folder goes. Importing this room imports no TensorFlow.
"""

import contextlib
import hashlib
import json
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kerasgen.base import console, files
from kerasgen.base.errors import BadInputError, DivergedError, FailedError, KerasgenError, StoppedError
from kerasgen.modelfile import store
from kerasgen.runs import checkpoints
from kerasgen.runs.progress_bar import progress_bar

CONFIG = "config.json"


DIVERGED = "diverged.txt"


@dataclass(frozen=True)
class Run:
    """An unfinished run.

    Attributes:
        folder: where it lies.
        config: what ``config.json`` holds: its `identity`, ``command``, ``versions`` and ``logs``; empty where the file
            is damaged.
    """

    folder: Path
    config: dict[str, Any]

    @property
    def corpus(self) -> str:
        """The name of its corpus."""
        return self.folder.name[:-9]

    @property
    def step(self) -> int:
        """The steps behind its newest checkpoint; 0 where it has none."""
        found = checkpoints.stored(self.folder)
        return checkpoints.step_of(found[0]) if found else 0

    @property
    def diverged(self) -> str:
        """Why it can't be gone on with, or nothing."""
        file = self.folder / DIVERGED
        return file.read_text(encoding="utf-8").strip() if file.is_file() else ""

    def remove(self) -> None:
        """Remove it; what can't be removed stays, and does no harm."""
        shutil.rmtree(self.folder, ignore_errors=True)


def home(save_dir: str | Path) -> Path:
    """Return the folder of the runs whose models are saved in `save_dir`."""
    return Path(save_dir) / "runs"


def lock(save_dir: str | Path, corpus: str):
    """Let one process at a time train ``my-<corpus>.keras`` or remove its runs: a context manager."""
    return files.locked(home(save_dir) / f"{corpus}.lock", f"trains {Path(save_dir) / f'my-{corpus}.keras'} now")


def unfinished(save_dir: str | Path) -> list[Run]:
    """Return all unfinished runs, the last written first."""
    found = [path for path in home(save_dir).glob("*-????????") if path.is_dir()]
    return [Run(path, _config(path)) for path in sorted(found, key=lambda path: -path.stat().st_mtime)]


def identity(recipe, origin: str = "") -> dict[str, Any]:
    """Return what two runs must have in common for one to be the other's continuation.

    Args:
        recipe: what is trained.
        origin: the hash of the model that the training begins with; nothing for a new one.
    """
    settings = recipe.settings
    more = {name: getattr(settings, name) for name in ("sample_every", "fused", "device") if hasattr(settings, name)}
    return {
        "settings": {**recipe.training_settings(), **more, "steps": recipe.steps},
        "text": {"name": recipe.corpus.name, "sha256": recipe.corpus.sha256},
        "origin": origin,
    }


def differences(other: dict[str, Any], ours: dict[str, Any]) -> str:
    """Say in what a run's identity differs from ours."""
    if not other:
        return f"its {CONFIG} is damaged"
    theirs, here = other["settings"], ours["settings"]
    found = [
        f"{name.replace('_', '-')} {theirs.get(name)} instead of {here.get(name)}"
        for name in sorted({*theirs, *here})
        if theirs.get(name) != here.get(name)
    ]
    found += ["another text"] * (other["text"] != ours["text"])
    found += ["another model to begin with"] * (other["origin"] != ours["origin"])
    return ", ".join(found) or "nothing"


def claim(recipe, save_dir: str | Path, command: str, origin: str = "") -> Run:
    """Find the unfinished run to go on with, or make the folder of a new one; say which.

    Args:
        recipe: what is trained; its ``settings.resume`` says what the user wants.
        save_dir: the folder of the models.
        command: what resumes the run.
        origin: as for `identity`.

    Raises:
        BadInputError: the run that the user wants to go on with is another one, or there is none.
        FailedError: the run has diverged, or nothing can be written.
    """
    ours, wanted, quiet = identity(recipe, origin), recipe.settings.resume, recipe.settings.quiet
    digest = hashlib.sha256(json.dumps(ours, sort_keys=True).encode()).hexdigest()[:8]
    folder = home(save_dir) / f"{recipe.corpus.name}-{digest}"
    run = Run(folder, _config(folder))
    others = [r for r in unfinished(save_dir) if r.folder != folder]
    if wanted == "no":
        run.remove()
    elif wanted:
        _check_wanted(wanted, run, others, ours)
    beside = [r for r in others if r.corpus == recipe.corpus.name and r.step]
    if run.diverged:
        raise FailedError(f"{run.diverged}; --no-resume begins anew")
    versions = store.versions()
    if run.step:
        console.note(f"going on with {folder} at step {run.step:,} of {recipe.steps:,}; --no-resume begins anew", quiet)
        before = run.config.get("versions", versions)
        changed = [f"{name} {before.get(name)}, now {versions[name]}" for name in versions if before != versions]
        if changed:
            console.note(f"the run began with {', '.join(changed)}: the last bits of its result may differ")
    elif beside:
        other = beside[0]
        console.note(
            f"a new run beside the unfinished {other.folder}, which has {differences(other.config, ours)}; to go on "
            f"with that one: {other.config.get('command', 'its own settings')}; to remove it: "
            f"python -m kerasgen.clean {other.folder.name}",
            quiet,
        )
    config = {
        **ours,
        "command": command,
        "versions": run.config.get("versions", versions) if run.step else versions,
        "logs": run.config.get("logs") if run.step else None,
    }
    return _noted(Run(folder, config))


def _check_wanted(wanted: str, run: Run, others: list[Run], ours: dict[str, Any]) -> None:
    """Refuse to go on with a run that is another one, or with none."""
    name = Path(wanted).name
    if name == run.folder.name or (wanted == "yes" and run.step):
        if run.step or run.diverged:
            return
        raise BadInputError(f"--resume must name an unfinished run; {wanted!r} has no checkpoint; leave --resume out")
    other = next((r for r in others if r.folder.name == name or (wanted == "yes" and r.step)), None)
    if other is None:
        known = ", ".join(r.folder.name for r in [run, *others] if r.step) or "none"
        received = "--resume alone" if wanted == "yes" else repr(wanted)
        raise BadInputError(
            f"--resume must find an unfinished run; received {received}; there is: {known}; leave --resume out for a "
            "new run"
        )
    raise BadInputError(
        f"--resume goes on with a run of the same settings and text; {other.folder} has "
        f"{differences(other.config, ours)}; its own command is: {other.config.get('command', 'not known')}"
    )


def _config(folder: Path) -> dict[str, Any]:
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        return config if {"settings", "text", "origin"} <= config.keys() else {}
    except (OSError, ValueError, AttributeError):
        return {}


def _noted(run: Run) -> Run:
    """Write a run's ``config.json``."""
    with files.whole(run.folder / CONFIG) as temporary:
        temporary.write_text(json.dumps(run.config, indent=1), encoding="utf-8")
    return run


def train(
    recipe,
    path: Path,
    *,
    command: str,
    reporter: Callable[[Any, Any], Callable],
    build: Callable[[], Any] | None = None,
    origin: str = "",
):
    """Train what a recipe says, from its beginning or from where it was interrupted, and save the model.

    Args:
        recipe: what is trained.
        path: of the model, ``<save-dir>/my-<corpus>.keras``.
        command: what resumes the run, once it is interrupted.
        reporter: ``reporter(generator, settings)`` gives what prints the scores and samples after an epoch.
        build: makes the model to begin with; None for a new one.
        origin: the hash of the model that `build` begins with; nothing for a new one.

    Returns:
        The `Generator` of the trained model, with its card, and the seconds that the training took.

    Raises:
        FailedError: another process trains the same model, the loss became NaN, or nothing can be written.
        BadInputError: the run of ``--resume`` is another one.
        StoppedError: a signal ended it; all is kept.
    """
    settings = recipe.settings
    with lock(path.parent, recipe.corpus.name):
        files.remove_leftovers(path)
        run = claim(recipe, path.parent, command, origin)

        from kerasgen.models.backend import tf

        with tf.device(recipe.device()):
            model = (build or recipe.build)()
            generator = recipe.generator(model)
            seconds = _fit(recipe, run, model, generator, reporter(generator, settings))
            generator.card = recipe.card(generator, round(seconds, 2))
        kept = getattr(settings, "save_optimizer", True)
        store.save(path, model, recipe.vocab, generator.card, recipe.known, optimizer=kept)
        run.remove()
    return generator, seconds


def _fit(recipe, run: Run, model, generator, report: Callable) -> float:
    """Fit with everything around it: signals, checkpoints, logs, early stopping, progress bar; return the seconds."""
    from kerasgen.models.backend import keras
    from kerasgen.runs.checkpointer import Checkpointer
    from kerasgen.training import fit as training
    from kerasgen.training.progress import Progress

    settings, passes = recipe.settings, recipe.passes(model)
    first = int(model.optimizer.iterations)
    stopping = monitor = None
    if getattr(settings, "patience", None) and recipe.split.validation:
        stopping = keras.callbacks.EarlyStopping(
            "val_bits_per_char", mode="min", patience=settings.patience, restore_best_weights=True
        )
    progress = Progress(recipe.first_smoothed_loss)
    with _signals() as signalled:
        keeper = Checkpointer(run.folder, model, passes, progress, stopping, signalled)
        for wrong in keeper.restore():
            console.note(
                f"{wrong}; going on with the one before it" if keeper.saved >= 0 else f"{wrong}; beginning anew"
            )
        if settings.log:
            monitor = _monitor(recipe, run, generator)
        before = None  # the score of the model that is gone on from: it may be the best
        if stopping and run.config["origin"] and keeper.saved < 0:
            before = recipe.validate(generator)["val_bits_per_char"]
        chars, done = int(recipe.chars_per_step), keeper.step - first
        with progress_bar(recipe.steps, settings.quiet, first, chars, done) as bar:
            callbacks = [bar, stopping]
            if stopping and before is not None:

                def remember(_):
                    stopping.best, stopping.best_weights = before, model.get_weights()

                callbacks.append(keras.callbacks.LambdaCallback(on_train_begin=remember))
            if not settings.quiet:
                callbacks.append(keras.callbacks.LambdaCallback(on_epoch_end=console.harmless(report)))
            if monitor:  # the epochs before an interruption belong to its curves
                earlier = keras.callbacks.LambdaCallback(
                    on_train_begin=lambda _: monitor.history.extend(progress.epochs)
                )
                callbacks += [monitor, earlier]
            callbacks.append(keeper)
            try:
                training.fit(
                    model,
                    recipe.batches,
                    passes=passes,
                    epoch_ends=recipe.epoch_ends(first),
                    validate=(lambda: recipe.validate(generator)) if stopping or monitor else None,
                    callbacks=[callback for callback in callbacks if callback],
                    chunk=recipe.chunk,
                    progress=progress,
                )
            except KerasgenError as error:
                if monitor:
                    monitor.on_train_end()  # what is logged so far gets to the disk
                raise _explained(error, run, keeper.saved) from None
    if stopping and before is not None and stopping.best == before:
        console.note(f"no epoch was better than the model before ({before:.4f} bits/char): its weights stay")
    return keeper.seconds


def _monitor(recipe, run: Run, generator):
    """Return the callback that logs; an interrupted run goes on in its log folder."""
    from datetime import datetime

    from kerasgen.runs import monitor

    known = run.config.get("logs")
    folder = Path(known) if known else monitor.run_folder(recipe.settings.log_dir, recipe, datetime.now())
    run.config["logs"] = str(folder)
    _noted(run)

    return monitor.Monitor(folder, recipe, generator)


def _explained(error: KerasgenError, run: Run, saved: int) -> KerasgenError:
    """Say with an error what is kept and how to go on."""
    if isinstance(error, StoppedError):
        kept = f"go on with: {run.config['command']}" if saved >= 0 else "it could not be saved"
        return StoppedError(f"{error}; {kept}", error.exit_code - 128)
    if isinstance(error, DivergedError):
        message = f"{error}; the same settings would end the same way, so this run is not gone on with"
        with contextlib.suppress(FailedError), files.whole(run.folder / DIVERGED) as temporary:
            temporary.write_text(message, encoding="utf-8")
        return DivergedError(f"{message}; to remove it: python -m kerasgen.clean {run.folder.name}")
    return error


@contextlib.contextmanager
def _signals() -> Iterator[Callable[[], int]]:
    """Note Ctrl-C and SIGTERM instead of dying of them, so that a step can be finished; a second one ends at once.

    Yields:
        A function that returns the number of the signal that came, or 0.
    """
    came: list[int] = []
    if threading.current_thread() is not threading.main_thread():  # Python hands signals to the main thread only
        yield lambda: 0
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def note(number, frame):
        came.append(number)
        restore()

    for number in before:
        signal.signal(number, note)
    try:
        yield lambda: came[0] if came else 0
    finally:
        restore()
