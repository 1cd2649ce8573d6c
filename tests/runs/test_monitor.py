"""TensorBoard's own reader finds what was logged, the curves are drawn, and no failure of either reaches a training."""

import contextlib
import html
import math
import re
import resource
import shutil
import struct
import warnings
from datetime import datetime

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util import tensor_util

from kerasgen.base import markdown
from kerasgen.base.files import remove_known
from kerasgen.models.backend import keras, tf
from kerasgen.runs import monitor
from kerasgen.runs.curves import curves, save_curves
from kerasgen.runs.run import LOG_FILES, PICTURE
from kerasgen.tasks.names import SHOWN
from kerasgen.tasks.prose import LENGTH
from kerasgen.tasks.registry import make_task
from kerasgen.tasks.settings import NamesSettings, ProseSettings
from kerasgen.text.corpora import Text
from kerasgen.training import fit as training
from tests.support.poems import LINES

NAMES = ["ada", "bea", "cleo", "dora", "eve", "fay", "gus", "hal", "ida", "jo", "kit", "ada"]
CLIP = 0.05
LOGS = {"loss": 3.0, "bits_per_char": 4.3, "smoothed_loss": 3.0}
BITS = "loss/bits_per_char"

with warnings.catch_warnings():  # TensorBoard's copy of bleach warns of its copy of html5lib
    warnings.simplefilter("ignore")
    from tensorboard.plugin_util import markdown_to_safe_html


def names_task(name="friends", **settings):
    tiny = {"units": 4, "init_scale": 0.3, "steps": 5, "sample_every": 2, "clipvalue": CLIP, **settings}
    return make_task(NamesSettings(**tiny), Text(name, "\n".join(NAMES), ""))


def train(task, folder, more=()):
    """Train as the commands do, with a monitor; return it and the logs of every epoch."""
    model = task.build()
    generator = task.generator(model)
    watched = monitor.Monitor(folder, task, generator)
    history = training.fit(
        generator.char_model,
        task.batches,
        epoch_ends=task.epoch_ends(),
        validate=lambda: task.validate(generator),
        callbacks=[watched, *more],
        chunk=2,
        chars_per_loss=task.chars_per_loss,
    )
    return watched, history.history


def pretend(folder, task, generator, model, epochs=1):
    """Call a monitor as a training would, which saves compiling one; return it."""
    watched = monitor.Monitor(folder, task, generator)
    watched.set_model(model)
    watched.on_train_begin()
    for epoch in range(epochs):
        watched.on_epoch_begin(epoch)
        watched.on_train_batch_end(0)
        watched.on_epoch_end(epoch, LOGS)
    watched.on_train_end()
    return watched


def read(folder):
    """Return what TensorBoard reads in a run: ``{tag: {step: value}}``, and the accumulator."""
    accumulator = EventAccumulator(str(folder), size_guidance={"tensors": 0})
    accumulator.Reload()
    tags = accumulator.Tags()["tensors"]
    found = {
        tag: {event.step: tensor_util.make_ndarray(event.tensor_proto) for event in accumulator.Tensors(tag)}
        for tag in tags
    }
    return found, accumulator


def cells(markdown):
    """The cells of a table as TensorBoard shows it, row by row."""
    rows = re.findall(r"<tr>(.*?)</tr>", markdown_to_safe_html(markdown), re.DOTALL)
    return [[html.unescape(cell) for cell in re.findall(r"<t[hd]>(.*?)</t[hd]>", row)] for row in rows]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished training of names with its monitor, its logs, and the folder of Keras' own callback."""
    logs, task = tmp_path_factory.mktemp("logs"), names_task(schedule="linear")
    folder, seen = monitor.run_folder(logs, task), []
    reader = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: seen.append(len(read(folder / "train")[0][BITS])))
    watched, history = train(task, folder, [keras.callbacks.TensorBoard(logs / "keras"), reader])
    assert not watched.failed
    assert seen == [1, 2, 3], "what an epoch logged must be on the disk at its end"
    return watched, history, logs / "keras"


def test_losses_lie_in_the_same_chart_in_bits(run):
    watched, logs, _ = run
    task, runs = watched.task, {name: read(watched.folder / name)[0] for name in ("train", "validation", "ngrams")}
    bits = {name: run[BITS] for name, run in runs.items()}
    assert all(list(values) == task.epoch_ends() == [1, 3, 5] for values in bits.values())
    letters = sum(len(name) + 1 for name in task.split.train) / len(task.split.train)
    losses = np.array(logs["loss"]) / letters / math.log(2)
    np.testing.assert_allclose(logs["bits_per_char"], losses, rtol=1e-12)
    np.testing.assert_allclose(list(bits["train"].values()), losses, rtol=1e-6)
    np.testing.assert_allclose(list(bits["validation"].values()), logs["val_bits_per_char"], rtol=1e-6)
    np.testing.assert_allclose(list(bits["ngrams"].values()), task.baseline().bits_per_char, rtol=1e-6)


def test_learning_rate_and_speed_are_logged(run):
    logged, _ = read(run[0].folder / "train")
    rates = logged["training/learning_rate"]
    assert rates == {step: pytest.approx(0.01 * (1 - step / 5), abs=1e-8) for step in (1, 3, 5)}
    speed = logged["training/chars_per_second"]
    assert list(speed) == [3, 5]  # the first chunk's time is that of compiling
    assert all(value > 0 for value in speed.values())


def test_gradients_are_those_of_the_next_batches(run):
    watched, *_ = run
    model, rows = watched.model, watched.task.batches(5, monitor.PROBED)
    norms, shares = [], []
    for step, batch in enumerate(rows, 5):
        weights = [tf.convert_to_tensor(v.value) for v in model.trainable_variables]
        _, gradients, _ = model.loss_and_gradients(
            weights, tf.constant(batch), model.initial_state(1), tf.constant(step)
        )
        flat = np.concatenate([np.ravel(g) for g in gradients])
        norms.append(np.linalg.norm(flat))
        shares.append(np.mean(np.abs(flat) > CLIP))
    logged, _ = read(watched.folder / "train")
    assert 0.01 < np.mean(shares) < 0.99
    assert float(logged["training/gradient_norm"][5]) == pytest.approx(np.mean(norms), rel=1e-4)
    assert float(logged["training/clipped_share"][5]) == pytest.approx(np.mean(shares), abs=1e-3)


@pytest.mark.parametrize(
    ("limit", "share"),
    [
        ({}, 0.0),
        ({"clipvalue": 3.5}, 1 / 4),
        ({"global_clipnorm": 5.5}, 0.0),
        ({"global_clipnorm": 5.0}, 1.0),
    ],
)
def test_each_kind_of_clipping_is_measured(limit, share):
    gradients = [tf.constant([-3.0, 4.0]), tf.constant([[1.0], [1.0]])]  # of norms 5 and 1.4, together 5.2
    assert float(monitor.clipped_share(gradients, keras.optimizers.SGD(**limit))) == share


def test_histograms_hold_every_weight_and_hidden_state(run):
    watched, *_ = run
    logged, _ = read(watched.folder / "train")
    for variable in watched.model.trainable_variables:
        left, right, counts = logged[f"weights/{variable.path}"][5].T
        values = variable.numpy()
        assert counts.sum() == values.size
        assert (left[0], right[-1]) == pytest.approx((values.min(), values.max()))
    rows = watched.task.batches(5, monitor.PROBED)[:, 0]
    left, right, counts = logged["hidden_state/magnitude_layer_1"][5].T
    assert counts.sum() == (rows >= 0).sum() * 4  # units, at the places from which a character is predicted
    assert 0 <= left[0] < right[-1] <= 1


def test_samples_are_tables_of_new_and_known_names(run):
    watched, *_ = run
    logged, _ = read(watched.folder / "train")
    for temperature in monitor.TEMPERATURES:
        text = logged[f"samples/temperature_{temperature}"]
        assert list(text) == [1, 3, 5]
        expected = watched.generator.generate(SHOWN, temperature=temperature, seed=0)
        header, *rows = cells(text[5].item().decode())
        assert header == ["name", "novelty"]
        assert rows == [[name, "known" if name in NAMES else "new"] for name in expected]


def test_the_settings_and_the_graph_are_shown(run):
    logged, accumulator = read(run[0].folder / "train")
    config = dict(cells(logged["config"][0].item().decode())[1:])
    assert (config["data"], config["units"], config["steps"], config["schedule"]) == ("friends", "4", "5", "linear")
    nodes = {node.name for node in accumulator.Graph().node}
    assert {"ids", "uniform", "temperature", "Softmax"} <= nodes


def test_a_table_shows_texts_as_they_are():
    odd = ["a|b", "*so*", "_x_", "<b>&amp;", "[a](b)", "`c\\d`", "st. john's-on-sea"]
    assert cells(markdown.table(("name", "novelty"), [(text, "new") for text in odd]))[1:] == [[t, "new"] for t in odd]


def test_prose_is_shown_with_what_it_copies(tmp_path, monkeypatch):
    settings = ProseSettings(units=4, seq_len=10, batch_size=16, epochs=1, seed=3)
    task = make_task(settings, Text("poem", (LINES + "\n") * 4, ""))
    model = task.build()
    watched = pretend(tmp_path, task, task.generator(model), model)
    assert not watched.failed
    logged, _ = read(tmp_path / "train")
    assert {"hidden_state/magnitude_layer_1", "hidden_state/magnitude_layer_2"} <= set(logged)
    assert float(logged["training/gradient_norm"][0]) > 0
    shown = markdown_to_safe_html(logged["samples/temperature_0.7"][0].item().decode())
    text = "".join(watched.generator.stream("\n\n", length=LENGTH, temperature=0.7, seed=3))
    assert text.strip("\n") in html.unescape(shown)
    assert re.search(r"novelty: \d+\.\d% of its 20-character spans .* in poem; the longest span has \d+ ", shown)
    monkeypatch.setattr("kerasgen.tasks.prose.LONGEST_LEARNED", 100)
    another = make_task(settings, task.corpus)
    assert "in 100 characters from all over poem; " in another.sample(watched.generator, 0.7)


def test_runs_have_names_that_compare_well_and_never_collide(tmp_path):
    task, now = names_task("two words/x", learning_rate=0.015, seed=7), datetime(2026, 11, 21, 21, 30, 5)
    name = "two-words-x_units4_lr0.015_seed7_1121-213005"
    assert monitor.run_name(task, now) == name
    folders = [monitor.run_folder(tmp_path / "logs", task, now) for _ in range(3)]
    assert [folder.name for folder in folders] == [name, f"{name}-2", f"{name}-3"]
    assert all(folder.is_dir() for folder in folders)


def test_an_epoch_of_which_only_the_end_is_left_is_logged_as_well(run, tmp_path):
    watched, _, _ = run
    again = monitor.Monitor(tmp_path / "run", watched.task, watched.generator)
    assert not (tmp_path / "run").exists()  # nothing is opened before training begins
    again.set_model(watched.model)
    again.on_train_begin()
    again.on_epoch_begin(0)  # an interruption came when its last chunk was done
    again.on_epoch_end(0, LOGS)
    again.on_train_end()
    assert not again.failed and (tmp_path / "run" / "curves.png").is_file()
    assert "training/chars_per_second" not in read(tmp_path / "run" / "train")[0]


@contextlib.contextmanager
def largest_file(size):
    """Let no file of this process grow beyond a size, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def one_line(capsys, *words):
    """Hold standard error against: one line that has the words and says how it goes on."""
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("kerasgen: logging in ") and line.endswith("; the training continues without logs"), line
    for word in words:
        assert word in line
    assert "{{" not in line and "[Op:" not in line


def test_a_folder_that_cannot_be_made_is_one_line_and_changes_no_training(run, tmp_path, capsys):
    (tmp_path / "logs").write_text("a file in the way")
    task = names_task(schedule="linear")
    watched, logs = train(task, monitor.run_folder(tmp_path / "logs", task))
    one_line(capsys, str(watched.folder), "Not a directory")
    assert (watched.failed, logs) == (True, run[1])


def test_a_disk_that_fills_up_is_one_line(run, tmp_path, capsys):
    watched, *_ = run
    whole = pretend(tmp_path / "whole", watched.task, watched.generator, watched.model)
    assert (whole.failed, capsys.readouterr().err) == (False, "")
    size = next((tmp_path / "whole" / "train").iterdir()).stat().st_size
    with largest_file(size + 500):
        full = pretend(tmp_path / "full", watched.task, watched.generator, watched.model, epochs=3)
    one_line(capsys, str(tmp_path), "File too large")
    assert full.failed
    assert 5 in read(tmp_path / "full" / "train")[0]["training/gradient_norm"]  # what was written before can be read
    assert not (tmp_path / "full" / PICTURE).exists()


def test_any_fault_in_logging_is_one_line(run, tmp_path, capsys, monkeypatch):
    def fault(*args, **kwargs):
        raise ValueError("no such luck")

    monkeypatch.setattr(tf.summary, "text", fault)
    watched, *_ = run
    assert pretend(tmp_path, watched.task, watched.generator, watched.model).failed
    one_line(capsys, "no such luck")


def test_standard_error_on_the_same_full_disk_does_no_harm(tmp_path, monkeypatch):
    (tmp_path / "logs").write_text("a file in the way")
    with open("/dev/full", "w", buffering=1) as full:
        monkeypatch.setattr("sys.stderr", full)
        watched = monitor.Monitor(tmp_path / "logs", names_task(), None)
        watched.on_train_begin()
        monkeypatch.undo()
        assert watched.failed
        with contextlib.suppress(OSError):  # what could not be written is still in its buffer
            full.close()


HISTORY = [
    {"step": step, "loss": loss, "bits_per_char": loss / 4, "smoothed_loss": 20.0 + loss, "val_bits_per_char": loss / 3}
    for step, loss in [(1, 20.0), (2001, 12.0), (4001, 9.0)]
]


def texts(figure):
    return " ".join(text.get_text() for text in figure.axes[0].texts)


def test_curves_are_in_bits_with_names_and_units():
    task = names_task()
    axes = curves(HISTORY, task).axes[0]
    train, validation, baseline = [np.array(line.get_xydata()) for line in axes.lines]
    assert train[-1].tolist() == [4001, 9.0 / 4]
    assert validation.tolist() == [[1, 20 / 3], [2001, 4.0], [4001, 3.0]]
    assert set(baseline[:, 1]) == {task.baseline().bits_per_char}
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("training steps", "loss (bits per character)")
    written = texts(axes.figure)
    assert "train 2.25" in written and "validation 3.00" in written and "n-grams" in written
    heights = sorted(text.xy[1] for text in axes.texts)
    low, high = axes.get_ylim()
    assert min(np.diff(heights)) > (high - low) / 20  # no name over another
    assert high < 20 / 3  # the loss of guessing does not squeeze the rest


def test_without_a_validation_part_there_is_no_such_curve():
    history = [{key: value for key, value in epoch.items() if not key.startswith("val_")} for epoch in HISTORY]
    task = names_task(holdout="none")
    written = texts(curves(history, task))
    assert "train" in written and "validation" not in written
    assert "n-grams" not in written  # they would be scored on what they counted
    assert set(monitor.Monitor("logs", task, None)._losses(history[-1])) == {"train"}


def test_the_notebook_is_drawn_over_its_published_points():
    axes = curves(HISTORY, names_task("dinos", notebook_draws=True, carry_state=True)).axes[0]
    ours, published = [np.array(line.get_xydata()).tolist() for line in axes.lines]
    assert ours == [[0, 40.0], [2000, 32.0], [4000, 29.0]]
    assert published == [[0, 23.087336], [2000, 27.884160], [4000, 25.901815]]
    assert axes.get_ylabel() == "smoothed loss (nats per name)"


def test_the_picture_is_saved_after_training(run):
    picture = (run[0].folder / PICTURE).read_bytes()
    assert picture[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", picture[16:24]) == (1200, 675)
    assert [path.name for path in run[0].folder.glob(".curves*")] == []


def test_all_that_it_writes_is_known_to_be_ours(run, tmp_path):
    folder = monitor.run_folder(tmp_path, names_task())  # which marks it
    shutil.copytree(run[0].folder, folder, dirs_exist_ok=True)
    assert remove_known(folder, LOG_FILES) == [] and not folder.exists()


def test_a_text_of_any_name_can_be_drawn(tmp_path, capsys):
    save_curves(tmp_path / "curves.png", HISTORY[:1], names_task("$x_ 名前"))
    assert (tmp_path / "curves.png").stat().st_size > 5000
    assert capsys.readouterr().err == ""


def test_a_picture_that_cannot_be_saved_is_one_line(tmp_path, capsys):
    (tmp_path / "curves.png").mkdir()
    save_curves(tmp_path / "curves.png", HISTORY, names_task())
    (line,) = capsys.readouterr().err.splitlines()
    assert "the loss curves can't be drawn" in line and "curves.png" in line


def test_keras_own_tensorboard_callback_works_as_well(run):
    logged, _ = read(run[2] / "train")
    np.testing.assert_allclose(list(logged["epoch_loss"].values()), run[1]["loss"], rtol=1e-6)
