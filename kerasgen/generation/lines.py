"""A text that ends with a whole line."""

from collections.abc import Generator, Iterable


def ended(text: str, begun: str = "") -> int:
    """Count the lines that have ended in a text, as `whole_lines` does."""
    return sum(bool(line.strip()) for line in (begun + text).split("\n")[:-1])


def whole_lines(pieces: Iterable[str], lines: int, begun: str = "") -> Generator[str, None, int]:
    """Yield the pieces of a text up to the end of a line; where it has fewer lines, all of them.

    An empty line does not count, and neither does one of spaces. Nothing is taken from `pieces` once the text has
    ended.

    Args:
        pieces: the text, as it comes.
        lines: how many.
        begun: what stands before the text in its first line, which then counts whatever is added to it.

    Returns:
        How many lines are missing.
    """
    counts = bool(begun.strip())
    for piece in pieces:
        for place, char in enumerate(piece):
            if char != "\n":
                counts = counts or not char.isspace()
            elif counts:
                lines, counts = lines - 1, False
                if not lines:
                    yield piece[:place]
                    return 0
        yield piece
    return lines
