"""Files without end, numbers without bounds, brackets without number: one line that says what is wrong, and soon."""

import os
import threading

import pytest

import kerasgen
from kerasgen.base import memory
from kerasgen.base.errors import BadInputError
from kerasgen.tasks.names import NamesTask
from kerasgen.tasks.prose import ProseTask
from kerasgen.tasks.settings import NamesSettings, ProseSettings
from kerasgen.text.corpora import Text
from tests.support.commands import call, process
from tests.support.poems import write_text

MUCH = "1" + "0" * 399
DEEP = "[" * 900 + "]" * 900
NAMES = "rex\nzuul\nminmi\n"


def refused(folder, *words, stdin=""):
    done = call(folder, *words, code=2, stdin=stdin)
    assert done.stderr.count("\n") == 1 and done.stderr.startswith("kerasgen: error: ") and len(done.stderr) < 700
    assert not done.stdout and "Traceback" not in done.stderr
    return done.stderr


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with texts, on a machine of 16 GB."""
    (tmp_path / "towns.txt").write_text(NAMES, encoding="utf-8")
    write_text(tmp_path / "book.txt")
    monkeypatch.setattr(memory, "most", lambda: (16 * 10**9, "this machine"))
    return tmp_path


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (f"units = {DEEP}", "can't be read"),
        (f"units = {MUCH}", "at most 1000000000000000000; received a number of over 18 digits"),
        (f"top_k = {MUCH}", "--top-k must be at most"),
        (f"learning_rate = {MUCH}", "--learning-rate must be a number; received 1000"),
        (f"units = 0x{'f' * 5000}", "--units must be at most"),
        (f"learning_rate = 0x{'f' * 5000}", "received a number of thousands of digits"),
        (f"units = {'9' * 5000}", "can't be read"),
        ('save_dir = "a\\u0000b"', "--save-dir must have no NUL character; received 'a\\x00b'"),
        ('log_dir = "a\\u0000b"', "--log-dir must have no NUL character"),
        ('data = ["towns.txt", "a\\u0000b"]', "--data must have no NUL character"),
    ],
    ids=lambda value: value[:30],
)
def test_a_config_of_any_content(folder, content, words):
    (folder / "odd.toml").write_text(content, encoding="utf-8")
    assert words in refused(folder, "dino", "--config", "odd.toml")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (f"units = {DEEP}", "--space must name a TOML file"),
        (f"units = {{min = 1, max = {MUCH}}}", "units must be made of whole numbers"),
        (f"units = {{min = 1, max = 0x{'f' * 5000}}}", "units must be made of whole numbers"),
        ("learning_rate = {min = 0.1, max = 0.9, step = nan}", "a range whose step is a number above 0"),
        ("learning_rate = {min = 0.1, max = 0.9, step = 1e-300}", "a range of at most 100,000 steps"),
        ("learning_rate = {min = 0.1, max = 0.9, step = inf}", "a range whose step is a number above 0"),
        ('learning_rate = {min = 0.1, max = 0.9, step = 1.0000000000000002, sampling = "log"}', "at most 100,000"),
    ],
    ids=lambda value: value[:60],
)
def test_a_space_of_any_content(folder, content, words):
    (folder / "odd.toml").write_text(content, encoding="utf-8")
    assert words in refused(folder, "tune", "dino", "--data", "towns.txt", "--space", "odd.toml", "--no-final")


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="needs devices")
def test_files_without_an_end(folder):
    assert "is a device" in refused(folder, "shakespeare", "--prompt", "FILE:/dev/zero")
    for name in ("sparse.txt", "sparse.toml"):
        with open(folder / name, "wb") as file:
            file.truncate(200 * 10**9)
    told = refused(folder, "dino", "--data", "sparse.txt")
    assert "'sparse.txt' has 200.0 GB, and there are 16.0 GB (this machine)" in told
    assert "it has more than 16 MiB" in refused(folder, "dino", "--config", "sparse.toml")
    assert "it has more than 16 MiB" in refused(folder, "shakespeare", "--prompt", "FILE:sparse.txt")


def test_a_pipe_without_an_end(folder, monkeypatch):
    monkeypatch.setattr("kerasgen.text.sources._MOST", 100_000)
    os.mkfifo(folder / "pipe")

    def write():
        try:
            with open(folder / "pipe", "wb") as pipe:
                while True:
                    pipe.write(b"rex\n" * 1000)
        except BrokenPipeError:
            pass

    thread = threading.Thread(target=write)
    thread.start()
    assert "'pipe' must be at most 0 MiB" in refused(folder, "dino", "--data", "pipe")
    thread.join(10)
    assert not thread.is_alive()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("dino", "--sample-only", "--num-samples", 10**9, "--unique"), "1,000,000,000 of them take 54.0 GB at the"),
        (("shakespeare", "a", "--num-samples", 1000, "--length", 10**7), "lower --num-samples or --length"),
        (("shakespeare", "a", "--num-samples", MUCH), "--num-samples must be at most"),
        (("shakespeare", "a", "--lines", 10**9), "--lines must be between 1 and 1000000"),
        (("shakespeare", "--data", "book.txt", "--scratch-epochs", 10**9), "--scratch-epochs must be between 1 and"),
        (
            ("dino", "--data", "towns.txt", "--steps", 10**9, "--sample-every", 1),
            "at most 1,000,000 reports; received 1, which gives 1,000,000,000; raise it to 1,000, or lower --steps",
        ),
    ],
    ids=str,
)
def test_more_than_anyone_can_hold(folder, flags, words):
    assert words in refused(folder, *flags)


def test_the_reports_of_the_longest_trainings_are_few_enough():
    names = NamesSettings(steps=10**9, units=8192, batch_size=65536)
    assert len(NamesTask(names, Text("x", NAMES, "")).epoch_ends()) <= 10**6 + 1
    prose = ProseSettings(scratch_epochs=10**6, units=8192, batch_size=2, seq_len=10)
    ends = ProseTask(prose, Text("x", "to be or not\n" * 300, "")).epoch_ends()
    assert len(ends) <= 10**6 + 2 and ends == sorted(set(ends))


def test_paths_of_python_have_no_nul_either():
    with pytest.raises(BadInputError, match="NUL"):
        kerasgen.train_text("a\0b")
    with pytest.raises(BadInputError, match="save_dir must have no NUL"):
        kerasgen.train_names(["rex", "zuul"], save_dir="a\0b")


def test_a_flag_that_xla_does_not_have_is_one_line(tmp_path):
    done = process(
        tmp_path, "dino", "--sample-only", code=2, XLA_FLAGS="--xla_cpu_enable_fast_math=false --xla_nonsense=1"
    )
    assert done.stderr.endswith("XLA_FLAGS must hold flags that XLA has; received '--xla_nonsense=1'; leave it out\n")
    assert done.stderr.count("\n") <= 2
