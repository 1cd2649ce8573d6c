"""A text that is too long for memory, and a list of very many names, go through the same commands; here 4 kB are."""

import re
import signal
import subprocess
import sys

import numpy as np
import pytest

import kerasgen
from kerasgen.metrics.novelty import KnownTexts
from kerasgen.modelfile import store
from kerasgen.tasks.names import NamesTask
from kerasgen.tasks.prose import ProseTask
from kerasgen.tasks.settings import NamesSettings, ProseSettings
from kerasgen.text import corpora, sources
from kerasgen.text.names import LongList
from kerasgen.text.order import Orders
from kerasgen.text.vocab import CharVocab
from tests.support.commands import call, environment
from tests.support.poems import TINY, write_text


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder with a text that is large there."""
    monkeypatch.setattr(sources, "LARGE", 4096)
    monkeypatch.setattr(ProseTask, "VALIDATED", 160)
    monkeypatch.setattr(ProseTask, "SCORED", 320)
    monkeypatch.setattr(ProseTask, "NGRAMS", 640)
    monkeypatch.setattr("kerasgen.metrics.novelty.LONGEST", 1280)
    monkeypatch.setattr("kerasgen.tasks.prose.LONGEST_LEARNED", 1280)
    monkeypatch.setenv("KERASGEN_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    write_text(tmp_path / "big.txt")
    return tmp_path


def test_it_is_learned_scored_and_continued(folder):
    flags = ("--data", "big.txt", "--length", "60", *TINY)
    learned = call(folder, "shakespeare", "Et tu", *flags, "--scratch-epochs", "1")
    assert learned.stdout.count("Epoch ") == 1
    ids = folder / "cache/ids" / f"{corpora.place('big.txt')}.ids"
    assert f"big is long: while it is learned, it is read from {ids}" in learned.stderr
    scored = r"validation, 320 characters from all over 523: \d\.\d+ bits/char; counting n-grams in 640 of the others: "
    assert re.search(rf"{scored}\d\.\d+; \d+ s; saved saved_models/my-big.keras", learned.stderr)
    assert "of its words stand in 1,280 characters from all over big; the longest span is " in learned.stderr
    card = store.read(folder / "saved_models/my-big.keras").card
    assert (
        card["data"]["characters"] == 5229 and card["data"]["sha256"] == corpora.read("big.txt", "shakespeare").sha256
    )
    scores = card["scores"]
    assert (scores["characters"], scores["of"], scores["ngrams_of"]) == (320, 523, 640)
    assert [path.name for path in (folder / "cache/ids").iterdir()] == [ids.name]

    answer = call(folder, "shakespeare", "Et tu", *flags[:4])
    assert learned.stdout.endswith(answer.stdout) and answer.stdout.startswith("Et tu")
    assert "generating with saved_models/my-big.keras" in answer.stderr and "from all over big" in answer.stderr


@pytest.mark.parametrize("case", ["auto", "lower"])
@pytest.mark.parametrize("stride", [None, 3])
def test_its_batches_are_those_of_a_text_in_memory_in_another_order(monkeypatch, case, stride):
    settings = ProseSettings(units=4, batch_size=4, seq_len=10, stride=stride, seed=3, case=case)
    long = ProseTask(settings, corpora.read("big.txt", "shakespeare"))
    monkeypatch.setattr(sources, "LARGE", 1 << 30)
    short = ProseTask(settings, corpora.read("big.txt", "shakespeare"))
    assert (long.vocab, long.steps, long.plan) == (short.vocab, short.steps, short.plan)
    assert isinstance(short.split.train, str) and str(long.split.train) == short.split.train
    known = CharVocab.from_text({*short.vocab.chars, "ж"})  # that of a model to fine-tune
    tuned = ProseTask(settings, long.corpus, known)
    assert known.decode(tuned.batches(0, 1)[0, 0]) == long.vocab.decode(long.batches(0, 1)[0, 0])
    assert long.baseline() == short.baseline() and str(long.split.validation) == short.split.validation
    assert not np.array_equal(long.batches(0, 9), short.batches(0, 9))
    short.batches._orders = Orders(short.batches.windows, 3, keyed=True)
    np.testing.assert_array_equal(long.batches(7, 300), short.batches(7, 300))


def test_one_that_is_cut_while_it_is_learned_ends_in_one_line(folder, monkeypatch):
    batches = ProseTask.__init__

    def cut_after(task, *arguments, **settings):
        batches(task, *arguments, **settings)
        ids = task.split.train.file.path
        ids.write_bytes(ids.read_bytes()[:1000])

    monkeypatch.setattr(ProseTask, "__init__", cut_after)
    done = call(folder, "shakespeare", "x", "--data", "big.txt", *TINY, "--scratch-epochs", "1", code=1)
    assert re.search(r"^\S+: error: .*ids can't be read: it was cut; the same command again", done.stderr, re.M)


KILLED = """
import os, signal, sys
from kerasgen import shakespeare
from kerasgen.runs import checkpointer, checkpoints
from kerasgen.tasks.prose import ProseTask
from kerasgen.text import sources

sources.LARGE, checkpointer.SELDOM, write = 4096, 0, checkpoints.write
ProseTask.VALIDATED, ProseTask.SCORED, ProseTask.NGRAMS = 160, 320, 640


def write_and_die(folder, step, *given):
    write(folder, step, *given)
    if step >= 60:  # in the middle of a pass, which has 104
        os.kill(os.getpid(), signal.SIGKILL)


checkpoints.write = write_and_die
shakespeare.main(sys.argv[1:])
"""


def test_a_training_on_one_that_is_killed_goes_on_to_the_same_weights(folder):
    flags = ("x", "--data", "big.txt", "--length", "9", *TINY, "--scratch-epochs", "2")
    command = [sys.executable, "-c", KILLED, *flags]
    done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=240)
    assert done.returncode == -signal.SIGKILL, done.stderr
    (ids,) = (folder / "cache/ids").glob("*.ids")
    made = ids.stat().st_mtime_ns
    resumed = call(folder, "shakespeare", *flags)
    assert re.search(r"resuming saved_models/runs/\S+ at step 60", resumed.stderr)
    assert ids.stat().st_mtime_ns == made, "the text was not read anew"
    call(folder, "shakespeare", *flags, "--save-dir", "whole")
    paths = folder / "saved_models", folder / "whole"
    ours, theirs = (kerasgen.load(path / "my-big.keras").model.get_weights() for path in paths)
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(mine, other)


def test_a_list_of_very_many_names_is_learned_like_a_short_one(monkeypatch):
    names = [f"{a}{b}{c}" for a in "abcde" for b in "aeiou" for c in ("x", "yz", "zyx")]
    corpus = corpora.of_text("names", "\n".join(names))
    settings = NamesSettings(units=4, steps=40, seed=3)
    short = NamesTask(settings, corpus)
    monkeypatch.setattr("kerasgen.tasks.names.MANY", 20)
    monkeypatch.setattr("kerasgen.text.names.MANY", 20)
    long = NamesTask(settings, corpus)
    assert isinstance(short.split.train, list) and isinstance(long.split.train, LongList)
    assert list(long.split.train) == short.split.train and long.split.validation == short.split.validation
    assert (long.vocab, long.plan, long.known) == (short.vocab, short.plan, short.known)
    assert long.baseline() == short.baseline()
    passes = [task.batches(0, len(task.split.train))[:, 0] for task in (short, long)]
    assert not np.array_equal(*passes) and sorted(passes[0].tolist()) == sorted(passes[1].tolist())
    monkeypatch.setattr(NamesTask, "NGRAMS", 10)
    counted = NamesTask(settings, corpus)
    assert counted.baseline() != short.baseline()
    some = counted._some(counted.split.train, 10)
    assert [short.split.train.index(name) for name in some] == [
        number * len(short.split.train) // 10 for number in range(10)
    ]


def test_a_model_that_knows_very_many_names_is_saved_and_read(tmp_path, monkeypatch):
    monkeypatch.setattr("kerasgen.modelfile.archive._SMALL_CONTENT", 1000)
    known = KnownTexts.of(map(str, range(5000)))
    task = NamesTask(NamesSettings(units=4, steps=40), corpora.of_text("names", "rex\nzuul\n"))
    store.save(tmp_path / "many.keras", task.build(), task.vocab, {"kind": "names", "stop": "\n"}, known)
    read = store.read(tmp_path / "many.keras").known
    assert read == known and "4711" in read and "5000" not in read
