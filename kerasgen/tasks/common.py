"""The settings that both tasks have; a field is a flag of the command and a key of its TOML files."""

import re
from dataclasses import dataclass, fields
from typing import ClassVar, Literal, Self

from kerasgen.base.errors import BadInputError
from kerasgen.base.output import Format
from kerasgen.base.parts import is_part
from kerasgen.base.settings import NOT_NEGATIVE, SEED, Range, at_least, between, check_ranges, setting
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
    part: str | None = setting(
        None, "the share of --num-samples that this process writes, as 2/8; the parts one after another are what one "
        "process writes", metavar="K/N", within=Range("a part such as 2/8, the second of eight", is_part),
    )  # fmt: skip
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
    gpus: str | None = setting(
        None, "the GPUs to compute on, by their numbers: 0 or 0,1 (all, with --device gpu alone)", metavar="N,...",
        within=Range("numbers of GPUs, such as 0,1", re.compile(r"[0-9]{1,3}(,[0-9]{1,3})*\Z").match),
        identifies="given", card=False, effect="always",
    )  # fmt: skip
    dtype: Literal["float32", "float64", "mixed_bfloat16", "mixed_float16"] = setting(
        "float32", "the precision; mixed_bfloat16 learns prose faster where the processor multiplies bfloat16",
        identifies=True, effect="model",
    )  # fmt: skip
    fused: bool = setting(
        True, "train with kerasgen's own loops over time; --no-fused takes Keras' layers, as a GPU does (cuDNN)",
        identifies=True, card=False,
    )  # fmt: skip
    strategy: Literal["none", "mirrored", "multiworker", "ray", "tpu"] = setting(
        "none", "share each batch of a training among several devices of this machine (mirrored, tpu) or several "
        "processes (multiworker, by --workers or the variable TF_CONFIG; ray starts --num-workers of them itself); the "
        "weights stay the same", effect="training",
    )  # fmt: skip
    workers: str | None = setting(
        None, "the addresses of all processes of --strategy multiworker; the first keeps the model. Nothing protects "
        "these ports: use them in a trusted network only", metavar="HOST:PORT,...", effect="training",
    )  # fmt: skip
    worker_index: int | None = setting(
        None, "which of --workers this process is, from 0", within=at_least(0), effect="training"
    )
    num_workers: int | None = setting(
        None, "how many processes --strategy ray starts, on the cluster that the variable RAY_ADDRESS names, else on "
        "this machine; where one dies, all go on from the last checkpoint", within=at_least(1), effect="training",
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
        return self.fused and not self.place.startswith("gpu")

    @property
    def place(self) -> str:
        """The device, as `kerasgen.models.backend.device` takes it: ``"cpu"``, ``"gpu"``, ``"gpu:0,1"``, ..."""
        return f"gpu:{self.gpus}" if self.gpus else self.device

    def __post_init__(self) -> None:
        check_ranges(self)
        if (self.workers is None) != (self.worker_index is None):
            raise BadInputError("--workers and --worker-index belong together; received only one of them")
        if self.workers is not None and self.strategy != "multiworker":
            raise BadInputError(f"--workers belongs to --strategy multiworker; received --strategy {self.strategy}")
        if (self.strategy == "ray") != (self.num_workers is not None):
            raise BadInputError(
                f"--strategy ray and --num-workers belong together; received --strategy {self.strategy} and "
                f"--num-workers {self.num_workers if self.num_workers else 'not at all'}"
            )
        if self.gpus and self.strategy == "ray":
            raise BadInputError(f"Ray gives each worker a GPU, by --device gpu; received --gpus {self.gpus}")
        if self.gpus and self.device not in ("auto", "gpu"):
            raise BadInputError(f"--gpus must go with --device gpu; received --device {self.device}; leave one out")
