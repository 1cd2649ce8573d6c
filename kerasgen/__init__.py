"""kerasgen learns to write, a character at a time.

>>> import kerasgen
>>> dino = kerasgen.load("saved_models/dino.keras")
>>> names = dino.generate(10, prefix="tri", temperature=0.8, seed=0)
"""

from pathlib import Path

__version__ = "0.1.0"
__all__ = ["__version__", "load"]


def load(path: str | Path, *, device: str = "auto"):
    """Load a model that kerasgen saved.

    Args:
        path: a ``.keras`` file; one of ours (``saved_models/dino.keras``) is found from anywhere.
        device: ``"auto"``, ``"cpu"``, ``"gpu"`` or ``"tpu"``.

    Returns:
        A `kerasgen.generator.Generator`, with `generate`, `model`, `vocab` and `card`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, foreign or made by a later version, or there is no such device.
    """
    from kerasgen import artifacts, files

    path = Path(path)
    contents = artifacts.read(path if path.exists() else files.ours(path))

    from kerasgen import backend
    from kerasgen.generator import Generator

    place = backend.device(device)
    with backend.tf.device(place):
        model = artifacts.load(contents)
    return Generator(
        model, contents.vocab, stop=contents.card.get("stop"), is_known=contents.is_known, card=contents.card,
        device=place,
    )  # fmt: skip
