"""`Automaton`: a deterministic finite automaton over the characters of a model; NumPy only."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True, eq=False)
class Automaton:
    """Tells which texts are wanted, character by character.

    Attributes:
        following: the state after a state and a character, int32 ``(states, vocab)``.
        accepts: whether a text may end in a state, bool ``(states,)``.
        state: the one that it is in.
    """

    following: np.ndarray
    accepts: np.ndarray
    state: int = 0

    @classmethod
    def of_everything(cls, vocab_size: int) -> "Automaton":
        """Make one that accepts every text."""
        return cls(np.zeros((1, vocab_size), np.int32), np.ones(1, bool))

    def after(self, ids: Sequence[int]) -> "Automaton":
        """Return the automaton in the state that it has after more characters."""
        state = self.state
        for char_id in ids:
            state = int(self.following[state, char_id])
        return replace(self, state=state)

    def wanted(self, ids: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Tell which texts it accepts, bool ``(texts,)``.

        Args:
            ids: ``(texts, time)``.
            lengths: how many of each row's ids are its text, ``(texts,)``.
        """
        states = np.full(len(ids), self.state)
        for time in range(lengths.max(initial=0)):
            states = np.where(time < lengths, self.following[states, ids[:, time]], states)
        return self.accepts[states]

    def distances(self) -> np.ndarray:
        """Return how many characters each state needs until a text may end, ``(states,)``; -1 where it never may."""
        distances = np.where(self.accepts, 0, -1)
        for distance in range(1, len(distances)):
            near = (distances < 0) & (distances[self.following] == distance - 1).any(axis=1)
            if not near.any():
                break
            distances[near] = distance
        return distances

    def can_end(self, fewest: int, most: int) -> bool:
        """Tell whether it accepts some text of a length between `fewest` and `most`."""
        states = np.array([self.state])
        for length in range(most + 1):
            if length >= fewest and self.accepts[states].any():
                return True
            states = np.unique(self.following[states])
        return False

    def __and__(self, other: "Automaton") -> "Automaton":
        """Return the smallest automaton that accepts what both accept."""
        places = {(self.state, other.state): 0}
        queue, following = list(places), []
        for mine, theirs in queue:  # which grows on the way
            row = []
            for pair in zip(self.following[mine].tolist(), other.following[theirs].tolist(), strict=True):
                if pair not in places:
                    places[pair] = len(places)
                    queue.append(pair)
                row.append(places[pair])
            following.append(row)
        accepts = np.array([bool(self.accepts[mine] and other.accepts[theirs]) for mine, theirs in queue])
        return Automaton(np.array(following, np.int32), accepts).smallest()

    def smallest(self) -> "Automaton":
        """Return the automaton of as few states as can be that accepts the same (Moore's partition refinement)."""
        classes, count = self.accepts.astype(np.int64), 0
        while True:
            each = np.column_stack([classes, classes[self.following]])
            _, first, classes = np.unique(each, axis=0, return_index=True, return_inverse=True)
            classes = classes.ravel()  # NumPy 2.0 gives it another shape
            if len(first) == count:
                break
            count = len(first)
        following = classes[self.following[first]].astype(np.int32)
        return Automaton(following, self.accepts[first], int(classes[self.state]))
