"""``--seed random``: a seed is drawn before anything else, so that the same can be had again."""

import secrets
from collections.abc import Sequence

LARGEST = 2**32 - 1


def draw() -> int:
    """Return a seed that nobody chose."""
    return secrets.randbelow(LARGEST + 1)


def drawn(words: Sequence[str]) -> tuple[list[str], bool]:
    """Return the arguments of a command with a number in the place of ``--seed random``, and whether there was one.

    A message that says how to resume then names the number.
    """
    found, seed = [], str(draw())
    end = words.index("--") if "--" in words else len(words)
    for place, word in enumerate(words):
        before = words[place - 1] if place else ""
        if place < end and word == "--seed=random":
            word = f"--seed={seed}"
        elif place < end and word == "random" and before == "--seed":
            word = seed
        found.append(word)
    return found, found != list(words)
