"""kerasgen learns to write, a character at a time.

>>> import kerasgen
>>> dino = kerasgen.load("saved_models/dino.keras")
>>> names = dino.generate(10, prefix="tri", temperature=0.8, seed=0)
"""

from pathlib import Path

from kerasgen.base.version import __version__ as __version__

__all__ = ["__version__", "load", "score"]


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
    from kerasgen.modelfile import store

    contents = store.read(Path(path))

    from kerasgen.generation.generator import Generator
    from kerasgen.models import backend
    from kerasgen.models.prose import LSTMPasses

    place = backend.device(device)
    with backend.tf.device(place):
        model = store.load(contents)
        stepping = LSTMPasses(model) if contents.card.get("kind") == "prose" else model
    return Generator(
        stepping, contents.vocab, start=contents.card.get("start"), stop=contents.card.get("stop"),
        is_known=contents.is_known, card=contents.card, device=place,
    )  # fmt: skip


def score(generator, text: str):
    """Score any text under a model: how well the model predicts it.

    Args:
        generator: from `load`.
        text: for a model of prose, one stream, read from the beginning of a line; for a model of names, one name a
            line, each from its own beginning, the end of the line counted. Upper case is folded where the model knows
            none.

    Returns:
        A `kerasgen.metrics.Score`, with `nats_per_char` and `bits_per_char`.

    Raises:
        ValueError: the text has a character that the model never saw.
    """
    import numpy as np

    from kerasgen.metrics.score import score_rows, score_stream
    from kerasgen.text.names import encode_names

    model, vocab = generator.model, generator.vocab
    text = text.lower() if generator.card.get("lower_case") else text
    if generator.card.get("kind") == "prose":
        ids = np.array(vocab.encode(text), np.int32)
        before = vocab.encode(generator.card["start"])[0]
        return score_stream(model.advance, ids, before=before, state=model.initial_state(1))
    rows = encode_names([name.strip() for name in text.split("\n") if name.strip()], vocab)
    return score_rows(lambda ids: model(ids), rows)
