"""Prose: the settings of a text, and all that training on one needs."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from kerasgen.base.settings import setting
from kerasgen.metrics.score import Score, score_stream
from kerasgen.tasks.settings import CommonConfig
from kerasgen.tasks.task import Recipe
from kerasgen.text.corpora import Text
from kerasgen.text.vocab import CharVocab
from kerasgen.text.windows import TextSplit, WindowBatches, split_text


@dataclass(frozen=True, kw_only=True)
class ShakespeareConfig(CommonConfig):
    """The settings of ``python -m kerasgen.shakespeare``: a text, learned in windows of characters."""

    num_samples: int = setting(1, "how many texts to generate", group="generating")
    temperature: float = setting(0.7, "below 1 safer, above 1 wilder, 0 always the likeliest character (greedy)")
    prompt: str | None = setting(
        None,
        "what the text begins with; FILE:path reads it from a file, - from standard input",
        group="generating text",
    )
    length: int = setting(400, "how many characters to generate")
    lines: int | None = setting(None, "stop after this many lines, or where a stanza ends")
    on_unknown: Literal["error", "skip", "replace"] = setting(
        "replace", "what to do with a character of the prompt that the model never saw: replace takes the nearest known"
    )
    units: int = setting(128, "the size of the state of each of the two LSTM layers", group="the model")
    dropout: float = setting(0.5, "the share of each layer's output that is dropped while training")
    recurrent_dropout: float = setting(0.0, "the share of the states that is hidden from the recurrent kernels")
    lower_case: bool = setting(True, "learn and write lower case only; prompts are folded")
    epochs: int | None = setting(None, "go on training for so many passes over the text", group="training")
    from_scratch: bool = setting(False, "begin with a new model instead of the one that would answer")
    scratch_epochs: int = setting(20, "how many passes a new model takes, where --epochs does not say")
    seq_len: int = setting(40, "how many characters a window has")
    stride: int | None = setting(
        None, "characters from one window to the next (default: end to end, from a new offset each pass)"
    )
    target: Literal["every", "next"] = setting("every", "learn to predict at every position, or at a window's end only")
    batch_size: int = setting(128, "how many windows a step learns from")
    learning_rate: float = setting(0.002, "the highest learning rate of AdamW, for a new model")
    next_learning_rate: float = setting(0.0005, "the constant learning rate for going on with a model")
    schedule: Literal["constant", "cosine"] = setting("constant", "how the learning rate falls to zero")
    weight_decay: float = setting(0.0, "the weight decay of AdamW")
    clipnorm: float = setting(1.0, "the gradient of all weights together is scaled down to this norm")
    patience: int = setting(10, "stop after so many epochs without a better validation score")
    holdout: Literal["validation", "test", "both", "none"] = setting(
        "validation", "what is kept from training: the last tenth for choosing the best epoch (validation) or for one "
        "score at the end (test); both keeps two tenths, chooses by the first and never looks at the last",
    )  # fmt: skip
    save_optimizer: bool = setting(True, "save the optimizer's state, too, so that training goes on smoothly")


START = "\n"  # stands before a text of prose: a line begins


class ProseRecipe(Recipe):
    """A text and a stacked LSTM, which learns it in windows of characters.

    Args:
        settings: those of ``python -m kerasgen.shakespeare``.
        corpus: the text.
        vocab: the characters of the trained model to go on from, which may know more; None for those of the text.

    Raises:
        BadInputError: the text is too short or has one character only, or one that is not in `vocab`.
    """

    kind, ORDER, COUNTED = "prose", 4, "characters"  # order: the best of 3, 4 and 5 on the Sonnets
    TRAINING_KEYS = {
        "units", "dropout", "recurrent_dropout", "lower_case", "seq_len", "stride", "target", "batch_size", "epochs",
        "scratch_epochs", "learning_rate", "next_learning_rate", "schedule", "weight_decay", "clipnorm", "patience",
        "holdout", "seed", "dtype", "from_scratch",
    }  # fmt: skip
    settings: ShakespeareConfig
    split: TextSplit
    batches: WindowBatches

    def __init__(self, settings: ShakespeareConfig, corpus: Text, vocab: CharVocab | None = None):
        self.settings, self.corpus = settings, corpus
        text = corpus.text.lower() if settings.lower_case else corpus.text
        self.split = split_text(text, settings.holdout)
        self.vocab = vocab or CharVocab.from_text({*text, START})
        ids = np.array(self.vocab.encode(self.split.train), np.int32)
        self.batches = WindowBatches(
            ids, settings.seq_len, stride=settings.stride, batch_size=settings.batch_size, seed=settings.seed
        )
        self.steps = (settings.epochs or settings.scratch_epochs) * self.batches.steps_per_epoch
        self.chunk = 20
        self.known = []  # a text of prose is never known as a whole
        self.chars_per_loss = 1.0
        self.chars_per_step = float(settings.batch_size * (settings.seq_len if settings.target == "every" else 1))
        self._marks = {"kind": self.kind, "start": START, "lower_case": settings.lower_case}
        self._size = {"characters": len(corpus.text)}

    def epoch_ends(self, first: int = 0) -> list[int]:
        """Return the steps after which a pass over the text ends.

        Args:
            first: the steps that the optimizer had behind it when the run began.
        """
        every = self.batches.steps_per_epoch
        return list(range(first + every, first + self.steps + 1, every))

    def build(self):
        """Make a new stacked LSTM, compiled with AdamW."""
        from kerasgen.models.backend import keras
        from kerasgen.models.prose import stacked_lstm

        settings = self.settings
        model = stacked_lstm(
            len(self.vocab), settings.units, dropout=settings.dropout, dtype=settings.dtype, seed=settings.seed
        )
        rate: Any = settings.learning_rate
        if settings.schedule == "cosine":
            warmup = self.steps // 20
            rate = keras.optimizers.schedules.CosineDecay(
                0.0, self.steps - warmup, warmup_target=rate, warmup_steps=max(1, warmup)
            )
        return self._compile(model, rate)

    def go_on(self, model):
        """Compile a trained model anew, at a constant rate, with the optimizer's state where it was loaded with it.

        Args:
            model: its characters are `vocab`.
        """
        return self._compile(model, self.settings.next_learning_rate, getattr(model, "optimizer", None))

    def passes(self, model):
        """Return the `LSTMPasses` of a model, for `training.fit` and for a `Generator`."""
        from kerasgen.models.prose import LSTMPasses

        settings = self.settings
        return LSTMPasses(
            model, target=settings.target, recurrent_dropout=settings.recurrent_dropout, seed=settings.seed,
            fused=settings.computes_fused,
        )  # fmt: skip

    def card(self, generator, seconds: float) -> dict[str, Any]:
        """Return the card of a trained model; its size and steps are its own, as it may be older than the settings."""
        card, passes = super().card(generator, seconds), generator.model
        card["config"] |= {
            "units": passes.lstms[0].units,
            "dropout": passes.rates[0],
            "dtype": passes.out.dtype_policy.name,
        }
        card["training"]["steps"] = int(passes.model.optimizer.iterations)
        return card

    def _sequences(self, part) -> list[list[int]]:
        return [self.vocab.encode(part)]

    def _score(self, generator, part, often=False) -> Score:
        passes, before = generator.model, self.vocab.encode(START)[0]
        ids = np.array(self.vocab.encode(part), np.int32)
        return score_stream(passes.advance, ids, before=before, state=passes.initial_state(1))

    def _compile(self, model, rate, old=None):
        from kerasgen.models.backend import keras

        settings = self.settings
        optimizer = keras.optimizers.AdamW(
            rate, weight_decay=settings.weight_decay, beta_2=0.99, global_clipnorm=settings.clipnorm
        )
        optimizer.build(model.trainable_variables)
        if old is not None and len(_state(old)) == len(_state(optimizer)):
            for variable, value in zip(_state(optimizer), _state(old), strict=True):
                variable.assign(value)
        model.compile(optimizer=optimizer, loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        return model


def _state(optimizer) -> list:
    """Return an optimizer's variables but for the learning rate, which a schedule replaces."""
    return [variable for variable in optimizer.variables if variable.name != "learning_rate"]
