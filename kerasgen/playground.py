"""``python -m kerasgen.playground``: the page of `kerasgen.export`, with all models that are there, on this machine."""

import argparse
import os
import signal
import sys
import webbrowser
from collections.abc import Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

from kerasgen.base import console
from kerasgen.base.errors import BadInputError, FailedError, KerasgenError, MissingFileError, StoppedError, reason
from kerasgen.base.files import bundled, listed
from kerasgen.base.parser import Parser

if TYPE_CHECKING:  # it imports NumPy, which --help does not wait for
    from kerasgen.modelfile.store import Contents

ABOUT = "Play with models in the browser: your own of the current folder and ours, or those that are named."
HERE = "127.0.0.1"
SECONDS = 30  # that a request may take to arrive
HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def main(argv: Sequence[str] | None = None) -> None:
    """Serve the page on this machine until Ctrl-C."""
    arguments = parse(argv)
    models = named(arguments.models) if arguments.models else found()

    from kerasgen.page.page import page
    from kerasgen.page.plan import approximation

    for note in filter(None, map(approximation, models)):
        console.note(note)
    try:
        server = Server(page(models).encode(), arguments.port)
    except OSError as error:
        message = f"port {arguments.port} can't be listened on ({reason(error)}); name another with --port"
        raise FailedError(message) from error
    with server:
        names = ", ".join(model.path.stem for model in models)
        print(console.one_line(f"{server.address} plays with {names}; Ctrl-C ends it"), flush=True)
        if arguments.browser and has_screen():
            webbrowser.open(server.address)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            raise StoppedError("the playground is closed", signal.SIGINT) from None


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line.

    Raises:
        BadInputError: it has an unknown flag or a value that is not one.
    """
    usage = "%(prog)s [MODEL...] [--port PORT] [--no-browser]"
    parser = Parser("playground", usage=usage, description=ABOUT)
    parser.add_argument("models", nargs="*", metavar="MODEL", help="a .keras file of kerasgen (default: all)")
    parser.add_argument("--port", type=int, default=0, help="the port to listen on (default: any that is free)")
    parser.add_argument("--no-browser", dest="browser", action="store_false", help="open no browser")
    arguments = parser.parse_args(argv)
    if not 0 <= arguments.port < 65536:
        raise BadInputError(f"--port must be between 0 and 65535; received {arguments.port}")
    return arguments


def named(paths: Sequence[str]) -> list["Contents"]:
    """Read the models that a command line names.

    Raises:
        MissingFileError: there is no such file.
        BadInputError: it is no model file of kerasgen.
    """
    from kerasgen.modelfile import store

    return [store.read(Path(path)) for path in paths]


def found() -> list["Contents"]:
    """Read all models of the current folder, and those that travel with kerasgen; leave out damaged ones, and say so.

    Raises:
        MissingFileError: there are none.
    """
    from kerasgen.modelfile import store

    own, ours = (sorted(listed(folder, "[!.]*.keras")) for folder in (Path("saved_models"), bundled("saved_models")))
    models = []
    for path in {path.resolve(): path for path in [*ours, *own]}.values():
        try:
            models.append(store.read(path))
        except KerasgenError as error:
            console.note(f"{error}; it is left out")
    if not models:
        raise MissingFileError("there must be a model to play with; there is none in 'saved_models': name one")
    return models


def has_screen() -> bool:
    """Tell whether a browser would open in a window, and not in the terminal."""
    return sys.platform in ("darwin", "win32") or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")))


class Server(ThreadingHTTPServer):
    """Serves one page at one address, to browsers on this machine only.

    Args:
        page: its bytes.
        port: 0 for any that is free.

    Attributes:
        page: see above.
        address: where it is.

    Raises:
        OSError: something else listens there.
    """

    daemon_threads = True

    def __init__(self, page: bytes, port: int):
        self.page = page
        super().__init__((HERE, port), Handler)

    @property
    def address(self) -> str:
        """The page's address."""
        return f"http://{HERE}:{self.server_port}/"

    def handle_error(self, request, client_address) -> None:
        """Say nothing of a browser that has gone."""


class Handler(BaseHTTPRequestHandler):
    """Answers one request. A name of another site that leads here, or another site's script, gets nothing."""

    server: Server
    timeout = SECONDS
    server_version, sys_version = "kerasgen", ""

    def do_GET(self) -> None:
        """Send the page."""
        self._answer(self._status())

    do_HEAD = do_GET

    def _status(self) -> HTTPStatus:
        hosts = [f"{name}:{self.server.server_port}" for name in (HERE, "localhost")]
        origins = [None, *(f"http://{host}" for host in hosts)]
        if self.headers.get("Host", "").lower() not in hosts or self.headers.get("Origin") not in origins:
            return HTTPStatus.FORBIDDEN
        return HTTPStatus.OK if self.path.partition("?")[0] == "/" else HTTPStatus.NOT_FOUND

    def _answer(self, status: HTTPStatus) -> None:
        good = status == HTTPStatus.OK
        body = self.server.page if good else f"{status.phrase}\n".encode()
        self.send_response(status)
        self.send_header("Content-Type", f"text/{'html' if good else 'plain'}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Write no log."""


if __name__ == "__main__":
    sys.exit(console.run_command(main))
