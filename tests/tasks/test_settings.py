"""Which settings make a training what it is: those that change its weights, and they alone name a run."""

import hashlib
import json

import numpy as np
import pytest

from kerasgen import dino
from kerasgen.base.errors import BadInputError
from kerasgen.base.settings import about, card_of, identity_of, searchable
from kerasgen.runs import run as runs
from kerasgen.runs import train as training
from kerasgen.tasks import prose
from kerasgen.tasks.registry import KINDS, kind_of, make_task
from kerasgen.tasks.settings import NamesSettings, ProseSettings
from kerasgen.text.corpora import Text
from tests.support.poems import LINES

NAMES = Text(
    "towns", "\n".join(["ada", "bea", "cleo", "dora", "eve", "fay", "gus", "hal", "ida", "jo", "kit"]), "0" * 64
)
POEM = Text("poem", (LINES + "\n") * 2, "0" * 64)
TINY = {  # one or two short epochs
    "names": NamesSettings(units=8, steps=3, sample_every=2),
    "prose": ProseSettings(units=8, seq_len=10, batch_size=4, scratch_epochs=1, length=5),
}
TEXTS = {"names": NAMES, "prose": POEM}
SHARED = {
    "sample_only": True, "num_samples": 3, "temperature": 0.3, "top_k": 2, "top_p": 0.5, "resume": "no",
    "log": False, "quiet": True, "save_dir": "elsewhere", "log_dir": "elsewhere", "format": "csv", "output": "x",
    "part": "2/8", "strategy": "multiworker", "workers": "127.0.0.1:1", "worker_index": 0,
}  # fmt: skip
OTHERWISE = {  # another value for each setting that is not marked
    "names": {
        **SHARED, "prefix": "a", "min_length": 2, "max_length": 9, "unique": True, "novel_only": True,
        "notebook_draws": True, "rank": True, "ends_with": "a", "contains": "b", "pattern": "a.*",
    },
    "prose": {**SHARED, "prompt": "Et tu", "length": 7, "lines": 1, "on_unknown": "error", "save_optimizer": False},
}  # fmt: skip
kinds = pytest.mark.parametrize("kind", TINY)


def reporter(generator, settings):
    """Generate after an epoch with all settings that there are for it, and what the command itself would."""
    keys = ("num_samples", "temperature", "top_k", "top_p", "seed")
    count, *options = [getattr(settings, key) for key in keys]
    report = dino.reporter(generator, settings, 2) if isinstance(settings, NamesSettings) else print

    def sample(epoch, logs):
        generator.generate(count, max_length=5, **dict(zip(keys[1:], options, strict=True)))
        report(epoch, logs)

    return sample


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """Train as a command does: ``trained(kind, setting=value)`` gives the weights, from the same start each time."""
    import tensorflow as tf

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(prose, "LENGTH", 5)  # of the samples in the logs
    tf.config.run_functions_eagerly(True)  # a few steps are sooner made than compiled

    def train(kind, **changed):
        settings = TINY[kind].__class__(**{**vars(TINY[kind]), **changed})
        task = make_task(settings, TEXTS[kind])
        path = tmp_path / settings.save_dir / f"my-{task.corpus.name}.keras"
        generator, _ = training.train(task, path, reporter=lambda generator: reporter(generator, settings))
        return generator.model.get_weights()

    yield train
    tf.config.run_functions_eagerly(False)


def same(ours, theirs):
    return all(np.array_equal(one, other) for one, other in zip(ours, theirs, strict=True))


@kinds
def test_every_setting_that_changes_the_weights_is_marked(kind, trained):
    alone = ("finish", "num_workers")  # need a run, and Ray: tests/runs/test_ray.py has its weights
    unmarked = [name for name, one in about(TINY[kind]).items() if not one.identifies and name not in alone]
    missing = sorted(set(unmarked) - OTHERWISE[kind].keys())
    assert not missing, f"not marked identifies=...: give another value of {missing} in OTHERWISE, to try it"
    others = {name: OTHERWISE[kind][name] for name in unmarked}
    unchanged = [name for name, value in others.items() if value == getattr(TINY[kind], name)]
    assert not unchanged, f"OTHERWISE must have another value than the default of {unchanged}"
    plain = trained(kind)
    if not same(plain, trained(kind, **others)):  # one of them does: which?
        guilty = [name for name, value in others.items() if not same(plain, trained(kind, **{name: value}))]
        pytest.fail(f"{guilty} change the weights; mark them identifies=True")
    assert not same(plain, trained(kind, learning_rate=0.05, quiet=True, log=False))  # so a difference is seen


SETTINGS = {
    "names": {
        "case", "units", "recurrent_dropout", "recurrent_l2", "carry_state", "init", "init_scale", "init_seed",
        "batch_size", "learning_rate", "schedule", "momentum", "clipvalue", "shuffle", "shuffle_seed", "holdout",
        "seed", "dtype",
    },
    "prose": {
        "units", "dropout", "recurrent_dropout", "case", "seq_len", "stride", "target", "batch_size", "epochs",
        "scratch_epochs", "learning_rate", "next_learning_rate", "schedule", "weight_decay", "clipnorm", "patience",
        "holdout", "seed", "dtype", "from_scratch",
    },
}  # fmt: skip
ONLY_OF_RUNS = {"names": {"sample_every", "fused", "device"}, "prose": {"fused", "device"}}
DIGESTS = {"names": "396c610d", "prose": "c7fe37a8"}  # of the first release: its unfinished runs are still found


@kinds
def test_what_names_a_run_is_what_it_was(kind):
    plain = {"names": NamesSettings(sample_every=2000), "prose": ProseSettings(seq_len=10)}[kind]
    text = {"names": "ada\nbea\n", "prose": "to be or not to be " * 40}[kind]
    identity = runs.identity(make_task(plain, Text("x", text, "0" * 64)))
    of_case = {"names": set(), "prose": {"lower_case"}}[kind]  # as the first release called it
    assert identity["settings"].keys() == SETTINGS[kind] - {"case"} | of_case | ONLY_OF_RUNS[kind] | {"steps"}
    assert hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:8] == DIGESTS[kind]


@kinds
def test_another_case_is_another_run(kind):
    kind_of = {"names": NamesSettings, "prose": ProseSettings}[kind]
    text = {"names": "Ada\nBea\n", "prose": "To be or not to be " * 40}[kind]
    found = {
        case: runs.identity(make_task(kind_of(case=case), Text("x", text, "0" * 64)))
        for case in ("auto", "lower", "keep")
    }
    assert found["auto"] == found[{"names": "lower", "prose": "keep"}[kind]]
    assert "lower-case" in runs.differences(found["lower"], found["keep"])


@kinds
def test_what_a_card_has_of_the_settings(kind):
    card = card_of(TINY[kind])
    assert card.keys() == SETTINGS[kind] and card.items() <= vars(TINY[kind]).items()
    assert list(card) == [name for name in about(TINY[kind]) if name in SETTINGS[kind]]
    assert identity_of(TINY[kind]).keys() == SETTINGS[kind] | ONLY_OF_RUNS[kind]


@kinds
def test_what_is_searched_is_part_of_what_a_training_is(kind):
    assert set(searchable(TINY[kind])) < SETTINGS[kind]


def test_gpus_are_a_place_to_compute_and_name_a_run_where_they_are_given():
    some = NamesSettings(gpus="0,1")
    assert (some.place, NamesSettings(device="gpu").place, NamesSettings().place) == ("gpu:0,1", "gpu", "auto")
    assert not some.computes_fused and NamesSettings().computes_fused
    assert identity_of(some)["gpus"] == "0,1" and "gpus" not in identity_of(NamesSettings())
    with pytest.raises(BadInputError, match="--gpus must go with --device gpu; received --device cpu"):
        NamesSettings(gpus="0", device="cpu")
    for wrong in ("", "a", "0,", "-1", "0 1"):
        with pytest.raises(BadInputError, match="--gpus must be numbers of GPUs, such as 0,1"):
            NamesSettings(gpus=wrong)


def test_the_kinds():
    assert [(kind.name, kind.command) for kind in KINDS] == [("names", "dino"), ("prose", "shakespeare")]
    for kind in KINDS:
        assert kind_of(kind.settings()) is kind


def test_so_many_passes_are_said_in_each_kind_s_own_way():
    assert NamesSettings(steps=7).with_epochs(3).epochs == 3
    found = ProseSettings(epochs=5).with_epochs(3)
    assert (found.epochs, found.scratch_epochs) == (None, 3)
    for kind in KINDS:
        assert getattr(kind.settings().with_epochs(3), kind.settings.passes_key) == 3
