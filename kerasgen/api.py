"""The Python API: load a model, or train one, in one call each."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerasgen.base import console
from kerasgen.base.errors import BadInputError, StoppedError, nearest
from kerasgen.base.files import sha256
from kerasgen.base.settings import about, resolve
from kerasgen.tasks.registry import NAMES, PROSE, Kind, make_task
from kerasgen.text import corpora

if TYPE_CHECKING:
    from kerasgen.modelfile.loader import TrainedGenerator

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
    names: Iterable[str] | str | Path,
    *,
    config: str | Path | None = None,
    callbacks: Sequence[Any] = (),
    **settings: Any,
) -> "TrainedGenerator":
    """Train a SimpleRNN on a list of names, as ``python -m kerasgen.dino`` does.

    Args:
        names: the names; or a path, one name a line; or a known corpus, ``"dinos"``.
        config: a TOML file of settings; None for ``configs/dino.toml``.
        callbacks: ordinary Keras callbacks.
        **settings: any training setting by the name of its flag (``steps=20_000, units=64``). With ``save_dir``, the
            model and its checkpoints are kept there, as the command keeps them; with ``log_dir``, TensorBoard's logs.
            Without, nothing is written.

    Returns:
        The trained model, with its `card` and its Keras `history`.

    Raises:
        ValueError: a setting is unknown or outside its range, or the list is too short.
        FileNotFoundError: there is no such file.
        RuntimeError: the loss became NaN, or nothing can be written.
    """
    if not isinstance(names, str | Path):
        names = list(names)
        if strange := [name for name in names if not isinstance(name, str) or "\n" in name]:
            raise BadInputError(f"names must be strings of one line each; received {strange[0]!r:.60}")
        return _train(NAMES, _text("names", "\n".join(names)), config, callbacks, settings)
    return _train(NAMES, corpora.read(str(names), "dinos"), config, callbacks, settings)


def train_text(
    text: str | Path,
    *,
    config: str | Path | None = None,
    callbacks: Sequence[Any] = (),
    **settings: Any,
) -> "TrainedGenerator":
    """Train a stacked LSTM on a text, as ``python -m kerasgen.shakespeare --from-scratch`` does.

    Args:
        text: the text itself, of several lines; or a path; or a known corpus, ``"shakespeare"``.
        config: a TOML file of settings; None for ``configs/shakespeare.toml``.
        callbacks: as for `train_names`.
        **settings: as for `train_names`, such as ``epochs=10, units=128``.

    Returns:
        The trained model, with its `card` and its Keras `history`.

    Raises:
        ValueError: a setting is unknown or outside its range, or the text is too short.
        FileNotFoundError: there is no such file.
        RuntimeError: the loss became NaN, or nothing can be written.
    """
    is_text = isinstance(text, str) and "\n" in text
    corpus = _text("text", str(text)) if is_text else corpora.read(str(text), "shakespeare")
    return _train(PROSE, corpus, config, callbacks, {"from_scratch": True, **settings})


def _text(name: str, text: str) -> corpora.Text:
    return corpora.Text(name, text, sha256(text.encode("utf-8", "surrogatepass")))


def _train(kind: Kind, corpus: corpora.Text, config, callbacks: Sequence[Any], values: dict[str, Any]):
    """Train a task and return its generator."""
    from kerasgen.runs.train import destination, train

    training = [*(name for name, one in about(kind.settings).items() if one.identifies), *_KEEPING]
    for name in values:
        if name in about(kind.settings) and name not in training:
            raise BadInputError(f"{name} is no setting of a training; give it to generate, stream or load instead")
        if name not in training:
            raise BadInputError(f"unknown training setting {name!r}{nearest(name, training)}")
    settings = resolve(kind.settings, kind.config, {"log": "log_dir" in values, **values}, config)
    task = make_task(settings, corpus)
    path = destination(settings.save_dir, corpus.name, task.kind) if "save_dir" in values else None
    try:
        return train(task, path, callbacks=callbacks)[0]
    except StoppedError as stopped:
        console.note(str(stopped))
        raise KeyboardInterrupt from stopped
