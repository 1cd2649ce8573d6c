"""A server's life: it listens, answers until it is told to stop, and lets what it has begun be finished."""

import asyncio
import contextlib
import ipaddress
import os
import socket
from collections.abc import Callable
from pathlib import Path

import uvicorn

from kerasgen.base.errors import BadInputError, FailedError, MissingFileError, reason
from kerasgen.base.files import read_small
from kerasgen.serving.app import Application
from kerasgen.serving.settings import ServeSettings

GRACE = 10  # seconds for answers that have begun, once the server is told to stop
_TICK = 0.1  # seconds between looks whether it is
_SHORTEST = 16  # characters of a token
_DRAW = "python -c 'import secrets; print(secrets.token_hex())' prints one"


class _Server(uvicorn.Server):
    """Uvicorn's, which leaves signals to us."""

    capture_signals = contextlib.nullcontext  # type: ignore[assignment]


def serve(
    application: Application,
    listener: socket.socket,
    connections: int,
    begun: Callable[[], None],
    stopped: Callable[[], int],
) -> None:
    """Answer until told to stop.

    Args:
        application: what answers.
        listener: from `bound`.
        connections: how many there may be at the most; others are refused.
        begun: called once it listens.
        stopped: tells whether it is told to.
    """
    config = uvicorn.Config(
        application.guard, lifespan="off", ws="none", loop="asyncio", log_config=None, log_level="critical",
        access_log=False, server_header=False, proxy_headers=False, timeout_graceful_shutdown=GRACE,
        limit_concurrency=connections,
    )  # fmt: skip
    server = _Server(config)

    async def run() -> None:
        application.start()
        answering = asyncio.ensure_future(server.serve([listener]))
        while not (server.started or answering.done()):
            await asyncio.sleep(0)
        begun()
        while not answering.done():
            await asyncio.wait({answering}, timeout=_TICK)
            server.should_exit = server.should_exit or bool(stopped())
        application.close()
        await answering

    asyncio.run(run())


def bound(settings: ServeSettings) -> socket.socket:
    """Return a socket that has the address, and does not listen yet.

    Raises:
        BadInputError: there is no such address.
        FailedError: it is taken, or not to be had.
    """
    host, port = settings.host, settings.port
    try:
        family, kind, number, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError) as error:
        raise BadInputError(f"--host must be an address of this machine; received {host!r}: {reason(error)}") from None
    listener = socket.socket(family, kind, number)
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise FailedError(
            f"{host} port {port} can't be listened on ({reason(error)}); name another --port, or 0 for any"
        ) from None
    return listener


def address(listener: socket.socket) -> str:
    """Return where a socket is found."""
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def token_of(settings: ServeSettings) -> str:
    """Return the token that requests must bring, "" for none.

    Raises:
        BadInputError: it is no token.
        MissingFileError: its file is not there.
    """
    where, token = "KERASGEN_TOKEN", os.environ.get("KERASGEN_TOKEN", "")
    if settings.token_file is not None:
        where = "--token-file"
        try:
            token = read_small(Path(settings.token_file)).decode()
        except FileNotFoundError:
            raise MissingFileError(f"--token-file must name a file; there is no {settings.token_file!r}") from None
        except (OSError, ValueError) as error:
            raise BadInputError(f"--token-file must be a text; {settings.token_file!r}: {reason(error)}") from None
    elif not token:
        return ""
    token = token.strip()
    if len(token) < _SHORTEST or not token.isascii() or not token.isprintable() or " " in token:
        raise BadInputError(f"{where} must have a token of at least {_SHORTEST} letters, digits and signs, as {_DRAW}")
    return token


def check_open(listener: socket.socket, token: str) -> None:
    """Refuse an address that others can reach where no token is needed.

    Raises:
        BadInputError: it is one.
    """
    host = listener.getsockname()[0].partition("%")[0]
    if not token and not ipaddress.ip_address(host).is_loopback:
        raise BadInputError(
            f"others can reach {host}, so a token is needed; put one into a file, as {_DRAW}, and name the file with "
            "--token-file, or set KERASGEN_TOKEN"
        )
