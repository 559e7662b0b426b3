"""The beat: one page of memory that the worker writes and the parent reads. Nothing else knows its layout.

1. `due` is when the worker has to show progress again, on the monotonic clock. One word, so that nothing is read half:
   an 8-byte store of a memoryview is one instruction (struct.pack_into stores byte by byte, and tears).
2. A beat is one store. It makes no system call.
3. A wait announces itself: `due` is its end plus the deadline. When it ends early, `due` moves back. The parent may
   sleep until later than that; it has stored until when in `sleeps`. Then the worker wakes it, with one write to an
   eventfd: at most once per deadline, and never in progress().
4. `over` is when the time of a function is up (timeout= and the like), whatever its progress. A text says whose.
5. After a wait, and where a function begins, the worker marks when that was and how long it had run until then. A
   judgement of an endless loop begins there: the parent may have slept through the wait, and not have looked.
6. `health` is what the service says is wrong with it, as a text; empty: nothing (health.py).
7. `retire` is set by the parent: the worker is to end between two sequences.

The page is a memfd, so that it outlives the exec of a parent that is reloaded. A worker that dies leaves it as it was:
so the parent knows in which node that was.
"""

from __future__ import annotations

import mmap
import os

SIZE = mmap.PAGESIZE
NEVER = float("inf")

DUE, ALLOWED, SLEEPS, OVER, RETIRE, MARKED, RAN = range(7)
_WHERE, _TIMED, _HEALTH, _ROOM = 128, 1024, 2048, 400  # the places of the texts, and how long they may be


class Page:
    """The shared page. `words` are its numbers, by the names above."""

    def __init__(self, fd: int | None = None) -> None:
        if fd is None:
            fd = os.memfd_create("hafta-beat", os.MFD_CLOEXEC)
            os.ftruncate(fd, SIZE)
        self.fd = fd
        self._memory = mmap.mmap(fd, SIZE)
        self.words = memoryview(self._memory).cast("d")

    def clear(self) -> None:
        """Begin with a new worker, which is not judged yet."""
        words = self.words
        words[DUE] = words[OVER] = NEVER
        words[ALLOWED] = words[SLEEPS] = words[RETIRE] = words[MARKED] = words[RAN] = 0.0
        self.say_where(b"")
        self.say_timed(b"")
        self.say_health("")

    def say_where(self, where: bytes) -> None:
        """Write where the worker is, as where() made it."""
        self._memory[_WHERE : _WHERE + len(where) + 1] = where + b"\0"

    def read_where(self) -> tuple[str, str]:
        """Return the sequence and the node where the worker is or was; empty outside of all."""
        sequence, node = (*self._read(_WHERE), "", "")[:2]
        return sequence, node

    def say_timed(self, whose: bytes) -> None:
        """Write whose time `over` is, as lines() made it: a sequence, a node, and which of its times."""
        self._memory[_TIMED : _TIMED + len(whose) + 1] = whose + b"\0"

    def read_timed(self) -> tuple[str, str, str]:
        """Return the sequence and the node whose time `over` is, and which of its times."""
        sequence, node, which = (*self._read(_TIMED), "", "", "")[:3]
        return sequence, node, which

    def say_health(self, wrong: str) -> None:
        """Write what is wrong; empty: nothing."""
        text = lines(" ".join(wrong.split()))
        self._memory[_HEALTH : _HEALTH + len(text) + 1] = text + b"\0"

    def read_health(self) -> str:
        """Return what the service says is wrong with it."""
        return self._read(_HEALTH)[0]

    def _read(self, place: int) -> list[str]:
        text = self._memory[place : place + _ROOM + 1].partition(b"\0")[0]
        return text.decode(errors="replace").split("\n")


def lines(*words: str) -> bytes:
    """Return what a page takes as a text: names are printable, so a newline can separate them."""
    return "\n".join(words).encode(errors="replace").replace(b"\0", b"")[:_ROOM]
