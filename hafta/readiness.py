"""Awaiting a descriptor in asyncio."""

from __future__ import annotations

import asyncio
import os


async def ready(fd: int, timeout: float, *, write: bool) -> bool:  # noqa: ASYNC109 - a wait in slices, not a deadline
    """Return True when the descriptor can be read (or written), False after `timeout` seconds.

    Raises OSError (EBADF) for a descriptor that is not open. A regular file is always ready.
    """
    loop = asyncio.get_running_loop()
    woken = asyncio.Event()
    os.fstat(fd)
    add, remove = (loop.add_writer, loop.remove_writer) if write else (loop.add_reader, loop.remove_reader)
    try:
        add(fd, woken.set)
    except PermissionError:  # epoll refuses regular files, which never wait
        return True
    try:
        async with asyncio.timeout(timeout):
            await woken.wait()
    except TimeoutError:
        return False
    finally:
        remove(fd)
    return True
