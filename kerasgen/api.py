"""The Python API: load a model, or train one, in one call each."""

import signal
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerasgen.base import console
from kerasgen.base.errors import BadInputError, StoppedError, nearest
from kerasgen.base.settings import about
from kerasgen.tasks.registry import NAMES, PROSE, Kind, make_task
from kerasgen.tasks.sizes import settings_for
from kerasgen.text import corpora

if TYPE_CHECKING:
    from kerasgen.modelfile.loader import TrainedGenerator

_LONGEST_PATH = 4096  # characters
_KEEPING = ("save_dir", "log_dir", "resume", "save_optimizer", "quiet")  # settings that do not change the model


def load(path: str | Path, *, device: str = "auto") -> "TrainedGenerator":
    """Load a model that kerasgen saved.

    Args:
        path: a ``.keras`` file; one of ours (``saved_models/dino.keras``) is found from anywhere.
        device: ``"auto"``, ``"cpu"``, ``"gpu"`` or ``"tpu"``.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, foreign or made by a later version, or there is no such device.
    """
    from kerasgen.modelfile import loader

    return loader.load(path, device=device)


def train_names(
    names: Iterable[str] | Iterable[Path] | str | Path,
    *,
    column: str | int | None = None,
    config: str | Path | None = None,
    callbacks: Sequence[Any] = (),
    **settings: Any,
) -> "TrainedGenerator":
    """Train a SimpleRNN on a list of names, as ``python -m kerasgen.dino`` does.

    Args:
        names: the names; or what ``--data`` takes, one name a line: a file, a folder, a pattern, a known corpus
            (``"dinos"``), or several files, each as a `Path`.
        column: the name or the number of the column to take, where the text is a table.
        config: a TOML file of settings; None for ``configs/dino.toml`` for a known corpus, and for a list of your own
            what ``configs/names_by_size.toml`` has for its size.
        callbacks: ordinary Keras callbacks.
        **settings: any training setting by the name of its flag (``steps=20_000, units=64``). With ``save_dir``, the
            model and its checkpoints are kept there, as the command keeps them; with ``log_dir``, TensorBoard's logs.
            Without, nothing is written. A list in memory is saved as ``my-names.keras``, a text as ``my-text.keras``.

    Returns:
        The trained model, with its `card` and its Keras `history`.

    Raises:
        ValueError: a setting is unknown or outside its range, or the list is too short.
        FileNotFoundError: there is no such file.
        RuntimeError: the loss became NaN, or nothing can be written.
    """
    if files := _files(names):
        return _train(NAMES, _read(NAMES, files, column), config, callbacks, settings)
    if isinstance(names, str):
        return _train(NAMES, _read(NAMES, [names], column), config, callbacks, settings)
    items: list[Any] = list(names)  # type: ignore[arg-type]
    if strange := [item for item in items if not isinstance(item, str) or set(item) & {"\n", "\r"}]:
        raise BadInputError(f"names must be strings of one line each; received {strange[0]!r:.60}")
    if len(set(items)) < 2:
        raise BadInputError(f"a list must have at least two different names; received {items!r:.60}")
    return _train(NAMES, _in_memory("names", "\n".join(items), column), config, callbacks, settings)


def train_text(
    text: str | Path | Iterable[Path],
    *,
    column: str | int | None = None,
    config: str | Path | None = None,
    callbacks: Sequence[Any] = (),
    **settings: Any,
) -> "TrainedGenerator":
    """Train a stacked LSTM on a text, as ``python -m kerasgen.shakespeare --from-scratch`` does.

    Args:
        text: the text itself, of several lines; or what ``--data`` takes, as for `train_names`.
        column: as for `train_names`.
        config: a TOML file of settings; None for ``configs/shakespeare.toml`` for a known corpus, and for a text of
            your own what ``configs/text_by_size.toml`` has for its size.
        callbacks: as for `train_names`.
        **settings: as for `train_names`, such as ``epochs=10, units=128``.

    Returns:
        The trained model, with its `card` and its Keras `history`.

    Raises:
        ValueError: a setting is unknown or outside its range, or the text is too short.
        FileNotFoundError: there is no such file.
        RuntimeError: the loss became NaN, or nothing can be written.
    """
    if files := _files(text):
        corpus = _read(PROSE, files, column)
    elif not isinstance(text, str):
        raise BadInputError(f"a text must be a string, a path or several paths; received {text!r:.60}")
    elif "\n" in text:
        corpus = _in_memory("text", text, column)
    elif len(text) > _LONGEST_PATH:
        raise BadInputError(f"a text must have several lines, and a path is shorter; received {text!r:.60}")
    else:
        corpus = _read(PROSE, [text], column)
    return _train(PROSE, corpus, config, callbacks, settings)


def _files(given: Any) -> list[str]:
    """Return the paths where nothing but `Path` objects was given; else nothing."""
    paths = [given] if isinstance(given, Path) else given if isinstance(given, list | tuple) else []
    return [str(path) for path in paths] if all(isinstance(path, Path) for path in paths) else []


def _read(kind: Kind, data: list[str], column: str | int | None) -> corpora.Text:
    return corpora.read(data, kind.corpus, None if column is None else str(column))


def _in_memory(name: str, text: str, column: str | int | None) -> corpora.Text:
    if column is not None:
        raise BadInputError(f"column needs the file of a table; received {column!r} and a text in memory")
    return corpora.of_text(name, text)


def _train(kind: Kind, corpus: corpora.Text, config, callbacks: Sequence[Any], values: dict[str, Any]):
    """Train a task and return its generator."""
    from kerasgen.runs.train import destination, train

    fields = about(kind.settings)
    training = [name for name, one in fields.items() if one.identifies in (True, "steps") or name in _KEEPING]
    training = [name for name in training if name != "from_scratch"]
    for name in values:
        if name not in training and name in fields:
            raise BadInputError(f"{name} is not a setting of train_names or train_text")
        if name not in training:
            raise BadInputError(f"unknown training setting {name!r}{nearest(name, training)}")
    if "resume" in values and "save_dir" not in values:
        raise BadInputError("resume needs save_dir, the folder that the run was kept in")
    if corpus.note:
        console.note(corpus.note)
    fixed = {"log": "log_dir" in values} | ({"from_scratch": True} if "from_scratch" in fields else {})
    settings = settings_for(kind, corpus, {**fixed, **values}, config)
    task = make_task(settings, corpus)
    path = destination(settings.save_dir, corpus.name, task.kind) if "save_dir" in values else None
    try:
        return train(task, path, callbacks=callbacks)[0]
    except StoppedError as stopped:
        console.note(str(stopped))
        if stopped.exit_code == 128 + signal.SIGINT:
            raise KeyboardInterrupt from stopped
        raise SystemExit(stopped.exit_code) from stopped
