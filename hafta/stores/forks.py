"""Claims and forks: a child must neither write its parent's records nor keep its parent's locks alive.

`os.fork` tells us (os.register_at_fork), so that a write pays nothing for it; programs that are started close the
descriptors by themselves (O_CLOEXEC).
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Disownable(Protocol):
        """A claim, as this module sees it."""

        def disown(self) -> None:
            """Be the claim in a forked child."""


_claims: set[Disownable] = set()
_files: set[int] = set()  # descriptors of files that are being claimed: the lock of a claim that is yet to be
_registered = False


def adopt(claim: Disownable) -> None:
    """Take a claim into care; it stays open until it is released."""
    _register()
    _claims.add(claim)


def release(claim: Disownable) -> None:
    """Let go of a claim that was closed."""
    _claims.discard(claim)


def adopt_file(fd: int) -> None:
    """Take the file of a claim that is yet to be into care: another thread may fork meanwhile."""
    _register()
    _files.add(fd)


def release_file(fd: int) -> None:
    """Let go of a file that is about to be closed, or whose claim was adopted."""
    _files.discard(fd)


def _register() -> None:
    global _registered  # noqa: PLW0603 - handlers cannot be unregistered, so there is one for the process
    if not _registered:
        os.register_at_fork(after_in_child=_disown_all)
        _registered = True


def _disown_all() -> None:
    while _claims:
        _claims.pop().disown()
    while _files:
        try:
            os.close(_files.pop())
        except OSError:
            continue  # its claim had it, too
