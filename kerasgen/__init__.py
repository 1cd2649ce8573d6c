"""kerasgen learns to write, a character at a time.

>>> import kerasgen
>>> dino = kerasgen.load("saved_models/dino.keras")
>>> names = dino.generate(10, prefix="tri", temperature=0.8, seed=0)
>>> towns = kerasgen.train_names(["springfield", "shelbyville", "ogdenville"], steps=2000)
"""

from typing import TYPE_CHECKING

from kerasgen.base.version import __version__

if TYPE_CHECKING:
    from kerasgen.api import load, train_names, train_text
    from kerasgen.generation.generator import Generator
    from kerasgen.metrics.score import Score
    from kerasgen.modelfile.loader import TrainedGenerator
    from kerasgen.models.names import NameRNN

__all__ = [
    "Generator", "NameRNN", "Score", "TrainedGenerator", "__version__", "load", "train_names", "train_text",
]  # fmt: skip

_PLACES = {
    "Generator": "kerasgen.generation.generator",
    "NameRNN": "kerasgen.models.names",
    "Score": "kerasgen.metrics.score",
    "TrainedGenerator": "kerasgen.modelfile.loader",
    "load": "kerasgen.api",
    "train_names": "kerasgen.api",
    "train_text": "kerasgen.api",
}


def __getattr__(name: str):
    """Import what is asked for, when it is asked for: TensorFlow takes seconds."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
