"""Settings and a text to everything that a training needs: parts, vocabulary, batches, model, scores, card."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, ClassVar

from kerasgen.metrics.ngrams import NgramModel
from kerasgen.metrics.score import Score
from kerasgen.tasks.settings import CommonConfig
from kerasgen.text.corpora import Text
from kerasgen.text.vocab import CharVocab


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

    settings: CommonConfig
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
    _baseline: Score | None = None

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
        from kerasgen.models import backend

        return backend.device(self.settings.device)

    @abstractmethod
    def build(self):
        """Make a new model, compiled in the ordinary Keras way."""

    def passes(self, model):
        """Return what computes the model's gradients for `training.fit`."""
        return model

    def generator(self, model):
        """Return the `Generator` of a model; its card says no more than a generator must know."""
        from kerasgen.generation.generator import Generator
        from kerasgen.models import backend

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

    def baseline(self) -> Score:
        """Score the scored part by counting n-grams in the training part; kept, since it takes a while."""
        if self._baseline is None:
            ngrams = NgramModel(self._sequences(self.split.train), self.ORDER, len(self.vocab))
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
    def _score(self, generator, part, often: bool = False) -> Score:
        """Score a part; `often` says that compiling will pay."""
