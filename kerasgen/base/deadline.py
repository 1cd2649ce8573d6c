"""Work that must end in time, whatever it waits for or computes."""

import ctypes
import threading
from collections.abc import Callable
from typing import TypeVar

Made = TypeVar("Made")
_PATIENCE = 1.0  # seconds for a thread to end once it is told to


def within(seconds: float, work: Callable[[], Made], unwanted: threading.Event | None = None) -> Made:
    """Do work in a thread, and stop it where it takes too long, or nobody wants it any more.

    It stops before the next line of Python; a thread that hangs in one call of a library is left behind, and ends with
    the process.

    Args:
        seconds: how long it may take.
        work: holds no lock that others need.
        unwanted: set by others where the work is to stop, and by this function once it has ended.

    Raises:
        TimeoutError: it took longer, or was stopped.
    """
    made: list[Made] = []
    errors: list[BaseException] = []
    woken = unwanted or threading.Event()

    def run() -> None:
        try:
            made.append(work())
        except BaseException as error:
            errors.append(error)
        finally:
            woken.set()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        woken.wait(seconds)
    finally:
        late = not (made or errors)
        if late:  # a thread can be stopped in no other way than by an exception in it
            number, kind = ctypes.c_ulong(thread.ident or 0), ctypes.py_object(TimeoutError)
            ctypes.pythonapi.PyThreadState_SetAsyncExc(number, kind)
    if late:
        thread.join(_PATIENCE)
        raise TimeoutError
    if errors:
        raise errors[0]
    return made[0]
