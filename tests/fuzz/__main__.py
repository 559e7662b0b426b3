"""`make fuzz`: texts and talk of every kind, until the time is up or something is found.

usage: fuzz [--minutes MINUTES] [--seed SEED] [--again SEED:READER:NUMBER]

Exit status: 0 if nothing was found, 1 if something was. A finding names the seed that has it again.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]

import live
import readers

ROUND = 60.0  # seconds, half for the readers, half for a running overlord


def main() -> int:
    """Run rounds until the time is up."""
    parser = argparse.ArgumentParser(prog="fuzz")
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    parser.add_argument("--again", default="")
    given = parser.parse_args()
    try:
        if given.again:
            with tempfile.TemporaryDirectory(prefix="hafta-fuzz-") as folder:
                readers.again(Path(folder), given.again)
        else:
            rounds(given.seed, given.minutes * 60)
    except readers.Finding as finding:
        print(f"found: {finding}", file=sys.stderr)
        return 1
    print("nothing found")
    return 0


def rounds(seed: int, seconds: float) -> None:
    """Run rounds, each with a seed of its own. Raises Finding."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 1:
        for part in (readers, live):
            with tempfile.TemporaryDirectory(prefix="hafta-fuzz-") as folder:
                counts = part.run(Path(folder), seed, min(ROUND, left) / 2)
            done = ", ".join(f"{count:,} {name}" for name, count in counts.items())
            print(f"seed {seed}: {part.__name__}: {done}", flush=True)
        seed += 1


if __name__ == "__main__":
    sys.exit(main())
