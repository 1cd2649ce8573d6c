"""`Served`: a model that answers requests; its work is plain functions, which may be called in any thread."""

from dataclasses import replace
from typing import Any

from kerasgen.base import console
from kerasgen.base.errors import BadInputError, TooFewError
from kerasgen.generation.generator import Generator
from kerasgen.generation.slots import Slots, Text
from kerasgen.metrics.score import Score
from kerasgen.modelfile import store
from kerasgen.serving import requests
from kerasgen.serving.engine import Engine
from kerasgen.serving.settings import ServeSettings

_PARTS = ("prefix", "ends_with", "contains")  # of a name
_SAMPLING = ("temperature", "top_k", "top_p", "seed")
_OF_NAMES = ("min_length", "max_length", "pattern", "unique", "novel_only")


class Served:
    """A model that is served.

    Args:
        name: what requests call it.
        generator: its generator.
        limits: how much a request may ask for.

    Attributes:
        name: see above.
        generator: see above.
        slots: where its texts are generated; None where it writes names.
        engine: what keeps them busy, once the server runs.
    """

    def __init__(self, name: str, generator: Generator, limits: ServeSettings):
        self.name, self.generator, self._limits = name, generator, limits
        self.slots = None if self.names else Slots(generator, limits.streams)
        self.engine: Engine | None = None

    @property
    def names(self) -> bool:
        """Whether it writes names: texts that end by themselves."""
        return self.generator.card.get("stop") is not None

    def about(self) -> dict[str, Any]:
        """Say what it is."""
        writes = "names" if self.names else "a text"
        parameters = self.generator.model.count_params()
        text = console.one_line(store.text_name(self.generator.card))
        return {"name": self.name, "writes": writes, "learned_from": text, "parameters": parameters}

    def begin(self, asked: requests.Generate) -> Text:
        """Read a prompt.

        Raises:
            BadInputError: what is asked for is no text or too much, like below.
        """
        assert self.slots is not None
        length = self.generator.length if asked.length is None else asked.length
        _limit("length", length, self._limits.max_length, "characters")
        _limit("prompt", len(asked.prompt), self._limits.max_prompt, "characters")
        how: dict[str, Any] = {name: getattr(asked, name) for name in (*_SAMPLING, "on_unknown")}
        return self.slots.begin(asked.prompt, length=length, **how)

    def invent(self, asked: requests.Generate) -> tuple[list[str], str]:
        """Return names, and what is to be said of them."""
        longest = self.generator.defaults.max_length if asked.max_length is None else asked.max_length
        _limit("num_samples", asked.num_samples, self._limits.max_samples, "names")
        _limit("max_length", longest, self._limits.max_length, "characters")
        _limit("prefix", len(asked.prefix), self._limits.max_prompt, "characters")
        how: dict[str, Any] = {name: getattr(asked, name) for name in (*_SAMPLING, *_OF_NAMES)}
        notes = []
        for name in _PARTS:
            how[name], note = self._folded(getattr(asked, name) or "", asked.on_unknown)
            notes.append(note)
        texts = self.generator.generate(asked.num_samples, **how)
        if len(texts) < asked.num_samples:
            notes.append(str(TooFewError(len(texts), asked.num_samples)))
        return texts, _joined(notes)

    def score(self, asked: requests.Score) -> tuple[list[Score], str]:
        """Return the scores of texts, and what is to be said of them."""
        _limit("text", sum(map(len, asked.text)), self._limits.max_prompt, "characters in all")
        folded = [self._folded(text, asked.on_unknown) for text in asked.text]
        return self.generator.score([text for text, _ in folded]), _joined(note for _, note in folded)

    def following(self, asked: requests.Next) -> tuple[dict[str, float], str]:
        """Return the probabilities of what comes next, and what is to be said of them."""
        _limit("text", len(asked.text), self._limits.max_prompt, "characters")
        text, note = self._folded(asked.text, asked.on_unknown)
        return self.generator.next_probabilities(text), note

    def _folded(self, text: str, on_unknown: str | None) -> tuple[str, str]:
        """Return a text in the model's characters, and what was read otherwise than it was given."""
        folding = self.generator.folding
        folding = folding if on_unknown is None else replace(folding, on_unknown=on_unknown)  # type: ignore[arg-type]
        return folding.fold(text, self.generator.vocab), folding.changes(text, self.generator.vocab)


def _limit(name: str, value: int, most: int, unit: str) -> None:
    if value > most:
        raise BadInputError(f"{name} must be at most {most:,} {unit} on this server; received {value:,}")


def _joined(notes: Any) -> str:
    return "; ".join(dict.fromkeys(filter(None, notes)))
