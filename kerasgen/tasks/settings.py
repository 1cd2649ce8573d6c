"""The settings that both tasks share."""

from dataclasses import dataclass
from typing import Literal

from kerasgen.base.settings import check_ranges, setting


@dataclass(frozen=True, kw_only=True)
class CommonConfig:
    """What both commands can be told; a field is a flag (``num_samples`` is ``--num-samples``) and a key in TOML.

    Raises:
        BadInputError: a value is outside its range.
    """

    data: str | None = setting(
        None, "the text to learn from: a file, or the name of a known corpus", metavar="FILE|NAME"
    )
    save_dir: str = setting(
        "saved_models", "the folder that a trained model is saved in, as my-<corpus>.keras", metavar="DIR"
    )
    model: str | None = setting(
        None,
        "generate with this .keras file and train nothing; prose goes on from it where --epochs asks for that "
        "(default: your own of that --data, else ours)",
        metavar="FILE",
    )
    sample_only: bool = setting(False, "generate with a trained model; train nothing")
    num_samples: int = setting(10, "how many texts to generate", group="generating")
    temperature: float = setting(1.0, "below 1 safer, above 1 wilder, 0 always the likeliest character (greedy)")
    top_k: int | None = setting(None, "draw from the k likeliest characters only")
    top_p: float | None = setting(None, "draw from the likeliest characters that together have this probability")
    resume: str | None = setting(
        None,
        "go on with an unfinished run or fail; without the flag, one of the same settings and text is gone on with",
        metavar="RUN",
        group="keeping",
        otherwise=("no", "begin anew; an unfinished run of the same settings and text is removed"),
    )
    log_dir: str = setting("logs", "the folder that trainings are logged in, for TensorBoard", metavar="DIR")
    log: bool = setting(True, "log a training, with curves.png; --no-log does not")
    seed: int = setting(0, "the same seed gives the same model and the same texts", group="computing")
    device: Literal["auto", "cpu", "gpu", "tpu"] = setting("auto", "where to compute")
    dtype: Literal["float32", "float64", "mixed_bfloat16", "mixed_float16"] = setting("float32", "the precision")
    fused: bool = setting(
        True, "train by kerasgen's own passes over time; --no-fused takes Keras' layers, as a GPU does (cuDNN)"
    )
    quiet: bool = setting(False, "print the generated texts and nothing else")

    @property
    def computes_fused(self) -> bool:
        """Whether to train by kerasgen's own passes; on a GPU, Keras' layers are the faster ones."""
        return self.fused and self.device != "gpu"

    def __post_init__(self) -> None:
        check_ranges(self)
