"""A model as it reads: what it expects before each character, and what its layers give out after it."""

from typing import Any

import numpy as np

from kerasgen.generation.programs import Program
from kerasgen.models.backend import tf

_TIMES = (32, 512)  # characters of a call; of very many different ones, the fewer only
_NUMBERS = 1 << 23  # that come out of what had better be read at once
_MOST = 1 << 25  # that come out of a call


class Reader:
    """Reads texts character by character, as they are generated.

    Args:
        char_model: a model by the contract.
        device: TensorFlow's name of the device to compute on.
    """

    def __init__(self, char_model: Any, device: str):
        self._model, self._device = char_model, device
        with tf.device(device):
            layers = char_model.hidden(char_model.initial_state(1))
        self._numbers = 2 * char_model.vocab_size + sum(layer.shape[-1] for layer in layers)  # a character
        self._times = _TIMES if _TIMES[-1] * self._numbers <= _MOST else _TIMES[:1]
        self._step = Program(char_model, type(char_model).step, char_model)
        self._program = Program(char_model, Reader._read, self)

    @property
    def stretch(self) -> int:
        """How many characters of one text are best read at once: a multiple of what a call reads."""
        return max(1, _NUMBERS // self._numbers // self._times[-1]) * self._times[-1]

    def begin(self, before: int, rows: int = 1) -> Any:
        """Return the state in which texts begin.

        Args:
            before: the id that stands before each; -1 for the zero input.
            rows: how many texts.
        """
        with tf.device(self._device):
            return self._step(tf.fill([rows], before), self._model.initial_state(rows))

    def read(self, ids: np.ndarray, state: Any) -> tuple[np.ndarray, list[np.ndarray], Any]:
        """Read the next characters of texts.

        Args:
            ids: int32 ``(rows, time)``; -1 after a text's end.
            state: from `begin`, or from this where as many characters as `stretch` were read.

        Returns:
            The logits of each place, before its character was read, float64 ``(rows, time, vocab)``; each layer's
            output once it was, float32 ``(rows, time, units)``; and the state after the last character.
        """
        rows, time = ids.shape
        chunk = next((one for one in self._times if one >= time), self._times[-1])
        padded = np.full((rows, -(-time // chunk) * chunk), -1, np.int32)
        padded[:, :time] = ids
        found = []
        with tf.device(self._device):
            for first in range(0, padded.shape[1], chunk):
                *values, state = self._program(tf.constant(padded[:, first : first + chunk]), state)
                found.append([value.numpy() for value in tf.nest.flatten(values)])
        logits, *hidden = (np.moveaxis(np.concatenate(parts), 0, 1)[:, :time] for parts in zip(*found, strict=True))
        return logits, hidden, state

    def _read(self, ids, state):
        """Map ids ``(rows, chunk)`` to logits and outputs, ``(chunk, rows, ...)`` each, and the state after them."""
        rows, time = ids.shape
        expected, inner = state
        shapes = [tf.TensorSpec((rows, self._model.vocab_size), tf.float64)]
        shapes += [tf.TensorSpec((rows, layer.shape[-1]), tf.float32) for layer in self._model.hidden(inner)]
        kept = [tf.TensorArray(one.dtype, time, element_shape=one.shape) for one in shapes]

        def forward(t, expected, inner, *kept):
            logits, inner = self._model.step(ids[:, t], inner)
            values = [tf.cast(expected, tf.float64), *(tf.cast(h, tf.float32) for h in self._model.hidden(inner))]
            return t + 1, logits, inner, *(one.write(t, value) for one, value in zip(kept, values, strict=True))

        _, expected, inner, *kept = tf.while_loop(lambda t, *_: t < time, forward, (0, expected, inner, *kept))
        logits, *hidden = (one.stack() for one in kept)
        return logits, hidden, (expected, inner)
