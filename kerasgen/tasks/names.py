"""Names: the settings of a list of names, and all that training on one needs."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from kerasgen.base.errors import BadInputError
from kerasgen.base.settings import setting
from kerasgen.metrics.score import Score, score_rows
from kerasgen.tasks.notebook import notebook_order
from kerasgen.tasks.settings import CommonConfig
from kerasgen.tasks.task import Recipe
from kerasgen.text.corpora import Text
from kerasgen.text.names import STOP, NameBatches, NameSplit, encode_names, read_names, split_names
from kerasgen.text.vocab import CharVocab


@dataclass(frozen=True, kw_only=True)
class DinoConfig(CommonConfig):
    """The settings of ``python -m kerasgen.dino``: a list of names, one SGD step a name."""

    prefix: str = setting("", "what every name begins with", group="generating names")
    min_length: int = setting(1, "the fewest letters of a generated name")
    max_length: int = setting(50, "the most letters of a generated name")
    unique: bool = setting(False, "never the same generated name twice")
    novel_only: bool = setting(False, "only names that are not in the list that the model learned from")
    units: int = setting(50, "the size of the hidden state", group="the model")
    recurrent_dropout: float = setting(0.0, "the share of the hidden state that is hidden from each training name")
    recurrent_l2: float = setting(0.0, "the penalty on the recurrent kernel: this times its sum of squares")
    carry_state: bool = setting(False, "begin a name with the last hidden state of the one before it")
    init: Literal["keras", "normal"] = setting("normal", "initial weights: Keras' own, or the notebook's normal draws")
    init_scale: float = setting(0.01, "the standard deviation of the notebook's normal draws")
    init_seed: int | None = setting(None, "the seed of the initial weights (default: that of --seed)")
    steps: int = setting(35_000, "how many training steps, of --batch-size names each", group="training")
    epochs: int | None = setting(None, "how many passes over the list, instead of --steps")
    batch_size: int = setting(1, "how many names a step learns from, side by side")
    learning_rate: float = setting(0.01, "the learning rate of SGD, at its start")
    schedule: Literal["constant", "linear", "cosine"] = setting("constant", "how the learning rate falls to zero")
    momentum: float = setting(0.0, "the momentum of SGD")
    clipvalue: float = setting(5.0, "every element of the gradient is clipped to between minus this and this")
    shuffle: Literal["epoch", "once"] = setting("epoch", "a new order for each pass, or the notebook's one order")
    shuffle_seed: int = setting(0, "the seed of the one order of --shuffle once")
    holdout: Literal["validation", "test", "both", "none"] = setting(
        "validation", "the tenth of the names that is kept from training and scored: both scores the validation part"
    )
    sample_every: int = setting(2000, "after how many steps to show the loss and some names")
    notebook_draws: bool = setting(False, "draw the seven names on the way with the notebook's own random numbers")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.min_length > self.max_length:
            raise BadInputError(
                f"--min-length must be at most --max-length, {self.max_length}; received {self.min_length}"
            )
        if len(self.prefix) >= self.max_length:
            raise BadInputError(
                f"--prefix must be shorter than --max-length, {self.max_length}; received {len(self.prefix)} characters"
            )


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
    split: NameSplit
    batches: NameBatches

    def __init__(self, settings: DinoConfig, corpus: Text):
        self.settings, self.corpus = settings, corpus
        self.known = read_names(corpus.text, corpus.name)
        self.split = split_names(self.known, settings.holdout)
        self.vocab = CharVocab.from_text([*"".join(self.known), STOP])
        rows = encode_names(self.split.train, self.vocab)
        order = notebook_order(len(rows), settings.shuffle_seed) if settings.shuffle == "once" else None
        self.batches = NameBatches(rows, settings.batch_size, seed=settings.seed, order=order)
        self.steps = settings.epochs * self.batches.steps_per_epoch if settings.epochs else settings.steps
        self.chunk = max(1, 2000 // settings.batch_size)
        self.chars_per_loss = int((rows >= 0).sum()) / len(rows)
        self.chars_per_step = settings.batch_size * self.chars_per_loss
        self._marks = {"kind": self.kind, "stop": STOP, "lower_case": True}
        self._size = {"names": len(self.known), "distinct": len(set(self.known))}

    def epoch_ends(self, first: int = 0) -> list[int]:
        """Return the steps after which the notebook reports, and the last, which may be the end of a shorter epoch.

        Args:
            first: the steps that the optimizer had behind it when the run began.
        """
        from kerasgen.tasks.notebook import epoch_ends

        return [first + end for end in epoch_ends(self.steps, self.settings.sample_every)]

    @property
    def first_smoothed_loss(self) -> float:
        """Where the notebook's running mean begins; it goes by the seven names that it shows."""
        from kerasgen.tasks.notebook import notebook_first_loss

        return notebook_first_loss(len(self.vocab), 7)

    def device(self) -> str:
        """Let TensorFlow compute on one thread, which suits small steps, and XLA fuse the loops of single names."""
        from kerasgen.models import backend

        backend.use_one_thread()
        if self.settings.batch_size == 1:
            backend.fuse_small_loops()
        return super().device()

    def build(self):
        """Make a new `NameRNN`, compiled with SGD."""
        from kerasgen.models.backend import keras
        from kerasgen.models.names import NameRNN, nats_per_name
        from kerasgen.tasks.notebook import notebook_weights

        settings = self.settings
        if settings.dtype == "float64":
            keras.config.set_floatx("float64")  # else the optimizer would keep the learning rate in single precision
        seed = settings.seed if settings.init_seed is None else settings.init_seed
        model = NameRNN(
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
            initial = notebook_weights(seed, len(self.vocab), settings.units, settings.init_scale)
            for variable, value in zip(model.trainable_variables, initial, strict=True):
                variable.assign(value)
        schedules = keras.optimizers.schedules
        rate = {
            "constant": settings.learning_rate,
            "linear": schedules.PolynomialDecay(settings.learning_rate, self.steps, end_learning_rate=0.0),
            "cosine": schedules.CosineDecay(settings.learning_rate, self.steps),
        }[settings.schedule]
        sgd = keras.optimizers.SGD(learning_rate=rate, momentum=settings.momentum, clipvalue=settings.clipvalue)
        model.compile(optimizer=sgd, loss=nats_per_name, auto_scale_loss=False)
        model.fused = settings.computes_fused
        return model

    def _learned(self) -> list[str]:
        return sorted(set(self.split.train))

    def _sequences(self, part) -> list[list[int]]:
        return [self.vocab.encode(name + STOP) for name in part]

    def _score(self, generator, part, often=False) -> Score:
        model = generator.model
        logits_of = (lambda ids: self._compiled(model, ids)) if often else model
        return score_rows(logits_of, encode_names(part, self.vocab))

    @cached_property
    def _compiled(self):
        """The forward pass ``(model, ids)``; one program for each model and shape of ids."""
        from kerasgen.models.backend import tf

        return tf.function(lambda model, ids: model(ids), jit_compile=True)
