"""A generator as plain TensorFlow functions with fixed signatures, for programs that do without kerasgen."""

from typing import Any

import numpy as np

from kerasgen.generation.generator import Generator
from kerasgen.generation.loop import BUFFERS, PIECE, Loop
from kerasgen.models.backend import tf

LONGEST = BUFFERS[1]  # characters that a call of `generate` gives at the most


class Portable(tf.Module):
    """The signatures of an exported model; its weights are variables, so that they are saved once.

    Args:
        generator: its model computes in float32.

    Attributes:
        step_signature: a TensorSpec for each argument of `step`.
    """

    def __init__(self, generator: Generator):
        super().__init__()
        self._char_model, self.keras_model = generator.char_model, generator.model
        self._lower = generator.folding.casing.learned == "lower"
        self._vocab = vocab = generator.vocab
        ends = (generator.card.get(key) for key in ("start", "stop"))
        self._start, self._stop = map(vocab.end_id, ends)
        self._loop = Loop(self._char_model, len(vocab), self._stop, generator.device)
        self._states = self._char_model.initial_state(1)
        self.step_signature = [tf.TensorSpec([None], tf.int32, "ids")]
        for number, state in enumerate(tf.nest.flatten(self._states), 1):
            self.step_signature.append(tf.TensorSpec([None, *state.shape[1:]], tf.float32, f"state_{number}"))
        self._points = np.array([ord(char) for char in vocab.chars], np.int32)

    def step(self, ids: Any, *state: Any) -> dict[str, Any]:
        """Read one character of each text.

        Args:
            ids: int32 ``(batch,)``; -1 is the zero input, with which a text may begin.
            state: float32 ``(batch, units)`` each; zeros before a text.

        Returns:
            ``logits`` of the next character, float32 ``(batch, vocab)``, and ``new_state_1``, ``new_state_2``, ... in
            the order of `state`.
        """
        logits, new = self._char_model.step(ids, tf.nest.pack_sequence_as(self._states, state))
        states = {f"new_state_{number}": each for number, each in enumerate(tf.nest.flatten(new), 1)}
        return {"logits": logits, **states}

    def generate(self, prompt: Any, seed: Any, length: Any, temperature: Any, top_k: Any, top_p: Any) -> dict[str, Any]:
        """Continue a prompt: the whole sampling loop, which gives what `Generator.generate` gives as its first text.

        Args:
            prompt: string scalar, UTF-8. It is read in lower case where the model knows no other; characters that the
                model never saw are left out.
            seed: int64 scalar, from 0 to 2^32 - 1.
            length: int32 scalar, how many characters at the most; `LONGEST` is the limit.
            temperature: float32 scalar; 0 takes the likeliest character.
            top_k: int32 scalar; 0 or the number of characters for no limit.
            top_p: float32 scalar; 1 for no limit.

        Returns:
            ``text``: string scalar, without the prompt and without the stop character.
        """
        given = tf.strings.lower(prompt, encoding="utf-8") if self._lower else prompt
        ids = tf.concat([[self._start], self._encode(tf.strings.unicode_decode(given, "UTF-8"))], axis=0)
        read = tf.shape(ids)[0] - 1  # the last one is read when the first is drawn
        padded = tf.pad(ids[:-1], [[0, -read % PIECE]], constant_values=-1)

        def more(first, state):
            return first < read

        def body(first, state):
            piece = tf.ensure_shape(padded[first : first + PIECE], (PIECE,))
            return first + PIECE, self._loop.read(piece, tf.minimum(PIECE, read - first), state)

        _, state = tf.while_loop(more, body, (tf.constant(0), self._states))
        position, everything = tf.cast(read, tf.int64), tf.constant(len(self._vocab))
        least = position + 1 if self._stop >= 0 else position  # a name has one character at the fewest
        top_k = tf.where(top_k < 1, everything, tf.minimum(top_k, everything))
        count = tf.cast(tf.minimum(length, LONGEST), tf.int64)
        numbers = tf.stack([tf.bitwise.left_shift(seed, 32), position, count, least, tf.cast(top_k, tf.int64)])
        settings = tf.stack([temperature, top_p])
        done = tf.constant([False])
        out, *_ = self._loop.program(1)(tf.ensure_shape(ids[-1:], (1,)), state, done, numbers, settings, None, None)
        new = out[:, 0]
        points = tf.gather(self._points, tf.boolean_mask(new, (new >= 0) & (tf.range(LONGEST) < length)))
        return {"text": tf.strings.unicode_encode(points, "UTF-8")}

    def _encode(self, points):
        """Return the ids of code points, int32 ``(characters,)``, without those that the model never saw."""
        order = np.argsort(self._points).astype(np.int32)
        ordered = tf.constant(self._points[order])
        place = tf.minimum(tf.searchsorted(ordered, points), len(order) - 1)
        return tf.gather(order, tf.boolean_mask(place, tf.gather(ordered, place) == points))
