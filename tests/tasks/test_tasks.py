"""Settings and a text become a training: each part is what it says, and none of it is costly before it is asked for."""

import subprocess
import sys

import numpy as np
import pytest

from kerasgen.base.errors import BadInputError
from kerasgen.base.settings import card_of
from kerasgen.metrics.ngrams import best_ngrams
from kerasgen.metrics.score import Score
from kerasgen.models.prose import ProseLSTM
from kerasgen.tasks.names import NamesTask
from kerasgen.tasks.notebook import notebook_first_loss
from kerasgen.tasks.prose import ProseTask
from kerasgen.tasks.registry import make_task
from kerasgen.tasks.settings import NamesSettings, ProseSettings
from kerasgen.text.corpora import Text
from kerasgen.text.vocab import CharVocab
from tests.conftest import ROOT
from tests.support.poems import LINES

NAMES = ["ada", "bea", "cleo", "dora", "eve", "fay", "gus", "hal", "ida", "jo", "kit", "ada"]
FRIENDS = "\n".join(NAMES)
SCORES = ["nats_per_char", "bits_per_char", "ngram_nats_per_char", "ngram_bits_per_char", "ngram_order"]


def names(text=FRIENDS, **settings):
    return NamesTask(NamesSettings(**{"units": 4, **settings}), Text("friends", text, "0" * 64))


def prose(text=(LINES + "\n") * 4, vocab=None, **settings):
    tiny = {"units": 4, "seq_len": 10, "batch_size": 4, "scratch_epochs": 3, **settings}
    return ProseTask(ProseSettings(**tiny), Text("poem", text, "0" * 64), vocab)


def total(generator, part):
    return generator.score(part) if isinstance(part, str) else Score.total(generator.score(part))


@pytest.mark.parametrize(
    "dtype, fused, said", [("mixed_bfloat16", True, 1), ("mixed_bfloat16", False, 0), ("float32", True, 0)]
)
def test_a_training_says_that_it_is_in_float32_where_that_was_not_asked_for(dtype, fused, said, monkeypatch):
    monkeypatch.setattr("kerasgen.base.machine.multiplies_bfloat16", lambda: False)
    assert prose(dtype=dtype, fused=fused).plan.count("in float32, as this processor multiplies no bfloat16") == said


def test_the_settings_say_which_recipe_it_is():
    of_names = make_task(NamesSettings(), Text("friends", FRIENDS, ""))
    of_prose = make_task(ProseSettings(seq_len=10), Text("poem", LINES, ""))
    assert (type(of_names), of_names.kind) == (NamesTask, "names")
    assert (type(of_prose), of_prose.kind) == (ProseTask, "prose")


def test_making_and_measuring_one_needs_no_tensorflow():
    code = (
        "import sys; from kerasgen.tasks.registry import KINDS, make_task; from kerasgen.text.corpora import Text\n"
        "for kind, text in zip(KINDS, ['ada\\nbea', 'to be ' * 40]):\n"
        "    task = make_task(kind.settings(), Text('x', text, ''))\n"
        "    task.scored, task.baseline(), task.batches(0, 1)\n"
        "print({'tensorflow', 'keras'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.stdout.strip(), done.stderr) == ("set()", "")


def test_a_bad_text_is_refused_at_once():
    with pytest.raises(BadInputError, match="two different names"):
        names("rex\n")
    with pytest.raises(BadInputError, match="two different characters"):
        prose("aaaa")
    with pytest.raises(BadInputError, match="two windows of 10 characters"):
        prose("too short a text")
    with pytest.raises(BadInputError, match="received 'S'"):
        prose(LINES, CharVocab("abc"))


def test_the_length_of_a_training_of_names():
    task = names(steps=5000, sample_every=2000, batch_size=3)
    assert (task.steps, task.chunk) == (5000, 666)
    assert task.epoch_ends() == [1, 2001, 4001, 5000] and task.epoch_ends(70) == [71, 2071, 4071, 5070]
    assert names(epochs=2, batch_size=3, holdout="none").steps == 2 * 4
    assert names(batch_size=4096).chunk == 1


def test_the_length_of_a_training_of_prose():
    task = prose()
    every = task.batches.steps_per_epoch
    assert task.steps == 3 * every and task.epoch_ends(7) == [7 + every, 7 + 2 * every, 7 + 3 * every]
    assert prose(epochs=1).epoch_ends() == [every]


def test_names_are_reported_at_a_steady_pace_where_nobody_sets_one():
    assert names(steps=2500).every == 100 and names(steps=3).epoch_ends() == [1, 2, 3]
    task = names(steps=10**9, units=512)
    assert 6 * task.chars_per_step * 512 * (512 + len(task.vocab)) * task.every <= 5e10


def test_short_passes_are_reported_together_and_long_ones_in_parts():
    every = prose().batches.steps_per_epoch
    ends = prose(scratch_epochs=100).epoch_ends(7)
    assert ends == [7 + every, *range(7 + 3 * every, 8 + 99 * every, 3 * every), 7 + 100 * every]
    task = prose(LINES * 100, units=2048, scratch_epochs=2)
    a_pass, ends = task.batches.steps_per_epoch, task.epoch_ends()
    assert a_pass in ends and ends[-1] == 2 * a_pass and sorted(set(ends)) == ends and len(ends) > 4
    longest = max(end - before for before, end in zip([0, *ends], ends, strict=False))
    assert 6 * 12 * 2048**2 * 40 * (longest - 1) < 1e12


def test_names_stop_early_where_a_patience_is_set():
    assert names().early_stopping() is None and names(patience=3, holdout="none").early_stopping() is None
    assert names(patience=3).early_stopping().patience == 3


def test_a_report_scores_pieces_from_all_over_a_long_validation_part(monkeypatch):
    class Scorer:
        def score(self, given):
            seen.append(given)
            return [Score(np.full(len(one), 1.0 if len(given) == 1 else 2.0)) for one in given]

    seen, task = [], prose(LINES * 20)
    part = task.split.validation
    assert task.validate(Scorer())["val_nats_per_char"] == 1 and seen.pop() == [part]
    monkeypatch.setattr(ProseTask, "VALIDATED", 80)
    assert task.validate(Scorer())["val_nats_per_char"] == 2
    assert [len(piece) for piece in seen[0]] == [10] * 8 and len(part) > 80
    assert all(piece in part for piece in seen[0]) and seen[0][0] == part[:10] and seen[0][-1] == part[-10:]


def test_the_characters_of_a_loss_and_of_a_step():
    task = names(batch_size=5, holdout="none")
    assert task.chars_per_loss == pytest.approx(sum(len(name) + 1 for name in NAMES) / len(NAMES))
    assert task.chars_per_step == pytest.approx(5 * task.chars_per_loss)
    assert (prose().chars_per_loss, prose().chars_per_step) == (1, 4 * 10)
    assert prose(target="next").chars_per_step == 4


def test_the_running_mean_of_names_begins_where_the_notebook_s_does():
    task = names()
    assert task.first_smoothed_loss == notebook_first_loss(len(task.vocab), 7)
    assert prose().first_smoothed_loss is None


@pytest.mark.parametrize("make", [names, prose])
@pytest.mark.parametrize(
    ("holdout", "label", "part"),
    [
        ("validation", "validation", "validation"),
        ("both", "validation", "validation"),
        ("test", "held out", "test"),
        ("none", "in sample", "train"),
    ],
)
def test_the_part_that_is_scored_and_its_n_grams(make, holdout, label, part):
    task = make(holdout=holdout)
    found, texts = task.scored
    assert found == label and len(texts)
    expected = getattr(task.split, part)
    assert texts == (sorted(set(expected)) if (task.kind, part) == ("names", "train") else expected)

    def sequences(texts):
        return [task.vocab.encode(text + "\n") for text in texts] if make is names else [task.vocab.encode(texts)]

    expected = best_ngrams(sequences(task.split.train), sequences(texts), len(task.vocab))
    assert task.baseline() == expected and task.baseline().order == expected.order
    assert task.baseline() is task.baseline()


@pytest.mark.parametrize("make", [names, prose])
def test_validation_is_the_score_of_the_validation_part(make):
    task = make(holdout="both")
    generator = task.generator(task.build())
    score = total(generator, task.split.validation)
    for _ in range(2):
        logs = task.validate(generator)
        assert list(logs) == ["val_nats_per_char", "val_bits_per_char"]
        found = [logs["val_nats_per_char"], logs["val_bits_per_char"]]
        assert found == pytest.approx([score.nats_per_char, score.bits_per_char], rel=1e-6)
    assert make(holdout="test").validate(generator) == {}


def test_validation_of_names_sees_the_weights_of_now_and_every_model():
    task = names()
    first, second = (task.generator(task.build()) for _ in range(2))
    before = task.validate(first)
    first.model.out.bias.assign(np.arange(len(task.vocab)) / 3)
    assert task.validate(first)["val_nats_per_char"] > before["val_nats_per_char"] + 0.1
    assert task.validate(second) == before


@pytest.mark.parametrize("make", [names, prose])
def test_the_card_tells_the_training(make):
    task = make()
    model = task.build()
    generator = task.generator(model)
    assert generator.card["kind"] == task.kind and "scores" not in generator.card
    model.optimizer.iterations.assign(task.steps)
    card = task.card(generator, 1.5)
    assert card["config"] == card_of(task.settings) and card["config"]["units"] == 4
    assert card["training"] == {"steps": task.steps, "seconds": 1.5}
    label, texts = task.scored
    expected = total(generator, texts)
    assert list(card["scores"])[0] == "part" and list(card["scores"])[2:] == SCORES
    assert card["scores"]["part"] == label
    assert card["scores"]["names" if make is names else "characters"] == len(texts)
    assert card["scores"]["nats_per_char"] == expected.nats_per_char
    assert card["scores"]["ngram_bits_per_char"] == task.baseline().bits_per_char
    assert card["scores"]["ngram_order"] == task.baseline().order


def test_a_generator_of_names_knows_all_of_the_list():
    task = names(holdout="both", text="\n".join(f"{a}{b}" for a in "abcdef" for b in "abcdef"))
    generator = task.generator(task.build())
    assert task.split.test and task.split.validation
    names_of = [f"{a}{b}" for a in "abcdef" for b in "abcdef"]
    assert all(name in generator.known for name in names_of) and "rex" not in generator.known
    assert generator.char_model is generator.model


def test_a_new_model_of_prose_follows_the_schedule_and_the_settings():
    task = prose(schedule="cosine", learning_rate=0.5, target="next", recurrent_dropout=0.2, seed=3)
    model = task.build()
    rates = [float(model.optimizer._learning_rate(step)) for step in (0, 1, task.steps)]
    assert rates[0] == 0 and max(rates) == pytest.approx(0.5, rel=0.05) and rates[2] == pytest.approx(0, abs=1e-6)
    passes = task.char_model(model)
    assert isinstance(passes, ProseLSTM)
    assert (passes.target, passes.recurrent_dropout, passes.seed) == ("next", 0.2, 3)


def test_fine_tuning_keeps_the_optimizer_s_state_and_takes_the_next_rate():
    task = prose(schedule="cosine", next_learning_rate=0.25)
    model = task.build()
    old = model.optimizer
    for variable in old.variables:
        variable.assign(np.full(variable.shape, 3))
    assert task.fine_tune(model) is model and model.optimizer is not old
    assert int(model.optimizer.iterations) == 3 and float(model.optimizer.learning_rate) == 0.25
    slots = [variable for variable in model.optimizer.variables if len(variable.shape)]
    assert len(slots) == 2 * len(model.trainable_variables)
    assert all((variable.numpy() == 3).all() for variable in slots)


def test_a_trained_model_s_vocabulary_may_know_more():
    known = CharVocab.from_text({*LINES.lower(), "\n", "ж"})
    task = prose(vocab=known, case="lower")
    assert task.vocab is known and task.build().output_shape[-1] == len(known)
    ids = task.batches.ids.windows(0, len(task.split.train))
    assert task.vocab.decode(ids) == task.split.train


def test_wide_initial_weights_are_keras_own_but_for_the_letters():
    keras_own, wide, other = (
        [w.numpy() for w in names(init=init, seed=seed).build().trainable_variables]
        for init, seed in (("keras", 3), ("wide", 3), ("wide", 4))
    )
    for ours, theirs in zip(keras_own[1:], wide[1:], strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert np.abs(wide[0]).max() <= 1 and wide[0].std() == pytest.approx(1 / np.sqrt(3), rel=0.2)
    assert not np.array_equal(wide[0], other[0])
