"""`Engine`: keeps a model's slots busy in a thread of its own, and hands what they write to those who wait for it."""

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Iterable

from kerasgen.base import console
from kerasgen.base.errors import FailedError, reason
from kerasgen.generation.slots import Slots, Text


class Stream:
    """A text on its way to a client: iterates over its pieces, and joins those that its reader was too slow for.

    Args:
        text: which one.
    """

    def __init__(self, text: Text):
        self.text = text
        self._chars: list[str] = []
        self._ended: Exception | None = None
        self._more = asyncio.Event()

    def put(self, chars: str, ended: Exception | None = None) -> None:
        """Take a piece; in the event loop's thread.

        Args:
            chars: the piece.
            ended: StopAsyncIteration where it is the last one, or what went wrong.
        """
        if chars:
            self._chars.append(chars)
        self._ended = self._ended or ended
        self._more.set()

    def __aiter__(self) -> "Stream":
        return self

    async def __anext__(self) -> str:
        while not self._chars:
            if self._ended:
                raise self._ended
            self._more.clear()
            await self._more.wait()
        chars = "".join(self._chars)
        self._chars.clear()
        return chars


class Engine:
    """Generates the texts of many streams in one thread: a new one joins, and one that has ended leaves, between calls.

    Args:
        slots: of the model; nobody else touches them.
        loop: the event loop of the streams' readers.
    """

    def __init__(self, slots: Slots, loop: asyncio.AbstractEventLoop):
        self._slots, self._loop = slots, loop
        self._streams: dict[Text, Stream] = {}  # those in slots; the thread's own
        self._waiting: deque[Stream] = deque()
        self._gone: list[Stream] = []
        self._changed, self._closed = threading.Condition(), False
        self._thread = threading.Thread(target=self._run, name="kerasgen-slots", daemon=True)
        self._thread.start()

    @property
    def works(self) -> bool:
        """Whether it does its work."""
        return self._thread.is_alive()

    @property
    def busy(self) -> int:
        """How many texts stand in slots or wait for one."""
        return len(self._streams) + len(self._waiting)

    def join(self, text: Text) -> Stream:
        """Have a text generated as soon as a slot is free.

        Args:
            text: from `Slots.begin`.
        """
        stream = Stream(text)
        with self._changed:
            self._waiting.append(stream)
            self._changed.notify()
        return stream

    def leave(self, stream: Stream) -> None:
        """Give a stream's slot to others, as nobody reads it any more; nothing where it has ended."""
        with self._changed:
            self._gone.append(stream)
            self._changed.notify()

    def close(self) -> None:
        """End the thread after the call that it is in."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while self._ready():
            try:
                pieces = list(self._slots.advance())
            except Exception as error:  # of TensorFlow's many; the next texts may fare better
                self._fail(error)
                continue
            told = []
            for text, chars, ended in pieces:
                stream = self._streams.pop(text) if ended else self._streams[text]
                told.append((stream, chars, StopAsyncIteration() if ended else None))
            self._tell(told)

    def _ready(self) -> bool:
        """Wait until there is a text to generate, and let the slots be those of the texts that are wanted."""
        with self._changed:
            while True:
                self._let_go()
                while self._waiting and not self._slots.full:
                    stream = self._waiting.popleft()
                    self._slots.join(stream.text)
                    self._streams[stream.text] = stream
                if self._closed or self._streams:
                    return not self._closed
                self._changed.wait()

    def _let_go(self) -> None:
        for stream in self._gone:
            if self._streams.pop(stream.text, None):
                self._slots.leave(stream.text)
            elif stream in self._waiting:
                self._waiting.remove(stream)
        self._gone.clear()

    def _fail(self, error: Exception) -> None:
        console.note(f"error: {len(self._streams)} texts could not be generated: {reason(error):.200}")
        for text in self._streams:
            self._slots.leave(text)
        told = [(stream, "", FailedError("the text could not be generated")) for stream in self._streams.values()]
        self._streams.clear()
        self._tell(told)

    def _tell(self, told: Iterable[tuple[Stream, str, Exception | None]]) -> None:
        def put() -> None:
            for stream, chars, ended in told:
                stream.put(chars, ended)

        with contextlib.suppress(RuntimeError):  # the loop was closed, and nobody waits
            self._loop.call_soon_threadsafe(put)
