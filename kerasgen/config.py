"""Settings: frozen dataclasses, filled from the defaults, then a TOML file, then flags."""

import dataclasses
import math
import re
import sys
import tomllib
from argparse import RawDescriptionHelpFormatter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NoReturn, TypeVar, get_args, get_origin, get_type_hints

from kerasgen.errors import BadInputError, MissingFileError, nearest, reason
from kerasgen.files import bundled, ours

Config = TypeVar("Config", bound="CommonConfig | TuneConfig")
_METAVARS = {int: "N", float: "X", str: "TEXT"}


def _setting(
    default: Any,
    help: str,
    *,
    metavar: str | None = None,
    group: str | None = None,
    otherwise: tuple[str, str] | None = None,
) -> Any:
    """Make a field that is also a flag.

    Args:
        default: its value where nobody says anything.
        help: what ``--help`` says.
        metavar: what stands for the value there.
        group: begins a new heading with it.
        otherwise: the value that ``--no-...`` gives, and its help; the flag itself then needs none and gives ``"yes"``.
    """
    return field(default=default, metadata={"help": help, "metavar": metavar, "group": group, "otherwise": otherwise})


@dataclass(frozen=True, kw_only=True)
class CommonConfig:
    """What both commands can be told; a field is a flag (``num_samples`` is ``--num-samples``) and a key in TOML.

    Raises:
        BadInputError: a value is outside its range.
    """

    data: str | None = _setting(
        None, "the text to learn from: a file, or the name of a known corpus", metavar="FILE|NAME"
    )
    save_dir: str = _setting(
        "saved_models", "the folder that a trained model is saved in, as my-<corpus>.keras", metavar="DIR"
    )
    model: str | None = _setting(
        None,
        "generate with this .keras file and train nothing; prose goes on from it where --epochs asks for that "
        "(default: your own of that --data, else ours)",
        metavar="FILE",
    )
    sample_only: bool = _setting(False, "generate with a trained model; train nothing")
    num_samples: int = _setting(10, "how many texts to generate", group="generating")
    temperature: float = _setting(1.0, "below 1 safer, above 1 wilder, 0 always the likeliest character (greedy)")
    top_k: int | None = _setting(None, "draw from the k likeliest characters only")
    top_p: float | None = _setting(None, "draw from the likeliest characters that together have this probability")
    resume: str | None = _setting(
        None,
        "go on with an unfinished run or fail; without the flag, one of the same settings and text is gone on with",
        metavar="RUN",
        group="keeping",
        otherwise=("no", "begin anew; an unfinished run of the same settings and text is removed"),
    )
    log_dir: str = _setting("logs", "the folder that trainings are logged in, for TensorBoard", metavar="DIR")
    log: bool = _setting(True, "log a training, with curves.png; --no-log does not")
    seed: int = _setting(0, "the same seed gives the same model and the same texts", group="computing")
    device: Literal["auto", "cpu", "gpu", "tpu"] = _setting("auto", "where to compute")
    dtype: Literal["float32", "float64", "mixed_bfloat16", "mixed_float16"] = _setting("float32", "the precision")
    fused: bool = _setting(
        True, "train by kerasgen's own passes over time; --no-fused takes Keras' layers, as a GPU does (cuDNN)"
    )
    quiet: bool = _setting(False, "print the generated texts and nothing else")

    @property
    def computes_fused(self) -> bool:
        """Whether to train by kerasgen's own passes; on a GPU, Keras' layers are the faster ones."""
        return self.fused and self.device != "gpu"

    def __post_init__(self) -> None:
        _check_ranges(self)


@dataclass(frozen=True, kw_only=True)
class DinoConfig(CommonConfig):
    """The settings of ``python -m kerasgen.dino``: a list of names, one SGD step a name."""

    prefix: str = _setting("", "what every name begins with", group="generating names")
    min_length: int = _setting(1, "the fewest letters of a generated name")
    max_length: int = _setting(50, "the most letters of a generated name")
    unique: bool = _setting(False, "never the same generated name twice")
    novel_only: bool = _setting(False, "only names that are not in the list that the model learned from")
    units: int = _setting(50, "the size of the hidden state", group="the model")
    recurrent_dropout: float = _setting(0.0, "the share of the hidden state that is hidden from each training name")
    recurrent_l2: float = _setting(0.0, "the penalty on the recurrent kernel: this times its sum of squares")
    carry_state: bool = _setting(False, "begin a name with the last hidden state of the one before it")
    init: Literal["keras", "normal"] = _setting("normal", "initial weights: Keras' own, or the notebook's normal draws")
    init_scale: float = _setting(0.01, "the standard deviation of the notebook's normal draws")
    init_seed: int | None = _setting(None, "the seed of the initial weights (default: that of --seed)")
    steps: int = _setting(35_000, "how many training steps, of --batch-size names each", group="training")
    epochs: int | None = _setting(None, "how many passes over the list, instead of --steps")
    batch_size: int = _setting(1, "how many names a step learns from, side by side")
    learning_rate: float = _setting(0.01, "the learning rate of SGD, at its start")
    schedule: Literal["constant", "linear", "cosine"] = _setting("constant", "how the learning rate falls to zero")
    momentum: float = _setting(0.0, "the momentum of SGD")
    clipvalue: float = _setting(5.0, "every element of the gradient is clipped to between minus this and this")
    shuffle: Literal["epoch", "once"] = _setting("epoch", "a new order for each pass, or the notebook's one order")
    shuffle_seed: int = _setting(0, "the seed of the one order of --shuffle once")
    holdout: Literal["validation", "test", "both", "none"] = _setting(
        "validation", "the tenth of the names that is kept from training and scored: both scores the validation part"
    )
    sample_every: int = _setting(2000, "after how many steps to show the loss and some names")
    notebook_draws: bool = _setting(False, "draw the seven names on the way with the notebook's own random numbers")

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
class ShakespeareConfig(CommonConfig):
    """The settings of ``python -m kerasgen.shakespeare``: a text, learned in windows of characters."""

    num_samples: int = _setting(1, "how many texts to generate", group="generating")
    temperature: float = _setting(0.7, "below 1 safer, above 1 wilder, 0 always the likeliest character (greedy)")
    prompt: str | None = _setting(
        None,
        "what the text begins with; FILE:path reads it from a file, - from standard input",
        group="generating text",
    )
    length: int = _setting(400, "how many characters to generate")
    lines: int | None = _setting(None, "stop after this many lines, or where a stanza ends")
    on_unknown: Literal["error", "skip", "replace"] = _setting(
        "replace", "what to do with a character of the prompt that the model never saw: replace takes the nearest known"
    )
    units: int = _setting(128, "the size of the state of each of the two LSTM layers", group="the model")
    dropout: float = _setting(0.5, "the share of each layer's output that is dropped while training")
    recurrent_dropout: float = _setting(0.0, "the share of the states that is hidden from the recurrent kernels")
    lower_case: bool = _setting(True, "learn and write lower case only; prompts are folded")
    epochs: int | None = _setting(None, "go on training for so many passes over the text", group="training")
    from_scratch: bool = _setting(False, "begin with a new model instead of the one that would answer")
    scratch_epochs: int = _setting(20, "how many passes a new model takes, where --epochs does not say")
    seq_len: int = _setting(40, "how many characters a window has")
    stride: int | None = _setting(
        None, "characters from one window to the next (default: end to end, from a new offset each pass)"
    )
    target: Literal["every", "next"] = _setting(
        "every", "learn to predict at every position, or at a window's end only"
    )
    batch_size: int = _setting(128, "how many windows a step learns from")
    learning_rate: float = _setting(0.002, "the highest learning rate of AdamW, for a new model")
    next_learning_rate: float = _setting(0.0005, "the constant learning rate for going on with a model")
    schedule: Literal["constant", "cosine"] = _setting("constant", "how the learning rate falls to zero")
    weight_decay: float = _setting(0.0, "the weight decay of AdamW")
    clipnorm: float = _setting(1.0, "the gradient of all weights together is scaled down to this norm")
    patience: int = _setting(10, "stop after so many epochs without a better validation score")
    holdout: Literal["validation", "test", "both", "none"] = _setting(
        "validation", "what is kept from training: the last tenth for choosing the best epoch (validation) or for one "
        "score at the end (test); both keeps two tenths, chooses by the first and never looks at the last",
    )  # fmt: skip
    save_optimizer: bool = _setting(True, "save the optimizer's state, too, so that training goes on smoothly")


_RULES = {
    "prefix": (lambda v: "\n" not in v, f"a part of one line, without {chr(10)!r}"),
    "num_samples": (lambda v: v >= 1, "at least 1"),
    "temperature": (lambda v: v >= 0 and math.isfinite(v), "zero (greedy) or a positive number"),
    "top_k": (lambda v: v >= 1, "at least 1"),
    "top_p": (lambda v: 0 < v <= 1, "above 0 and at most 1"),
    "seed": (lambda v: 0 <= v < 2**32, "between 0 and 4294967295"),
    "min_length": (lambda v: v >= 0, "at least 0"),
    "max_length": (lambda v: 1 <= v <= 100_000, "between 1 and 100000"),
    "units": (lambda v: 1 <= v <= 8192, "between 1 and 8192"),
    "recurrent_dropout": (lambda v: 0 <= v < 1, "at least 0 and below 1"),
    "recurrent_l2": (lambda v: v >= 0 and math.isfinite(v), "zero or a positive number"),
    "init_scale": (lambda v: v > 0 and math.isfinite(v), "a positive number"),
    "init_seed": (lambda v: 0 <= v < 2**32, "between 0 and 4294967295"),
    "steps": (lambda v: 1 <= v <= 10**9, "between 1 and 1000000000"),
    "epochs": (lambda v: 1 <= v <= 10**6, "between 1 and 1000000"),
    "batch_size": (lambda v: 1 <= v <= 65_536, "between 1 and 65536"),
    "learning_rate": (lambda v: 0 < v <= 3e38, "above 0 and at most 3e38"),
    "momentum": (lambda v: 0 <= v < 1, "at least 0 and below 1"),
    "clipvalue": (lambda v: v > 0, "a positive number"),
    "shuffle_seed": (lambda v: 0 <= v < 2**32, "between 0 and 4294967295"),
    "length": (lambda v: 1 <= v <= 10_000_000, "between 1 and 10000000"),
    "lines": (lambda v: v >= 1, "at least 1"),
    "dropout": (lambda v: 0 <= v < 1, "at least 0 and below 1"),
    "scratch_epochs": (lambda v: v >= 1, "at least 1"),
    "seq_len": (lambda v: 1 <= v <= 4096, "between 1 and 4096"),
    "stride": (lambda v: v >= 1, "at least 1"),
    "next_learning_rate": (lambda v: v > 0 and math.isfinite(v), "a positive number"),
    "weight_decay": (lambda v: 0 <= v < 1, "at least 0 and below 1"),
    "clipnorm": (lambda v: v > 0, "a positive number"),
    "patience": (lambda v: v >= 1, "at least 1"),
    "sample_every": (lambda v: v >= 1, "at least 1"),
    "max_trials": (lambda v: 1 <= v <= 100_000, "between 1 and 100000"),
    "executions_per_trial": (lambda v: 1 <= v <= 1000, "between 1 and 1000"),
    "time_limit": (lambda v: seconds(v) > 0, "seconds, or minutes or hours like 10m or 1h"),
    "worker": (lambda v: v and "chief" not in v, "a name without the word chief"),
    "oracle_address": (lambda v: re.fullmatch(r".+:\d{1,5}", v), "HOST:PORT"),
}


def parse(
    kind: type[Config], prog: str, description: str, default_file: str | None, argv: Sequence[str] | None
) -> Config:
    """Fill `kind` from a command line: a flag beats the file of ``--config``, the file beats the default.

    Args:
        kind: the dataclass; each of its fields becomes a flag.
        prog: the command's name, for ``--help``.
        description: what ``--help`` says first and last, with a blank line between.
        default_file: the file under ``configs/`` that is read where ``--config`` names none; None for no such file.
        argv: the arguments; None for those of the process.

    Raises:
        BadInputError: an unknown flag or key (the nearest known one is named) or a value of the wrong kind.
        MissingFileError: the file of ``--config`` is not there.
    """
    from jsonargparse import ActionYesNo, ArgumentError, ArgumentParser, DefaultHelpFormatter

    from kerasgen import __version__

    class Parser(ArgumentParser):
        def error(self, message: str, ex: Exception | None = None) -> NoReturn:
            raise BadInputError(message)

    class Formatter(DefaultHelpFormatter, RawDescriptionHelpFormatter):
        def _get_help_string(self, action: Any) -> str:
            return action.help  # ours says what the type and the default are, in words

    about, epilog = description.split("\n\n", 1)
    parser = Parser(
        prog=prog, usage="%(prog)s [flags]", description=about, epilog=epilog, exit_on_error=False,
        allow_abbrev=False, formatter_class=Formatter,
    )  # fmt: skip
    parser.add_argument("--version", action="version", version=f"kerasgen {__version__}", help="print the version")
    if default_file:
        parser.add_argument(
            "--config",
            type=str,
            default=default_file,
            metavar="FILE",
            help=f"a TOML file of the settings below; flags beat it (default: {default_file})",
        )
    hints: dict[str, Any] = get_type_hints(kind)
    group: Any = parser
    for item in dataclasses.fields(kind):
        text, hint = item.metadata["help"], hints[item.name]
        if item.metadata["group"]:
            group = parser.add_argument_group(item.metadata["group"])
        if hint is bool:
            yes_no = ActionYesNo(yes_prefix="", no_prefix="no-")
            group.add_argument(_flag(item.name), action=yes_no, default=item.default, help=text)
            continue
        if item.default not in (None, ""):
            text += f" (default: {item.default})"
        choices = "|".join(get_args(hint)) if get_origin(hint) is Literal else None
        if _kind(hint) is str and not choices:
            hint = str  # with `str | None`, the parser would take the word `null` for no word
        metavar = choices or item.metadata["metavar"] or _METAVARS[_kind(hint)]
        more: dict[str, Any] = {}
        if item.metadata["otherwise"]:
            value, no_text = item.metadata["otherwise"]
            more = {"nargs": "?", "const": "yes"}
        group.add_argument(_flag(item.name), type=hint, default=item.default, metavar=metavar, help=text, **more)
        if more:
            no_flag = "--no-" + _flag(item.name).removeprefix("--")
            group.add_argument(no_flag, dest=item.name, action="store_const", const=value, help=no_text)

    arguments = [_kebab(word) for word in (sys.argv[1:] if argv is None else argv)]
    names = [item.name for item in dataclasses.fields(kind)]
    try:
        if default_file:
            file = parser.parse_args(arguments).config
            parser.set_defaults(_typed(parser, read_toml(file, names), file))
        values = parser.parse_args(arguments).as_dict()
    except (ArgumentError, BadInputError) as error:
        raise BadInputError(_one_line(str(error), [_flag(name) for name in names])) from None
    if default_file:
        del values["config"]
    return kind(**values)


def read_toml(file: str, known: list[str], flag: str = "--config") -> dict[str, Any]:
    """Read a configuration file; where there is none at that path, it may be one of ours.

    Raises:
        MissingFileError: there is no such file.
        BadInputError: it isn't TOML, or has a key that is not in `known`.
    """
    path = ours(Path(file))
    if not path.is_file():
        present = ", ".join(sorted(f"configs/{p.name}" for p in bundled("configs").glob("*.toml")))
        raise MissingFileError(f"{flag} must name a TOML file; received {file!r}, which is none; ours are {present}")
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInputError(f"{flag} must name a TOML file; {file!r} can't be read: {reason(error)}") from None
    for key in values:
        if key not in known:
            raise BadInputError(f"{file!r} has the unknown key {key!r}{nearest(key, known) or '; see --help'}")
    return values


def _typed(parser: Any, values: dict[str, Any], file: str) -> dict[str, Any]:
    """Check the kinds of a file's values with the parser that checks the flags."""
    from jsonargparse import ArgumentError

    try:
        for key, value in values.items():
            if isinstance(parser.get_default(key), bool) and not isinstance(value, bool):
                raise BadInputError(f"{_flag(key)} must be true or false; received {value!r}")
        checked = parser.parse_object(values).as_dict()
    except (ArgumentError, BadInputError) as error:
        raise BadInputError(f"in {file!r}: {error}") from None
    return {key: checked[key] for key in values}


def _kind(hint: Any) -> type:
    return next(kind for kind in (get_args(hint) or (hint,)) if kind is not type(None))


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _kebab(word: str) -> str:
    """Accept ``--num_samples`` for ``--num-samples``."""
    if not word.startswith("--"):
        return word
    flag, equals, value = word.partition("=")
    return flag.replace("_", "-") + equals + value


def _one_line(message: str, flags: list[str]) -> str:
    """Turn the parser's message into the rule, the value and the remedy."""
    message = " ".join(message.split())
    if match := re.search(r"unrecognized arguments: (\S+)", message):
        return f"unknown flag {match[1]!r}{nearest(match[1], flags) or '; see --help'}"
    message = re.sub(r"Parser key \"(\w+)\": ", lambda m: f"{_flag(m[1])}: ", message)
    message = re.sub(r"<class '(\w+)'>|typing\.(\w+)", lambda m: m[1] or m[2], message)
    return message.rstrip(".") + ("" if "see --help" in message or "did you mean" in message else "; see --help")


def _check_ranges(settings: Any) -> None:
    """Raise BadInputError where a setting is outside its range."""
    for name, (holds, rule) in _RULES.items():
        value = getattr(settings, name, None)
        if value is not None and not holds(value):
            raise BadInputError(f"{_flag(name)} must be {rule}; received {value!r}")


def seconds(duration: str) -> float:
    """Return the seconds of a duration like ``90``, ``90s``, ``10m`` or ``1.5h``; 0 where it is none."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", duration.strip())
    return float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]] if match else 0.0


@dataclass(frozen=True, kw_only=True)
class TuneConfig:
    """The settings of ``python -m kerasgen.tune``: what is searched, how, and how long.

    Raises:
        BadInputError: a value is outside its range.
    """

    data: str | None = _setting(
        None, "the text to learn from: a file, or the name of a known corpus", metavar="FILE|NAME"
    )
    space: str | None = _setting(
        None, "the TOML file of what is searched (default: configs/tune_dino.toml, ...)", metavar="FILE"
    )
    config: str | None = _setting(
        None, "the TOML file of all other training settings (default: configs/dino.toml, ...)", metavar="FILE"
    )
    tuner: Literal["random", "bayesian", "hyperband", "grid"] = _setting(
        "random", "who chooses the next trial; hyperband tries many for few epochs and the better ones for more, each "
        "time from the beginning; grid takes 10 points of a range without a step", group="the search",
    )  # fmt: skip
    max_trials: int | None = _setting(
        None, "how many trials (default: 20; for grid, all combinations; for hyperband, as many as its plan for "
        "--epochs has, which this can only shorten)",
    )  # fmt: skip
    executions_per_trial: int = _setting(1, "how often to train each, from other seeds; the mean counts")
    epochs: int = _setting(10, "how many passes over the text a trial takes; for hyperband, the longest")
    time_limit: str | None = _setting(
        None, "begin no trial after so long and put back the running one: seconds, 10m or 1h", metavar="TIME"
    )
    seed: int = _setting(0, "the seed of the search and of its trainings")
    directory: str = _setting(
        "sweeps", "the folder that each sweep has a folder in, to go on from: <corpus>-<what is swept>", metavar="DIR",
        group="what is kept",
    )  # fmt: skip
    save_dir: str = _setting("saved_models", "the folder that the winner is saved in, as my-<corpus>.keras")
    final: bool = _setting(True, "train the winner fully and save it; --no-final leaves it at its configuration")
    quiet: bool = _setting(False, "print the ranking and nothing else")
    chief: bool = _setting(
        False, "choose the trials for the workers of other processes or machines, and train none", group="in parallel"
    )
    worker: str | None = _setting(
        None,
        "train trials that a chief chooses; each worker has another name and the chief's other flags",
        metavar="ID",
    )
    oracle_address: str = _setting(
        "127.0.0.1:8787", "where the chief listens and the workers find it. Nothing protects this port: whoever can "
        "reach it can read and change the sweep, so give another address than this in a trusted network only",
        metavar="HOST:PORT",
    )  # fmt: skip

    def __post_init__(self) -> None:
        _check_ranges(self)
        if self.chief and self.worker:
            raise BadInputError(f"a process is --chief or --worker ID; received both (--worker {self.worker})")
