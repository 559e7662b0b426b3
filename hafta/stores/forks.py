"""Claims and forks: a child must neither write its parent's records nor keep its parent's locks alive.

`os.fork` calls us (os.register_at_fork), so this costs a write nothing. In programs that are started, the descriptors
are closed anyway (O_CLOEXEC). Adopting a claim does not keep it alive. An interrupt may come before a claim was stored
anywhere: then the process has forgotten it, and it goes away together with its lock.
"""

from __future__ import annotations

import os
from _weakref import ref
from itertools import count

from hafta.stores.file.descriptors import close

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _io import FileIO
    from typing import Any, Protocol

    class Disownable(Protocol):
        """A claim, as this module sees it."""

        def disown(self) -> None:
            """Become unusable: this is a forked child."""


_claims: dict[int, ref[Disownable]] = {}
_files: dict[int, ref[FileIO]] = {}  # a claim that is still being made has a locked file already
_numbers = count()
_registered = False


def adopt(claim: Disownable) -> None:
    """Look after a claim as long as it lives."""
    _add(_claims, claim)


def adopt_file(file: FileIO) -> None:
    """Look after a file that is going to be locked: another thread may fork meanwhile."""
    _add(_files, file)


def alive() -> int:
    """Return how many claims of this process are alive."""
    return sum(claim() is not None for claim in tuple(_claims.values()))


def _add(those: dict[int, ref[Any]], this: object) -> None:
    global _registered  # noqa: PLW0603 - handlers cannot be unregistered, so there is one for the process
    if not _registered:
        os.register_at_fork(after_in_child=_disown_all)
        _registered = True
    for number, that in tuple(those.items()):
        if that() is None:
            those.pop(number, None)
    those[next(_numbers)] = ref(this)


def _disown_all() -> None:
    for number in tuple(_files):
        if file := _files.pop(number)():
            close(file)
    for number in tuple(_claims):
        if claim := _claims.pop(number)():
            claim.disown()
