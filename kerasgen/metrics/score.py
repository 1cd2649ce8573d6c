"""Scores: nats and bits per character, the n-gram baseline, and how new a generated text is."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Score:
    """How well a model predicts a text.

    Attributes:
        nats: the summed cross-entropy, in nats.
        chars: the number of predicted characters, stop characters included.
    """

    nats: float
    chars: int

    @property
    def nats_per_char(self) -> float:
        """The cross-entropy in nats per character (NaN where there is no character)."""
        return self.nats / self.chars if self.chars else math.nan

    @property
    def bits_per_char(self) -> float:
        """The cross-entropy in bits per character: total nats / (characters x ln 2)."""
        return self.nats_per_char / math.log(2)

    def __str__(self) -> str:
        return f"{self.nats_per_char:.4f} nats/char ({self.bits_per_char:.4f} bits/char)"


def score_rows(logits_of: Callable[[np.ndarray], np.ndarray], rows: np.ndarray, batch_size: int = 256) -> Score:
    """Score rows of ids under a model.

    Args:
        logits_of: maps ids, int32 ``(batch, time)``, to logits ``(batch, time, vocab)``.
        rows: int32 ``(rows, time + 1)``; each position is predicted from those before it, -1 means "no character".
        batch_size: how many rows to compute at once.

    Returns:
        The summed nats over all characters; float64 sums, so that the order of the rows does not matter.
    """
    nats, chars = 0.0, 0
    for start in range(0, len(rows), batch_size):
        part = rows[start : start + batch_size]
        logits = np.asarray(logits_of(part[:, :-1]), dtype=np.float64)  # (batch, time, vocab)
        targets = part[:, 1:]
        picked = np.take_along_axis(_log_softmax(logits), np.maximum(targets, 0)[..., None], axis=-1)[..., 0]
        nats -= float(picked[targets >= 0].sum())
        chars += int((targets >= 0).sum())
    return Score(nats, chars)


def score_stream(
    advance: Callable[[np.ndarray, Any], tuple[np.ndarray, Any]],
    ids: np.ndarray,
    *,
    before: int,
    state: Any,
    chunk: int = 512,
) -> Score:
    """Score a text read as one stream, with the state carried along.

    Args:
        advance: maps ids, int32 ``(1, chunk)``, and a state to logits ``(chunk, vocab)`` and the state after them.
        ids: int32 ``(characters,)``; every one is predicted from all before it.
        before: the id that stands before the first.
        state: the state before that.
        chunk: how many characters to compute at once; the last part is filled up and cut again.
    """
    inputs, nats = np.concatenate([[before], ids[:-1]]).astype(np.int32), 0.0
    for first in range(0, len(ids), chunk):
        targets = ids[first : first + chunk]
        part = np.zeros((1, chunk), np.int32)
        part[0, : len(targets)] = inputs[first : first + chunk]
        logits, state = advance(part, state)
        logits = np.asarray(logits, np.float64)[: len(targets)]
        nats -= float(_log_softmax(logits)[np.arange(len(targets)), targets].sum())
    return Score(nats, len(ids))


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
