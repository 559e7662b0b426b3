"""What a fork would break, found before the first one: threads, event loops, sockets and claims made by an import.

fork() takes along one thread. Another one is gone in the worker, together with whatever it held; a connection would be
shared by all workers; so would an event loop. Each is one clear error that names what made it.

A descriptor that this process has opened is closed on exec, by Python's rule (PEP 446); one that it was given is not.
Files are allowed: a program may have its log open. Sockets, pipes and what stands for the kernel (epoll, eventfd,
inotify) are not.
"""

from __future__ import annotations

import fcntl
import os
import sys

from hafta.errors import UsageError
from hafta.process.stat import bytes_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType
    from typing import Any

KINDS = ("socket:", "pipe:", "anon_inode:")
HINT = "make it in the body of the service or in a node, not while importing; or run it without --warm"


def check() -> None:
    """Raise UsageError for the first thing that does not survive a fork."""
    for found in (_threads(), _claims(), _descriptors()):
        for what in found:
            raise UsageError(f"cannot run warm: {what}", HINT)


def _threads() -> Iterator[str]:
    others = [tid for tid in map(int, os.listdir("/proc/self/task")) if tid != os.getpid()]
    if not others:
        return
    known: dict[int | None, Any] = {}
    threading = sys.modules.get("threading")
    if threading is not None:
        known = {thread.native_id: thread for thread in threading.enumerate()}
    for tid in others:
        thread = known.get(tid)
        if thread is not None:
            yield f"{_of_python(thread)} is running"
        else:
            comm = (bytes_of(os.getpid(), f"task/{tid}/comm") or b"?").decode(errors="replace").strip()
            yield f"a thread {comm!r} that Python does not know is running: a library has started it"


def _of_python(thread: Any) -> str:
    frame = sys._current_frames().get(thread.ident)  # noqa: SLF001 - as faulthandler shows them
    place = _place(frame)
    target: Any = getattr(thread, "_target", None)
    function = f" of {target.__module__}.{target.__qualname__}" if hasattr(target, "__qualname__") else ""
    return f"thread {thread.name!r}{function}{place}"


def _place(frame: FrameType | None) -> str:
    """Return where the thread's own code begins: the outermost frame outside of `threading`."""
    found = ""
    while frame is not None:
        if frame.f_globals.get("__name__") != "threading":
            found = f" ({frame.f_code.co_filename}, line {frame.f_lineno})"
        frame = frame.f_back
    return found


def _claims() -> Iterator[str]:
    forks = sys.modules.get("hafta.stores.forks")
    for number in range(forks.alive() if forks is not None else 0):
        yield f"{number + 1} checkpoint record(s) are claimed already"


def _descriptors() -> Iterator[str]:
    for fd in sorted(map(int, os.listdir("/proc/self/fd"))):
        try:
            target = os.readlink(f"/proc/self/fd/{fd}")
            is_ours = fcntl.fcntl(fd, fcntl.F_GETFD) & fcntl.FD_CLOEXEC
        except OSError:
            continue  # that of the listing
        if fd > 2 and is_ours and target.startswith(KINDS):
            kind = "an event loop" if "eventpoll" in target else f"descriptor {fd} ({target.partition(':')[0]})"
            owner = _owner(fd)
            yield f"{kind} is open{f': {owner}' if owner else ''}"


def _owner(fd: int) -> str:
    """Return the name of what has the descriptor: a global of a module, or an attribute of one."""
    for name, module in list(sys.modules.items()):
        for attribute, value in list(getattr(module, "__dict__", {}).items()):
            if _has(value, fd):
                return f"{name}.{attribute}"
    return ""


def _has(value: Any, fd: int) -> bool:
    if isinstance(value, type):
        return False
    parts = getattr(value, "__dict__", None)
    return _fileno(value) == fd or (isinstance(parts, dict) and any(_fileno(part) == fd for part in parts.values()))


def _fileno(value: Any) -> int:
    if not hasattr(type(value), "fileno"):
        return -1
    try:
        return int(value.fileno())
    except Exception:
        return -1
