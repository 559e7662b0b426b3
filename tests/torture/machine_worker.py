"""What runs in a machine that is going to lose its power: it claims, writes, and says what it found and acknowledged.

python machine_worker.py MOUNT SYNC SLOT_SIZE
SYNC 1: each record; N: each Nth, and only those are told; 0: none, though it tells all (the negative control).
"""

from __future__ import annotations

import os
import sys

sys.path[:0] = [os.path.dirname(os.path.abspath(__file__)), os.path.dirname(os.path.abspath(__file__)) + "/../.."]

import workload  # noqa: E402 - the path is set above

from hafta.errors import HaftaError  # noqa: E402 - the path is set above
from hafta.stores.files import FileStore  # noqa: E402 - the path is set above


def say(*words: object) -> None:
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def main() -> None:
    mount, sync_every, slot_size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    scale = slot_size // 4096 * 8 if slot_size > 4096 else 1
    try:
        with FileStore(f"{mount}/state", slot_size=slot_size).claim("s", durable=bool(sync_every)) as claim:
            n = workload.value_of(claim.last, scale)
            assert n == workload.independent_value(f"{mount}/state/hafta-s.checkpoint", scale)
            say("FOUND", n, len(claim.incidents))
            while True:
                n += 1
                claim.enter(workload.frame_of(n, scale))
                sync = bool(sync_every) and n % sync_every == 0
                claim.write(workload.body_of(n, scale), sync)
                if sync or not sync_every:
                    say("ACK", n)
    except (AssertionError, HaftaError) as error:
        say("VIOLATION", error)


main()
