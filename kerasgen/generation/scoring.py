"""The nats of every character of texts, computed in few shapes, so that few programs are compiled."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from kerasgen.base.errors import BadInputError
from kerasgen.generation.programs import Program
from kerasgen.models.backend import tf
from kerasgen.text.vocab import CharVocab

_TIMES = (32, 128, 512)  # characters of a chunk; texts that are longer than the last take several, the state carried
_ROWS = (1, 8, 64, 256)  # texts side by side
_CELLS = 1 << 15  # characters of a batch
_LOGITS = 1 << 22  # of a batch, at 16 bytes each; a vocabulary of over 128 characters makes it fewer texts


def sequences(text: str, vocab: CharVocab, stop: str | None) -> list[Any]:
    """Return the sequences of ids that a text is scored as: one, or one for each part that a stop character ends.

    Raises:
        BadInputError: the text is empty.
    """
    parts = [text] if stop is None else [part + stop for part in text.split(stop) if part]
    if not any(parts):
        raise BadInputError(f"a text to score must have at least one character; received {text!r}")
    return [vocab.ids(text)] if stop is None else [vocab.encode(part) for part in parts]


class Scorer:
    """Scores texts under a model.

    Args:
        char_model: has ``initial_state(batch)`` and ``logits(ids, state)``.
        device: TensorFlow's name of the device to compute on.
    """

    def __init__(self, char_model: Any, device: str):
        self._model, self._device = char_model, device
        self._program = Program(char_model, Scorer._nats, self)

    def nats(self, texts: Sequence[Sequence[int]], before: int) -> list[np.ndarray]:
        """Score texts, each from a zero state; texts of about the same length are computed side by side.

        Args:
            texts: ids; none is empty.
            before: the id that stands before each text; -1 for the zero input.

        Returns:
            For each text the nats of its characters, float64 ``(characters,)``.
        """
        groups = defaultdict(list)
        for number, ids in enumerate(texts):
            time = next((time for time in _TIMES if time >= len(ids)), 1 << (len(ids) - 1).bit_length())
            groups[time].append(number)
        found: dict[int, np.ndarray] = {}
        for time, numbers in groups.items():
            cells = min(_CELLS, _LOGITS // self._model.vocab_size)
            most = max(1, min(_ROWS[-1], cells // min(time, _TIMES[-1])))
            most = max(size for size in _ROWS if size <= most)
            for first in range(0, len(numbers), most):
                batch = numbers[first : first + most]
                nats = self._batch([texts[number] for number in batch], before, min(time, _TIMES[-1]))
                found |= {number: row[: len(texts[number])] for number, row in zip(batch, nats, strict=True)}
        return [found[number] for number in range(len(texts))]

    def _batch(self, texts, before, chunk):
        """Return the nats of texts side by side, float64 ``(texts, time)``, meaningless beyond their ends."""
        rows = next(size for size in _ROWS if size >= len(texts))
        time = -(-max(map(len, texts)) // chunk) * chunk
        ids = np.full((rows, time + 1), -1, np.int32)
        ids[:, 0] = before
        for row, text in enumerate(texts):
            ids[row, 1 : len(text) + 1] = text
        with tf.device(self._device):
            state, found = self._model.initial_state(rows), []
            for first in range(0, time, chunk):
                nats, state = self._program(tf.constant(ids[:, first : first + chunk + 1]), state)
                found.append(nats.numpy())
        return np.concatenate(found, axis=1)[: len(texts)]

    def _nats(self, ids, state):
        """Map ids ``(rows, chunk + 1)`` to nats, float64 ``(rows, chunk)``, and the state after them."""
        logits, state = self._model.logits(ids[:, :-1], state)
        targets = tf.maximum(ids[:, 1:], 0)
        return tf.nn.sparse_softmax_cross_entropy_with_logits(targets, tf.cast(logits, tf.float64)), state
