"""Unfinished runs: which training one is, and which one a command resumes.

An unfinished run lies in ``<save-dir>/runs/<corpus>-<hash of its settings and text>``: ``config.json`` and the last two
checkpoints. Once its model is saved, the folder goes. Importing this module imports no TensorFlow.
"""

import contextlib
import json
import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerasgen.base import console, files, machine
from kerasgen.base.errors import BadInputError, FailedError
from kerasgen.base.settings import identity_of
from kerasgen.modelfile import store
from kerasgen.runs import checkpoints

if TYPE_CHECKING:  # it imports NumPy, which --help does not wait for
    from kerasgen.tasks.settings import TaskSettings
    from kerasgen.tasks.task import Task

CONFIG = "config.json"
MODEL = "model.keras"  # what the training began with: vocabulary, card and the shape of the model
DIVERGED = "diverged.txt"
FILES = (CONFIG, MODEL, DIVERGED, checkpoints.PATTERN)  # of a run
PICTURE = "curves.png"
LOG_MARK = ".kerasgen-log"  # in every folder of logs that kerasgen made: it removes no other
LOG_FILES = (*(f"{part}/events.out.tfevents.*" for part in ("train", "validation", "ngrams")), PICTURE, LOG_MARK)


@dataclass(frozen=True)
class Run:
    """An unfinished run.

    Attributes:
        folder: where it lies.
        config: what ``config.json`` holds: its `identity`, ``id``, ``command``, ``versions`` and ``logs``; empty where
            the file is damaged.
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
    def model(self) -> Path:
        """The file of what its training began with."""
        return self.folder / MODEL

    @property
    def diverged(self) -> str:
        """Why it can't be resumed, or nothing."""
        try:
            return (self.folder / DIVERGED).read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return ""

    def note(self) -> None:
        """Write its ``config.json``."""
        with files.whole(self.folder / CONFIG) as temporary:
            temporary.write_text(json.dumps(self.config, indent=1), encoding="utf-8")

    @property
    def removal(self) -> str:
        """The command that removes it."""
        save_dir = str(self.folder.parent.parent)
        where = " " + console.quoted(f"--save-dir={save_dir}") if save_dir != "saved_models" else ""
        return f"{console.program('clean')} {console.quoted(self.folder.name)}{where}"

    @property
    def resumption(self) -> str:
        """The command that resumes it by its name, whatever has become of the model that it began with."""
        command, name = self.config.get("command", "its own settings"), console.quoted(self.folder.name)
        resumed, found = re.subn(r"^(kerasgen|python -m kerasgen\.)( ?\w+)", rf"\1\2 --resume {name}", command)
        return resumed if found else f"{command}, with resume={self.folder.name!r}"

    def remove(self) -> None:
        """Remove it; what can't be removed stays, and does no harm, and so does what somebody else put there."""
        with contextlib.suppress(OSError):
            files.remove_known(self.folder, FILES)


def home(save_dir: str | Path) -> Path:
    """Return the folder of the runs whose models are saved in `save_dir`."""
    return Path(save_dir) / "runs"


def lock(save_dir: str | Path, corpus: str):
    """Let one process at a time train ``my-<corpus>.keras`` or remove its runs: a context manager."""
    return files.locked(home(save_dir) / f"{corpus}.lock", f"trains {store.own_path(save_dir, corpus)} now")


def named(name: str, save_dir: str | Path) -> Run | None:
    """Return the unfinished run of that path, or of that name in `save_dir`; None where there is none."""
    for folder in (Path(name), home(save_dir) / name):
        if os.path.isfile(folder / CONFIG):
            return Run(folder, _config(folder))
    return None


def unfinished(save_dir: str | Path) -> list[Run]:
    """Return all unfinished runs, the last written first."""
    folders = files.listed(home(save_dir), "*-????????")
    found = [path for path in folders if os.path.isfile(path / CONFIG) or checkpoints.stored(path)]
    return [Run(path, _config(path)) for path in sorted(found, key=_written, reverse=True)]


def _written(path: Path) -> float:
    """Return when a folder was last written to; 0 where it is gone, as its run has just ended."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def identity(task: "Task", origin: str = "") -> dict[str, Any]:
    """Return what two runs must have in common for one to resume the other.

    Args:
        task: what is trained.
        origin: the hash of the model that the training begins with; nothing for a new one.
    """
    settings = {**identity_of(task.settings, bool(origin)), **task.case_identity, "steps": task.steps}
    del settings["case"]  # what it came to for this text counts
    return {
        "settings": settings,
        "text": {"name": task.corpus.name, "sha256": task.corpus.sha256},
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


def beginning(settings: "TaskSettings") -> tuple[store.Contents, str] | None:
    """Return what the run that ``--resume`` names began to fine-tune: its own copy of the model, and the model's hash.

    None where it names no run, or one of a new model, or one of an earlier version, whose copy has no optimizer.
    """
    run = named(settings.resume, settings.save_dir) if settings.resume not in (None, "yes", "no") else None
    if run is None or not (run.config.get("id") and run.config["origin"] and run.model.is_file()):
        return None
    return store.read(run.model), run.config["origin"]


def ended(task: "Task", path: Path) -> Run | None:
    """Return the run of this training whose model was saved at `path`, just before its process was killed.

    Such a run of another training is removed.
    """
    if not path.exists():
        return None
    saved = store.read(path).card.get("run")
    run = next((run for run in unfinished(path.parent) if saved and run.config.get("id") == saved), None)
    if run is None:
        return None
    same = differences(run.config, identity(task, run.config["origin"])) == "nothing"
    if same and task.settings.resume in (None, "yes", run.folder.name, str(run.folder)):
        return run
    run.remove()
    return None


def claim(task: "Task", save_dir: str | Path, command: str, origin: str = "") -> Run:
    """Find the unfinished run to resume, or make the folder of a new one; say which.

    Args:
        task: what is trained; its ``settings.resume`` says what the user wants.
        save_dir: the folder of the models.
        command: what resumes the run.
        origin: as for `identity`.

    Raises:
        BadInputError: the run that the user wants to resume is another one, or there is none.
        FailedError: the run has diverged, or nothing can be written.
    """
    ours, wanted, quiet = identity(task, origin), task.settings.resume, task.settings.quiet
    digest = files.sha256(json.dumps(ours, sort_keys=True).encode())[:8]
    folder = home(save_dir) / f"{task.corpus.name}-{digest}"
    run = Run(folder, _config(folder))
    others = [r for r in unfinished(save_dir) if r.folder != folder]
    if wanted == "no":
        run.remove()
    elif wanted or task.settings.finish:
        _check_wanted(wanted or "yes", run, others, ours, "--resume" if wanted else "--finish")
    beside = [r for r in others if r.corpus == task.corpus.name and r.step]
    if run.diverged:
        raise FailedError(f"{run.diverged}; --no-resume starts over")
    now = {"versions": store.versions(), "machine": machine.facts()}  # what the last bits hang on
    began = {key: run.config.get(key, now[key]) for key in now} if run.step else now
    if run.step:
        console.note(f"resuming {folder} at step {run.step:,} of {task.steps:,}; --no-resume starts over", quiet)
        changed = [change for key in now for change in machine.changes(began[key], now[key])]
        if changed:
            console.note(f"the run began with {', '.join(changed)}: the last bits of its result may differ")
    elif beside:
        other = beside[0]
        console.note(
            f"a new run beside the unfinished {other.folder}, which has {differences(other.config, ours)}; to resume "
            f"that one: {other.resumption}; to remove it: {other.removal}",
            quiet,
        )
    config = {
        **ours,
        "id": run.config.get("id") if run.step else secrets.token_hex(8),
        "command": command,
        **began,
        "logs": run.config.get("logs") if run.step else None,
    }
    run = Run(folder, config)
    run.note()
    return run


def _check_wanted(wanted: str, run: Run, others: list[Run], ours: dict[str, Any], flag: str) -> None:
    """Refuse to resume or to finish a run that is another one, or none."""
    name = Path(wanted).name
    if name == run.folder.name or (wanted == "yes" and run.step):
        if run.step or run.diverged:
            return
        raise BadInputError(f"{flag} must name an unfinished run; {wanted!r} has no checkpoint; leave {flag} out")
    other = next((r for r in others if r.folder.name == name or (wanted == "yes" and r.step)), None)
    if other is None:
        known = ", ".join(r.folder.name for r in [run, *others] if r.step) or "none"
        received = f"{flag} alone" if wanted == "yes" else repr(wanted)
        raise BadInputError(
            f"{flag} must find an unfinished run; received {received}; there is: {known}; leave {flag} out for a new "
            "run"
        )
    raise BadInputError(
        f"{flag} needs a run of the same settings and text; {other.folder} has "
        f"{differences(other.config, ours)}; its own command is: {other.resumption}"
    )


def _config(folder: Path) -> dict[str, Any]:
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        return config if {"settings", "text", "origin"} <= config.keys() else {}
    except (OSError, ValueError, AttributeError, RecursionError):
        return {}
