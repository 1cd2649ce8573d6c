"""``python -m kerasgen.serve``: models over HTTP, many texts side by side."""

import contextlib
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from kerasgen.base import console, streams
from kerasgen.base.errors import BadInputError, FailedError, StoppedError
from kerasgen.base.files import bundled
from kerasgen.base.flags import parse
from kerasgen.modelfile import store
from kerasgen.runs import signals
from kerasgen.serving.settings import ServeSettings

ABOUT = """Serve models over HTTP: texts as they are written, scores, and what comes next; / describes it.

examples:
  %(prog)s                                the shipped poet, on this machine only
  %(prog)s --model saved_models/my-towns.keras saved_models/shakespeare.keras
  %(prog)s --host 0.0.0.0 --token-file token.txt     for others, who must bring the token"""
SPARE = 100  # connections beyond two for each request
NEEDED = ("starlette", "uvicorn")


def main(argv: Sequence[str] | None = None) -> None:
    """Load the models and serve them until a signal comes."""
    settings = parse(ServeSettings, console.program("serve"), ABOUT, None, argv)
    if missing := [name for name in NEEDED if not find_spec(name)]:
        raise FailedError(f"a server needs {' and '.join(missing)}; pip install 'kerasgen[serve]'")
    files = read_models(settings)

    from kerasgen.serving import server

    token, listener = server.token_of(settings), server.bound(settings)
    with contextlib.closing(listener):
        server.check_open(listener, token)
        streams.keep_going()

        from kerasgen.modelfile import loader
        from kerasgen.serving.app import Application
        from kerasgen.serving.served import Served

        models = []
        for name, contents in files.items():
            console.note(f"loading {contents.path}", settings.quiet)
            served = Served(name, loader.load(contents, device=settings.device), settings)
            if served.slots is not None:
                served.slots.compile()
            models.append(served)
        application = Application(models, settings, token)

        def begun() -> None:
            print(server.address(listener), flush=True)
            console.note(f"serving {', '.join(files)}; Ctrl-C stops it", settings.quiet)

        with signals.noted(True) as stopped:
            connections = SPARE + 2 * (settings.streams + settings.waiting)
            server.serve(application, listener, connections, begun, stopped)
    cut = application.guard.cut
    ended = f"{cut} answers were cut off" if cut else "no answer was cut off"
    raise StoppedError(f"stopped; {ended}", stopped())


def read_models(settings: ServeSettings) -> dict[str, store.Contents]:
    """Read the model files, by the names that requests call them.

    Raises:
        MissingFileError: one is not there.
        BadInputError: one is damaged, or two have the same name.
    """
    given = settings.model or str(bundled("saved_models/shakespeare.keras"))
    found: dict[str, store.Contents] = {}
    for file in (given,) if isinstance(given, str) else given:
        contents = store.read(Path(file))
        name = console.one_line(contents.path.stem)
        if name in found:
            raise BadInputError(f"--model must be files of different names; two are called {name!r}")
        found[name] = contents
    return found


if __name__ == "__main__":
    sys.exit(console.run_command(main))
