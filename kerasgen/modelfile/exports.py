"""A model in the formats of other programs: TensorFlow's SavedModel, ONNX and LiteRT."""

import json
import zipfile
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from kerasgen.base.errors import BadInputError
from kerasgen.base.files import whole, whole_folder
from kerasgen.generation.portable import Portable
from kerasgen.modelfile import loader, store
from kerasgen.models.backend import tf, without_standard_error

OPSET = 18  # of ONNX; onnxruntime reads it since 1.14
EXTRAS = "assets.extra"  # the folder of a SavedModel that TensorFlow keeps and never reads


def export(contents: store.Contents, format: str, path: Path) -> None:
    """Write a model in another program's format, with its vocabulary and its card.

    Args:
        contents: the model, from `store.read`; it is exported in float32, whatever it was trained in.
        format: one of `FORMATS`.
        path: where to; a folder for a SavedModel.

    Raises:
        BadInputError: the path names a folder that is there already, or the packages that the format needs are not
            installed.
        FailedError: it can't be written.
    """
    generator = loader.load(contents, device="cpu", dtype="float32")
    notes = {"vocabulary": json.dumps(contents.vocab.chars), "card": json.dumps(contents.card)}
    FORMATS[format](Portable(generator), notes, path)


def saved_model(portable: Portable, notes: dict[str, str], path: Path) -> None:
    """Write a SavedModel of two signatures, `step` and `generate`; the notes are JSON files beside it, in `EXTRAS`."""
    scalar = {"seed": tf.int64, "length": tf.int32, "temperature": tf.float32, "top_k": tf.int32, "top_p": tf.float32}
    given = [
        tf.TensorSpec([], tf.string, "prompt"),
        *(tf.TensorSpec([], dtype, name) for name, dtype in scalar.items()),
    ]
    generate = tf.function(portable.generate, input_signature=given, autograph=False)
    with whole_folder(path) as folder:
        with without_standard_error():
            tf.saved_model.save(portable, str(folder), signatures={"step": _step(portable), "generate": generate})
        extras = folder / EXTRAS
        extras.mkdir()
        for name, note in notes.items():
            (extras / f"{name}.json").write_text(note, encoding="utf-8")


def onnx(portable: Portable, notes: dict[str, str], path: Path) -> None:
    """Write an ONNX file of the step; the notes are among its metadata."""
    convert, library = (_needed(name, "onnx") for name in ("tf2onnx.convert", "onnx"))
    with without_standard_error():
        model, _ = convert.from_function(_step(portable), input_signature=portable.step_signature, opset=OPSET)
    library.helper.set_model_props(model, notes)
    with whole(path) as temporary:
        temporary.write_bytes(model.SerializeToString())


def litert(portable: Portable, notes: dict[str, str], path: Path) -> None:
    """Write a LiteRT file (.tflite) of the step; the notes are JSON files in a ZIP archive at its end."""
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    step = _step(portable).get_concrete_function()
    names = sorted(step.structured_outputs)  # in the order of what the frozen one returns
    frozen, module = convert_variables_to_constants_v2(step), tf.Module()
    # Straight from a frozen function, the converter forgets the names of arguments and results.
    module.step = tf.function(
        lambda *given: dict(zip(names, frozen(*given), strict=True)),
        input_signature=portable.step_signature,
        autograph=False,
    )
    with TemporaryDirectory(prefix="kerasgen-") as folder, without_standard_error():
        tf.saved_model.save(module, folder, signatures={"step": module.step})
        content = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=["step"]).convert()
    with whole(path) as temporary:
        temporary.write_bytes(content)
        with zipfile.ZipFile(temporary, "a") as archive:
            for name, note in notes.items():
                archive.writestr(f"{name}.json", note)


FORMATS = {"saved_model": saved_model, "onnx": onnx, "litert": litert}


def _step(portable: Portable) -> Any:
    return tf.function(portable.step, input_signature=portable.step_signature, autograph=False)


def _needed(name: str, format: str) -> Any:
    """Import what only one format needs."""
    try:
        return import_module(name)
    except ImportError as error:
        raise BadInputError(
            f"--format {format} needs packages that are not installed ({error.name} is missing): "
            "pip install 'kerasgen[export]'"
        ) from None
