"""What runs in a machine that is going to lose its power: it works, and says what it found and acknowledged.

python machine_worker.py MOUNT records SYNC SLOT_SIZE: a store alone
SYNC 1: each record; N: each Nth, and only those are told; 0: none, though it tells all (the negative control).
python machine_worker.py MOUNT shop SYNC: whole sequences at the level `power` (trade.py), or for 0 the control
"""

from __future__ import annotations

import os
import sys

sys.path[:0] = [os.path.dirname(os.path.abspath(__file__)), os.path.dirname(os.path.abspath(__file__)) + "/../.."]

import workload  # noqa: E402 - the path is set above

from hafta.errors import HaftaError  # noqa: E402 - the path is set above
from hafta.stores.file.files import FileStore  # noqa: E402 - the path is set above


def say(*words: object) -> None:
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def write_records(mount: str, sync_every: int, slot_size: int) -> None:
    scale = workload.scale_of(slot_size)
    with FileStore(f"{mount}/state", slot_size=slot_size).claim("s", power=bool(sync_every)) as claim:
        n = workload.value_of(claim.last, scale)
        assert n == workload.independent_value(f"{mount}/state/hafta-s.checkpoint", scale)
        say("FOUND", n, len(claim.incidents))
        while True:
            n += 1
            sync = bool(sync_every) and n % sync_every == 0
            workload.write(claim, n, scale, sync=sync)
            if sync or not sync_every:
                say("ACK", n)


def keep_shop(mount: str, sync: int) -> None:
    from trade import Trade

    trade = Trade(mount, lambda number: say("ACK", number), lie=not sync)
    say("FOUND", trade.found())
    if not sync:
        trade.close_down()
    while True:
        trade.work(1)
        say("DAY", trade.found())


def main() -> None:
    mount, what, *numbers = sys.argv[1:]
    try:
        {"records": write_records, "shop": keep_shop}[what](mount, *map(int, numbers))
    except (AssertionError, HaftaError, OSError) as error:
        say("VIOLATION", type(error).__name__, error)


main()
