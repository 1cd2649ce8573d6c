"""The signals that end a training or a sweep are noted, and those that the process ignores stay ignored."""

import os
import signal

import pytest

from kerasgen.runs import signals
from tests.support.commands import call

ALL = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.fixture
def handlers():
    """What the signals do before, which is put back after the test."""
    before = {one: signal.getsignal(one) for one in ALL}
    yield before
    for one, handler in before.items():
        signal.signal(one, handler)


@pytest.mark.parametrize("number", ALL)
def test_a_signal_is_noted(handlers, number):
    with signals.noted(True) as signalled:
        assert signalled() == 0
        os.kill(os.getpid(), number)
        assert signalled() == number
    assert {one: signal.getsignal(one) for one in ALL} == handlers


@pytest.mark.parametrize("number", ALL)
def test_what_the_process_ignores_stays_ignored(handlers, number):
    signal.signal(number, signal.SIG_IGN)
    with signals.noted(True) as signalled:
        os.kill(os.getpid(), number)
        assert signalled() == 0
    assert signal.getsignal(number) == signal.SIG_IGN


def test_a_second_ctrl_c_ends_at_once_but_a_second_hangup_does_nothing(handlers):
    with pytest.raises(KeyboardInterrupt), signals.noted(True) as signalled:
        for number in (signal.SIGHUP, signal.SIGHUP):
            os.kill(os.getpid(), number)
        assert signalled() == signal.SIGHUP
        os.kill(os.getpid(), signal.SIGINT)
    assert {one: signal.getsignal(one) for one in ALL} == handlers


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_interrupts_what_ctrl_c_interrupts(handlers, number):
    with pytest.raises(KeyboardInterrupt) as stop, signals.interrupting():
        try:
            os.kill(os.getpid(), number)
        finally:
            os.kill(os.getpid(), signal.SIGHUP)  # the shell and the system may both send one: nothing is cut short
    assert stop.value.args == (number,)
    assert {one: signal.getsignal(one) for one in ALL} == handlers


@pytest.mark.parametrize("number", ALL)
def test_a_sweep_that_is_stopped_says_how_to_go_on(handlers, tmp_path, monkeypatch, number):
    from kerasgen.tuning import trials

    monkeypatch.setattr(trials, "search", lambda *_: os.kill(os.getpid(), number))
    names = ["oakton", "oakford", "ashby", "ashford", "walton", "kinville", "springfield", "shelby", "brad", "oakley"]
    (tmp_path / "towns.txt").write_text("\n".join(names))
    done = call(tmp_path, "tune", "dino", "--data", "towns.txt", "--no-final", code=128 + number)
    assert "the same command resumes the sweep" in done.stderr


def test_a_signal_after_the_last_step_lets_the_model_be_saved_first(handlers, tmp_path, monkeypatch):
    from kerasgen.runs import monitor

    monkeypatch.setattr(monitor, "save_curves", lambda *_: os.kill(os.getpid(), signal.SIGINT))
    (tmp_path / "towns.txt").write_text("oakton\noakford\nashby\nashford\n")
    few = ("--units", 4, "--steps", 20, "--holdout", "none")
    done = call(tmp_path, "dino", "--data", "towns.txt", *few, code=130)
    assert "stopped once saved_models/my-towns.keras was saved" in done.stderr
    assert os.listdir(tmp_path / "saved_models") == ["my-towns.keras"]
