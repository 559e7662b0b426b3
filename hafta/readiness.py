"""Awaiting a descriptor in asyncio."""

from __future__ import annotations

import asyncio
import os


async def ready(fd: int, timeout: float | None, *, write: bool) -> bool:  # noqa: ASYNC109 - a slice, not a deadline
    """Return True when the descriptor can be read (or written), False after `timeout` seconds, if given.

    An event loop has one reader for each descriptor. So this waits for a duplicate, and leaves other waits alone.
    Raises OSError (EBADF) for a descriptor that is not open. A regular file is always ready.
    """
    loop = asyncio.get_running_loop()
    woken = asyncio.Event()
    own = os.dup(fd)
    try:
        (loop.add_writer if write else loop.add_reader)(own, woken.set)
        async with asyncio.timeout(timeout):
            await woken.wait()
    except PermissionError:  # epoll refuses regular files, which never wait
        return True
    except TimeoutError:
        return woken.is_set()  # in the same turn of the loop: a timeout of 0 is always the first to be noticed
    finally:
        (loop.remove_writer if write else loop.remove_reader)(own)
        os.close(own)
    return True
