"""What of a model file is ever used, and how it must be: the vocabulary, the card, and the plain arguments of a model.

A ``config.json`` can ask Keras for any class with any arguments. So it is never given to Keras: it must be one that
kerasgen writes, setting by setting, and the model is built again from the few values that differ from one to the next.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kerasgen.metrics.novelty import DIGITS
from kerasgen.modelfile.archive import CONFIG, Refused
from kerasgen.text.casing import Casing
from kerasgen.text.vocab import CharVocab

UPGRADED = "upgraded_from"  # on a card: the SHA-256 of the file of format 1 that it was
VECTORS = "layers/embedding/vars/0"  # of the characters of a model of prose
_LARGEST_COUNT = 2**24  # of units, characters or rows; the file must have as many weights, too
_CLASSES = {
    "builtins": {"function"},
    "keras": {"Sequential", "DTypePolicy"},
    "keras.initializers": {"GlorotUniform", "Identity", "Orthogonal", "RandomNormal", "Zeros"},
    "keras.layers": {"Dense", "Dropout", "Embedding", "InputLayer", "LSTM"},
    "keras.losses": {"SparseCategoricalCrossentropy"},
    "keras.optimizers": {"Adam", "AdamW", "SGD"},
    "keras.optimizers.schedules": {"CosineDecay", "PolynomialDecay"},
    "kerasgen.models": {"NameRNN"},  # where it stood in format 1
    "kerasgen.models.names": {"NameRNN"},
}
_REGISTERED = {"NameRNN": "kerasgen>NameRNN", "function": "function"}
_FUNCTION = "kerasgen>nats_per_name"
_DTYPES = {"float32", "float64", "mixed_bfloat16", "mixed_float16"}


def _is_count(value: Any) -> bool:
    return type(value) is int and 1 <= value <= _LARGEST_COUNT


def _is_seed(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**33


def _is_number(value: Any) -> bool:
    return type(value) is float or type(value) is int and abs(value) < 2**63


def _is_amount(value: Any) -> bool:
    return _is_number(value) and value >= 0  # which NaN is not


def _is_share(value: Any) -> bool:
    return _is_number(value) and 0 <= value < 1


def _is_switch(value: Any) -> bool:
    return isinstance(value, bool)


_KINDS = {"names": ("stop", "names"), "prose": ("start", "characters")}  # the mark it needs, what it counts
_Rules = dict[str, Callable[[Any], bool]]
_NAME_RNN: _Rules = {
    "vocab_size": _is_count, "units": _is_count, "recurrent_dropout": _is_share, "recurrent_l2": _is_amount,
    "carry_state": _is_switch, "batch_size": _is_count, "seed": _is_seed,
}  # fmt: skip
_LSTM = {
    "trainable": True, "return_sequences": True, "activation": "tanh", "recurrent_activation": "sigmoid",
    "use_bias": True, "unit_forget_bias": True,
}  # fmt: skip


# The layers of a model of prose: the settings that differ from one model to the next, and those that never do.
_LAYERS: list[tuple[str, _Rules, dict[str, Any]]] = [
    ("InputLayer", {}, {"batch_shape": [None, None], "dtype": "int32"}),
    ("Embedding", {"input_dim": _is_count, "output_dim": _is_count, "trainable": _is_switch}, {}),
    ("LSTM", {"units": _is_count}, _LSTM),
    ("Dropout", {"rate": _is_share, "seed": _is_seed}, {"trainable": True}),
    ("LSTM", {"units": _is_count}, _LSTM),
    ("Dropout", {"rate": _is_share, "seed": _is_seed}, {"trainable": True}),
    ("Dense", {"units": _is_count}, {"trainable": True, "activation": "linear", "use_bias": True}),
]


@dataclass(frozen=True)
class Blueprint:
    """The few values that a model is built from again.

    Attributes:
        kind: ``"names"`` (a `NameRNN`) or ``"prose"`` (a `stacked_lstm`).
        arguments: what either is called with.
        optimizer: the name of an optimizer of Keras' and its arguments, where the model was compiled: numbers and
            switches, and a learning rate that may be such a pair of a schedule.
    """

    kind: str
    arguments: dict[str, Any]
    optimizer: tuple[str, dict[str, Any]] | None

    @property
    def dtype(self) -> str:
        """The type of the weights, as NumPy writes it; in mixed precision they are single."""
        return "<f8" if self.arguments["dtype"] == "float64" else "<f4"

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The paths in the HDF5 file and the shapes of all weights, in the order of the model's own list."""
        vocab_size, units = self.arguments["vocab_size"], self.arguments["units"]
        out = {"layers/dense/vars/0": (units, vocab_size), "layers/dense/vars/1": (vocab_size,)}
        if self.kind == "names":
            carried = {"vars/0": (self.arguments["batch_size"], units)} if self.arguments["carry_state"] else {}
            return carried | _cell("layers/simple_rnn", vocab_size, units, units) | out
        inputs = self.arguments.get("embedding") or vocab_size
        first, second = (
            _cell("layers/lstm", inputs, units, 4 * units),
            _cell("layers/lstm_1", units, units, 4 * units),
        )
        return {VECTORS: (vocab_size, inputs)} | first | second | out

    @property
    def one_hot(self) -> str | None:
        """The path of the characters' vectors where they are one-hot, and not learned."""
        return VECTORS if self.kind == "prose" and not self.arguments.get("embedding") else None

    @property
    def parameters(self) -> int:
        """The number of weights that are learned."""
        fixed = (self.one_hot, "vars/0")
        return sum(math.prod(shape) for path, shape in self.shapes.items() if path not in fixed)


def _cell(layer: str, inputs: int, units: int, outputs: int) -> dict[str, tuple[int, ...]]:
    shapes = [(inputs, outputs), (units, outputs), (outputs,)]  # kernel, recurrent kernel, bias
    return {f"{layer}/cell/vars/{number}": shape for number, shape in enumerate(shapes)}


def blueprint(config: dict[str, Any]) -> Blueprint:
    """Take from a configuration what a model is built from.

    Args:
        config: the member ``config.json``.

    Raises:
        Refused: it asks for anything that kerasgen never writes.
    """
    try:
        _check_classes(config)
        if config["class_name"] == "NameRNN":
            kind, arguments = "names", _name_rnn(config["config"])
        else:
            kind, arguments = "prose", _stacked_lstm(config["config"])
        optimizer = (config.get("compile_config") or {}).get("optimizer")
        return Blueprint(kind, arguments, _call(optimizer, "keras.optimizers") if optimizer else None)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        raise Refused(f"has a {CONFIG} of a form that kerasgen never writes") from None


def _check_classes(config: Any) -> None:
    """Refuse any class or function but ours, even where nothing here would look at it: plain Keras opens our files."""
    pending = [config]  # no recursion, which something could be nested too deep for
    while pending:
        item = pending.pop()
        pending += item if isinstance(item, list) else item.values() if isinstance(item, dict) else []
        if not isinstance(item, dict) or "class_name" not in item:
            continue
        name, module, registered = item["class_name"], item.get("module", ""), item.get("registered_name")
        if name not in _CLASSES.get(module, ()) or registered != _REGISTERED.get(name):
            raise Refused(f"asks for {name!r:.60} of {module!r:.60} ({registered!r:.60}), which kerasgen never writes")
        if name == "function" and item["config"] != _FUNCTION:
            raise Refused(f"asks for the function {item['config']!r:.60}, which kerasgen never writes")


def _name_rnn(config: dict[str, Any]) -> dict[str, Any]:
    return {**_checked("NameRNN", config, _NAME_RNN, {"trainable": True}), "dtype": _dtype(config)}


def _stacked_lstm(config: dict[str, Any]) -> dict[str, Any]:
    layers = config["layers"]
    if [layer["class_name"] for layer in layers] != [name for name, _, _ in _LAYERS]:
        raise Refused("is no stack of the layers that kerasgen writes")
    _, vectors, first, dropout, second, last_dropout, out = (
        _checked(name, layer["config"], free, fixed) for layer, (name, free, fixed) in zip(layers, _LAYERS, strict=True)
    )
    learned, size = vectors["trainable"], vectors["output_dim"]
    vocab_sizes, units = {vectors["input_dim"], out["units"]}, {*first.values(), *second.values()}
    if not learned:
        vocab_sizes.add(size)
    rates, dtypes = {dropout["rate"], last_dropout["rate"]}, {_dtype(layer["config"]) for layer in layers[1:]}
    if any(len(values) > 1 for values in (vocab_sizes, units, rates, dtypes)):
        raise Refused("has layers that do not belong together")
    seed = max(0, dropout["seed"] - 1)  # `stacked_lstm` counts the seeds of its layers from its own
    return {
        "vocab_size": vocab_sizes.pop(), "units": units.pop(), "dropout": rates.pop(), "dtype": dtypes.pop(),
        "seed": seed, **({"embedding": size} if learned else {}),
    }  # fmt: skip


def _checked(name: str, config: dict[str, Any], free: _Rules, fixed: dict[str, Any]) -> dict[str, Any]:
    """Return the free settings of a layer, once all of its settings are known to be ours."""
    for key, value in config.items():
        if key in free:
            ours = free[key](value)
        elif key in fixed:
            ours = value == fixed[key]
        else:  # names and initial weights have no effect here; what a later Keras may add must do nothing
            ours = key in ("name", "dtype") or key.endswith("_initializer") or value in (None, False)
        if not ours:
            raise Refused(f"asks for {name} with {key}={value!r:.60}, which kerasgen never writes")
    return {key: config[key] for key in free}


def _dtype(config: dict[str, Any]) -> str:
    name = config["dtype"]["config"]["name"]
    if name not in _DTYPES:
        raise Refused(f"asks for the precision {name!r:.60}, which kerasgen never writes")
    return name


def _call(item: dict[str, Any], module: str) -> tuple[str, dict[str, Any]]:
    """Return the name of an optimizer or a schedule and its arguments."""
    arguments = {}
    for key, value in item["config"].items():
        if key == "learning_rate" and isinstance(value, dict):
            arguments[key] = _call(value, "keras.optimizers.schedules")
        elif value is None or _is_switch(value) or _is_amount(value):
            arguments[key] = value
        elif key != "name":
            raise Refused(f"asks for {item['class_name']} with {key}={value!r:.60}, which kerasgen never writes")
    if item["class_name"] not in _CLASSES[module]:
        raise Refused(f"asks for {item['class_name']!r:.60} where kerasgen has one of {module}")
    return item["class_name"], arguments


def check_content(content: dict[str, Any]) -> CharVocab:
    """Return the vocabulary, once it, the card and the hashes of known texts are such as every command can use.

    Args:
        content: the member ``kerasgen.json``.

    Raises:
        Refused: they are not.
    """
    try:
        vocab = _vocab(content["vocab"])
        _check_card(content["card"], vocab)
        known = content["known"]
        if len(known) % DIGITS or not set(known) <= set("0123456789abcdef"):
            raise Refused("has malformed hashes of known texts")
        return vocab
    except (AttributeError, KeyError, TypeError, ValueError):
        raise Refused("has a card of a form that kerasgen never writes") from None


def _vocab(chars: list[str]) -> CharVocab:
    if any(0xD800 <= ord(char) < 0xE000 for char in chars):
        raise Refused("has half a character in its vocabulary, a surrogate")
    if not chars:
        raise Refused("has no character in its vocabulary")
    return CharVocab(chars)


def _check_card(card: dict[str, Any], vocab: CharVocab) -> None:
    kind = card["kind"]
    if kind not in _KINDS or not _is_count(card["format"]):
        raise Refused(f"is a model of {kind!r:.60} in format {card['format']!r:.60}, which kerasgen never writes")
    for mark in ("start", "stop"):
        char = card.get(mark)
        if char is None and mark == _KINDS[kind][0] or char is not None and char not in vocab:
            raise Refused(f"says that a text {mark}s with {char!r:.60}, which is not in its vocabulary")
    Casing.of_card(card)
    if not re.fullmatch("([0-9a-f]{64})?", card.get(UPGRADED, "")):
        raise Refused(f"says that it was upgraded from {card[UPGRADED]!r:.60}, which is no SHA-256")
    parts = {part: card.get(part, {}) for part in ("config", "data", "scores", "versions")}
    if strange := [part for part, values in parts.items() if not isinstance(values, dict)]:
        raise Refused(f"has a card whose {strange[0]} is no list of names and values")
    data, scores = parts["data"], dict(parts["scores"])
    if not all(isinstance(data.get(key, ""), str) for key in ("name", "sha256")):
        raise Refused("has a card whose data has no name")
    needed = {"part", _KINDS[kind][1], *(f"{of}{unit}_per_char" for of in ("", "ngram_") for unit in ("nats", "bits"))}
    if scores and (missing := needed - set(scores)):
        raise Refused(f"has scores without {', '.join(sorted(missing))}")
    part = scores.pop("part", "")
    if not isinstance(part, str) or not part.isprintable() or not all(map(_is_number, scores.values())):
        raise Refused("has scores that are no numbers of a part of a text")
