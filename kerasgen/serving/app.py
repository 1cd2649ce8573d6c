"""The application: what is asked of the models that are served, and what they answer."""

import asyncio
import contextlib
import threading
import warnings
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from kerasgen.base.deadline import within
from kerasgen.base.errors import BadInputError, FailedError, TooFewWarning, nearest
from kerasgen.serving import page, requests
from kerasgen.serving.engine import Engine, Stream
from kerasgen.serving.guard import Guard, RefusedError
from kerasgen.serving.openapi import document
from kerasgen.serving.served import Served
from kerasgen.serving.settings import ServeSettings

Made = TypeVar("Made")


class Application:
    """Answers requests.

    Args:
        models: what is served; the first answers where a request names none.
        settings: the limits.
        token: what requests must bring; "" for nothing.

    Attributes:
        guard: the ASGI application, which is guarded.
    """

    def __init__(self, models: Sequence[Served], settings: ServeSettings, token: str):
        self._models, self._settings = {model.name: model for model in models}, settings
        self._reads = ThreadPoolExecutor(2, "kerasgen-reads")  # prompts, and texts to score
        self._names = asyncio.Semaphore(1)  # they take all cores, and may take long
        self._document = document(bool(token))
        routes = [
            Route("/", self._page),
            Route("/docs", self._page),
            Route("/openapi.json", self._openapi),
            Route("/health", self._health),
            Route("/models", self._list),
            Route("/generate", self._generate, methods=["POST"]),
            Route("/score", self._score, methods=["POST"]),
            Route("/next", self._next, methods=["POST"]),
        ]
        refusals = {
            BadInputError: _refused,
            RefusedError: _refused,
            FailedError: _refused,
            HTTPException: _refused,
            Exception: _refused,
        }
        self.guard = Guard(Starlette(routes=routes, exception_handlers=refusals), settings, token)

    def start(self) -> None:
        """Begin the work; in the event loop's thread."""
        warnings.simplefilter("ignore", TooFewWarning)  # the answer says so
        loop = asyncio.get_running_loop()
        for model in self._models.values():
            model.engine = None if model.slots is None else Engine(model.slots, loop)

    def close(self) -> None:
        """End it."""
        self._reads.shutdown(wait=False, cancel_futures=True)
        for model in self._models.values():
            if model.engine:
                model.engine.close()

    async def _page(self, request: Request) -> Response:
        return HTMLResponse(page.html(self._document), headers={"Content-Security-Policy": page.policy()})

    async def _openapi(self, request: Request) -> Response:
        return JSONResponse(self._document)

    async def _health(self, request: Request) -> Response:
        engines = [model.engine for model in self._models.values() if model.engine]
        works, texts = all(engine.works for engine in engines), sum(engine.busy for engine in engines)
        return JSONResponse({"status": "ok" if works else "broken", "texts": texts}, 200 if works else 503)

    async def _list(self, request: Request) -> Response:
        return JSONResponse([model.about() for model in self._models.values()])

    async def _generate(self, request: Request) -> Response:
        asked, given = requests.read(requests.Generate, await request.body())
        model = self._model(asked)
        requests.check_fields(given, model.names, model.name)
        as_json = "application/json" in request.headers.get("accept", "")
        if model.names:
            texts, note = await self._alone(partial(model.invent, asked))
            lines = "".join(f"{text}\n" for text in texts)
            return _answer(model, texts, asked.seed, note) if as_json else _plain(lines, model, asked.seed, note)
        assert model.engine
        stream = model.engine.join(await self._read(partial(model.begin, asked)))
        if as_json:
            try:
                text = "".join([piece async for piece in stream])
            finally:
                model.engine.leave(stream)
            return _answer(model, [text], asked.seed, stream.text.note)
        return await _streaming(model, stream)

    async def _score(self, request: Request) -> Response:
        asked, _ = requests.read(requests.Score, await request.body())
        model = self._model(asked)
        scores, note = await self._read(partial(model.score, asked))
        found = [
            {"chars": one.chars, "nats": one.nats, "bits_per_char": one.bits_per_char}
            | ({"each": one.each.tolist()} if asked.each else {})
            for one in scores
        ]
        return JSONResponse({"model": model.name, "scores": found, **({"note": note} if note else {})})

    async def _next(self, request: Request) -> Response:
        asked, _ = requests.read(requests.Next, await request.body())
        model = self._model(asked)
        probabilities, note = await self._read(partial(model.following, asked))
        found = [{"char": char, "probability": p} for char, p in [*probabilities.items()][: asked.top]]
        return JSONResponse({"model": model.name, "next": found, **({"note": note} if note else {})})

    def _model(self, asked: requests.OfAModel) -> Served:
        name = next(iter(self._models)) if asked.model is None else asked.model
        if name not in self._models:
            known = list(self._models)
            raise BadInputError(
                f"model must be one of {', '.join(known)}; received {name!r:.100}{nearest(name, known)}"
            )
        return self._models[name]

    async def _read(self, work: Callable[[], Made]) -> Made:
        """Do some short work in another thread."""
        return await asyncio.get_running_loop().run_in_executor(self._reads, work)

    async def _alone(self, work: Callable[[], Made]) -> Made:
        """Do work of bounded time in a thread of its own, until nobody waits for it; the next has to wait."""
        await self._names.acquire()
        loop, unwanted = asyncio.get_running_loop(), threading.Event()
        made: asyncio.Future[Made] = loop.create_future()

        def end(result: Any, error: BaseException | None) -> None:
            self._names.release()
            if made.done():  # nobody waits any more
                return
            if error:
                made.set_exception(error)
            else:
                made.set_result(result)

        def run() -> None:
            result, failed = None, None
            try:
                result = within(self._settings.seconds + 1, work, unwanted)  # the guard is first
            except BaseException as error:
                failed = error
            with contextlib.suppress(RuntimeError):  # the loop was closed
                loop.call_soon_threadsafe(end, result, failed)

        threading.Thread(target=run, name="kerasgen-names", daemon=True).start()
        try:
            return await made
        finally:
            unwanted.set()


def _refused(request: Request, error: Exception) -> Response:
    """Say in one line why there is no answer."""
    if isinstance(error, HTTPException):
        methods = dict(error.headers or {}).get("Allow") or dict(error.headers or {}).get("allow")
        what = f"use {methods}" if methods else "there is no such page; / describes what there is"
        error = RefusedError(error.status_code, what, **({"Allow": methods} if methods else {}))
    if isinstance(error, BadInputError):
        malformed = str(error).startswith("the body must be JSON;")
        error = RefusedError(400 if malformed else 422, str(error))
    if isinstance(error, FailedError):
        error = RefusedError(503, str(error), Retry_After="1")
    if not isinstance(error, RefusedError):  # the guard says which it was on the server
        error = RefusedError(500, "the server failed")
    return error.response()


def _answer(model: Served, texts: list[str], seed: int, note: str) -> Response:
    said = {"note": note} if note else {}
    return JSONResponse({"model": model.name, "texts": texts, "seed": seed, **said})


def _headers(model: Served, seed: int, note: str) -> Mapping[str, str]:
    """Return what a plain answer says beside its text."""
    said = {"Kerasgen-Model": model.name, "Kerasgen-Seed": str(seed)} | ({"Kerasgen-Note": note} if note else {})
    return {name: value.encode("ascii", "backslashreplace").decode() for name, value in said.items()}


def _plain(text: str, model: Served, seed: int, note: str) -> Response:
    body = text.encode("utf-8", "backslashreplace")
    return Response(body, media_type="text/plain; charset=utf-8", headers=dict(_headers(model, seed, note)))


async def _streaming(model: Served, stream: Stream) -> Response:
    """Return an answer that is sent as it is written; its first piece is there, so that it has begun well."""
    assert model.engine
    leave = partial(model.engine.leave, stream)
    try:
        first = await anext(stream, "")
    except BaseException:
        leave()
        raise

    async def pieces() -> AsyncIterator[bytes]:
        yield first.encode("utf-8", "backslashreplace")
        async for piece in stream:
            yield piece.encode("utf-8", "backslashreplace")

    headers = {**_headers(model, stream.text.seed, stream.text.note), "X-Accel-Buffering": "no"}
    return _Streaming(pieces(), media_type="text/plain; charset=utf-8", headers=headers, leave=leave)


class _Streaming(StreamingResponse):
    """A streamed answer that gives its slot back however it ends."""

    def __init__(self, *arguments: Any, leave: Callable[[], None], **options: Any):
        super().__init__(*arguments, **options)
        self._leave = leave

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._leave()
