"""``python -m kerasgen.export``: models in another format, for where kerasgen is not."""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from kerasgen.base import console
from kerasgen.base.errors import BadInputError
from kerasgen.base.files import whole
from kerasgen.base.parser import Parser

if TYPE_CHECKING:  # it imports NumPy, which --help does not wait for
    from kerasgen.modelfile.store import Contents

ABOUT = "Write models in a format that needs no kerasgen."
EXAMPLES = """examples:
  %(prog)s saved_models/dino.keras saved_models/shakespeare.keras --format html --output play.html
                                    one page that writes in any browser, without a server
  %(prog)s saved_models/shakespeare.keras --format saved_model --output poet
                                    for TensorFlow and TensorFlow Serving, with the whole sampling loop
  %(prog)s saved_models/dino.keras --format onnx       for onnxruntime, in many languages
  %(prog)s saved_models/dino.keras --format litert     for LiteRT, on phones and small devices"""


def html(models: Sequence["Contents"], output: Path) -> None:
    """Write one page with the models inside."""
    from kerasgen.page.page import page
    from kerasgen.page.plan import approximation

    for note in filter(None, map(approximation, models)):
        console.note(note)
    text = page(models)
    with whole(output) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def portable(format: str, models: Sequence["Contents"], output: Path) -> None:
    """Write a model for another program."""
    from kerasgen.modelfile.exports import export

    (model,) = models
    export(model, format, output)


@dataclass(frozen=True)
class Format:
    """What models can be written in.

    Attributes:
        write: writes models to a path, whole or not at all.
        suffix: of its files; "" for a folder.
        many: whether one file holds several models.
    """

    write: Callable[[Sequence["Contents"], Path], None]
    suffix: str
    many: bool = False


FORMATS = {
    "html": Format(html, ".html", many=True),
    "saved_model": Format(partial(portable, "saved_model"), ""),
    "onnx": Format(partial(portable, "onnx"), ".onnx"),
    "litert": Format(partial(portable, "litert"), ".tflite"),
}


def main(argv: Sequence[str] | None = None) -> None:
    """Write the models of a command line."""
    arguments = parse(argv)
    chosen = FORMATS[arguments.format]

    from kerasgen.modelfile import store

    models = [store.read(Path(name)) for name in arguments.models]
    output = Path(arguments.output or models[0].path.with_suffix(chosen.suffix).name)
    if output.suffix != chosen.suffix:
        kind = f"a file that ends in {chosen.suffix}" if chosen.suffix else "a folder, without a suffix"
        raise BadInputError(f"--output must name {kind} for --format {arguments.format}; received {str(output)!r}")
    chosen.write(models, output)
    size = sum(file.stat().st_size for file in (output.rglob("*") if output.is_dir() else [output])) / 1e6
    print(console.shown(f"{output}: {', '.join(model.path.stem for model in models)}, {size:.2f} MB"))


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line.

    Raises:
        BadInputError: it names no model, too many for the format, or a flag or value that is none.
    """
    usage = "%(prog)s MODEL... --format FORMAT [--output PATH]"
    parser = Parser("export", usage=usage, description=ABOUT, epilog=EXAMPLES)
    parser.add_argument("models", nargs="+", metavar="MODEL", help="a .keras file of kerasgen")
    parser.add_argument("--format", required=True, choices=sorted(FORMATS), help=f"one of {', '.join(FORMATS)}")
    words = "what to write, whole or not at all (default: the name of the first model, in the current folder)"
    parser.add_argument("--output", metavar="PATH", help=words)
    arguments = parser.parse_args(argv)
    if len(arguments.models) > 1 and not FORMATS[arguments.format].many:
        raise BadInputError(f"--format {arguments.format} takes one model; received {len(arguments.models)}")
    return arguments


if __name__ == "__main__":
    sys.exit(console.run_command(main))
