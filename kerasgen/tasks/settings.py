"""The settings of both tasks; a field is a flag of the command and a key of its TOML files."""

from dataclasses import dataclass, fields, replace
from typing import ClassVar, Literal, Self

from kerasgen.base.errors import BadInputError
from kerasgen.base.output import Format
from kerasgen.base.settings import NOT_NEGATIVE, POSITIVE, SEED, SHARE, Range, at_least, between, check_ranges, setting
from kerasgen.generation.sampling import Sampling

TEMPERATURE = Range("zero (greedy) or a positive number", NOT_NEGATIVE.holds)
LEARNING_RATE = Range("above 0 and at most 3e38", lambda value: 0 < value <= 3e38)
UNITS, BATCH_SIZE, EPOCHS = between(1, 8192), between(1, 65_536), between(1, 10**6)
ONE_LINE = Range("a part of one line, without '\\n'", lambda value: "\n" not in value)
CLIP = Range("a positive number", lambda value: value > 0)  # infinity clips nothing


@dataclass(frozen=True, kw_only=True)
class TaskSettings:
    """What both commands can be told; a field is a flag (``num_samples`` is ``--num-samples``) and a key in TOML.

    Attributes:
        passes_key: the setting that says how many passes over the text a new model takes.

    Raises:
        BadInputError: a value is outside its range.
    """

    passes_key: ClassVar[str]

    data: str | tuple[str, ...] | None = setting(
        None, "the text to learn: a file, also packed with gzip; several, by the flag again for each; a pattern in "
        "quotes, a folder of .txt files, - for standard input; or the name of a known corpus", metavar="FILE|NAME",
        identifies="text", effect="always", many=True,
    )  # fmt: skip
    column: str | None = setting(
        None, "the column to take where --data is a table: its name in the first row, or its number from 1 (0 takes "
        "whole lines)", metavar="NAME|N", identifies="text", effect="always",
    )  # fmt: skip
    case: Literal["auto", "lower", "keep"] = setting(
        "auto", "learn in lower case, or keep the capitals; auto learns a list in lower case where it can give every "
        "name its capitals back, and keeps those of a text", identifies=True, effect="model",
    )  # fmt: skip
    save_dir: str = setting("saved_models", "the folder to save the model in, as my-<corpus>.keras", metavar="DIR")
    model: str | None = setting(
        None, "generate with this .keras file and train nothing; with --epochs, prose fine-tunes it (default: your own "
        "model of that --data, else ours)", metavar="FILE", identifies="origin", effect="always",
    )  # fmt: skip
    sample_only: bool = setting(False, "generate with a trained model; train nothing")
    num_samples: int = setting(10, "how many texts to generate", group="generating", within=at_least(1))
    temperature: float = setting(
        1.0, "below 1 safer, above 1 wilder, 0 always the likeliest character (greedy)", within=TEMPERATURE
    )
    top_k: int | None = setting(None, "draw from the k likeliest characters only", within=at_least(1))
    top_p: float | None = setting(
        None, "draw from the likeliest characters that together have this probability",
        within=Range("above 0 and at most 1", lambda value: 0 < value <= 1),
    )  # fmt: skip
    format: Format = setting(
        "auto", "how to write the texts: plain, or with their seed, novelty and more; auto goes by the ending of "
        "--output, else text",
    )  # fmt: skip
    output: str | None = setting(
        None, "the file to write the texts to, whole or not at all, instead of standard output", metavar="FILE"
    )
    resume: str | None = setting(
        None, "resume an unfinished run or fail; without the flag, one with the same settings and text is resumed",
        metavar="RUN", group="what is kept",
        otherwise=("no", "start over; an unfinished run with the same settings and text is removed"), effect="training",
    )  # fmt: skip
    finish: bool = setting(
        False, "end the unfinished run with the same settings and text now: its best weights become the model",
        effect="training",
    )  # fmt: skip
    log_dir: str = setting(
        "logs", "the folder for the logs of trainings, for TensorBoard", metavar="DIR", effect="training"
    )
    log: bool = setting(True, "log the training and draw curves.png; --no-log does neither")
    seed: int = setting(
        0, "the same seed gives the same model and the same texts; random draws one and says which",
        group="computing", within=SEED, identifies=True, effect="always",
    )  # fmt: skip
    device: Literal["auto", "cpu", "gpu", "tpu"] = setting(
        "auto", "where to compute", identifies=True, card=False, effect="always"
    )
    dtype: Literal["float32", "float64", "mixed_bfloat16", "mixed_float16"] = setting(
        "float32", "the precision", identifies=True, effect="model",
    )  # fmt: skip
    fused: bool = setting(
        True, "train with kerasgen's own loops over time; --no-fused takes Keras' layers, as a GPU does (cuDNN)",
        identifies=True, card=False,
    )  # fmt: skip
    quiet: bool = setting(False, "print the generated texts and nothing else")

    def with_epochs(self, epochs: int) -> Self:
        """Return the settings of a new model that is trained for `epochs` passes over the text."""
        raise NotImplementedError

    @property
    def sampling(self) -> Sampling:
        """How to generate."""
        names = {item.name for item in fields(Sampling)} & {item.name for item in fields(self)}
        return Sampling(**{name: getattr(self, name) for name in names})

    @property
    def computes_fused(self) -> bool:
        """Whether to train by kerasgen's own passes; on a GPU, Keras' layers are the faster ones."""
        return self.fused and self.device != "gpu"

    def __post_init__(self) -> None:
        check_ranges(self)


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
