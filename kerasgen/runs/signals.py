"""The signals that end a training or a sweep: what was made so far is kept first."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator

_HANGUP = getattr(signal, "SIGHUP", None)  # the terminal has gone; Windows has no such signal
_told: list[int] = []


def note(number: int) -> None:
    """Note a signal for this process that came to another one, which it works for; see `noted`."""
    _told.append(number)


@contextlib.contextmanager
def noted(wanted: bool) -> Iterator[Callable[[], int]]:
    """Note Ctrl-C, SIGTERM and SIGHUP instead of dying of them; those that the process ignores stay ignored.

    A second Ctrl-C or SIGTERM ends at once. A second SIGHUP does nothing, as both the shell and the system may send one
    when a terminal closes.

    Args:
        wanted: whether to do so; else they do what they always do.

    Yields:
        A function that returns the number of the signal that came first, or 0.
    """
    came: list[int] = []
    if not wanted:
        yield lambda: 0
        return
    with _handled(came.append, signal.SIGINT, signal.SIGTERM, _HANGUP):
        yield lambda: (came or _told or [0])[0]


class Interrupted(KeyboardInterrupt):
    """SIGTERM or SIGHUP came; its argument is the number of the signal."""


@contextlib.contextmanager
def interrupting() -> Iterator[None]:
    """Let SIGTERM and SIGHUP do what Ctrl-C does: raise KeyboardInterrupt; those that are ignored stay ignored."""

    def interrupt(number: int) -> None:
        raise Interrupted(number)

    with _handled(interrupt, signal.SIGTERM, _HANGUP):
        yield


@contextlib.contextmanager
def _handled(handle: Callable[[int], None], *numbers: int | None) -> Iterator[None]:
    """Call a function with the first of some signals; those after it do what they did before, or SIGHUP nothing."""
    before = {number: signal.getsignal(number) for number in numbers if number}
    before = {number: handler for number, handler in before.items() if handler not in (signal.SIG_IGN, None)}
    if threading.current_thread() is not threading.main_thread():  # Python signals the main thread only
        before = {}

    def came(number, frame):
        for one, handler in before.items():
            signal.signal(one, signal.SIG_IGN if one == _HANGUP else handler)
        handle(number)

    for number in before:
        signal.signal(number, came)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
