"""How long a training will take is told once, by its second chunk, and rightly."""

import time

import pytest

from kerasgen.runs.estimate import Estimate, estimate
from kerasgen.runs.train import advice
from kerasgen.tasks.names import NamesTask
from kerasgen.tasks.settings import NamesSettings
from kerasgen.text.corpora import Text


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.1, "a few seconds to go"), (30, "about 30 s to go"), (400, "about 7 min to go"), (9000, "about 2 h to go"),
    ],
)  # fmt: skip
def test_it_is_told_in_a_unit_that_fits(seconds, words):
    assert estimate(seconds, False) == words
    if seconds > 10:
        assert estimate(seconds, True) == f"{words}, or less where more would not help"


def test_it_goes_by_the_second_chunk(capsys, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    watch = Estimate(2020, early=False)
    for first, end, seconds in ((0, 20, 9.0), (20, 40, 1.0), (40, 60, 50.0)):
        watch.on_train_batch_begin(first)
        now[0] += seconds
        watch.on_train_batch_end(end - 1)
    assert capsys.readouterr().err == "kerasgen: about 99 s to go\n"  # 1,980 steps of 1/20 s each


@pytest.mark.parametrize(("nats", "better"), [(2.0, True), (3.1, False)])
def test_a_model_that_is_worse_than_counting_says_what_may_help(nats, better):
    names = "\n".join(map(str, range(100, 140)))
    task = NamesTask(NamesSettings(units=4), Text("towns", names, "0" * 64))
    found = advice(task, {"scores": {"nats_per_char": nats, "ngram_nats_per_char": 3.0}})
    assert not found if better else found.endswith("settings, python -m kerasgen.tune dino")
    unknown = NamesTask(NamesSettings(units=4, holdout="none"), Text("towns", names, "0" * 64))
    assert advice(unknown, {"scores": {"nats_per_char": 9.0, "ngram_nats_per_char": 3.0}}) == ""
