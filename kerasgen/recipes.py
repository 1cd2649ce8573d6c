"""Settings and a text to everything that a training needs: parts, vocabulary, batches, model, scores, card."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from kerasgen import datasets, metrics
from kerasgen.config import DinoConfig, ShakespeareConfig
from kerasgen.corpora import Text
from kerasgen.vocab import CharVocab

START = "\n"  # stands before a text of prose: a line begins


def recipe(settings: DinoConfig | ShakespeareConfig, corpus: Text) -> "Recipe":
    """Return the recipe of a training, by the class of its settings.

    Raises:
        BadInputError: the text is too little to learn from.
    """
    return NamesRecipe(settings, corpus) if isinstance(settings, DinoConfig) else ProseRecipe(settings, corpus)


class Recipe(ABC):
    """What a training is made of; making a recipe imports no TensorFlow.

    Attributes:
        kind: ``"names"`` or ``"prose"``.
        settings: those of the command.
        corpus: the text, as it was read.
        vocab: the characters.
        split: the parts `train`, `validation` and `test`.
        batches: what `training.fit` takes.
        steps: the training steps of the whole run, from a new model.
        chunk: how many of them a compiled program makes at the most.
        known: the texts by which the saved model tells known from new.
        chars_per_loss: how many characters one unit of ``loss`` in the logs is summed over, on average.
        chars_per_step: how many characters a step predicts, on average.
    """

    kind: ClassVar[str]
    ORDER: ClassVar[int]  # of the n-grams
    TRAINING_KEYS: ClassVar[set[str]]
    COUNTED: ClassVar[str]  # what the card counts the scored part in

    settings: DinoConfig | ShakespeareConfig
    corpus: Text
    vocab: CharVocab
    split: Any
    batches: Any
    steps: int
    chunk: int
    known: list[str]
    chars_per_loss: float
    chars_per_step: float
    _marks: dict[str, Any]  # what a generator must know of the model, and the card says first
    _size: dict[str, int]  # of the text, for the card
    _baseline: metrics.Score | None = None

    def training_settings(self) -> dict[str, Any]:
        """Return the settings that identify a training."""
        return {key: value for key, value in asdict(self.settings).items() if key in self.TRAINING_KEYS}

    @abstractmethod
    def epoch_ends(self, first: int = 0) -> list[int]:
        """Return the steps after which an epoch, real or virtual, ends.

        Args:
            first: the steps that the optimizer had behind it when the run began.
        """

    @property
    def first_smoothed_loss(self) -> float | None:
        """Where the running mean of the loss begins; None for the first step's loss."""
        return None

    def device(self) -> str:
        """Prepare TensorFlow for this training, before it compiles anything; return the name of the device to train on.

        Raises:
            BadInputError: there is no such device.
        """
        from kerasgen import backend

        return backend.device(self.settings.device)

    @abstractmethod
    def build(self):
        """Make a new model, compiled in the ordinary Keras way."""

    def passes(self, model):
        """Return what computes the model's gradients for `training.fit`."""
        return model

    def generator(self, model):
        """Return the `Generator` of a model; its card says no more than a generator must know."""
        from kerasgen import backend
        from kerasgen.generator import Generator

        return Generator(
            self.passes(model), self.vocab, start=self._marks.get("start"), stop=self._marks.get("stop"),
            is_known=frozenset(self.known).__contains__, card=dict(self._marks),
            device=backend.device(self.settings.device),
        )  # fmt: skip

    @property
    def scored(self) -> tuple[str, Sequence[str]]:
        """The part that the model is scored by, with its label: what was held back, else what was learned from."""
        parts = {
            "validation": self.split.validation,
            "held out": self.split.test,
            "in sample": self._learned(),
        }
        return next((label, part) for label, part in parts.items() if part)

    def baseline(self) -> metrics.Score:
        """Score the scored part by counting n-grams in the training part; kept, since it takes a while."""
        if self._baseline is None:
            ngrams = metrics.NgramModel(self._sequences(self.split.train), self.ORDER, len(self.vocab))
            self._baseline = ngrams.score(self._sequences(self.scored[1]))
        return self._baseline

    def validate(self, generator) -> dict[str, float]:
        """Score the validation part, for the logs of an epoch; where there is none, return nothing."""
        if not self.split.validation:
            return {}
        score = self._score(generator, self.split.validation, often=True)
        return {"val_nats_per_char": score.nats_per_char, "val_bits_per_char": score.bits_per_char}

    def card(self, generator, seconds: float) -> dict[str, Any]:
        """Return the card of a trained model: what it is, what it learned, how, and what it is worth.

        Args:
            generator: from `generator`.
            seconds: how long the training took.
        """
        label, part = self.scored
        score, baseline = self._score(generator, part), self.baseline()
        return {
            **self._marks,
            "config": self.training_settings(),
            "data": {"name": self.corpus.name, "sha256": self.corpus.sha256, **self._size},
            "training": {"steps": self.steps, "seconds": seconds},
            "scores": {
                "part": label,
                self.COUNTED: len(part),
                "nats_per_char": score.nats_per_char,
                "bits_per_char": score.bits_per_char,
                "ngram_nats_per_char": baseline.nats_per_char,
                "ngram_bits_per_char": baseline.bits_per_char,
            },
        }

    def _learned(self) -> Sequence[str]:
        """Return what is scored where nothing was held back."""
        return self.split.train

    @abstractmethod
    def _sequences(self, part) -> list[list[int]]:
        """Return a part as sequences of ids, for the n-grams."""

    @abstractmethod
    def _score(self, generator, part, often: bool = False) -> metrics.Score:
        """Score a part; `often` says that compiling will pay."""


class NamesRecipe(Recipe):
    """A list of names and a `NameRNN`, which learns it name by name.

    Args:
        settings: those of ``python -m kerasgen.dino``.
        corpus: one name a line.

    Raises:
        BadInputError: there are fewer than two different names, or one is too long.
    """

    kind, ORDER, COUNTED = "names", 3, "names"  # order: the best of 2, 3 and 4 on names
    TRAINING_KEYS = {
        "units", "recurrent_dropout", "recurrent_l2", "carry_state", "init", "init_scale", "init_seed", "batch_size",
        "learning_rate", "schedule", "momentum", "clipvalue", "shuffle", "shuffle_seed", "holdout", "seed", "dtype",
    }  # fmt: skip
    settings: DinoConfig
    split: datasets.NameSplit
    batches: datasets.NameBatches

    def __init__(self, settings: DinoConfig, corpus: Text):
        self.settings, self.corpus = settings, corpus
        self.known = datasets.read_names(corpus.text, corpus.name)
        self.split = datasets.split_names(self.known, settings.holdout)
        self.vocab = CharVocab.from_text([*"".join(self.known), datasets.STOP])
        rows = datasets.encode_names(self.split.train, self.vocab)
        order = datasets.notebook_order(len(rows), settings.shuffle_seed) if settings.shuffle == "once" else None
        self.batches = datasets.NameBatches(rows, settings.batch_size, seed=settings.seed, order=order)
        self.steps = settings.epochs * self.batches.steps_per_epoch if settings.epochs else settings.steps
        self.chunk = max(1, 2000 // settings.batch_size)
        self.chars_per_loss = int((rows >= 0).sum()) / len(rows)
        self.chars_per_step = settings.batch_size * self.chars_per_loss
        self._marks = {"kind": self.kind, "stop": datasets.STOP, "lower_case": True}
        self._size = {"names": len(self.known), "distinct": len(set(self.known))}

    def epoch_ends(self, first: int = 0) -> list[int]:
        """Return the steps after which the notebook reports, and the last, which may be the end of a shorter epoch.

        Args:
            first: the steps that the optimizer had behind it when the run began.
        """
        from kerasgen import training

        return [first + end for end in training.epoch_ends(self.steps, self.settings.sample_every)]

    @property
    def first_smoothed_loss(self) -> float:
        """Where the notebook's running mean begins; it goes by the seven names that it shows."""
        from kerasgen import training

        return training.notebook_first_loss(len(self.vocab), 7)

    def device(self) -> str:
        """Let TensorFlow compute on one thread, which suits small steps, and XLA fuse the loops of single names."""
        from kerasgen import backend

        backend.use_one_thread()
        if self.settings.batch_size == 1:
            backend.fuse_small_loops()
        return super().device()

    def build(self):
        """Make a new `NameRNN`, compiled with SGD."""
        from kerasgen import models
        from kerasgen.backend import keras

        settings = self.settings
        if settings.dtype == "float64":
            keras.config.set_floatx("float64")  # else the optimizer would keep the learning rate in single precision
        seed = settings.seed if settings.init_seed is None else settings.init_seed
        model = models.NameRNN(
            len(self.vocab),
            settings.units,
            recurrent_dropout=settings.recurrent_dropout,
            recurrent_l2=settings.recurrent_l2,
            carry_state=settings.carry_state,
            batch_size=settings.batch_size,
            seed=seed,
            dtype=settings.dtype,
            name="dino",
        )
        if settings.init == "normal":
            initial = models.notebook_weights(seed, len(self.vocab), settings.units, settings.init_scale)
            for variable, value in zip(model.trainable_variables, initial, strict=True):
                variable.assign(value)
        schedules = keras.optimizers.schedules
        rate = {
            "constant": settings.learning_rate,
            "linear": schedules.PolynomialDecay(settings.learning_rate, self.steps, end_learning_rate=0.0),
            "cosine": schedules.CosineDecay(settings.learning_rate, self.steps),
        }[settings.schedule]
        sgd = keras.optimizers.SGD(learning_rate=rate, momentum=settings.momentum, clipvalue=settings.clipvalue)
        model.compile(optimizer=sgd, loss=models.nats_per_name, auto_scale_loss=False)
        model.fused = settings.computes_fused
        return model

    def _learned(self) -> list[str]:
        return sorted(set(self.split.train))

    def _sequences(self, part) -> list[list[int]]:
        return [self.vocab.encode(name + datasets.STOP) for name in part]

    def _score(self, generator, part, often=False) -> metrics.Score:
        model = generator.model
        logits_of = (lambda ids: self._compiled(model, ids)) if often else model
        return metrics.score_rows(logits_of, datasets.encode_names(part, self.vocab))

    @cached_property
    def _compiled(self):
        """The forward pass ``(model, ids)``; one program for each model and shape of ids."""
        from kerasgen.backend import tf

        return tf.function(lambda model, ids: model(ids), jit_compile=True)


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
    split: datasets.TextSplit
    batches: datasets.WindowBatches

    def __init__(self, settings: ShakespeareConfig, corpus: Text, vocab: CharVocab | None = None):
        self.settings, self.corpus = settings, corpus
        text = corpus.text.lower() if settings.lower_case else corpus.text
        self.split = datasets.split_text(text, settings.holdout)
        self.vocab = vocab or CharVocab.from_text({*text, START})
        ids = np.array(self.vocab.encode(self.split.train), np.int32)
        self.batches = datasets.WindowBatches(
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
        from kerasgen.backend import keras
        from kerasgen.models import stacked_lstm

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
        from kerasgen.models import LSTMPasses

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

    def _score(self, generator, part, often=False) -> metrics.Score:
        passes, before = generator.model, self.vocab.encode(START)[0]
        ids = np.array(self.vocab.encode(part), np.int32)
        return metrics.score_stream(passes.advance, ids, before=before, state=passes.initial_state(1))

    def _compile(self, model, rate, old=None):
        from kerasgen.backend import keras

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
