"""`Slots`: many texts in one compiled call, each of its own prompt, seed and sampling; they come and go meanwhile."""

import functools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from kerasgen.base.errors import BadInputError
from kerasgen.generation.chain import GREEDY, Knobs, draw, keep_top_k, keep_top_p, knobs, probabilities
from kerasgen.generation.generator import FIRST_PIECE, Generator
from kerasgen.generation.loop import CELLS, Loop, Start
from kerasgen.generation.sampling import Sampling, require, require_whole
from kerasgen.models.backend import tf
from kerasgen.text.folding import OnUnknown

ROWS = (1, 8, 64, 256)  # texts side by side that programs are compiled for; more than the last can't be
CHUNK = 64  # characters of a call at the most


class Text:
    """A text that is being generated.

    Args:
        start: where it stands.
        sampling: how it goes on.
        length: how many characters are still to come.
        before: the last character that stands before it, or "".
        note: what was read otherwise than it was given; "" for nothing.

    Attributes:
        note: see above.
        seed: that of its draws.
    """

    def __init__(self, start: Start, sampling: Sampling, length: int, before: str, note: str):
        self.start, self.sampling, self.left, self.before, self.note = start, sampling, length, before, note
        self.seed, self.begun = int(sampling.seed), False


class Piece(NamedTuple):
    """What a call of `Slots.advance` has added to a text.

    Attributes:
        text: which one.
        chars: the new characters, as they are shown; "" for none.
        ended: whether it has ended, and so left its slot.
    """

    text: Text
    chars: str
    ended: bool


class Slots:
    """Generates many texts side by side. Each is what `Generator.stream` gives for the same arguments.

    It is so whatever stands in the other slots, but for a uniform number that falls within 1e-5 of a boundary of the
    distribution, as float32 products differ in the last bits with the number of rows.

    Args:
        generator: whose texts.
        most: how many texts side by side at the most; fewer where there are very many characters.
    """

    def __init__(self, generator: Generator, most: int = ROWS[-1]):
        require("most", most, 1 <= most <= ROWS[-1], f"between 1 and {ROWS[-1]}")
        most = min(most, max(1, CELLS // len(generator.vocab)))
        self._generator, self._vocab, self.most = generator, generator.vocab, most
        ends = (generator.card.get(key) for key in ("start", "stop"))
        self._before, self._stop = map(self._vocab.end_id, ends)
        self._loop = Loop(generator.char_model, len(self._vocab), self._stop, generator.device)
        self._real = np.float64 if generator.char_model.compute_dtype == "float64" else np.float32
        self._rows = [*(rows for rows in ROWS if rows < most), next(rows for rows in ROWS if rows >= most)]
        self._texts: list[Text] = []
        with tf.device(generator.device):
            self._nest = generator.char_model.initial_state(1)
        leaves = [leaf.numpy() for leaf in tf.nest.flatten(self._nest)]
        self._states = [np.zeros((self._rows[-1], *leaf.shape[1:]), leaf.dtype) for leaf in leaves]
        self._program = tf.function(self._advancing, jit_compile=True, autograph=False)

    @property
    def busy(self) -> int:
        """How many texts there are."""
        return len(self._texts)

    @property
    def full(self) -> bool:
        """Whether no other text can join."""
        return len(self._texts) >= self.most

    def compile(self) -> None:
        """Compile all programs, so that no text waits for that."""
        self._loop.begin([self._before, 0])
        for rows in self._rows:
            self._call(rows, 0)

    def begin(
        self,
        prompt: str = "",
        *,
        length: int | None = None,
        temperature: float | None = None,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int | None = None,
        on_unknown: OnUnknown | None = None,
    ) -> Text:
        """Read a prompt, which may be done in any thread; the text stands in no slot until it is given to `join`.

        Args:
            prompt: as for `Generator.stream`, like all others.
            length: see there.
            temperature: see there.
            top_k: see there.
            top_p: see there.
            seed: see there.
            on_unknown: see there.

        Raises:
            BadInputError: a value is outside its range, or the prompt has a character that the model never saw.
        """
        length = self._generator.length if length is None else length
        require_whole("length", length, 1)
        folding = self._generator.folding
        folding = folding if on_unknown is None else replace(folding, on_unknown=on_unknown)
        note, prompt = folding.changes(prompt, self._vocab), folding.fold(prompt, self._vocab)
        ids = self._vocab.encode(prompt)
        if self._stop in ids:
            raise BadInputError(f"a part of a text must not hold the character that ends one; received {prompt!r}")
        asked: dict[str, Any] = {"temperature": temperature, "top_k": top_k, "top_p": top_p, "seed": seed}
        sampling = replace(
            self._generator.defaults, **{key: value for key, value in asked.items() if value is not None}
        )
        return Text(self._loop.begin([self._before, *ids]), sampling, length, prompt[-1:], note)

    def join(self, text: Text) -> None:
        """Give a text a slot; there must be one."""
        place = len(self._texts)
        for all_of_them, leaf in zip(self._states, tf.nest.flatten(text.start.state), strict=True):
            all_of_them[place] = leaf.numpy()[0]
        self._texts.append(text)

    def leave(self, text: Text) -> None:
        """Take a text's slot from it; nothing where it has ended, and so has none."""
        if text not in self._texts:
            return
        place, last = self._texts.index(text), len(self._texts) - 1
        for all_of_them in self._states:
            all_of_them[place] = all_of_them[last]
        self._texts[place] = self._texts[last]
        self._texts.pop()

    def advance(self) -> Iterator[Piece]:
        """Generate some characters of every text: as many as a stream's first piece where one has none yet."""
        texts = list(self._texts)
        most = CHUNK if all(text.begun for text in texts) else FIRST_PIECE
        count = min(most, max(text.left for text in texts))
        ids = self._call(next(rows for rows in self._rows if rows >= len(texts)), count)
        for text, row in zip(texts, ids.T, strict=False):
            new = row[: min(count, text.left)]
            new = new[new >= 0]
            text.start = Start(int(new[-1]) if len(new) else text.start.last, None, text.start.position + len(new))
            ended = text.left <= count or len(new) < count
            text.left, text.begun = text.left - len(new), True
            chars = self._vocab.decode(new)
            shown = self._generator.folding.casing.show(chars, text.before) if chars else ""
            text.before = chars[-1:]
            if ended:
                self.leave(text)
            yield Piece(text, shown, ended)

    def _call(self, rows: int, count: int) -> np.ndarray:
        """Generate so many characters of all texts; return their ids, ``(CHUNK, rows)``, and keep the states."""
        last, where = np.full(rows, -1, np.int32), np.zeros((2, rows), np.uint64)
        reals, top_k = np.ones((2, rows, 1), self._real), np.full((rows, 1), len(self._vocab), np.int32)
        for place, text in enumerate(self._texts):
            turned = knobs(text.sampling, len(self._vocab), self._real)
            last[place], where[:, place] = text.start.last, (text.seed << 32, text.start.position)
            reals[:, place, 0], top_k[place, 0] = (turned.temperature, turned.top_p), turned.top_k
        with tf.device(self._generator.device):
            state = tf.nest.pack_sequence_as(self._nest, [tf.constant(leaf[:rows]) for leaf in self._states])
            given = [tf.constant(each) for each in (last, where.view(np.int64), reals, top_k, np.int32(count))]
            out, state = self._program(state, *given)
            for all_of_them, leaf in zip(self._states, tf.nest.flatten(state), strict=True):
                all_of_them[:rows] = leaf.numpy()
            return out.numpy()

    def _advancing(self, state, last, where, reals, top_k, count):
        """Generate a chunk.

        Args:
            state: the model's.
            last: int32 ``(rows,)``, the last characters.
            where: int64 ``(2, rows)``: the keys of the draws, and the positions.
            reals: temperatures and top-p, ``(2, rows, 1)``; 1 for no limit.
            top_k: int32 ``(rows, 1)``; the number of characters for no limit.
            count: int scalar, how many characters.
        """
        (rows,), vocab_size = last.shape, len(self._vocab)
        turned, uniforms = Knobs(reals[0], top_k, reals[1]), self._uniforms(where[0], where[1], count)

        def run(way):
            def body(t, ids, state, done, out):
                ids, state = self._loop.step(ids, state, uniforms[t], *turned, way=way)
                done = done | (ids == self._stop)
                out = tf.tensor_scatter_nd_update(out, [[t]], tf.where(done, -1, ids)[None])
                return t + 1, tf.ensure_shape(ids, (rows,)), state, done, out

            start = (tf.constant(0), last, state, tf.fill((rows,), False), tf.fill((CHUNK, rows), -1))
            _, _, after, _, out = tf.while_loop(lambda t, *_: t < count, body, start)
            return out, after

        limited = tf.reduce_any((turned.top_k < vocab_size) | (turned.top_p < 1))
        return tf.cond(limited, functools.partial(run, _limited), functools.partial(run, _drawn))

    def _uniforms(self, keys, positions, count):
        """Return what `Loop` draws the first of its rows with, for each text and each of its next characters.

        Args:
            keys: int64 ``(rows,)``.
            positions: int64 ``(rows,)``.
            count: int scalar, how many of each are needed.

        Returns:
            ``(CHUNK, rows)``.
        """
        (rows,), real = keys.shape, tf.as_dtype(self._real)

        def body(i, out):
            row = i % rows
            seed = tf.stack([keys[row], positions[row] + tf.cast(i // rows, tf.int64)])
            number = tf.random.stateless_uniform((1,), seed, alg="philox", dtype=real)
            return i + 1, tf.tensor_scatter_nd_update(out, [[i]], number)

        start = tf.constant(0), tf.zeros((CHUNK * rows,), real)
        _, out = tf.while_loop(lambda i, _: i < count * rows, body, start)
        return tf.reshape(out, (CHUNK, rows))


def _drawn(logits: Any, uniform: Any, knobs: Knobs, limited: bool = False) -> Any:
    """Draw ids; where the temperature is zero, take the likeliest. The knobs are ``(batch, 1)``, those of each text."""
    greedy = knobs.temperature < GREEDY
    probs = probabilities(logits, tf.where(greedy, tf.ones_like(knobs.temperature), knobs.temperature))
    if limited:
        probs = tf.where(knobs.top_k < logits.shape[-1], keep_top_k(probs, knobs.top_k), probs)
        probs = tf.where(knobs.top_p < 1, keep_top_p(probs, knobs.top_p), probs)
    return tf.where(greedy[:, 0], tf.argmax(logits, axis=-1, output_type=tf.int32), draw(probs, uniform))


_limited = functools.partial(_drawn, limited=True)  # from what each text's top-k, then its top-p, leave
