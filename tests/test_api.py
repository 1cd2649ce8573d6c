"""The Python API: train in one call, and what comes back; typed, lazy, and the same as the commands."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

import kerasgen
from kerasgen.base.errors import BadInputError, FailedError, MissingFileError
from kerasgen.models.backend import keras
from kerasgen.tasks.registry import KINDS
from tests.conftest import ROOT
from tests.support.commands import call
from tests.support.poems import write_text

TOWNS = ["springfield", "shelbyville", "ogdenville", "brockway", "capital city", "cypress creek"] * 3
TINY = dict(units=8, steps=30, sample_every=10)
POEM = dict(units=8, seq_len=10, batch_size=4, epochs=2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("api")
    before = os.getcwd()
    os.chdir(folder)
    yield folder
    os.chdir(before)


@pytest.fixture(scope="module")
def towns(folder):
    return kerasgen.train_names(TOWNS, **TINY)


@pytest.fixture(scope="module")
def poet(folder):
    seen = []
    watch = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append((epoch, logs["loss"])))
    text = "Shall I compare thee to a summer's day?\nthou art more lovely and more temperate\n" * 8
    poet = kerasgen.train_text(text, callbacks=[watch], **POEM)
    assert [epoch for epoch, _ in seen] == [0, 1]
    assert poet.history.history["loss"] == [loss for _, loss in seen]
    return poet


def test_a_list_is_learned_and_nothing_is_written(towns, poet, folder):
    assert os.listdir(folder) == []
    assert towns.card["data"]["name"] == "names" and towns.card["scores"]["part"] == "in sample"
    assert "springfield" in towns.known and "paris" not in towns.known
    assert len(towns.history.history["loss"]) == 4
    assert "<Generator: names, 8 units" in repr(towns) and "learned from text" in repr(poet)
    assert all(name.startswith("spr") for name in towns.generate(5, prefix="Spr"))
    towns.model.summary(print_fn=lambda line: None)


def test_prose_keeps_a_validation_part_and_its_curve(poet):
    assert poet.card["scores"]["part"] == "validation"
    assert len(poet.history.history["val_bits_per_char"]) == 2
    with pytest.warns(UserWarning, match="never saw"):
        assert len("".join(poet.stream("Et tu, Brute?", length=30))) == 30
    with pytest.warns(UserWarning, match="'A' as 'a', 'H' as 'h', 'L' as 'l'"):  # its only capitals are S and I
        assert "".join(poet.stream("SHALL I", length=30)) == "".join(poet.stream("Shall I", length=30))
    assert sum(poet.next_probabilities("shall ").values()) == pytest.approx(1)


def test_what_is_saved_is_what_was_trained(towns, tmp_path):
    towns.save(tmp_path / "deep" / "towns.keras")
    again = kerasgen.load(tmp_path / "deep" / "towns.keras")
    assert again.generate(20) == towns.generate(20) and again.known == towns.known
    assert again.card == {**again.card, **towns.card} and again.history is None
    np.testing.assert_array_equal(again.score("springfield").each, towns.score("springfield").each)
    with pytest.raises(ValueError, match="ends in .keras"):
        towns.save(tmp_path / "towns.h5")


def test_the_same_settings_give_what_the_command_gives(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "towns.txt").write_text("\n".join(TOWNS))
    flags = ["--steps", "30", "--units", "8", "--sample-every", "10", "--no-log", "--quiet", "--num-samples", "4"]
    done = call(tmp_path, "dino", "--data", "towns.txt", *flags)
    assert done.returncode == 0, done.stderr
    ours = kerasgen.train_names("towns.txt", **TINY)
    theirs = kerasgen.load("saved_models/my-towns.keras")
    for a, b in zip(ours.model.get_weights(), theirs.model.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-6)  # the command lets XLA fuse small loops
    assert ours.card["config"] == theirs.card["config"] and ours.card["data"] == theirs.card["data"]


def test_with_a_folder_it_keeps_what_the_command_keeps(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_text(tmp_path / "book.txt", 60)
    poet = kerasgen.train_text(tmp_path / "book.txt", save_dir="mine", log_dir="logs", **POEM)
    assert os.listdir("mine") == ["my-book.keras"] and len(os.listdir("logs")) == 1
    assert kerasgen.load("mine/my-book.keras").card["scores"] == poet.card["scores"]


def test_ctrl_c_keeps_the_run_and_the_same_call_resumes_it(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_text(tmp_path / "book.txt", 60)

    def interrupt(epoch, logs):
        os.kill(os.getpid(), 2)

    stop = keras.callbacks.LambdaCallback(on_epoch_end=interrupt)
    with pytest.raises(KeyboardInterrupt):
        kerasgen.train_text("book.txt", save_dir="mine", callbacks=[stop], **POEM)
    assert "stopped at step" in capsys.readouterr().err and not os.path.exists("mine/my-book.keras")
    resumed = kerasgen.train_text("book.txt", save_dir="mine", **POEM)
    assert "resuming mine/runs/book-" in capsys.readouterr().err
    whole = kerasgen.train_text("book.txt", **POEM)
    for a, b in zip(resumed.model.get_weights(), whole.model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


WRONG = [
    ({"unitz": 64}, "unknown training setting 'unitz'; did you mean 'units'"),
    ({"units": 0}, "units must be between 1 and 8192; received 0"),
    ({"units": "many"}, "units must be a whole number; received 'many'"),
    ({"temperature": 0.5}, "temperature is not a setting of train_names"),
    ({"config": "nowhere.toml"}, "nowhere.toml"),
]


@pytest.mark.parametrize(("settings", "words"), WRONG, ids=[str(settings) for settings, _ in WRONG])
@pytest.mark.parametrize("train", [kerasgen.train_names, kerasgen.train_text])
def test_a_wrong_setting_is_one_line(train, settings, words):
    with pytest.raises((ValueError, FileNotFoundError)) as refused:
        train("two\nlines", **settings) if train is kerasgen.train_text else train(["a", "b"], **settings)
    assert words in str(refused.value) and "\n" not in str(refused.value)


MEANINGLESS = [{"data": "dinos"}, {"model": "m.keras"}, {"from_scratch": False}, {"log": False}, {"resume": "yes"}]


@pytest.mark.parametrize("settings", MEANINGLESS, ids=str)
def test_what_would_have_no_effect_is_refused(settings):
    with pytest.raises(BadInputError, match=next(iter(settings))):
        kerasgen.train_text("two\nlines", **settings)


def test_a_text_in_memory_is_read_as_a_file_is(tmp_path):
    text = "to be or not to be\r\nthat is the question\r\n" * 4
    (tmp_path / "text.txt").write_bytes(text.encode("utf-8-sig"))
    ours, theirs = (kerasgen.train_text(source, **{**POEM, "epochs": 1}) for source in (text, tmp_path / "text.txt"))
    assert ours.vocab == theirs.vocab and "\r" not in ours.vocab
    with pytest.raises(BadInputError, match="binary"):
        kerasgen.train_text("a\0b\n" * 50)
    with pytest.raises(BadInputError, match="several lines") as refused:
        kerasgen.train_text("to be " * 2000)
    assert len(str(refused.value)) < 200
    with pytest.raises(BadInputError, match="a string, a path or several paths"):
        kerasgen.train_text(["a", "b"])  # type: ignore[arg-type]


def test_several_files_and_a_column_of_a_table_are_learned_from_like_the_command_s(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text("\n".join(TOWNS[:3]))
    (tmp_path / "b.csv").write_text("town,people\n" + "".join(f"{town},{len(town)}\n" for town in TOWNS))
    both = kerasgen.train_names([tmp_path / "a.txt", tmp_path / "b.csv"], column=1, **TINY)
    assert both.card["data"]["name"] == "a-1-and-1-more" and "town" in both.known and "brockway" in both.known
    for source, words in ((TOWNS, "a text in memory"), ("dinos", "--column must be"), ("no.csv", "there is no")):
        with pytest.raises((ValueError, FileNotFoundError), match=words):
            kerasgen.train_names(source, column="town", **TINY)
    with pytest.raises(BadInputError, match="names must be strings"):
        kerasgen.train_names([tmp_path / "a.txt", "b"])  # type: ignore[list-item]


def test_a_callback_that_ends_the_training_shows_on_the_card():
    class Enough(keras.callbacks.Callback):
        """Ends it after the second epoch; Keras tells it what is to come."""

        def on_epoch_end(self, epoch, logs=None):
            assert self.params["epochs"] == 4
            self.model.stop_training = epoch == 1

    towns = kerasgen.train_names(TOWNS, callbacks=[Enough()], **TINY)
    assert towns.card["training"]["steps"] == 11


def test_wrong_texts_are_one_line(tmp_path):
    with pytest.raises(BadInputError, match=r"one line each; received 'a\\nb'"):
        kerasgen.train_names(["a\nb", "c"])
    with pytest.raises(BadInputError, match="one line each; received 3"):
        kerasgen.train_names([3])  # type: ignore[list-item]
    with pytest.raises(BadInputError, match="two different names"):
        kerasgen.train_names([])
    for train in (kerasgen.train_names, kerasgen.train_text):
        with pytest.raises(MissingFileError, match="nowhere.txt"):
            train(tmp_path / "nowhere.txt")


def test_a_diverging_training_is_an_error_of_the_work():
    with pytest.raises(FailedError, match="the loss became"):
        kerasgen.train_names(TOWNS, **{**TINY, "learning_rate": 1e38, "clipvalue": 1e38})


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_loaded_model_samples_as_its_command_does(kind, towns, poet):
    generator = {"names": towns, "prose": poet}[kind.name]
    settings = kind.settings()
    assert generator.defaults.temperature == settings.temperature
    assert (generator.defaults.top_k, generator.defaults.top_p) == (settings.top_k, settings.top_p)
    if kind.name == "names":
        assert generator.defaults.max_length == settings.max_length
    else:
        assert (generator.length, generator.folding.on_unknown) == (settings.length, settings.on_unknown)


CLIENT = """
from pathlib import Path
import kerasgen

towns: kerasgen.TrainedGenerator = kerasgen.train_names(["a", "b"], steps=5)
names: list[str] = towns.generate(3, prefix="a", temperature=0.5, seed=1)
pieces: list[str] = list(kerasgen.load(Path("m.keras"), device="cpu").stream("to be", length=5))
one: kerasgen.Score = towns.score("a")
many: list[kerasgen.Score] = towns.score(["a", "b"])
bits: float = one.bits_per_char
likely: dict[str, float] = towns.next_probabilities("a")
poet = kerasgen.train_text("book.txt", epochs=1, callbacks=[])
poet.save("poet.keras")
version: str = kerasgen.__version__
"""


def test_a_client_is_checked_by_mypy(tmp_path):
    (tmp_path / "client.py").write_text(CLIENT)
    wrong = "import kerasgen\nx: int = kerasgen.load('m.keras').generate(3)\nkerasgen.load(3)\n"
    (tmp_path / "wrong.py").write_text(wrong)
    command = [sys.executable, "-m", "mypy", "--strict", "--ignore-missing-imports", "--follow-imports=silent"]
    environment = {**os.environ, "MYPYPATH": str(ROOT), "MYPY_CACHE_DIR": str(tmp_path)}
    given = dict(cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    done = subprocess.run([*command, "client.py", "wrong.py"], **given)
    assert "client.py" not in done.stdout and done.stdout.count("wrong.py") == 2, done.stdout + done.stderr


def test_all_public_names_are_there_and_come_lazily():
    code = (
        "import json, sys, kerasgen\n"
        "before = [name for name in ('numpy', 'tensorflow', 'keras') if name in sys.modules]\n"
        "print(json.dumps([before, sorted(set(kerasgen.__all__) - set(dir(kerasgen))), "
        "[name for name in kerasgen.__all__ if getattr(kerasgen, name, None) is None]]))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert json.loads(done.stdout) == [[], [], []], done.stderr
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        kerasgen.nothing  # noqa: B018


def test_plain_keras_loads_a_names_model_once_the_class_is_imported(towns, tmp_path):
    towns.save(tmp_path / "towns.keras")
    np.save(tmp_path / "ids.npy", np.array([[-1, 3, 4]]))
    code = (
        "from kerasgen import NameRNN\nimport keras, numpy as np\n"
        "model = keras.saving.load_model('towns.keras')\n"
        "assert type(model) is NameRNN\nnp.save('logits.npy', model(np.load('ids.npy')))"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    expected = towns.model(np.array([[-1, 3, 4]]))
    np.testing.assert_allclose(np.load(tmp_path / "logits.npy"), expected, rtol=0, atol=1e-6)
