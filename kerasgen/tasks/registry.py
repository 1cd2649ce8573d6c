"""Which task belongs to which settings: the one dispatch on the kind of a model."""

from kerasgen.tasks.names import DinoConfig, NamesRecipe
from kerasgen.tasks.prose import ProseRecipe, ShakespeareConfig
from kerasgen.tasks.task import Recipe
from kerasgen.text.corpora import Text


def make_recipe(settings: DinoConfig | ShakespeareConfig, corpus: Text) -> Recipe:
    """Return the recipe of a training, by the class of its settings.

    Raises:
        BadInputError: the text is too little to learn from.
    """
    return NamesRecipe(settings, corpus) if isinstance(settings, DinoConfig) else ProseRecipe(settings, corpus)
