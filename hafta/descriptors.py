"""The standard descriptors: there, whatever the parent has closed, and out of the way at the end."""

from __future__ import annotations

import os


def fill_standard() -> None:
    """Open /dev/null where descriptor 0, 1 or 2 is closed: a file that got such a number would be taken for it."""
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free


def seal() -> None:
    """Keep what the parent has left open, besides the standard descriptors, from the programs that we start."""
    from contextlib import suppress  # half a millisecond of each start of what seals nothing

    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2:
            with suppress(OSError):  # the one of the listing is closed by now
                os.set_inheritable(int(name), False)


def silence(fd: int) -> None:
    """Let what is still to be written there go to /dev/null: else the interpreter fails at its end in its own words."""
    null = os.open(os.devnull, os.O_WRONLY)
    if null != fd:
        os.dup2(null, fd)
        os.close(null)
