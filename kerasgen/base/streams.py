"""Standard input, output and error as every command finds them: all three open, and such that work outlives them.

Whoever starts a command may have closed any of them; a disk may be full, a reader may end, a terminal may go away. What
can't be written to standard error is dropped, as no remark is worth the work. What can't be written to standard output
ends a command whose work that is; once `keep_going` was called, it is dropped, too.
"""

import contextlib
import errno
import io
import os
import select
import sys
from collections.abc import Callable, Iterator
from typing import Any, TextIO

from kerasgen.base.errors import reason


class OutputError(OSError):
    """Standard output can't be written to."""


class _Raw(io.FileIO):
    """A descriptor that is written to, never closed, and remembered to have failed."""

    def __init__(self, number: int, raises: bool, tell: Callable[[str], None]):
        super().__init__(number, "w", closefd=False)
        self.raises, self._tell = raises, tell
        self.lost: OSError | None = None

    def write(self, data: Any) -> int:
        while True:
            try:
                count = super().write(data)
            except OSError as error:
                return self._fail(error, len(data))
            if count is not None:
                return count
            select.select([], [self], [])  # it does not block, and has no room yet

    def _fail(self, error: OSError, count: int) -> int:
        first, self.lost = self.lost is None, self.lost or error
        if self.raises:
            raise OutputError(error.errno, error.strerror) from error
        if first:
            self._tell(why(error))
        return count


class Stream(io.TextIOWrapper):
    """Standard output or error of a command.

    Args:
        number: its descriptor.
        before: what Python has made of it; None where it was closed.
        raises: whether writing raises OutputError; else what can't be written is dropped.
        tell: called with the reason, when something is dropped for the first time.
    """

    def __init__(self, number: int, before: io.TextIOWrapper | None, raises: bool, tell: Callable[[str], None]):
        self._raw = _Raw(number, raises, tell)
        direct = isinstance(getattr(before, "buffer", None), io.RawIOBase)  # python -u
        super().__init__(
            self._raw if direct else io.BufferedWriter(self._raw),
            encoding=before.encoding if before else "utf-8",
            errors="backslashreplace",  # a terminal that can't show a letter shows its number
            line_buffering=before.line_buffering if before else False,
            write_through=direct,
        )

    @property
    def lost(self) -> OSError | None:
        """What happened when something could not be written; None where all was, or its reader has ended."""
        return None if isinstance(self._raw.lost, BrokenPipeError) else self._raw.lost

    @property
    def raises(self) -> bool:
        """Whether writing raises OutputError."""
        return self._raw.raises

    def keep_going(self) -> None:
        """Raise nothing from here on."""
        self._raw.raises = False


def why(error: OSError) -> str:
    """Say in a few words why a stream can't be written to."""
    return "it is closed" if error.errno == errno.EBADF else reason(error)


@contextlib.contextmanager
def guarded(tell: Callable[[str], None]) -> Iterator[None]:
    """Give a command standard streams that are open, and that fail as this module says, until the block ends.

    What is no descriptor of this process, as in tests and in notebooks, stays as it is.

    Args:
        tell: called with the reason, where standard output is lost while the work goes on.
    """
    before = sys.stdin, sys.stdout, sys.stderr
    _open_descriptors()
    sys.stdin = sys.stdin or open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 (as long as the command)
    sys.stdout = _stream(1, sys.stdout, True, tell)
    sys.stderr = _stream(2, sys.stderr, False, lambda _: None)
    try:
        yield
    finally:
        keep_going()
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()  # or Python would complain of it once more at its end
        sys.stdin, sys.stdout, sys.stderr = before


def keep_going() -> None:
    """Let the work go on from here though standard output can't be written to: what is made is worth more."""
    if isinstance(sys.stdout, Stream):
        sys.stdout.keep_going()


def keeps_going() -> bool:
    """Tell whether the work goes on though standard output can't be written to."""
    return isinstance(sys.stdout, Stream) and not sys.stdout.raises


def lost_output() -> OSError | None:
    """Return why something that was printed is lost, after all is written that can be; None where nothing is.

    What a reader did not want any more (`head`, say) is not lost.
    """
    with contextlib.suppress(OutputError):
        sys.stdout.flush()
    return sys.stdout.lost if isinstance(sys.stdout, Stream) else None


class Remarks:
    """A stream for remarks: what can't be written is dropped, also where it is none of a command's.

    Args:
        stream: where they go; None for nowhere.
    """

    def __init__(self, stream: TextIO | None):
        self._stream = stream

    def write(self, text: str) -> int:
        """Write a text, or drop it."""
        with contextlib.suppress(OSError, ValueError):  # ValueError: it was closed
            if self._stream is not None:
                self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Let what was written be seen."""
        with contextlib.suppress(OSError, ValueError):
            if self._stream is not None:
                self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _open_descriptors() -> None:
    """Open the descriptors that were closed, or the next file would take their numbers, and what TensorFlow writes.

    It is /dev/null, opened to be read: from standard input comes nothing, and to write to the others fails.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDONLY), True)  # the lowest number that is free


def _stream(number: int, before: TextIO | None, raises: bool, tell: Callable[[str], None]) -> TextIO:
    if before is not None and not isinstance(before, io.TextIOWrapper):
        return before
    try:
        number = before.fileno() if before else number
    except (OSError, ValueError):  # it is in memory
        before.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
        return before  # type: ignore[return-value]
    with contextlib.suppress(OSError):
        if before:
            before.flush()
    return Stream(number, before, raises, tell)
