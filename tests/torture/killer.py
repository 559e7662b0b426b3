"""Kill a writing child at random times, judge what it left, and go on from there.

python killer.py DIRECTORY ROUNDS SEED SYNC_EVERY SLOT_SIZE DURABLE
Small, so that a fork is cheap. The judge reads the file by the documentation alone. Ends with 0 and a line of figures.
"""

from __future__ import annotations

import os
import random
import select
import signal
import sys
import time

sys.path[:0] = [os.path.dirname(os.path.abspath(__file__)), os.path.dirname(os.path.abspath(__file__)) + "/../.."]

import worker  # noqa: E402 - the path is set above
import workload  # noqa: E402 - the path is set above
from workload import ACKNOWLEDGED, ATTEMPTED, NUMBER, ROUNDS, Board  # noqa: E402 - the path is set above

FOR_EVER = 1 << 40
LONGEST = 0.002  # seconds that a child lives
STUCK = 30.0


def torture(directory: str, rounds: int, seed: int, arguments: tuple[int, int, bool]) -> str:
    chance = random.Random(seed)
    board = Board(f"{directory}/board")
    scale = workload.scale_of(arguments[1])
    written = 0
    for number in range(rounds):
        if chance.random() < 0.05:
            begin_anew(directory, board)
        before = board[ACKNOWLEDGED]
        kill_one(directory, board, arguments, chance)
        if os.path.exists(f"{directory}/d/hafta-s.checkpoint"):
            n = workload.independent_value(f"{directory}/d/hafta-s.checkpoint", scale)
            board.judge(n)
            assert n >= before, f"round {number}: back from {before} to {n}"
            written += n - before
        else:
            assert board[ACKNOWLEDGED] == 0, f"round {number}: the file is gone"
    return f"{rounds} kills, {written} records, {board[ROUNDS]} claims came to their end"


def begin_anew(directory: str, board: Board) -> None:
    """Forget the file, so that creation is hit, too; leftovers of kills stay."""
    path = f"{directory}/d/hafta-s.checkpoint"
    if os.path.exists(path):
        os.unlink(path)
    board[ATTEMPTED] = board[ACKNOWLEDGED] = board[NUMBER] = 0


def kill_one(directory: str, board: Board, arguments: tuple[int, int, bool], chance: random.Random) -> None:
    """Let a child work for a random time, from its very beginning or from its first record on."""
    begun = board[ATTEMPTED]
    pid = os.fork()
    if pid == 0:
        child(directory, board, arguments)
    descriptor = os.pidfd_open(pid)
    if chance.random() < 0.7:
        wait_for_work(board, begun, descriptor)
    time.sleep(chance.random() * LONGEST)
    os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    os.close(descriptor)
    assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL, f"the child ended by itself: {status}"


def child(directory: str, board: Board, arguments: tuple[int, int, bool]) -> None:
    status = 1
    try:
        worker.work(f"{directory}/d", board, FOR_EVER, *arguments)
    except BaseException as error:  # the child must not go on as a second parent
        print(f"violation in the child: {error!r}", file=sys.stderr, flush=True)
    finally:
        os._exit(status)


def wait_for_work(board: Board, begun: int, descriptor: int) -> None:
    """Wait until the child has attempted something, or has ended."""
    deadline = time.monotonic() + STUCK
    while board[ATTEMPTED] <= begun and not select.select([descriptor], [], [], 0.0002)[0]:
        assert time.monotonic() < deadline, "the child is stuck"


def main() -> None:
    directory, *numbers = sys.argv[1:]
    rounds, seed, sync_every, slot_size, durable = map(int, numbers)
    print(torture(directory, rounds, seed, (sync_every, slot_size, bool(durable))))


if __name__ == "__main__":
    main()
