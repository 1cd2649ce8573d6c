"""The settings of each task; a field is a flag of the command and a key of its TOML files."""

from dataclasses import dataclass, replace
from typing import Literal, Self

from kerasgen.base.errors import BadInputError
from kerasgen.base.settings import NOT_NEGATIVE, POSITIVE, SEED, SHARE, at_least, between, setting
from kerasgen.tasks.common import BATCH_SIZE, CLIP, EPOCHS, LEARNING_RATE, ONE_LINE, TEMPERATURE, UNITS, TaskSettings


@dataclass(frozen=True, kw_only=True)
class NamesSettings(TaskSettings):
    """The settings of ``python -m kerasgen.dino``: a list of names, one SGD step a name."""

    passes_key = "epochs"

    prefix: str = setting("", "what every name begins with", group="generating names", within=ONE_LINE)
    ends_with: str = setting("", "what every name ends with", within=ONE_LINE)
    contains: str = setting("", "what every name has in it", within=ONE_LINE)
    pattern: str | None = setting(
        None, "a regular expression that every whole name matches: t....x", metavar="REGEX", within=ONE_LINE
    )
    min_length: int = setting(1, "the fewest letters of a generated name", within=at_least(0))
    max_length: int = setting(50, "the most letters of a generated name", within=between(1, 100_000))
    unique: bool = setting(False, "never the same generated name twice")
    novel_only: bool = setting(False, "only names that are not in the list that the model learned")
    rank: bool = setting(False, "sort the names by the model's own score, the likeliest first, and print it")
    units: int = setting(
        50, "the size of the hidden state", group="the model", within=UNITS, searchable=True, effect="model"
    )
    recurrent_dropout: float = setting(
        0.0, "the share of the hidden state that is dropped, one mask a name", within=SHARE, searchable=True,
        effect="model",
    )  # fmt: skip
    recurrent_l2: float = setting(
        0.0, "the penalty on the recurrent kernel: this times its sum of squares", within=NOT_NEGATIVE,
        searchable=True, effect="model",
    )  # fmt: skip
    carry_state: bool = setting(
        False, "start a name with the last hidden state of the one before it", searchable=True, effect="model"
    )
    init: Literal["keras", "normal", "wide"] = setting(
        "normal", "initial weights: Keras', the notebook's, or Keras' widened", searchable=True, effect="new model"
    )  # fmt: skip
    init_scale: float = setting(
        0.01, "the standard deviation of the notebook's normal draws", within=POSITIVE, searchable=True,
        effect="new model",
    )  # fmt: skip
    init_seed: int | None = setting(
        None, "the seed of the initial weights (default: that of --seed)", within=SEED, searchable=True,
        effect="new model",
    )  # fmt: skip
    steps: int = setting(
        35_000, "how many training steps, of --batch-size names each", group="training",
        within=between(1, 10**9), identifies="steps",
    )  # fmt: skip
    epochs: int | None = setting(
        None, "how many passes over the list, instead of --steps", within=EPOCHS, identifies="steps"
    )
    batch_size: int = setting(
        1, "how many names a step learns from, side by side", within=BATCH_SIZE, searchable=True, effect="model"
    )
    learning_rate: float = setting(
        0.01, "the learning rate of SGD, at its start", within=LEARNING_RATE, searchable=True, effect="new model",
    )  # fmt: skip
    next_learning_rate: float = setting(
        0.003, "the constant learning rate of fine-tuning", within=POSITIVE, identifies="fine-tuning",
        effect="fine-tuning",
    )  # fmt: skip
    schedule: Literal["constant", "linear", "cosine"] = setting(
        "constant", "how the learning rate falls to zero", searchable=True, effect="new model",
    )  # fmt: skip
    momentum: float = setting(0.0, "the momentum of SGD", within=SHARE, searchable=True)
    clipvalue: float = setting(
        5.0, "every element of the gradient is clipped to between minus this and this", within=CLIP, searchable=True
    )
    shuffle: Literal["epoch", "once"] = setting(
        "epoch", "a new order for each pass, or the notebook's one order", searchable=True
    )
    shuffle_seed: int = setting(0, "the seed of the one order of --shuffle once", within=SEED, searchable=True)
    holdout: Literal["validation", "test", "both", "none"] = setting(
        "validation", "the tenth of the names that is held back and scored; both holds back two and scores the "
        "validation part", identifies=True,
    )  # fmt: skip
    patience: int | None = setting(
        None, "stop after so many reports without a better validation score, and keep the best weights (default: make "
        "all steps, and keep the last)", within=at_least(1), identifies="given",
    )  # fmt: skip
    sample_every: int | None = setting(
        None, "after how many steps to report: the loss and some names (default: about 25 times, and every 15 s or so)",
        within=at_least(1), identifies=True, card=False,
    )  # fmt: skip
    notebook_draws: bool = setting(
        False, "draw the seven names on the way with the notebook's own random numbers", effect="training"
    )

    def with_epochs(self, epochs: int) -> Self:
        """Return the settings of a model that is trained for `epochs` passes over the list."""
        return replace(self, epochs=epochs)

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


@dataclass(frozen=True, kw_only=True)
class ProseSettings(TaskSettings):
    """The settings of ``python -m kerasgen.shakespeare``: a text, learned in windows of characters."""

    passes_key = "scratch_epochs"

    num_samples: int = setting(1, "how many texts to generate", group="generating", within=at_least(1))
    temperature: float = setting(
        0.7, "below 1 safer, above 1 wilder, 0 always the likeliest character (greedy)", within=TEMPERATURE
    )
    prompt: str | None = setting(
        None, "what the text begins with, also without the flag; FILE:path reads it from a file, - from standard "
        "input, as a pipe is read without being asked", group="generating text",
    )  # fmt: skip
    length: int = setting(400, "how many characters to generate", within=between(1, 10_000_000))
    lines: int | None = setting(
        None,
        "stop after so many whole lines, however long; the one that the prompt begins counts, empty ones do not",
        within=between(1, 10**6),
    )
    on_unknown: Literal["error", "skip", "replace"] = setting(
        "replace",
        "what to do with an unknown character of the prompt: replace reads it as its twin (é as e) or skips it",
    )
    units: int = setting(
        128, "the size of each of the two LSTM layers", group="the model", within=UNITS, searchable=True,
        effect="model",
    )  # fmt: skip
    dropout: float = setting(
        0.5, "the share of each layer's output that is dropped in training", within=SHARE, searchable=True,
        effect="model",
    )  # fmt: skip
    recurrent_dropout: float = setting(
        0.0, "the share of the states that is dropped before the recurrent kernels", within=SHARE, searchable=True
    )
    epochs: int | None = setting(
        None, "train for so many passes: fine-tune the model that would answer", group="training", within=EPOCHS,
        identifies=True,
    )  # fmt: skip
    from_scratch: bool = setting(
        False, "train a new model instead of fine-tuning the one that would answer", identifies=True
    )
    scratch_epochs: int = setting(
        20, "how many passes a new model takes, without --epochs", within=EPOCHS, identifies=True,
        effect="new model",
    )  # fmt: skip
    seq_len: int = setting(40, "how many characters a window has", within=between(1, 4096), searchable=True)
    stride: int | None = setting(
        None, "characters from one window to the next (default: end to end, from a new offset each pass)",
        within=at_least(1), searchable=True,
    )  # fmt: skip
    target: Literal["every", "next"] = setting(
        "every", "learn to predict at every position, or at a window's end only", searchable=True,
    )  # fmt: skip
    batch_size: int = setting(128, "how many windows a step learns from", within=BATCH_SIZE, searchable=True)
    learning_rate: float = setting(
        0.002, "the highest learning rate of AdamW, for a new model", within=LEARNING_RATE, searchable=True,
        effect="new model",
    )  # fmt: skip
    next_learning_rate: float = setting(
        0.0005, "the constant learning rate of fine-tuning", within=POSITIVE, identifies=True, effect="fine-tuning",
    )  # fmt: skip
    schedule: Literal["constant", "cosine"] = setting(
        "constant", "how the learning rate falls to zero", searchable=True, effect="new model",
    )  # fmt: skip
    weight_decay: float = setting(0.0, "the weight decay of AdamW", within=SHARE, searchable=True)
    clipnorm: float = setting(
        1.0, "the gradient of all weights together is scaled down to this norm", within=CLIP, searchable=True
    )
    patience: int = setting(
        10, "stop after so many reports without a better validation score", within=at_least(1), identifies=True
    )
    holdout: Literal["validation", "test", "both", "none"] = setting(
        "validation", "what is held back from training: the last tenth for choosing the best epoch (validation) or for "
        "one score at the end (test); both holds back two tenths, chooses by the first and never looks at the last",
        identifies=True,
    )  # fmt: skip
    save_optimizer: bool = setting(True, "save the optimizer's state, for a smooth fine-tuning", effect="training")

    def with_epochs(self, epochs: int) -> Self:
        """Return the settings of a new model that is trained for `epochs` passes over the text."""
        return replace(self, epochs=None, scratch_epochs=epochs)
