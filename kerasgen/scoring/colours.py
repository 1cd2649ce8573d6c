"""The colours of a page: scales whose lightness alone says which is more, and the ink that is read on each."""

from collections.abc import Sequence
from functools import cache

from kerasgen.base.figures import import_matplotlib

STEPS = 11  # of surprise: 0 to 10 bits and more
SIGNED = 13  # of what a unit gives out, from -1 to 1; an odd number, so that zero has its own
_SCALES = {
    "light": ("YlOrBr", "RdBu_r"),
    "dark": ("YlOrBr_r", "berlin"),
}  # by the scheme: from its paper to the other end
_BLACK, _WHITE = "#000000", "#ffffff"


@cache
def scales(scheme: str) -> tuple[list[str], list[str]]:
    """Return the backgrounds of surprise and of what a unit gives out.

    They are matplotlib's: of one hue by lightness, and of two that the colour-blind tell apart, with the paper between.

    Args:
        scheme: ``"light"`` or ``"dark"``.
    """
    import_matplotlib()
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    one, two = (colormaps[name] for name in _SCALES[scheme])
    first, last = (0.02, 0.92) if scheme == "light" else (0.02, 0.97)
    surprise = [to_hex(one(first + (last - first) * step / (STEPS - 1))) for step in range(STEPS)]
    return surprise, [to_hex(two(0.06 + 0.88 * step / (SIGNED - 1))) for step in range(SIGNED)]


def ink(background: str) -> str:
    """Return black or white, whichever is read better; one of them always has a contrast of 4.58 at the least."""
    return max(_BLACK, _WHITE, key=lambda colour: contrast(colour, background))


def contrast(first: str, second: str) -> float:
    """Return the contrast of two colours as WCAG 2.2 defines it, from 1 to 21."""
    dark, light = sorted(map(_luminance, (first, second)))
    return (light + 0.05) / (dark + 0.05)


def rules() -> str:
    """Return the style of all steps: ``.s1`` to ``.s10`` and ``.a0`` to ``.a12``; no surprise is plain paper."""
    found = []
    for scheme in ("light", "dark"):
        lines = []
        for letter, colours in zip("sa", scales(scheme), strict=True):
            steps = [(step, colour) for step, colour in enumerate(colours) if (letter, step) != ("s", 0)]
            lines += [f".{letter}{step} {{ background: {one}; color: {ink(one)}; }}" for step, one in steps]
        text = "\n".join(lines)
        found.append(text if scheme == "light" else f"@media (prefers-color-scheme: dark) {{\n{text}\n}}")
    return "\n".join(found)


def _luminance(colour: str) -> float:
    parts: Sequence[float] = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
