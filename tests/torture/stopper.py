"""Stop services with real signals at random times, from before they begin to after they end.

python stopper.py DIRECTORY ROUNDS SEED
Each service is a forked child, which finds the record that the one before has left. Ends with 0 and a line of figures;
otherwise it says which service did not end with status 0, or not in time, and what that has printed.
"""

from __future__ import annotations

import asyncio
import os
import random
import select
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../..")

import hafta
import hafta.service
from hafta.journal import logs  # noqa: F401 - what a service loads late is loaded once, for a quick fork
from hafta.service import loops, runner  # noqa: F401
from hafta.settings import Program
from hafta.stores import FileStore

NAMES = ("spin", "short", "tasks", "plain", "block")
AT_A_TIME = 4
LONGEST = 0.015  # seconds from the start of a child to its first signal
STUCK = 20.0
FINE = (
    "Sequence was: ",
    *(f"{name}: {word}Sequence " for name in NAMES for word in ("", "warning: ")),
    *(f"{name}: warning: 1 event could not be sent" for name in NAMES),  # a stop came while it was being sent
)  # of the output
STOPPING = (signal.SIGTERM, signal.SIGINT)

spin, short, tasks, plain, block = map(hafta.Sequence, NAMES)


@spin.node
async def turn(run):
    for number in range(1, 1_000_000_000):
        await asyncio.sleep(0)
        if number % 10 == 0:
            run.checkpoint(number)


@short.node
async def begin(run):
    run.checkpoint(1)
    return finish


@short.node
async def finish(run):
    await run.sleep(0)
    return hafta.EXIT


@tasks.node(timeout=60)
async def fan_out(run):
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        group.create_task(asyncio.sleep(0.0005))
        group.create_task(asyncio.to_thread(time.sleep, 0.0005))
        await asyncio.shield(asyncio.sleep(0))
    return fan_out


@plain.node
def count(run):
    for number in range(1, 200):
        run.checkpoint(number)
    run.sleep(0.0005)
    return count


@block.node
async def reach(run):
    await asyncio.sleep(0)
    return stand


@block.node
def stand(run):
    time.sleep(600)


def own_loop(service, _values):
    while True:
        asyncio.run(tasks.call_async(runtime=service))


def own_calls(service, _values):
    while True:
        short.call(runtime=service)


def own_forks(service, _values):
    while True:
        pid = os.fork()
        if not pid:
            os._exit(0)
        os.waitpid(pid, 0)
        service.progress()


def serve(sequence: hafta.Sequence, *options: str):
    return lambda folder: hafta.service.run(
        sequence, checkpoints=hafta.Checkpoints(FileStore(folder)), argv=list(options), environ={}
    )


def body(function):
    return lambda _folder: hafta.service.main(Program("own", "Own.", (), (0,)), function, [], {})


KINDS = {
    "spin": serve(spin),
    "short": serve(short),
    "once": serve(short, "--once"),
    "tasks": serve(tasks),
    "plain": serve(plain),
    "block": serve(block),
    "own loop": body(own_loop),
    "own calls": body(own_calls),
    "own forks": body(own_forks),
}


class Child:
    """A service in a process of its own, and when it is sent what."""

    def __init__(self, folder: str, name: str, chance: random.Random) -> None:
        self.name = name
        self.output = f"{folder}/{name}.out"
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)  # one that comes early waits
        self.pid = os.fork()
        if self.pid == 0:
            signal.alarm(int(LONGEST + STUCK) + 30)  # it ends by itself, whatever becomes of who judges it
            os.dup2(os.open(self.output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 1)
            os.dup2(1, 2)
            status = 1
            try:
                status = KINDS[name](f"{folder}/{name}")
                sys.stdout.flush()
            except BaseException:
                sys.excepthook(*sys.exc_info())
            os._exit(status)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
        now = time.monotonic()
        first = now + chance.random() * LONGEST
        self.stuck = first + STUCK
        self.signals = [(first, chance.choice(STOPPING))]
        if chance.random() < 0.3:
            self.signals.append((first + chance.random() ** 3 * 0.01, chance.choice(STOPPING)))
        self.fd = os.pidfd_open(self.pid)

    def send(self) -> None:
        """Send what is due."""
        while self.signals and time.monotonic() >= self.signals[0][0]:
            signal.pidfd_send_signal(self.fd, self.signals.pop(0)[1])

    def end(self) -> None:
        """Judge how it ended."""
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self.fd)
        with open(self.output, errors="replace") as file:
            lines = [line for line in file if not line.startswith(FINE)]
        assert (status, lines) == (0, []), f"{self.name}: status {status}: {''.join(lines[-30:])}"

    def check(self) -> None:
        """Raise AssertionError for one that does not end."""
        if time.monotonic() > self.stuck:
            os.kill(self.pid, signal.SIGABRT)
            os.waitpid(self.pid, 0)
            with open(self.output, errors="replace") as file:
                raise AssertionError(f"{self.name} hangs:\n{file.read()[-6000:]}")


def torture(folder: str, rounds: int, seed: int) -> str:
    chance = random.Random(seed)
    for name in KINDS:
        os.makedirs(f"{folder}/{name}", exist_ok=True)
    running: dict[str, Child] = {}
    try:
        return judge(folder, rounds, chance, running)
    finally:
        for child in running.values():
            signal.pidfd_send_signal(child.fd, signal.SIGKILL)


def judge(folder: str, rounds: int, chance: random.Random, running: dict[str, Child]) -> str:
    begun = 0
    while begun < rounds or running:
        while begun < rounds and len(running) < AT_A_TIME:
            name = chance.choice([name for name in KINDS if name not in running])
            running[name] = Child(folder, name, chance)
            begun += 1
        for name, child in list(running.items()):
            child.send()
            child.check()
            if select.select([child.fd], [], [], 0)[0]:
                child.end()
                del running[name]
        wait(running)
    return f"{rounds} services stopped"


def wait(running: dict[str, Child]) -> None:
    """Wait until a child has ended, or a signal is due."""
    due = min([child.signals[0][0] for child in running.values() if child.signals], default=time.monotonic() + 0.1)
    select.select([child.fd for child in running.values()], [], [], max(0.0, due - time.monotonic()))


if __name__ == "__main__":
    print(torture(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
