"""Keep a connection to a server of lines: ask it for a sign of life, and listen to what it has to say meanwhile.

    connect ──> talk ──> done           the server has closed the connection between two lines: call again
       ^         │
       └─────────┘                      anything else, such as an answer that does not come: a new connection

Two tasks share the connection, in an asyncio.TaskGroup: the failure of one cancels the other, and is that of the node.
"""

import asyncio
import sys
from itertools import count

import hafta.service
from hafta import settings
from hafta.policies import FOREVER, Attempts, Backoff


def address(text):
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise ValueError("HOST:PORT")
    return host, int(port)


SETTINGS = [
    settings.Setting("upstream", address, ("127.0.0.1", 9000), "the server", "HOST:PORT", "127.0.0.1:9000"),
    settings.Setting("every", settings.number, 1.0, "from one question to the next", "SECONDS"),
    settings.Setting("patience", settings.number, 2.0, "how long an answer may take", "SECONDS"),
]


class Data:
    def __init__(self, values):
        self.upstream, self.every, self.patience = values.upstream, values.every, values.patience
        self.reader = self.writer = None
        self.answers = None


pulse = hafta.Sequence("pulse")


@pulse.node(timeout=5, policy=Attempts(FOREVER) | Backoff(0.1, cap=5))
async def connect(run):
    run.status(f"connects to {run.data.upstream[0]}")
    run.data.reader, run.data.writer = await asyncio.open_connection(*run.data.upstream)
    return talk


@connect.rollback
async def rest(run, checkpoint):
    await run.sleep(0.5)  # also on the way back from `talk`: a server that drops everybody is not called in a circle
    return connect


@pulse.node(policy=Attempts(1))  # no second attempt on this connection: back to `connect`
async def talk(run):
    run.data.answers = asyncio.Queue()
    try:
        async with asyncio.TaskGroup() as both:
            asking = both.create_task(ask(run))
            await listen(run)
            asking.cancel()
    except asyncio.CancelledError:  # the service is asked to stop: nothing is rolled back, so it is said here
        run.data.writer.write(b"bye\n")
        raise
    finally:
        run.data.writer.close()  # a late answer would be taken for the next one
    return hafta.EXIT


async def ask(run):
    for number in count(1):
        run.data.writer.write(f"ping {number}\n".encode())
        await run.data.writer.drain()
        async with asyncio.timeout(run.data.patience):
            answer = await run.data.answers.get()
        if answer != f"pong {number}":
            raise ValueError(f"{answer!r} is not the answer to ping {number}")
        run.say(f"answer {number}")
        await run.sleep(run.data.every)  # feeds the watchdog; waiting for a server that hangs does not


async def listen(run):
    """Hand over the answers, and say the rest, until the server closes the connection."""
    while line := await run.data.reader.readline():
        text = line.decode(errors="replace").strip()
        if not line.endswith(b"\n"):
            raise ConnectionError(f"the connection ends in the middle of {text!r}")
        if text.startswith("pong "):
            run.data.answers.put_nowait(text)
        else:
            run.say(f"news: {text}")


if __name__ == "__main__":
    sys.exit(hafta.service.run(pulse, Data, settings=SETTINGS, pause=1))
