"""The plain Python pair: `write PIPE COUNT RATE` and `read PIPE`, with one system call a record."""

import os
import sys
from random import randrange

GOOD = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"
BAD = b"This is bad data and has to be at least 25 chars!!!!"


def write(path: str, count: int, rate: int) -> None:
    """Write records, one in `rate` of them bad."""
    fd = os.open(path, os.O_WRONLY)
    for _ in range(count):
        if rate and randrange(rate) == 0:
            os.write(fd, BAD)
        else:
            os.write(fd, GOOD)


def read(path: str) -> None:
    """Read to the end; print how many records were good and how many were not."""
    fd = os.open(path, os.O_RDONLY)
    right = wrong = 0
    while data := os.read(fd, 26):
        if data == GOOD:
            right += 1
        else:
            wrong += 1
    print(right, wrong)


if __name__ == "__main__":
    if sys.argv[1] == "write":
        write(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    else:
        read(sys.argv[2])
