"""The signals that end a training: they are noted, so that what it has learned is saved first."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator

_HANGUP = getattr(signal, "SIGHUP", None)  # the terminal has gone; Windows has no such signal


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
    if not wanted or threading.current_thread() is not threading.main_thread():  # Python signals the main thread only
        yield lambda: 0
        return
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, _HANGUP) if number}
    handlers = {number: handler for number, handler in handlers.items() if handler not in (signal.SIG_IGN, None)}

    def note(number, frame):
        came.append(number)
        for one, handler in handlers.items():
            signal.signal(one, signal.SIG_IGN if one == _HANGUP else handler)

    for number in handlers:
        signal.signal(number, note)
    try:
        yield lambda: came[0] if came else 0
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
