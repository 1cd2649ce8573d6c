"""The compiled loop: many texts side by side, a stretch of characters a call, the state carried from call to call."""

import functools
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from kerasgen.base.machine import cores
from kerasgen.generation.batches import BLOCK
from kerasgen.generation.chain import WAYS, Guide, Knobs, drawn, forbid, kept, knobs, way
from kerasgen.generation.programs import Program
from kerasgen.generation.sampling import Sampling
from kerasgen.models.backend import tf

BUFFERS = {1: 16384, 8: 4096, 64: 512, BLOCK: 128}  # characters a call, by the rows that programs are compiled for
PIECE = 4096  # characters that are read in one call, and the most of a stream's piece
_MOST_PARTS = 8  # of a block, a core each: smaller ones would be slower in sum
CELLS = 1 << 23  # rows x characters of what is computed at once: some ten tensors of this size are there then


class Start(NamedTuple):
    """Where a text stands that is to be continued.

    Attributes:
        last: the id of its last character, not yet read; -1 is the zero input.
        state: the model's state before that, batch 1.
        position: how many characters it has.
    """

    last: int
    state: Any
    position: int


class Loop:
    """The programs that generate with one model: one for each number of rows, whatever the sampling and the lengths.

    Args:
        char_model: has ``initial_state(batch)``, ``step(ids, state)`` and ``compute_dtype``.
        vocab_size: the number of characters.
        stop: the id that ends a text; -1 for none.
        device: TensorFlow's name of the device to compute on.
    """

    def __init__(self, char_model: Any, vocab_size: int, stop: int, device: str):
        self._model, self._vocab_size, self._stop, self._device = char_model, vocab_size, stop, device
        self._dtype = tf.float64 if char_model.compute_dtype == "float64" else tf.float32
        self._parts = 1 << (min(cores(), _MOST_PARTS).bit_length() - 1) if "CPU" in device else 1
        self._programs: dict[int, Any] = {}  # by the number of rows
        self.read = Program(char_model, Loop._reading, self)
        self._peek = Program(char_model, type(char_model).step, char_model)
        self._spread = Program(char_model, Loop._spreading, self)

    def begin(self, ids: list[int]) -> Start:
        """Read the beginning of a text.

        Args:
            ids: what stands before the text (-1 for the zero input), then the text.
        """
        before = len(ids) - 1
        with tf.device(self._device):
            state = self._model.initial_state(1)
            for first in range(0, before, PIECE):
                given = ids[first : min(first + PIECE, before)]
                padded = np.full((PIECE,), -1, np.int32)
                padded[: len(given)] = given
                state = self.read(tf.constant(padded), tf.constant(len(given)), state)
        return Start(ids[-1], state, before)

    def probabilities(self, start: Start) -> np.ndarray:
        """Return those of what follows at temperature 1, float64 ``(vocab,)``."""
        with tf.device(self._device):
            logits, _ = self._peek(tf.constant([start.last]), start.state)
            logits = tf.cast(logits[0], tf.float64).numpy()
        probs = np.exp(logits - logits.max())
        return probs / probs.sum()

    def spread(self, ids: np.ndarray, state: Any, sampling: Sampling) -> tuple[np.ndarray, Any]:
        """Return how the next characters of texts are drawn.

        Args:
            ids: the last characters, ``(texts,)``.
            state: the model's before them; that of one text stands for all.
            sampling: its temperature is not zero.

        Returns:
            The probabilities ``(texts, vocab)``, and the new state.
        """
        turned, real = knobs(sampling, self._vocab_size, self._dtype.as_numpy_dtype), self._dtype
        with tf.device(self._device):
            state = tf.nest.map_structure(lambda x: tf.broadcast_to(x, (len(ids), *x.shape[1:])), state)
            given = tf.constant(turned.temperature, real), tf.constant(turned.top_k), tf.constant(turned.top_p, real)
            probs, state = self._spread(tf.constant(ids, tf.int32), state, *given)
            return probs.numpy(), state

    def pieces(
        self,
        start: Start,
        rows: int,
        key: int,
        sampling: Sampling,
        *,
        uniforms: np.ndarray | None = None,
        first: int | None = None,
    ) -> Iterator[np.ndarray]:
        """Generate texts side by side, piece by piece, the state carried from one to the next.

        Args:
            start: from `begin`; all texts continue it.
            rows: how many texts, one of `BUFFERS`.
            key: with a row's number and the position, what a draw depends on.
            sampling: its seed is not looked at.
            uniforms: the numbers to draw with instead, ``(rows, max_length)``.
            first: how long the first piece is; each further one is twice as long, up to `PIECE`. None for pieces as
                long as can be. It changes no text.

        Yields:
            New ids, int32 ``(rows, characters)``, -1 after a text's end.
        """
        for ids, _ in self._pieces(start, rows, key, sampling, uniforms=uniforms, first=first):
            yield ids

    def guided(
        self, start: Start, key: int, sampling: Sampling, guide: Guide, state: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Generate a block of texts that a guide leads.

        Args:
            start: from `begin`; all texts continue it.
            key: with a row's number and the position, what a draw depends on.
            sampling: its seed and `min_length` are not looked at.
            guide: leads them.
            state: the automaton's at the start.

        Returns:
            New ids, int32 ``(BLOCK, characters)``, -1 after a text's end, and the logarithm of each text's weight:
            of its probability over that with which it was generated, ``(BLOCK,)``.
        """
        start = start._replace(state=(start.state, tf.constant([state]), tf.zeros((1,), self._dtype)))
        pieces, states = zip(*self._pieces(start, BLOCK, key, sampling, guide=guide), strict=True)
        return np.concatenate(pieces, axis=1), states[-1][2].numpy()

    def _pieces(self, start, rows, key, sampling, *, uniforms=None, first=None, guide=None):
        """Yield what `pieces` does, and the state after it."""
        if rows not in self._programs:
            self._programs[rows] = self.program(rows)
        program, longest, position = self._programs[rows], BUFFERS[rows], start.position
        real = self._dtype.as_numpy_dtype
        temperature, top_k, top_p = knobs(sampling, self._vocab_size, real)
        with tf.device(self._device):
            settings = tf.constant(np.array([temperature, top_p], real))
            ids, done = tf.constant(np.full(rows, start.last, np.int32)), tf.constant(np.zeros(rows, bool))
            state = start.state
            if rows > 1:
                state = tf.nest.map_structure(lambda x: tf.broadcast_to(x, (rows, *x.shape[1:])), state)
        size = first or longest
        while position < sampling.max_length:
            count = min(size, sampling.max_length - position)
            given = None if uniforms is None else _padded(uniforms[:, position : position + count].T, longest, real)
            numbers = np.array([key, position, count, sampling.min_length, top_k], np.uint64).astype(np.int64)
            with tf.device(self._device):
                out, ids, state, done = program(ids, state, done, tf.constant(numbers), settings, given, guide)
            yield out.numpy()[:count].T, state
            if done.numpy().all():
                return
            position += count
            size = min(2 * size, PIECE) if first else longest

    def program(self, rows):
        """Return the program of so many rows; a block is cut into parts that are computed side by side, a core each.

        Where there are very many characters, the parts are smaller, and wait for each other.
        """
        beside = self._parts if rows == BLOCK else 1
        parts = beside
        while parts < rows and rows * self._vocab_size > CELLS * parts:
            parts *= 2
        if parts > beside:
            beside = 1
        facts = rows // parts, parts, beside
        return functools.partial(Program(self._model, Loop._side_by_side, self, self._stop, facts, xla=False), *facts)

    def _side_by_side(self, share, parts, beside, *given):
        program = Program(self._model, Loop._loop, self, self._stop, share)
        # Every part takes its rows itself: cutting them out here would let one part wait for the other.
        made: list[Any] = []
        for part in range(parts):
            with tf.control_dependencies([made[-beside][0]] if part >= beside else []):
                made.append(program(share, tf.constant(part), *given))
        outs, *rest = zip(*made, strict=True)
        joined = [tf.nest.map_structure(lambda *xs: tf.concat(xs, axis=0), *each) for each in rest]
        return tf.concat(outs, axis=1), *joined

    def _loop(self, share, part, ids, state, done, numbers, settings, uniforms, guide):
        """Generate a piece of a part of some texts, in one of the `WAYS`.

        Args:
            share: how many texts a part has.
            part: int scalar, which one this is.
            ids: int32 ``(rows,)``, the last characters of all texts.
            state: the model's before them; with a guide, that, the automaton's, and the logarithm of the weights.
            done: bool ``(rows,)``.
            numbers: int64: the key, the position, how many characters, `min_length`, `top_k`.
            settings: temperature and `top_p`.
            uniforms: ``(buffer, rows)`` or None.
            guide: what leads the texts, or None.

        Returns:
            New ids ``(buffer, share)``, then `ids`, `state` and `done` of this part as they are now.
        """
        (key, position, count, min_length, top_k), (rows,) = tf.unstack(numbers), ids.shape

        def own(x):
            # A slice would do as well, but for it XLA would compile the program anew for each value of `part`.
            return tf.gather(tf.reshape(x, (rows // share, share, *x.shape[1:])), part)

        ids, state, done = tf.nest.map_structure(own, (ids, state, done))
        count = tf.cast(count, tf.int32)
        turned = Knobs(settings[0], tf.cast(top_k, tf.int32), settings[1])

        def going(t, ids, state, done, out):
            return (t < count) & ~tf.reduce_all(done)

        def run(way):
            def body(t, ids, state, done, out):
                here = position + tf.cast(t, tf.int64)
                if uniforms is None:
                    seed = tf.stack([key, here])
                    uniform = tf.random.stateless_uniform((rows,), seed, alg="philox", dtype=self._dtype)
                else:
                    uniform = tf.gather(uniforms, t)
                if guide is None:
                    allowed = here >= min_length
                    ids, state = self.next_ids(ids, state, own(uniform), *turned, stop_allowed=allowed, way=way)
                else:
                    ids, state = self._guided_step(ids, state, done, own(uniform), turned, here, way, guide)
                done = done | (ids == self._stop)
                out = tf.tensor_scatter_nd_update(out, [[t]], tf.where(done, -1, ids)[None])
                return t + 1, tf.ensure_shape(ids, (share,)), state, done, out

            start = (tf.constant(0), ids, state, done, tf.fill((BUFFERS[rows], share), -1))
            _, *after, out = tf.while_loop(going, body, start)
            return out, *after

        # The choice stands outside of the loop, so that no character pays for it.
        return tf.switch_case(way(turned, self._vocab_size), [functools.partial(run, each) for each in WAYS])

    def _reading(self, ids, count, state):
        def body(i, state):
            return i + 1, self._model.step(tf.gather(ids, i)[None], state)[1]

        return tf.while_loop(lambda i, state: i < count, body, (tf.constant(0), state))[1]

    def next_ids(self, ids, state, uniform, temperature, top_k=1, top_p=1.0, stop_allowed=True, way=drawn):
        """Draw the next characters: the one step that every generation is made of.

        Args:
            ids: int32 ``(batch,)``, the last characters; -1 is the zero input.
            state: the model's state.
            uniform: ``(batch,)`` in [0, 1).
            temperature: positive scalar.
            top_k: int scalar, looked at by the way `limited` only.
            top_p: scalar, looked at by the way `limited` only.
            stop_allowed: bool scalar; where False, the stop character has no probability.
            way: one of `WAYS`.

        Returns:
            The new ids ``(batch,)`` and the new state.
        """
        logits, state = self._logits(ids, state)
        if self._stop >= 0:
            logits = forbid(logits, self._stop, ~tf.convert_to_tensor(stop_allowed))
        temperature, top_p = tf.cast(temperature, logits.dtype), tf.cast(top_p, logits.dtype)
        return way(logits, tf.cast(uniform, logits.dtype), Knobs(temperature, top_k, top_p)), state

    step = tf.function(next_ids, autograph=False)

    def _guided_step(self, ids, state, done, uniform, knobs, position, way, guide):
        """Draw the next characters, and keep account of the automaton's state and of the texts' weights."""
        inner, places, weights = state
        logits, inner = self._logits(ids, inner)
        ahead = tf.cast(guide.ahead(tf.cast(position, tf.int32), places, ids), logits.dtype)
        ids, gain = way(logits, tf.cast(uniform, logits.dtype), knobs, ahead)
        return ids, (inner, guide.after(places, ids), tf.where(done, weights, weights + gain))

    def _spreading(self, ids, state, temperature, top_k, top_p):
        logits, state = self._logits(ids, state)
        return kept(logits, Knobs(temperature, top_k, top_p)), state

    def _logits(self, ids, state):
        logits, state = self._model.step(ids, state)
        return tf.ensure_shape(tf.cast(logits, self._dtype), (None, self._vocab_size)), state


def _padded(numbers, length, dtype):
    """Return numbers ``(time, rows)`` as a tensor ``(length, rows)``."""
    padded = np.zeros((length, numbers.shape[1]), dtype)
    padded[: len(numbers)] = numbers
    return tf.constant(padded)
