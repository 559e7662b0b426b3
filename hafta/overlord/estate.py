"""What an overlord leaves when it dies, for the process that clears it away: itself, its keeper (keeper.py)."""

from __future__ import annotations

from itertools import chain, islice, repeat

from hafta.frozen import Frozen
from hafta.overlord import paths
from hafta.overlord.dirs import removal, remove_empty, remove_links, remove_tree
from hafta.overlord.locks import Lock
from hafta.overlord.roll import Roll
from hafta.process.cgroup import Cgroup
from hafta.process.table import Search

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from hafta.units.folders import Folder


class Estate(Frozen):
    """What is left when an overlord dies: its id, its directories, its processes, its locks."""

    identity: str
    runtime: str
    own: str  # its own directory, which is removed with all that is in it
    names: tuple[str, ...]  # below `runtime`, the same
    folders: tuple[str, ...]  # removed if empty, in this order
    locks: tuple[Lock, ...]
    roll: Roll
    cgroup: Cgroup | None = None
    since: int = 0  # when the overlord began: nothing of it is older
    links: tuple[Folder, ...] = ()  # to those of `names`

    def pack(self) -> tuple[Any, ...]:
        """Return it as values for another process, without its descriptors."""
        locks = tuple((lock.path, len(lock.fds)) for lock in self.locks)
        cgroup = (self.cgroup.path, self.cgroup.place) if self.cgroup else None
        return self.replace(locks=locks, roll=self.roll.path, cgroup=cgroup).values()

    @property
    def fds(self) -> list[int]:
        """The descriptors of its locks."""
        return [fd for lock in self.locks for fd in lock.fds]

    @classmethod
    def unpack(cls, values: tuple[Any, ...], roll: int, fds: Sequence[int] = ()) -> Estate:
        """Return what was packed, with its descriptors: that of the roll, and those of the locks if they are there."""
        given, left = dict(zip(cls._fields, values, strict=True)), chain(fds, repeat(-1))
        given["roll"] = Roll(given["roll"], roll)
        given["locks"] = tuple(Lock(path, *islice(left, count)) for path, count in given["locks"])
        given["cgroup"] = given["cgroup"] and Cgroup(*given["cgroup"])
        return cls(**given)

    def search(self) -> Search:
        """Return a search for its processes."""
        return Search(self.identity, self.roll.sessions, self.since)

    def clear(self) -> None:
        """Remove the directories, and the cgroups."""
        remove_links(self.runtime, self.links)
        for name in self.names:
            for _ in removal(self.runtime, name):
                pass
        paths.clear(self.own)
        remove_tree(self.own)
        if self.cgroup:
            self.cgroup.remove()

    def release(self) -> None:
        """Let go of the roll and the locks, and remove what is empty then."""
        self.roll.release()
        for lock in self.locks:
            lock.release()
        remove_empty(*self.folders)
