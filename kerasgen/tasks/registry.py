"""The kinds of models that there are: the one dispatch on the kind."""

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from kerasgen.tasks.settings import NamesSettings, ProseSettings, TaskSettings

if TYPE_CHECKING:  # they import NumPy, which --help does not wait for
    from kerasgen.tasks.task import Task
    from kerasgen.text.corpora import Text


@dataclass(frozen=True)
class Kind:
    """What belongs to one kind of model.

    Attributes:
        name: as a model's card has it.
        command: the command that trains one.
        settings: the class of that command's settings.
        task: where the class of its `Task` is.
        config: the configuration that the command takes where ``--config`` names none.
        corpus: the known corpus that it takes where ``--data`` names none.
    """

    name: str
    command: str
    settings: type[TaskSettings]
    task: tuple[str, str]
    config: str
    corpus: str


NAMES = Kind("names", "dino", NamesSettings, ("kerasgen.tasks.names", "NamesTask"), "configs/dino.toml", "dinos")
PROSE = Kind(
    "prose",
    "shakespeare",
    ProseSettings,
    ("kerasgen.tasks.prose", "ProseTask"),
    "configs/shakespeare.toml",
    "shakespeare",
)
KINDS = (NAMES, PROSE)


def kind_of(settings: TaskSettings) -> Kind:
    """Return the kind that settings belong to."""
    return next(kind for kind in KINDS if isinstance(settings, kind.settings))


def make_task(settings: TaskSettings, corpus: "Text") -> "Task":
    """Return the task of a training, by the class of its settings.

    Raises:
        BadInputError: the text is too short to learn from.
    """
    module, name = kind_of(settings).task
    return getattr(import_module(module), name)(settings, corpus)
