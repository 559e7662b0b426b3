"""The pulse beside a server in one event loop, which hangs, lies, drops everybody, and closes in the middle of a line.

Run it with `python3 -m pytest` in this directory.
"""

import asyncio
from contextlib import asynccontextmanager, suppress

import pytest
from pulse import Data, pulse
from upstream import Upstream

from hafta.settings import Values

PATIENCE = 120.0


class Story:
    """A server, and a call of the sequence beside it; `data` is its userdata."""

    def __init__(self, upstream, data, call):
        self.upstream, self.data, self.call = upstream, data, call

    async def until(self, condition):
        async with asyncio.timeout(PATIENCE):
            while not condition():  # noqa: ASYNC110 - what it waits for is another side's
                await asyncio.sleep(0.005)

    async def said(self, line, times=1):
        await self.until(lambda: self.upstream.said.count(line) >= times)

    async def drop(self, last_words=b""):
        """Close all connections, as a server that ends."""
        for writer in [*self.upstream.writers]:
            writer.write(last_words)
            writer.close()


@asynccontextmanager
async def story(**values):
    upstream = Upstream()
    port = await upstream.start()
    data = Data(Values({"upstream": ("127.0.0.1", port), "every": 0.01, "patience": 30.0, **values}))
    call = asyncio.create_task(pulse.call_async(data))
    told = Story(upstream, data, call)
    try:
        yield told
    finally:
        call.cancel()
        with suppress(asyncio.CancelledError):
            await call
        told.upstream.server.close()
        await told.drop()
        await told.until(lambda: not told.upstream.writers)


async def asks_again_and_again_on_one_connection():
    async with story() as one:
        await one.said("ping 5")
        assert len(one.upstream.writers) == 1


async def ends_well_when_the_server_closes_between_two_lines():
    async with story(every=600) as one:
        await one.said("ping 1")
        await one.drop()
        result = await one.call
        assert (bool(result), result.failures) == (True, 0)


async def connects_again_after_half_a_line():
    async with story(every=600) as one:
        await one.said("ping 1")
        await one.drop(b"somebody ha")
        await one.said("ping 1", times=2)


async def connects_again_after_an_answer_that_does_not_come():
    async with story(patience=0.2) as one:
        await one.said("ping 2")
        one.upstream.word = b""
        await one.said("ping 1", times=2)
        one.upstream.word = b"pong"
        await one.said("ping 3", times=2)


async def connects_again_after_a_wrong_answer():
    async with story() as one:
        await one.said("ping 2")
        one.upstream.word = b"pong 1"
        await one.said("ping 1", times=2)
        one.upstream.word = b"pong"
        await one.said("ping 3", times=2)


async def says_bye_when_it_is_asked_to_stop():
    async with story(every=600) as one:
        await one.said("ping 1")
        one.call.cancel()
        await one.said("bye")


async def waits_for_a_server_that_is_not_there():
    async with story() as one:
        await one.said("ping 1")
        one.upstream.server.close()
        await one.drop(b"half a li")
        await one.until(lambda: not one.upstream.writers)
        one.upstream = Upstream()
        await one.upstream.start(one.data.upstream[1])
        await one.said("ping 3")


STORIES = [
    asks_again_and_again_on_one_connection, ends_well_when_the_server_closes_between_two_lines,
    connects_again_after_half_a_line, connects_again_after_an_answer_that_does_not_come,
    connects_again_after_a_wrong_answer, says_bye_when_it_is_asked_to_stop, waits_for_a_server_that_is_not_there,
]  # fmt: skip


@pytest.mark.parametrize("told", STORIES, ids=lambda told: told.__name__)
def test_it(told):
    asyncio.run(told())
