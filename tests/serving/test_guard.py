"""What stands before the application: time, clients that go, and a server that stops, without a network."""

import asyncio
import json

import pytest

from kerasgen.serving.guard import Guard
from kerasgen.serving.settings import ServeSettings

JSON = [(b"host", b"localhost"), (b"content-type", b"application/json")]


def answered(app, messages=(), headers=JSON, seconds=1.0, stop=False, **limits):
    """Let a guard stand before an application, and send it a request.

    Args:
        app: what it guards.
        messages: what the client sends; nothing more comes then.
        headers: of the request.
        seconds: the limit.
        stop: whether the server stops once the application is asked.
        limits: other settings.

    Returns:
        The guard, the status that was sent, and the body.
    """
    sent, waiting = [], [*messages]

    async def receive():
        if waiting:
            return waiting.pop(0)
        await asyncio.Event().wait()

    async def send(message):
        sent.append(message)

    async def run():
        guard = Guard(app, ServeSettings(**limits), "")
        object.__setattr__(guard._settings, "seconds", seconds)
        scope = {"type": "http", "method": "POST", "path": "/generate", "headers": headers}
        work = asyncio.ensure_future(guard(scope, receive, send))
        if stop:
            await asyncio.sleep(0.1)
            work.cancel()
            with pytest.raises(asyncio.CancelledError):
                await work
        await asyncio.wait_for(asyncio.gather(work, return_exceptions=True), 20)
        return guard

    guard = asyncio.run(run())
    status = next((message["status"] for message in sent if "status" in message), None)
    return guard, status, b"".join(message.get("body", b"") for message in sent)


BODY = {"type": "http.request", "body": b"{}", "more_body": False}
GONE = {"type": "http.disconnect"}


class Hangs:
    """An application that never ends, and notes what becomes of it."""

    def __init__(self, begins=False):
        self.begins, self.asked, self.ended = begins, b"", False

    async def __call__(self, scope, receive, send):  # noqa: D102
        self.asked = (await receive())["body"]
        try:
            if self.begins:
                await send({"type": "http.response.start", "status": 200, "headers": []})
            await asyncio.Event().wait()
        finally:
            self.ended = True


def test_a_request_that_takes_too_long_is_told_so_and_its_work_ends():
    app = Hangs()
    _, status, body = answered(app, [BODY], seconds=0.2)
    assert app.ended and app.asked == b"{}" and status == 503
    assert json.loads(body) == {"error": "the request took longer than 0.2 s; ask for less"}


def test_an_answer_that_has_begun_is_left_without_an_end():
    app = Hangs(begins=True)
    assert answered(app, [BODY], seconds=0.2)[1:] == (200, b"") and app.ended


def test_work_ends_where_the_client_goes():
    app = Hangs()
    assert answered(app, [BODY, GONE], seconds=60)[1:] == (None, b"") and app.ended


def test_a_body_that_trickles_or_breaks_off_reaches_nobody():
    app = Hangs()
    part = {"type": "http.request", "body": b"{", "more_body": True}
    assert answered(app, [part], seconds=0.2)[1] == 503
    assert answered(app, [part, GONE], seconds=60)[1] == 400
    assert answered(app, [{**part, "body": b"x" * 60}] * 2, max_body=100)[1] == 413
    assert not app.asked


def test_what_is_cut_off_by_the_end_of_the_server_is_counted():
    app = Hangs(begins=True)
    guard, *_ = answered(app, [BODY], seconds=60, stop=True)
    assert guard.cut == 1 and app.ended


def test_a_failure_is_one_line_here_and_nothing_of_it_goes_to_the_client(capsys):
    async def fails(scope, receive, send):
        raise ValueError("a secret\nof two lines")

    assert answered(fails, [BODY])[1:] == (None, b"")
    assert capsys.readouterr().err == "kerasgen: error: ValueError: a secret of two lines\n"
