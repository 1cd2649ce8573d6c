"""The errors that a user is meant to see: one line with the rule, what was received, and what to do."""

FORMER = {"lower_case": ("case lower", "case keep")}  # what settings of earlier versions are called now


class KerasgenError(Exception):
    """A failure with a message for people.

    Attributes:
        exit_code: what a command exits with; 2 for wrong use, 1 for work that failed, 3 for fewer texts than asked for.
    """

    exit_code = 1


class BadInputError(KerasgenError, ValueError):
    """The user gave something that can't be used."""

    exit_code = 2


class MissingFileError(KerasgenError, FileNotFoundError):
    """A file that the user named does not exist."""

    exit_code = 2


class FailedError(KerasgenError, RuntimeError):
    """The input was right, yet the work could not be done (a disk is full, a download broke off, a loss became NaN)."""


class TooFewError(FailedError):
    """Not as many texts came out as were asked for; those that did are shown all the same.

    Args:
        found: how many there are.
        wanted: how many were asked for.
    """

    exit_code = 3

    def __init__(self, found: int, wanted: int):
        count = f"only {found:,} of the {wanted:,}" if found else "none of the"
        super().__init__(f"the model gives {count} texts asked for; raise --temperature or ask for fewer")


class TooFewWarning(UserWarning):
    """From Python, what `TooFewError` is to a command: the texts that there are were returned."""


class DivergedError(FailedError):
    """The loss became NaN or infinite, as it would again with the same settings."""


class LostError(FailedError):
    """Another worker of the same training has ended, or no longer answers."""


class StoppedError(KerasgenError):
    """A signal stopped the work at a point from which it can be resumed.

    Args:
        message: says so.
        signal: its number; the exit code is 128 more, as with any program that a signal ends.
    """

    def __init__(self, message: str, signal: int):
        super().__init__(message)
        self.exit_code = 128 + signal


def reason(error: BaseException) -> str:
    """Give an exception's own words on one line, for use inside a message."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(str(text).split())


def failure(error: Exception) -> str:
    """Say what failed where the system or a library raised; nothing where the error can only be a mistake of ours."""
    if isinstance(error, OSError):
        where = f"{str(error.filename)!r}: " if error.filename is not None else ""
        return f"{where}{reason(error)}"
    if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":  # TensorFlow's
        return f"there is not enough memory ({reason(error):.100}); ask for less, or close what else is open"
    return ""


def received(value: object) -> str:
    """Give a value as a message shows it: a text in quotes, a date as it is written in TOML, and all in short."""
    try:
        text = repr(value) if isinstance(value, str) else str(value)
    except ValueError:  # Python writes no number of over 4,300 digits
        text = "a number of thousands of digits"
    return text if len(text) <= 200 else f"{text[:197]}..."


def nearest(word: str, known: list[str]) -> str:
    """Give the closest of the known words as a hint (``"; did you mean 'units'?"``), or nothing where none is close."""
    import difflib

    if former := FORMER.get(word.split("=")[0].lstrip("-").replace("-", "_").removeprefix("no_")):
        return f"; it is {' or '.join(('--' if word[:2] == '--' else '') + now for now in former)} now"
    close = [other for other in known if other.startswith(word)] if len(word) > 3 else []
    close = close or difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""
