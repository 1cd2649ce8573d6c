"""`Guard`: who may ask, how much, for how long, and how many at once; it stands before the application."""

import asyncio
import contextlib
import hmac
import ipaddress
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response

from kerasgen.base import console
from kerasgen.base.errors import reason
from kerasgen.serving.settings import ServeSettings

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

OPEN = ("/", "/docs", "/health", "/openapi.json")  # need no token, and count as no work
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class RefusedError(Exception):
    """A request is not answered.

    Args:
        status: the code.
        why: one line.
        headers: of the answer.
    """

    def __init__(self, status: int, why: str, **headers: str):
        super().__init__(why)
        self.status, self.headers = status, {name.replace("_", "-"): value for name, value in headers.items()}

    def response(self) -> Response:
        """Return the answer."""
        return JSONResponse({"error": console.one_line(str(self))}, self.status, {**HEADERS, **self.headers})


class Guard:
    """An ASGI application before another one: it refuses, counts, bounds and ends requests.

    Args:
        app: the other one.
        settings: the limits.
        token: what a request must bring; "" for nothing, where only this machine's own pages and programs may ask.

    Attributes:
        cut: how many answers were cut off since the server was told to stop.
    """

    def __init__(self, app: Any, settings: ServeSettings, token: str):
        self._app, self._settings, self._token = app, settings, token
        self._most, self._running, self.cut = settings.streams + settings.waiting, 0, 0

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a request."""
        answer = _Answer(send)
        try:
            headers = Headers(scope=scope)
            self._check_origin(headers)
            if scope["path"] in OPEN:
                await self._app(scope, receive, answer.send)
                return
            self._check_token(headers)
            if self._running >= self._most:
                raise RefusedError(503, f"{self._most} requests are being answered already", Retry_After="1")
            self._running += 1
            try:
                await self._bounded(scope, headers, receive, answer)
            finally:
                self._running -= 1
        except RefusedError as refused:
            # Where an answer has begun, the connection is closed without its end: the client sees that it broke off.
            if not answer.begun:
                await refused.response()(scope, receive, answer.send)
        except asyncio.CancelledError:
            self.cut += 1
            raise
        except Exception as error:
            console.note(f"error: {type(error).__name__}: {reason(error):.300}")

    def _check_origin(self, headers: Headers) -> None:
        """Refuse what a page from elsewhere asks for through a browser on this machine, be it by a name of its own."""
        if self._token:
            return
        host, origin = headers.get("host", ""), headers.get("origin")
        if not _is_here(host):
            raise RefusedError(403, f"Host must be localhost or this machine's address; received {host!r:.100}")
        if origin is not None and origin.lower() != f"http://{host.lower()}":
            raise RefusedError(403, f"Origin must be this server's own; received {origin!r:.100}")

    def _check_token(self, headers: Headers) -> None:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        same = hmac.compare_digest(given.strip().encode(), self._token.encode())
        if self._token and not (same and scheme.lower() == "bearer"):
            raise RefusedError(401, "the token is needed: Authorization: Bearer TOKEN", WWW_Authenticate="Bearer")

    async def _bounded(self, scope: Message, headers: Headers, receive: Receive, answer: "_Answer") -> None:
        """Read the body, then have the request answered, until its time is over or its client has gone."""
        gone = asyncio.Event()
        late = RefusedError(503, f"the request took longer than {self._settings.seconds:g} s; ask for less")
        try:
            async with asyncio.timeout(self._settings.seconds):
                body: bytes | None = await self._body(headers, receive)

                async def again() -> Message:
                    nonlocal body
                    if body is not None:
                        message, body = {"type": "http.request", "body": body, "more_body": False}, None
                        return message
                    await gone.wait()
                    return {"type": "http.disconnect"}

                work = asyncio.ensure_future(self._app(scope, again, answer.send))
                watch = asyncio.ensure_future(_disconnected(receive))
                try:
                    await asyncio.wait({work, watch}, return_when=asyncio.FIRST_COMPLETED)
                    if work.done():
                        await work
                finally:
                    gone.set()
                    for task in (work, watch):
                        task.cancel()
                    with contextlib.suppress(BaseException):
                        await asyncio.gather(work, watch, return_exceptions=True)
        except TimeoutError:
            raise late from None

    async def _body(self, headers: Headers, receive: Receive) -> bytes:
        most, kind = self._settings.max_body, headers.get("content-type", "").partition(";")[0].strip().lower()
        too_large = RefusedError(413, f"the body must be at most {most:,} bytes", Connection="close")
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length[:20]) > most:
            raise too_large
        parts, size = [], 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise RefusedError(400, "the body broke off")
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > most:
                raise too_large
            if not message.get("more_body"):
                break
        if size and kind != "application/json":
            raise RefusedError(415, f"Content-Type must be application/json; received {kind!r:.100}")
        return b"".join(parts)


class _Answer:
    """What is sent, with our headers.

    Args:
        send: where to.

    Attributes:
        begun: whether something was sent.
    """

    def __init__(self, send: Send):
        self._send, self.begun = send, False

    async def send(self, message: Message) -> None:
        """Send a message; headers that it has itself stay as they are."""
        self.begun = True
        if message["type"] == "http.response.start":
            named = {name.lower() for name, _ in message["headers"]}
            ours = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
            message = {**message, "headers": [*message["headers"], *(one for one in ours if one[0] not in named)]}
        await self._send(message)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _is_here(host: str) -> bool:
    """Tell whether a Host header names this machine by its loopback address."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
