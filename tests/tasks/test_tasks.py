"""Settings and a text become a training: each part is what it says, and none of it is costly before it is asked for."""

import subprocess
import sys

import numpy as np
import pytest

import kerasgen
from kerasgen.base.errors import BadInputError
from kerasgen.metrics.ngrams import NgramModel
from kerasgen.models.prose import LSTMPasses
from kerasgen.tasks.names import DinoConfig, NamesRecipe
from kerasgen.tasks.notebook import notebook_first_loss
from kerasgen.tasks.prose import ProseRecipe, ShakespeareConfig
from kerasgen.tasks.registry import make_recipe
from kerasgen.text.corpora import Text
from kerasgen.text.vocab import CharVocab
from tests.conftest import ROOT
from tests.support.poems import LINES

NAMES = ["ada", "bea", "cleo", "dora", "eve", "fay", "gus", "hal", "ida", "jo", "kit", "ada"]
FRIENDS = "\n".join(NAMES)
SCORES = ["nats_per_char", "bits_per_char", "ngram_nats_per_char", "ngram_bits_per_char"]


def names(text=FRIENDS, **settings):
    return NamesRecipe(DinoConfig(**{"units": 4, **settings}), Text("friends", text, "0" * 64))


def prose(text=(LINES + "\n") * 4, vocab=None, **settings):
    tiny = {"units": 4, "seq_len": 10, "batch_size": 4, "scratch_epochs": 3, **settings}
    return ProseRecipe(ShakespeareConfig(**tiny), Text("poem", text, "0" * 64), vocab)


def as_stream(text):
    return text if isinstance(text, str) else "\n".join(text)


def test_the_settings_say_which_recipe_it_is():
    of_names = make_recipe(DinoConfig(), Text("friends", FRIENDS, ""))
    of_prose = make_recipe(ShakespeareConfig(seq_len=10), Text("poem", LINES, ""))
    assert (type(of_names), of_names.kind) == (NamesRecipe, "names")
    assert (type(of_prose), of_prose.kind) == (ProseRecipe, "prose")


def test_making_and_measuring_one_needs_no_tensorflow():
    code = (
        "import sys; from kerasgen import config, corpora, recipes\n"
        "for settings, text in [(config.DinoConfig(), 'ada\\nbea'), (config.ShakespeareConfig(), 'to be ' * 40)]:\n"
        "    recipe = recipes.recipe(settings, corpora.Text('x', text, ''))\n"
        "    recipe.scored, recipe.baseline(), recipe.training_settings(), recipe.batches(0, 1)\n"
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
        prose(LINES, CharVocab("abc"), lower_case=False)


def test_the_length_of_a_training_of_names():
    recipe = names(steps=5000, sample_every=2000, batch_size=3)
    assert (recipe.steps, recipe.chunk) == (5000, 666)
    assert recipe.epoch_ends() == [1, 2001, 4001, 5000] and recipe.epoch_ends(70) == [71, 2071, 4071, 5070]
    assert names(epochs=2, batch_size=3, holdout="none").steps == 2 * 4
    assert names(batch_size=4096).chunk == 1


def test_the_length_of_a_training_of_prose():
    recipe = prose()
    every = recipe.batches.steps_per_epoch
    assert recipe.steps == 3 * every and recipe.epoch_ends(7) == [7 + every, 7 + 2 * every, 7 + 3 * every]
    assert prose(epochs=1).epoch_ends() == [every]


def test_the_characters_of_a_loss_and_of_a_step():
    recipe = names(batch_size=5, holdout="none")
    assert recipe.chars_per_loss == pytest.approx(sum(len(name) + 1 for name in NAMES) / len(NAMES))
    assert recipe.chars_per_step == pytest.approx(5 * recipe.chars_per_loss)
    assert (prose().chars_per_loss, prose().chars_per_step) == (1, 4 * 10)
    assert prose(target="next").chars_per_step == 4


def test_the_running_mean_of_names_begins_where_the_notebook_s_does():
    recipe = names()
    assert recipe.first_smoothed_loss == notebook_first_loss(len(recipe.vocab), 7)
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
    recipe = make(holdout=holdout)
    found, texts = recipe.scored
    assert found == label and len(texts)
    expected = getattr(recipe.split, part)
    assert texts == (sorted(set(expected)) if (recipe.kind, part) == ("names", "train") else expected)

    def sequences(texts):
        return [recipe.vocab.encode(text + "\n") for text in texts] if make is names else [recipe.vocab.encode(texts)]

    ngrams = NgramModel(sequences(recipe.split.train), 3 if make is names else 4, len(recipe.vocab))
    assert recipe.baseline() == ngrams.score(sequences(texts))
    assert recipe.baseline() is recipe.baseline()


@pytest.mark.parametrize("make", [names, prose])
def test_validation_is_the_score_of_the_validation_part(make):
    recipe = make(holdout="both")
    generator = recipe.generator(recipe.build())
    score = kerasgen.score(generator, as_stream(recipe.split.validation))
    for _ in range(2):
        logs = recipe.validate(generator)
        assert list(logs) == ["val_nats_per_char", "val_bits_per_char"]
        found = [logs["val_nats_per_char"], logs["val_bits_per_char"]]
        assert found == pytest.approx([score.nats_per_char, score.bits_per_char], rel=1e-6)
    assert make(holdout="test").validate(generator) == {}


def test_validation_of_names_sees_the_weights_of_now_and_every_model():
    recipe = names()
    first, second = (recipe.generator(recipe.build()) for _ in range(2))
    before = recipe.validate(first)
    first.model.out.bias.assign(np.arange(len(recipe.vocab)) / 3)
    assert recipe.validate(first)["val_nats_per_char"] > before["val_nats_per_char"] + 0.1
    assert recipe.validate(second) == before


@pytest.mark.parametrize("make", [names, prose])
def test_the_card_tells_the_training(make):
    recipe = make()
    model = recipe.build()
    generator = recipe.generator(model)
    assert generator.card["kind"] == recipe.kind and "scores" not in generator.card
    model.optimizer.iterations.assign(recipe.steps)
    card = recipe.card(generator, 1.5)
    assert card["config"] == recipe.training_settings() and card["config"]["units"] == 4
    assert card["training"] == {"steps": recipe.steps, "seconds": 1.5}
    label, texts = recipe.scored
    expected = kerasgen.score(generator, as_stream(texts))
    assert list(card["scores"])[0] == "part" and list(card["scores"])[2:] == SCORES
    assert card["scores"]["part"] == label
    assert card["scores"]["names" if make is names else "characters"] == len(texts)
    assert card["scores"]["nats_per_char"] == expected.nats_per_char
    assert card["scores"]["ngram_bits_per_char"] == recipe.baseline().bits_per_char


def test_a_generator_of_names_knows_all_of_the_list():
    recipe = names(holdout="both", text="\n".join(f"{a}{b}" for a in "abcdef" for b in "abcdef"))
    generator = recipe.generator(recipe.build())
    assert recipe.split.test and recipe.split.validation
    assert all(generator.is_known(name) for name in recipe.known) and not generator.is_known("rex")
    assert recipe.passes(generator.model) is generator.model


def test_the_training_settings_leave_out_what_only_generates():
    assert names(epochs=3).training_settings().keys() == NamesRecipe.TRAINING_KEYS
    assert prose().training_settings().keys() == ProseRecipe.TRAINING_KEYS
    assert prose(temperature=0.5).training_settings() == prose().training_settings()
    assert prose(seed=1).training_settings() != prose().training_settings()


def test_a_new_model_of_prose_follows_the_schedule_and_the_settings():
    recipe = prose(schedule="cosine", learning_rate=0.5, target="next", recurrent_dropout=0.2, seed=3)
    model = recipe.build()
    rates = [float(model.optimizer._learning_rate(step)) for step in (0, 1, recipe.steps)]
    assert rates[0] == 0 and max(rates) == pytest.approx(0.5, rel=0.05) and rates[2] == pytest.approx(0, abs=1e-6)
    passes = recipe.passes(model)
    assert isinstance(passes, LSTMPasses)
    assert (passes.target, passes.recurrent_dropout, passes.seed) == ("next", 0.2, 3)


def test_going_on_keeps_the_optimizer_s_state_and_takes_the_next_rate():
    recipe = prose(schedule="cosine", next_learning_rate=0.25)
    model = recipe.build()
    old = model.optimizer
    for variable in old.variables:
        variable.assign(np.full(variable.shape, 3))
    assert recipe.go_on(model) is model and model.optimizer is not old
    assert int(model.optimizer.iterations) == 3 and float(model.optimizer.learning_rate) == 0.25
    slots = [variable for variable in model.optimizer.variables if len(variable.shape)]
    assert len(slots) == 2 * len(model.trainable_variables)
    assert all((variable.numpy() == 3).all() for variable in slots)


def test_a_trained_model_s_vocabulary_may_know_more():
    known = CharVocab.from_text({*LINES.lower(), "\n", "ж"})
    recipe = prose(vocab=known)
    assert recipe.vocab is known and recipe.build().output_shape[-1] == len(known)
    assert recipe.vocab.decode(recipe.batches.ids) == recipe.split.train
