"""A model file to a model: the one place that builds a model by its kind."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kerasgen.base.errors import BadInputError, reason
from kerasgen.generation.generator import Generator
from kerasgen.generation.sampling import Sampling
from kerasgen.metrics.novelty import KnownTexts
from kerasgen.modelfile import store
from kerasgen.modelfile.blueprint import blueprint
from kerasgen.models import backend
from kerasgen.models.backend import keras
from kerasgen.models.contract import CharModel
from kerasgen.models.names import NameRNN, nats_per_name
from kerasgen.models.prose import ProseLSTM, stacked_lstm
from kerasgen.text.casing import Casing
from kerasgen.text.folding import Folding, OnUnknown
from kerasgen.text.vocab import CharVocab


@dataclass(frozen=True)
class _Kind:
    """What differs between kinds of models once they are trained.

    Attributes:
        build: makes the Keras model from a blueprint's arguments.
        char_model: gives the contract of a Keras model.
        loss: makes the loss that it is compiled with.
        sampling: how it generates where nobody says otherwise.
        on_unknown: what becomes of characters that it never saw where nobody says otherwise.
    """

    build: Callable[..., Any]
    char_model: Callable[[Any], CharModel]
    loss: Callable[[], Any]
    sampling: Sampling
    on_unknown: OnUnknown


_KINDS = {
    "names": _Kind(NameRNN, lambda model: model, lambda: nats_per_name, Sampling(), "twin"),
    "prose": _Kind(
        stacked_lstm,
        ProseLSTM,
        lambda: keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        Sampling(temperature=0.7),
        "replace",
    ),
}


class TrainedGenerator(Generator):
    """A `Generator` that knows what it learned from, and can be saved.

    Args:
        char_model: the model.
        vocab: its characters.
        card: what is known of it, for people; ``kind``, ``start`` or ``stop``, and ``case`` at the least.
        known: the texts that it learned from.
        device: TensorFlow's name of the device to compute on.

    Attributes:
        card: see above; a trained model has its ``scores``, ``data`` and ``config`` there, too.
        known: see above.
        history: the Keras `History` of the training that made it; None where it was loaded.
    """

    known: KnownTexts

    def __init__(
        self, char_model: CharModel, vocab: CharVocab, card: dict[str, Any], known: KnownTexts, device: str = "/CPU:0"
    ):
        folding = Folding(Casing.of_card(card), _KINDS[card["kind"]].on_unknown)
        super().__init__(
            char_model, vocab, start=card.get("start"), stop=card.get("stop"), known=known.folded(folding.casing.fold),
            folding=folding, defaults=_KINDS[card["kind"]].sampling, device=device,
        )  # fmt: skip
        self.card = card
        self.history: Any = None

    def save(self, path: str | Path, *, optimizer: bool = True) -> None:
        """Write the model, its vocabulary and its card into one file, whole or not at all.

        Args:
            path: ends in ``.keras``; its folder is made.
            optimizer: save the optimizer's state, too, so that fine-tuning starts smoothly; a model that was loaded has
                none.

        Raises:
            ValueError: the path does not end in ``.keras``.
            RuntimeError: it can't be written; what stood there is untouched.
        """
        path = Path(path)
        if path.suffix != ".keras":
            raise BadInputError(f"a model is saved in a file that ends in .keras; received {str(path)!r}")
        model = self.model if optimizer else _uncompiled(self.model)
        store.save(path, model, self.vocab, self.card, self.known)


def load(source: str | Path | store.Contents, *, device: str = "auto", dtype: str | None = None) -> TrainedGenerator:
    """Load a model that kerasgen saved.

    Args:
        source: a ``.keras`` file (one of ours, ``saved_models/dino.keras``, is found from anywhere), or what
            `store.read` has read of it.
        device: ``"auto"``, ``"cpu"``, ``"gpu"`` or ``"tpu"``.
        dtype: the precision to compute in, as for any Keras model; None for that of the file.

    Raises:
        MissingFileError: there is no such file.
        BadInputError: the file is damaged, foreign or made by a later version, or there is no such device.
    """
    contents = source if isinstance(source, store.Contents) else store.read(Path(source))
    place = backend.device(device)
    with backend.tf.device(place):
        model = keras_model(contents, dtype=dtype)
    return TrainedGenerator(
        _KINDS[contents.blueprint.kind].char_model(model), contents.vocab, contents.card, contents.known, place
    )


def keras_model(contents: store.Contents, *, compile: bool = False, dtype: str | None = None):
    """Build the Keras model of a file that `store.read` has verified.

    Args:
        contents: from `store.read`.
        compile: with its optimizer and the optimizer's state, where the file has one.
        dtype: as for `load`.

    Raises:
        BadInputError: its weights are damaged or not those of the model.
    """
    weights, state = store.arrays(contents)
    plan = contents.blueprint
    kind = _KINDS[plan.kind]
    try:
        model = kind.build(**{**plan.arguments, "dtype": dtype or plan.arguments["dtype"]}, drawn=False)
        model.set_weights(weights)
        if compile and plan.optimizer:
            optimizer = _call(keras.optimizers, plan.optimizer)
            if len(state) > len(optimizer.variables):  # else it never made a step
                optimizer.build(model.trainable_variables)
            for variable, value in zip(optimizer.variables, state, strict=True):
                variable.assign(value)
            model.compile(optimizer=optimizer, loss=kind.loss(), auto_scale_loss=False)
        return model
    except Exception as error:  # Keras and TensorFlow raise many kinds
        raise BadInputError(f"{str(contents.path)!r} holds no model that can be built: {reason(error)}") from error


def _uncompiled(model: Any) -> Any:
    """Return a model of the same weights, without an optimizer."""
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(model)))  # as it would be saved
    plan = blueprint({**config, "compile_config": None})
    copy = _KINDS[plan.kind].build(**plan.arguments, drawn=False, name=model.name)
    copy.set_weights(model.get_weights())
    return copy


def assign(model: Any, arrays: Sequence[Any], source: Path) -> None:
    """Give a model other weights.

    Args:
        model: the Keras model.
        arrays: in the order of all its weights, or of those that are trained.
        source: where they come from.

    Raises:
        BadInputError: they are not those of the model.
    """
    weights = model.weights if len(arrays) == len(model.weights) else model.trainable_variables
    found = [(array.dtype.name, array.shape) for array in arrays]
    if found != [(variable.dtype, tuple(variable.shape)) for variable in weights]:
        raise BadInputError(f"the checkpoint in {str(source)!r} is not one of the model there")
    for variable, array in zip(weights, arrays, strict=True):
        variable.assign(array)


def _call(module, call: tuple[str, dict[str, Any]]):
    """Make an optimizer with its schedule."""
    name, arguments = call
    rate = arguments.get("learning_rate")
    if isinstance(rate, tuple):
        arguments = {**arguments, "learning_rate": _call(module.schedules, rate)}
    return getattr(module, name)(**arguments)
