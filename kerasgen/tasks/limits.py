"""What a training needs at the least, before anything of it is allocated: memory, and room in the model's file."""

from dataclasses import dataclass
from math import prod
from typing import Any

from kerasgen.base import memory
from kerasgen.base.errors import BadInputError
from kerasgen.modelfile.blueprint import Blueprint

REPORTS = 1_000_000  # of a training at the most: each is kept, and told again when it resumes
LARGEST_FILE = 2**31 - 2**24  # bytes; an archive beyond has a second directory, which kerasgen does not write
COPIES = 2  # in a model file, of the weights that are trained: kerasgen reads one, plain Keras the other
FRAMEWORK = 400e6  # bytes; Python with TensorFlow takes 640
_TEXT = 50  # bytes of a string in Python, whatever is in it
_WIDTHS = {"float64": 8, "mixed_bfloat16": 2, "mixed_float16": 2}  # bytes of what is computed with; else 4


@dataclass(frozen=True)
class Sizes:
    """What the memory of a training follows from.

    Attributes:
        kind: ``"names"`` or ``"prose"``.
        arguments: what the model is built with, as a `Blueprint` has them.
        batch: ``(batches, rows, characters)``, all that are at hand at once.
        predicted: the characters of a batch whose logits are computed.
        saved_slots: the numbers that the optimizer keeps for each weight, where they are saved with it.
        weights: how many times the weights stand in memory at the least.
        activations: how many times the states of one layer do, for all characters of a batch.
        lower: the settings that make a batch smaller.
    """

    kind: str
    arguments: dict[str, Any]
    batch: tuple[int, int, int]
    predicted: int
    saved_slots: int
    weights: int
    activations: int
    lower: str = "--batch-size"

    @property
    def variables(self) -> tuple[int, int]:
        """The bytes of the weights that are trained, and of those that are not."""
        plan = Blueprint(self.kind, self.arguments, None)
        shapes = plan.shapes
        width = 8 if self.arguments["dtype"] == "float64" else 4
        fixed = sum(prod(shape) for path, shape in shapes.items() if path in (plan.one_hot, "vars/0"))
        return width * (sum(map(prod, shapes.values())) - fixed), width * fixed

    @property
    def file(self) -> int:
        """The bytes of the model's file."""
        trained, fixed = self.variables
        return COPIES * trained * (1 + self.saved_slots) + fixed

    @property
    def memory(self) -> dict[str, int]:
        """The bytes that the training takes at the least, by what to lower."""
        trained, fixed = self.variables
        chunk, rows, time = self.batch
        width, units = _WIDTHS.get(self.arguments["dtype"], 4), self.arguments["units"]
        states = rows * time * units * width * self.activations
        logits = 2 * 4 * self.predicted * self.arguments["vocab_size"]
        return {
            "--units": self.weights * trained + 2 * fixed,
            self.lower: states + logits + 2 * 4 * chunk * rows * (time + 1),
        }


def check(sizes: Sizes, saved: bool = True) -> None:
    """Refuse a training that surely can't be done here, or whose model could not be saved.

    Args:
        sizes: of the training.
        saved: whether its model is.

    Raises:
        BadInputError: it needs more than there can be; the message says what to lower.
    """
    needed = sizes.memory
    if saved and sizes.file > LARGEST_FILE:
        raise BadInputError(
            f"a model's file must have at most {_gb(LARGEST_FILE)}; one of {sizes.arguments['units']:,} units and "
            f"{sizes.arguments['vocab_size']:,} characters has {_gb(sizes.file)}; lower --units"
        )
    total, (most, who) = FRAMEWORK + sum(needed.values()), memory.most()
    if total > most:
        raise BadInputError(
            f"a training must fit in the memory that there is, {_gb(most)} ({who}); this one takes {_gb(total)} at the "
            f"least; lower {_largest(needed)}"
        )


def check_texts(count: int, length: int, lower: str = "--num-samples") -> None:
    """Refuse to generate more texts than memory holds.

    Args:
        count: how many.
        length: the fewest characters of one, whose ids take 4 bytes each.
        lower: the settings that make it less.

    Raises:
        BadInputError: they can't be held; the message says what to lower.
    """
    needed, (most, who) = count * (_TEXT + 4 * length), memory.most()
    if needed > most:
        raise BadInputError(
            f"the texts must fit in the memory that there is, {_gb(most)} ({who}); {count:,} of them take "
            f"{_gb(needed)} at the least; lower {lower}"
        )


def _largest(parts: dict[str, int]) -> str:
    return max(parts, key=lambda part: parts[part])


def _gb(count: float) -> str:
    return f"{count / 1e9:.1f} GB"
