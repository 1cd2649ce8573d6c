"""The kinds of models that there are: the one dispatch on the kind."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from kerasgen.tasks.settings import NamesSettings, ProseSettings, TaskSettings

if TYPE_CHECKING:  # they import NumPy, which --help does not wait for
    from kerasgen.tasks.task import Task
    from kerasgen.text.corpora import Text
    from kerasgen.text.corpus_ids import LongText


Own = TypeVar("Own", bound=TaskSettings)  # the settings of one kind


@dataclass(frozen=True)
class Kind(Generic[Own]):
    """What belongs to one kind of model.

    Attributes:
        name: as a model's card has it.
        command: the command that trains one.
        settings: the class of that command's settings.
        task: where the class of its `Task` is.
        config: the configuration of the known corpora, where ``--config`` names none.
        by_size: the table of settings for other texts.
        size: counts a text as that table does: distinct names, or characters.
        corpus: the known corpus that it takes where ``--data`` names none.
    """

    name: str
    command: str
    settings: type[Own]
    task: tuple[str, str]
    config: str
    by_size: str
    size: Callable[["str | LongText"], int]
    corpus: str


NAMES = Kind(
    name="names",
    command="dino",
    settings=NamesSettings,
    task=("kerasgen.tasks.names", "NamesTask"),
    config="configs/dino.toml",
    by_size="configs/names_by_size.toml",
    size=lambda text: len({name for line in str(text).split("\n") if (name := line.strip())}),
    corpus="dinos",
)
PROSE = Kind(
    name="prose",
    command="shakespeare",
    settings=ProseSettings,
    task=("kerasgen.tasks.prose", "ProseTask"),
    config="configs/shakespeare.toml",
    by_size="configs/text_by_size.toml",
    size=len,
    corpus="shakespeare",
)
KINDS: tuple[Kind[Any], ...] = (NAMES, PROSE)


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
