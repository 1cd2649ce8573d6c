"""`Generator`: the one way to ask a model for text, for scores, and for the probabilities of what comes next."""

import warnings
from collections.abc import Container, Iterator
from dataclasses import replace
from typing import Any, overload

import numpy as np

from kerasgen.base.errors import BadInputError, TooFewError, TooFewWarning
from kerasgen.generation.batches import Batch
from kerasgen.generation.loop import Loop, Start
from kerasgen.generation.rows import Rows
from kerasgen.generation.sampling import Sampling, require_whole
from kerasgen.generation.scoring import Scorer, sequences
from kerasgen.generation.summary import summary
from kerasgen.metrics.score import Score
from kerasgen.text.folding import Folding, OnUnknown
from kerasgen.text.vocab import CharVocab

FIRST_PIECE = 16  # characters of a stream's first piece


class Generator:
    """Generates and scores texts with a model of characters.

    A character is drawn by inverse CDF from one uniform number in [0, 1), which depends on (seed, row, position) alone:
    neither on how many texts are asked for nor on their length. Where an argument of `generate` or `stream` is None,
    `defaults` holds. What is lower-cased, replaced or left out of a given text is said by `folding`; if a character
    was replaced or left out, a `UserWarning` says so. Generated texts are in the case that its `casing` shows.

    Args:
        char_model: a model by the contract; `generate` and `stream` need its ``initial_state``, ``step`` and
            ``compute_dtype``, `score` its ``logits``.
        vocab: its characters.
        start: the character that stands before a text; None for the zero input.
        stop: the character that ends a text; None where there is none.
        known: the texts that the model learned from.
        folding: how texts are read that have other characters.
        defaults: how to sample where a call does not say.
        length: how many characters to generate where texts have no stop character and a call does not say.
        card: what is known of the model, for people.
        device: TensorFlow's name of the device to compute on.

    Attributes:
        char_model: the model, by the contract.
        vocab: its characters.
        defaults: how it samples where a call does not say.
        card: what is known of it.
    """

    def __init__(
        self,
        char_model: Any,
        vocab: CharVocab,
        *,
        start: str | None = None,
        stop: str | None = None,
        known: Container[str] = frozenset(),
        folding: Folding = Folding(),  # noqa: B008  (frozen)
        defaults: Sampling = Sampling(),  # noqa: B008  (frozen)
        length: int = 400,
        card: dict[str, Any] | None = None,
        device: str = "/CPU:0",
    ):
        self.char_model, self.vocab, self.known, self.folding = char_model, vocab, known, folding
        self.defaults, self.length, self.card, self.device = defaults, length, card or {}, device
        self._start = vocab.end_id(start)
        self._stop = stop
        self._loop = Loop(char_model, len(vocab), vocab.end_id(stop), device)
        self._rows = Rows(self._loop, vocab, stop, known, folding.casing)
        self._scorer = Scorer(char_model, device)

    @property
    def model(self) -> Any:
        """The Keras model."""
        return self.char_model.keras_model()

    @property
    def step(self) -> Any:
        """The compiled step that every generation is made of; see `kerasgen.generation.loop.Loop.step`."""
        return self._loop.step

    def __repr__(self) -> str:
        return f"<Generator: {summary(self.char_model, self.vocab, self.card)}>"

    def generate(
        self,
        num_samples: int = 1,
        *,
        prefix: str = "",
        temperature: float | None = None,
        top_k: int | None = None,
        top_p: float | None = None,
        min_length: int | None = None,
        max_length: int | None = None,
        ends_with: str | None = None,
        contains: str | None = None,
        pattern: str | None = None,
        seed: int | None = None,
        unique: bool = False,
        novel_only: bool = False,
        uniforms: np.ndarray | None = None,
        on_unknown: OnUnknown | None = None,
        sampling: Sampling | None = None,
    ) -> list[str]:
        """Generate texts, each up to the stop character (which is not part of it).

        What is asked of a text is a condition: the texts follow the model's own distribution, given that. Where there
        is no stop character, or `uniforms` are given, a text is cut at `max_length` instead, and ends with the stop
        character only from `min_length` on.

        Args:
            num_samples: how many.
            prefix: what each text begins with, after folding.
            temperature: the logits are divided by it; 0 takes the likeliest character.
            top_k: draw from the k likeliest characters only.
            top_p: draw from the smallest set of likeliest characters that have this probability together.
            min_length: the fewest characters, `prefix` included.
            max_length: the most characters, `prefix` included; None for the default, which is the prefix and `length`
                characters where texts have no stop character.
            ends_with: what each text ends with, after folding.
            contains: what each text holds, after folding.
            pattern: a regular expression that each whole text matches; where the model knows no capitals, they are
                read as small letters. Anchors inside, look-around and back-references are not understood.
            seed: the same seed gives the same texts; text i of 100 is text i of 10.
            unique: leave out repetitions of a generated text.
            novel_only: leave out texts that the model learned from.
            uniforms: the numbers to draw with instead of those of `seed`, ``(num_samples, max_length)`` in [0, 1).
            on_unknown: what to do with a character of the prefix that the model never saw: ``"error"``, ``"skip"`` or
                ``"replace"`` (by its twin, as e for é, or by nothing), or ``"twin"`` (an error where it has none).
            sampling: what holds instead of `defaults` where an argument is None.

        Returns:
            The texts in the order of their rows: fewer than `num_samples`, with a `TooFewWarning`, where hardly any
            more can be what was asked for.

        Raises:
            BadInputError: a value is outside its range, or the prefix has a character that the model never saw, or no
                text can be what was asked for.
        """
        prefix = self._prefix(prefix, on_unknown)
        if max_length is None and self._stop is None and sampling is None:
            max_length = len(prefix) + self.length
        sampling = self._sampling(
            sampling, temperature=temperature, top_k=top_k, top_p=top_p, min_length=min_length, max_length=max_length,
            ends_with=ends_with, contains=contains, pattern=pattern, seed=seed,
        )  # fmt: skip
        batches = self._rows.batches(
            num_samples, prefix, self._begin, self._parts(sampling, on_unknown),
            unique=unique, novel_only=novel_only, uniforms=uniforms,
        )  # fmt: skip
        chosen = [text for batch in batches for text in batch.texts]
        if len(chosen) < num_samples:
            warnings.warn(str(TooFewError(len(chosen), num_samples)), TooFewWarning, stacklevel=2)
        return chosen

    def batches(
        self, num_samples: int, *, rows: range | None = None, prefix: str = "", unique: bool = False,
        novel_only: bool = False, sampling: Sampling | None = None,
    ) -> Iterator[Batch]:  # fmt: skip
        """Yield texts as `generate` returns them, however many, by batches of up to 1,024 that are not kept.

        Args:
            num_samples: how many.
            rows: of them, those to generate; None for all. A row's text is the same whichever are asked for.
            prefix: see `generate`, as for what follows.
            unique: keeps all texts in memory, and can't be asked for of some rows only.
            novel_only: see `generate`.
            sampling: see `generate`.

        Raises:
            BadInputError: as for `generate`; or some rows were asked for, and can't be had without those before them.
        """
        prefix, asked = self._prefix(prefix, None), self._parts(sampling or self.defaults, None)
        return self._rows.batches(
            num_samples, prefix, self._begin, asked, rows=rows, unique=unique, novel_only=novel_only
        )

    def stream(
        self,
        prompt: str = "",
        *,
        length: int | None = None,
        temperature: float | None = None,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int | None = None,
        on_unknown: OnUnknown | None = None,
        sampling: Sampling | None = None,
    ) -> Iterator[str]:
        """Continue a prompt piece by piece: text 0 of what `generate` gives with that prefix.

        The first piece has 16 characters and comes at once; each further one is twice as long, up to 4096.

        Args:
            prompt: what was written before; it is not part of what is yielded.
            length: how many characters to generate; None for the generator's `length`.
            temperature: as for `generate`, like the following.
            top_k: see `generate`.
            top_p: see `generate`.
            seed: see `generate`.
            on_unknown: see `generate`.
            sampling: see `generate`; its lengths are not looked at.

        Raises:
            BadInputError: a value is outside its range, or the prompt has a character that the model never saw.
        """
        length = self.length if length is None else length
        require_whole("length", length, 1)
        prompt = self._prefix(prompt, on_unknown)
        sampling = self._sampling(
            sampling, temperature=temperature, top_k=top_k, top_p=top_p, min_length=0,
            max_length=len(prompt) + length, seed=seed,
        )  # fmt: skip
        pieces = self._loop.pieces(self._begin(prompt), 1, int(sampling.seed) << 32, sampling, first=FIRST_PIECE)
        return self.folding.casing.show_pieces((self.vocab.decode(piece[0]) for piece in pieces), prompt)

    def next_probabilities(self, text: str = "", *, on_unknown: OnUnknown | None = None) -> dict[str, float]:
        """Return the probability of every character after a text, likeliest first: the model's own distribution.

        Args:
            text: what was written before.
            on_unknown: as for `generate`.

        Returns:
            All characters, the stop character included, with their probabilities at temperature 1, in the case that the
            model learned.

        Raises:
            BadInputError: the text has a character that the model never saw.
        """
        probs = self._loop.probabilities(self._begin(self._prefix(text, on_unknown)))
        return {self.vocab.chars[i]: float(probs[i]) for i in np.argsort(-probs, kind="stable").tolist()}

    @overload
    def score(self, text: str, *, on_unknown: OnUnknown | None = None) -> Score: ...

    @overload
    def score(self, text: list[str] | tuple[str, ...], *, on_unknown: OnUnknown | None = None) -> list[Score]: ...

    def score(
        self, text: str | list[str] | tuple[str, ...], *, on_unknown: OnUnknown | None = None
    ) -> Score | list[Score]:
        """Score a text, or each of several: how well the model predicts every character.

        Args:
            text: one text or a list. Where texts have a stop character, a text is one item, or several with that
                character between them; each is read from its own beginning, and its stop character counts. Else it is
                one stream, with the state carried along.
            on_unknown: as for `generate`.

        Returns:
            The `Score` of the text, or a list of them.

        Raises:
            BadInputError: a text is empty or has a character that the model never saw.
        """
        items = []
        for one in [text] if isinstance(text, str) else text:
            items.append(sequences(self._read(one, on_unknown, level=3), self.vocab, self._stop))
        nats = iter(self._scorer.nats([ids for each in items for ids in each], self._start))
        scores = [Score(np.concatenate([next(nats) for _ in each])) for each in items]
        return scores[0] if isinstance(text, str) else scores

    def fold(self, text: str, on_unknown: OnUnknown | None = None) -> str:
        """Return a text in the characters that the model knows, and warn if one was replaced or left out.

        Args:
            text: as someone typed it.
            on_unknown: as for `generate`; None for that of the generator's `folding`.

        Raises:
            BadInputError: the text has a character that the model never saw, and that is an error.
        """
        return self._read(text, on_unknown, level=3)

    def _read(self, text: str, on_unknown: OnUnknown | None, level: int) -> str:
        """Fold a text; the warning points `level` frames up from here, to the caller's own line."""
        folding = self.folding if on_unknown is None else replace(self.folding, on_unknown=on_unknown)
        folded = folding.fold(text, self.vocab)
        if changes := folding.changes(text, self.vocab):
            warnings.warn(changes, UserWarning, stacklevel=level)
        return folded

    def _prefix(self, text: str, on_unknown: OnUnknown | None) -> str:
        folded = self._read(text, on_unknown, level=4)
        if self._stop is not None and self._stop in folded:
            raise BadInputError(f"a part of a text must not hold the character that ends one; received {text!r}")
        return folded

    def _parts(self, sampling: Sampling, on_unknown: OnUnknown | None) -> Sampling:
        end, part = (self._prefix(each, on_unknown) for each in (sampling.ends_with, sampling.contains))
        return replace(sampling, ends_with=end, contains=part)

    def _sampling(self, base: Sampling | None, **given: Any) -> Sampling:
        return replace(base or self.defaults, **{key: value for key, value in given.items() if value is not None})

    def _begin(self, prefix: str) -> Start:
        return self._loop.begin([self._start, *self.vocab.encode(prefix)])
