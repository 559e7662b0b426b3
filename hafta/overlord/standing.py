"""Where the units stand with the manager, and whose turn may have come: sets and queues of names, no decisions."""

from __future__ import annotations

from heapq import heappop, heappush

from hafta.overlord.table import ENDING, STARTING, State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from hafta.overlord.runner import Runner

AT_REST = frozenset((State.INACTIVE, State.FAILED))


class Agenda:
    """Units whose turn may have come, each once: first come, first served, so that none waits for ever.

    Those that come between two takes have come at the same time, and are served by their rank. The rank of one that is
    admitted later is `late`.
    """

    def __init__(self, rank: dict[str, int], late: int) -> None:
        self._rank = rank
        self._late = late
        self._taken = 0
        self._heap: list[tuple[int, int, str]] = []  # how many had been taken before it came, its rank
        self._names: set[str] = set()

    def put(self, name: str) -> None:
        """Have a unit looked at again, if it has not been forgotten."""
        if name not in self._names and name in self._rank:
            self._names.add(name)
            heappush(self._heap, (self._taken, self._rank[name], name))

    def admit(self, name: str) -> None:
        """Know one more unit: all others come before it, or all behind it."""
        self._rank[name] = self._late

    def forget(self, name: str) -> None:
        """Forget a unit."""
        del self._rank[name]

    def take(self) -> str:
        """Return the next one; empty if there is none."""
        if not self._heap:
            return ""
        self._taken += 1
        name = heappop(self._heap)[-1]
        self._names.discard(name)
        return name


class Standing:
    """Where the units stand with the manager, as sets of names. It contains those that wait or leave."""

    def __init__(self) -> None:
        self.waiting: set[str] = set()  # for their start
        self.asked: set[str] = set()  # for the answer whether their conditions are met
        self.skipped: dict[str, str] = {}  # those whose conditions were not met, and why
        self.leaving: set[str] = set()  # stopped, each when its turn has come
        self.again: set[str] = set()  # of those that leave: started again as soon as they rest
        self.told: set[str] = set()  # to stop
        self.done: set[str] = set()  # oneshots that have ended well, and what was skipped
        self.live: set[str] = set()  # not at rest
        self.emptying: set[str] = set()  # being ended, or up only as long as any process is left
        self.starting: set[str] = set()

    def __contains__(self, name: object) -> bool:
        return name in self.waiting or name in self.asked or name in self.leaving

    def note(self, name: str, state: State, *, headless: bool) -> None:
        """Note a new state."""
        sets = (
            (self.live, state not in AT_REST),
            (self.emptying, state in ENDING or headless),
            (self.starting, state in STARTING),
        )
        for names, belongs in sets:
            if belongs:
                names.add(name)
            else:
                names.discard(name)


class Some:
    """The states of some of the units, looked up when they are asked for."""

    def __init__(self, runners: Mapping[str, Runner], names: Container[str]) -> None:
        self._runners = runners
        self._names = names

    def get(self, name: str, /) -> State | None:
        """Return the state; None for another unit."""
        return self._runners[name].state if name in self._names else None
