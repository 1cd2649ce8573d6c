"""What is learned: settings and a text to everything that a training needs. What differs by kind is a method here."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from kerasgen.base.errors import BadInputError
from kerasgen.base.settings import card_of
from kerasgen.metrics.ngrams import NgramScore, best_ngrams
from kerasgen.metrics.novelty import KnownTexts
from kerasgen.metrics.score import Score
from kerasgen.modelfile.store import Contents
from kerasgen.tasks.limits import Sizes
from kerasgen.tasks.settings import TaskSettings
from kerasgen.text.casing import Casing
from kerasgen.text.corpora import Text
from kerasgen.text.vocab import CharVocab


class Task(ABC):
    """What is learned, by which settings; making a task imports no TensorFlow.

    Attributes:
        kind: ``"names"`` or ``"prose"``.
        settings: those of the command.
        corpus: the text, as it was read.
        vocab: the characters.
        casing: the case that is learned, and the one that is shown.
        split: the parts `train`, `validation` and `test`.
        batches: what `training.fit` takes.
        steps: the training steps of the whole run.
        chunk: how many of them a compiled program makes at the most.
        known: the texts by which the saved model tells known from new.
        chars_per_loss: how many characters one unit of ``loss`` in the logs is summed over, on average.
        chars_per_step: how many characters a step predicts, on average.
        published: the losses that the course's notebook printed, by step, where this task reproduces them.
        keeps_optimizer: whether the optimizer's state is saved with the model.
        units: the size of a layer's state.
        patience: the reports without a better validation score after which it stops; None for no early stopping.
        learning_rate: at its highest.
        small_loops_fused: whether XLA fuses small loops in this process; see `backend.fuse_small_loops`.
    """

    kind: ClassVar[str]
    COUNTED: ClassVar[str]  # what the card counts the scored part in
    VALIDATED: ClassVar[int]  # of these, how many are scored after an epoch at the most,
    SCORED: ClassVar[int]  # and once at the end,
    NGRAMS: ClassVar[int]  # and in how many of the training part n-grams are counted

    settings: TaskSettings
    corpus: Text
    vocab: CharVocab
    casing: Casing
    split: Any
    batches: Any
    steps: int
    chunk: int
    known: KnownTexts
    chars_per_loss: float
    chars_per_step: float
    published: dict[int, float] = {}
    keeps_optimizer: bool = True
    units: int
    patience: int | None
    learning_rate: float
    small_loops_fused: bool = False
    _marks: dict[str, Any]  # what a generator must know of the model, and the card says first
    _size: dict[str, int]  # of the text, for the card
    _baseline: NgramScore | None = None

    @abstractmethod
    def epoch_ends(self, first: int = 0) -> list[int]:
        """Return the steps after which an epoch, real or virtual, ends, so that reports come at a steady pace.

        Args:
            first: the steps that the optimizer had behind it when the run began.
        """

    @property
    def first_smoothed_loss(self) -> float | None:
        """Where the running mean of the loss begins; None for the first step's loss."""
        return None

    @property
    def case_identity(self) -> dict[str, bool]:
        """What tells its runs from those of another case, as the first release did, whose runs are still found."""
        return {} if self.casing.learned == "lower" else {"lower_case": False}

    def tune_process(self) -> None:  # noqa: B027 (most tasks need none)
        """Set the switches of the whole process that make this task fast; for commands, which own their process."""

    def check_shared(self, parts: int) -> None:
        """Refuse a training whose batches can't be shared evenly, before anything slow begins.

        Args:
            parts: how many workers or devices share a batch.

        Raises:
            BadInputError: they can't.
        """
        size = self.batches.batch_size
        if size % parts:
            raise BadInputError(f"--batch-size must be a multiple of {parts}, as so many share it; received {size}")

    def with_settings(self, settings: TaskSettings) -> "Task":
        """Return a task of other settings on the same text in the same process."""
        task = type(self)(settings, self.corpus)  # type: ignore[call-arg]  # a task that can be made takes both
        task.small_loops_fused = self.small_loops_fused
        return task

    @property
    @abstractmethod
    def sizes(self) -> Sizes:
        """What the memory that the training takes follows from."""

    @abstractmethod
    def build(self):
        """Make a new Keras model, compiled in the ordinary Keras way."""

    def fine_tune(self, keras_model):
        """Compile a trained Keras model to be trained further, with the optimizer's state that it has.

        Raises:
            BadInputError: models of this kind can't be.
        """
        raise BadInputError(f"a model of {self.kind} can't be fine-tuned; train a new one")

    @abstractmethod
    def char_model(self, keras_model):
        """Return the `CharModel` of a Keras model, to be trained by these settings."""

    def generator(self, keras_model):
        """Return the `TrainedGenerator` of a Keras model; its card says no more than a generator must know."""
        from kerasgen.modelfile.loader import TrainedGenerator
        from kerasgen.models import backend

        place = backend.device(self.settings.place)
        return TrainedGenerator(self.char_model(keras_model), self.vocab, dict(self._marks), self.known, place)

    def early_stopping(self):
        """Return the callback that keeps the best weights by the validation part, or None."""
        from kerasgen.models.backend import keras

        if not self.split.validation or self.patience is None:
            return None
        return keras.callbacks.EarlyStopping(
            "val_bits_per_char", mode="min", patience=self.patience, restore_best_weights=True
        )

    @property
    def scored(self) -> tuple[str, Sequence[str]]:
        """The part that the model is scored by, with its label: what was held back, else what was learned from."""
        parts = {"validation": self.split.validation, "held out": self.split.test}
        held_back = next(((label, part) for label, part in parts.items() if part), None)
        return held_back or ("in sample", self._learned())

    @property
    def unseen(self) -> bool:
        """Whether the scored part is none of what is learned, so that n-grams are worth comparing with there."""
        return bool(self.split.validation or self.split.test)

    def baseline(self) -> NgramScore:
        """Score the scored part by counting n-grams in the training part, with the order that suits that part best."""
        if self._baseline is None:
            training, scored = self._some(self.split.train, self.NGRAMS), self._some(self.scored[1], self.SCORED)
            self._baseline = best_ngrams(self._sequences(training), self._sequences(scored), len(self.vocab))
        return self._baseline

    @property
    def plan(self) -> str:
        """What is learned, in a few words: how much of what, by which model, for how long."""
        counts = [(len(self.split.train), self.COUNTED), (len(self.split.validation), "to choose by")]
        counts += [(len(self.split.test), "held out")]
        parts = ", ".join(f"{count:,} {what}" for count, what in counts if count)
        passes = self.steps / self.batches.steps_per_epoch
        return f"{parts}; {self.units} units, {passes:,.{0 if passes >= 10 else 1}f} passes in {self.steps:,} steps"

    def validate(self, generator) -> dict[str, float]:
        """Score the validation part, or some of a long one, for the logs of an epoch.

        Where there is no validation part, return nothing.
        """
        if not self.split.validation:
            return {}
        score = self._score(generator, self._some(self.split.validation, self.VALIDATED))
        return {"val_nats_per_char": score.nats_per_char, "val_bits_per_char": score.bits_per_char}

    def card(self, generator, seconds: float) -> dict[str, Any]:
        """Return the card of a trained model: what it is, what it learned, how, and what it is worth.

        Args:
            generator: from `generator`.
            seconds: how long the training took.
        """
        label, part = self.scored
        score, baseline = self._score(generator, self._some(part, self.SCORED)), self.baseline()
        scored, counted = min(self.SCORED, len(part)), min(self.NGRAMS, len(self.split.train))
        return {
            **self.origin_card(),
            "training": {"steps": int(generator.model.optimizer.iterations), "seconds": seconds},
            "scores": {
                "part": label,
                self.COUNTED: scored,
                "nats_per_char": score.nats_per_char,
                "bits_per_char": score.bits_per_char,
                "ngram_nats_per_char": baseline.nats_per_char,
                "ngram_bits_per_char": baseline.bits_per_char,
                "ngram_order": baseline.order,
                **({"of": len(part)} if scored < len(part) else {}),
                **({"ngrams_of": counted} if counted < len(self.split.train) else {}),
            },
        }

    def origin_card(self) -> dict[str, Any]:
        """Return what a card says before a training: what is learned, and how."""
        return {
            **self._marks,
            "config": card_of(self.settings),
            "data": {
                "name": self.corpus.name,
                "sha256": self.corpus.sha256,
                "source": self.corpus.source,
                **self._size,
            },  # fmt: skip
        }

    @abstractmethod
    def sample(self, generator, temperature: float) -> str:
        """Generate at a temperature; return Markdown that shows it with its novelty, for the logs."""

    def _learned(self) -> Sequence[str]:
        """Return what is scored where nothing was held back."""
        return self.split.train

    @abstractmethod
    def _some(self, part, most: int) -> list[str]:
        """Return the texts of a part, or as much of a large one as `most`, fairly chosen."""

    @abstractmethod
    def _sequences(self, texts: list[str]) -> Iterable[Any]:
        """Return texts as sequences of ids, for the n-grams."""

    def _score(self, generator, texts: list[str]) -> Score:
        """Score texts, side by side."""
        return Score.total(generator.score(texts))


@dataclass(frozen=True)
class StartingPoint:
    """What a training begins with.

    Attributes:
        parent: the file of the model to fine-tune; None for a new model.
        why: what that is, in a few words.
        copied: the SHA-256 of the file that `parent` is a run's own copy of; nothing where it is no copy.
    """

    parent: Contents | None = None
    why: str = "a new model"
    copied: str = ""

    @property
    def origin(self) -> str:
        """The SHA-256 of the file that is fine-tuned; nothing for a new model."""
        return self.copied or (self.parent.sha256 if self.parent else "")

    @property
    def vocab(self) -> CharVocab | None:
        """The characters of the parent; None for a new model."""
        return self.parent.vocab if self.parent else None

    @property
    def casing(self) -> Casing | None:
        """The case of the parent, by its card; None for a new model."""
        return Casing.of_card(self.parent.card) if self.parent else None

    def build(self, task: Task):
        """Return the Keras model to train, compiled."""
        if self.parent is None:
            return task.build()
        from kerasgen.modelfile import loader

        return task.fine_tune(loader.keras_model(self.parent, compile=True))
