"""The standard streams of a command: open, and such that they fail as they should."""

import errno
import io
import os
import sys
import threading

import pytest

from kerasgen.base import console, streams

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/dev/full is Linux'")


@pytest.fixture
def full():
    """A text stream on a full disk, as Python makes it at its start."""
    with io.FileIO("/dev/full", "w") as raw:
        yield io.TextIOWrapper(raw, "utf-8", write_through=True)


def run(command, monkeypatch, **given):
    """Run a command with standard streams of its own; return its exit code."""
    for name, stream in given.items():
        monkeypatch.setattr(sys, name, stream)
    code = console.run_command(lambda _: command())
    assert all(getattr(sys, name) is stream for name, stream in given.items())  # as they were
    return code


def test_what_is_lost_ends_a_command_that_only_writes(full, monkeypatch, capsys):
    went_on = []
    assert run(lambda: (print("a"), went_on.append(1)), monkeypatch, stdout=full) == 1
    assert not went_on
    assert capsys.readouterr().err == "kerasgen: error: the output can't be written: No space left on device\n"


def test_what_is_lost_ends_no_work_that_goes_on(full, monkeypatch, capsys):
    def work():
        streams.keep_going()
        print("a")
        print("b")
        went_on.append(1)

    went_on = []
    assert run(work, monkeypatch, stdout=full) == 3
    assert went_on
    first, last = capsys.readouterr().err.splitlines()
    assert "No space left on device" in first and "the training continues" in first and "is lost" in last


def test_what_fails_besides_keeps_its_own_exit_code(full, monkeypatch):
    def work():
        streams.keep_going()
        print("a")
        raise KeyboardInterrupt

    assert run(work, monkeypatch, stdout=full) == 130


def test_remarks_never_fail(full, monkeypatch, capsys):
    def remark():
        for _ in range(3):
            console.note("a remark")
            print("another", file=sys.stderr)

    assert run(remark, monkeypatch, stderr=full) == 0
    with open(os.devnull, "w") as closed:
        pass
    for stream in (full, None, closed):  # outside of a command, too
        monkeypatch.setattr(sys, "stderr", stream)
        console.note("a remark")
        console.screen().print("a bar")
    assert capsys.readouterr().out == ""


def test_a_file_that_is_missing_is_not_blamed_on_the_output(monkeypatch, capsys):
    assert run(lambda: os.stat("x" * 300), monkeypatch) == 1
    error = capsys.readouterr().err
    assert error == f"kerasgen: error: {'x' * 300!r}: {os.strerror(errno.ENAMETOOLONG)}\n"


@pytest.mark.parametrize("direct", [False, True])
def test_a_pipe_that_does_not_block_is_waited_for(monkeypatch, direct):
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    raw = io.FileIO(writer, "w")
    stream = io.TextIOWrapper(raw if direct else io.BufferedWriter(raw), "utf-8", write_through=direct)
    text, read = "x" * 1_000_000, []

    def consume():
        while piece := os.read(reader, 65536):
            read.append(piece)

    thread = threading.Thread(target=consume)
    thread.start()
    code = run(lambda: [print(text[i : i + 1000]) for i in range(0, len(text), 1000)], monkeypatch, stdout=stream)
    stream.close()
    thread.join()
    os.close(reader)
    assert code == 0 and b"".join(read).replace(b"\n", b"").decode() == text


def test_a_stream_in_memory_stays_what_it_is(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), "ascii")
    assert run(lambda: print("Ж"), monkeypatch, stdout=stream) == 0
    stream.flush()
    assert stream.buffer.getvalue() == b"\\u0416\n"
