"""The thread that keeps slots busy: what becomes of texts when the model fails, and of those that nobody reads."""

import asyncio

import pytest

from kerasgen.base.errors import FailedError
from kerasgen.generation.sampling import Sampling
from kerasgen.generation.slots import Piece, Text
from kerasgen.serving.engine import Engine


class Toy:
    """Slots for two texts that write "a" for each call, and fail where a text has a temperature of 9."""

    def __init__(self):
        self.texts, self.most = [], 0

    full = property(lambda self: len(self.texts) == 2)

    def join(self, text):  # noqa: D102
        self.texts.append(text)
        self.most = max(self.most, len(self.texts))

    def leave(self, text):  # noqa: D102
        self.texts.remove(text)

    def advance(self):  # noqa: D102
        for text in [*self.texts]:
            if text.sampling.temperature == 9:
                raise ValueError("no memory")
            text.left -= 1
            if not text.left:
                self.leave(text)
            yield Piece(text, "a", not text.left)


def asked(length, temperature=1.0):
    return Text(None, Sampling(temperature=temperature), length, "", "")


def run(work):
    """Run a coroutine function that is given the toy's slots and an engine."""

    async def main():
        slots = Toy()
        engine = Engine(slots, asyncio.get_running_loop())
        try:
            return await asyncio.wait_for(work(slots, engine), 60)
        finally:
            engine.close()
            assert not engine.works

    return asyncio.run(main())


async def whole(stream):
    return "".join([piece async for piece in stream])


def test_all_texts_are_written_though_there_are_fewer_slots():
    async def work(slots, engine):
        streams = [engine.join(asked(n)) for n in (5, 1, 300, 2, 3)]
        assert await asyncio.gather(*map(whole, streams)) == ["a" * n for n in (5, 1, 300, 2, 3)]
        assert slots.most == 2 and engine.busy == 0

    run(work)


def test_a_failure_is_told_to_those_it_concerns_and_the_next_text_is_written(capsys):
    async def work(slots, engine):
        with pytest.raises(FailedError, match="the text could not be generated"):
            await whole(engine.join(asked(3, temperature=9)))
        assert await whole(engine.join(asked(3))) == "aaa" and engine.works

    run(work)
    assert capsys.readouterr().err == "kerasgen: error: 1 texts could not be generated: no memory\n"


def test_who_leaves_frees_the_slot_whether_it_had_one_or_not():
    async def work(slots, engine):
        first, second, third = (engine.join(asked(10**9)) for _ in range(3))
        assert (await anext(first)).startswith("a") and engine.busy == 3
        for stream in (third, first, second, second):
            engine.leave(stream)
        assert await whole(engine.join(asked(4))) == "aaaa"
        assert slots.texts == [] and engine.busy == 0

    run(work)
