"""A process that is going to be hurt: claims a record, writes, and tells on the board what was acknowledged.

python worker.py records DIRECTORY BOARD WRITES SYNC_EVERY SLOT_SIZE DURABLE
python worker.py shop FOLDER LEVEL ON_STORE_ERROR: a whole sequence instead (sequences.py)
It ends with 0, also after a StoreError, which it tells; anything else is a violation of I6.
"""

from __future__ import annotations

import os
import sys

sys.path[:0] = [os.path.dirname(os.path.abspath(__file__)), os.path.dirname(os.path.abspath(__file__)) + "/../.."]

import workload  # noqa: E402 - the path is set above
from workload import ACKNOWLEDGED, ATTEMPTED, ROUNDS, Board  # noqa: E402 - the path is set above

from hafta.errors import StoreError  # noqa: E402 - the path is set above
from hafta.stores.file.files import FileStore  # noqa: E402 - the path is set above


def work(directory: str, board: Board, writes: int, sync_every: int, slot_size: int, durable: bool) -> None:
    scale = workload.scale_of(slot_size)
    store = FileStore(directory, slot_size=slot_size)
    os.sched_yield()  # the mark from which system calls are counted; Python itself never does this
    with store.claim("s", power=durable) as claim:
        found = workload.value_of(claim.last, scale)
        board.judge(found)
        board[ATTEMPTED] = board[ACKNOWLEDGED] = found
        board.count(claim.last)
        entered = -1
        for n in range(found + 1, found + 1 + writes):
            board[ATTEMPTED] = n
            if entered != n // 7:
                claim.enter(workload.frame_of(n, scale))
                entered = n // 7
            try:
                claim.write(workload.body_of(n, scale), sync=bool(sync_every and n % sync_every == 0))
            except StoreError as error:
                print(f"{error.kind}: {error}", file=sys.stderr)
            else:
                board[ACKNOWLEDGED] = n
    os.sched_yield()
    board[ROUNDS] += 1


def write_records(directory: str, board: str, *numbers: str) -> None:
    writes, sync_every, slot_size, durable = map(int, numbers)
    work(directory, Board(board), writes, sync_every, slot_size, bool(durable))


def serve_shop(folder: str, level: str, on_error: str) -> None:
    import sequences

    sequences.serve(folder, level=level, on_error=on_error)


def main() -> None:
    what, *arguments = sys.argv[1:]
    try:
        {"records": write_records, "shop": serve_shop}[what](*arguments)
    except StoreError as error:
        print(f"{error.kind}: {error}", file=sys.stderr)


if __name__ == "__main__":
    main()
