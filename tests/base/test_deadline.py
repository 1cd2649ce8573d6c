"""Work that must end in time."""

import threading
import time

import pytest

from kerasgen.base.deadline import within


def test_what_is_done_in_time_is_returned_and_its_errors_are_raised():
    assert within(10, lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        within(10, lambda: 1 / 0)


def test_an_endless_loop_is_stopped():
    ended = threading.Event()

    def loop():
        try:
            while True:
                pass
        finally:
            ended.set()

    with pytest.raises(TimeoutError):
        within(0.1, loop)
    assert ended.wait(5)


def test_one_long_call_is_not_waited_for():
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        within(0.1, lambda: time.sleep(5))
    assert time.monotonic() - began < 3


def test_what_nobody_wants_any_more_is_stopped():
    began, unwanted = threading.Event(), threading.Event()
    stopper = threading.Thread(target=lambda: began.wait(5) and unwanted.set())
    stopper.start()

    def loop():
        began.set()
        while True:
            pass

    with pytest.raises(TimeoutError):
        within(60, loop, unwanted)
    stopper.join()
