"""A training that is stopped anywhere and resumed is one that never was; a full disk ends none."""

import signal

import pytest

from kerasgen.base.errors import StoppedError
from kerasgen.models.backend import keras
from kerasgen.runs import checkpointer
from kerasgen.runs.checkpointer import Checkpointer
from kerasgen.training import fit as training
from kerasgen.training.progress import Progress
from tests.training.test_fit import ALL, assert_same, batches_of, model_of


def kept(folder, stop_at=None):
    """Train with checkpoints, stopped after that many steps; the model, and the history where it was not stopped."""
    model, progress = model_of(**ALL), Progress(23.0)
    signalled = lambda: signal.SIGTERM if stop_at and int(model.optimizer.iterations) >= stop_at else 0  # noqa: E731
    stopping = keras.callbacks.EarlyStopping("worth", mode="min", patience=3, restore_best_weights=True)
    keeper = Checkpointer(folder, model, progress, stopping, signalled)
    assert keeper.restore() == []
    worth = lambda: {"worth": (int(model.optimizer.iterations) - 18) ** 2 / 7}  # noqa: E731
    given = dict(epoch_ends=range(4, 41, 4), chunk=3, validate=worth, callbacks=[stopping, keeper], progress=progress)
    return model, training.fit(model, batches_of(), **given).history


@pytest.mark.parametrize("stops", [[4], [7, 8, 19, 27]])
def test_a_training_stopped_anywhere_and_resumed_is_one_that_never_was(tmp_path, stops):
    expected, history = kept(tmp_path / "whole")
    assert len(history["worth"]) == 7  # the fourth epoch is the best; three later it stops
    for stop in stops:
        with pytest.raises(StoppedError) as stopped:
            kept(tmp_path / "parts", stop)
        assert stopped.value.exit_code == 143
    model, again = kept(tmp_path / "parts")
    assert_same(model, expected)
    assert again == history


def test_a_checkpoint_that_cannot_be_written_does_not_end_the_training(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(checkpointer, "OFTEN", 0.0)
    (tmp_path / "file").write_text("in the way")
    model, _ = kept(tmp_path / "file" / "run")
    assert int(model.optimizer.iterations) == 28
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and "no checkpoint at step 4: " in lines[0] and lines[0].endswith("the training continues")
