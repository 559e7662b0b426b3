"""One time for entries of several boots, whose clocks may have been stepped. No clock: it is told.

Rules:

1. In a boot, the monotonic clock counts. An entry's time is when its sender made it, which is earlier than when
   journald took it: by the lag, the difference of the two wall clock times that an entry has, if it is 0 to LAG
   seconds.
2. The wall clock was stepped where (wall - monotonic) changes by more than STEP between two entries. The time of this
   module does not jump then. But while the machine slept the monotonic clock stood still: that change is time.
3. Boots follow each other as the journal has them. Between two of them lies what the wall clock says. If that is
   negative or more than LONGEST, it cannot be told, and counts as nothing.

All is in microseconds; the first entry's time is its wall clock time.
"""

from __future__ import annotations

STEP = 500_000
LAG = 600_000_000
LATEST = 64  # boots, steps and sleeps that are remembered where all is not needed
LONGEST = 10 * 366 * 86_400_000_000  # ten years


class Timeline:
    """Places entries, in the order of the journal."""

    def __init__(self) -> None:
        self._bases: dict[str, int] = {}  # of each boot: its time where the monotonic clock is 0
        self._boot = ""
        self._ahead = 0  # of the wall clock, before the monotonic clock
        self._newest = 0
        self._asleep = 0  # since when; 0: it is awake
        self.steps: list[tuple[int, int]] = []  # when, and by how much the wall clock was set
        self.sleeps: list[tuple[int, int]] = []  # from, to
        self.untold: list[int] = []  # where a span between two boots cannot be told

    def place(self, boot: str, wall: int, monotonic: int) -> int:
        """Return the time of what journald took then."""
        if boot != self._boot:
            self._enter(boot, wall, monotonic)
        at = self._bases[boot] + monotonic
        self._compare(boot, wall - monotonic, at)
        at = self._bases[boot] + monotonic
        self._newest = max(self._newest, at)
        return at

    def sent(self, boot: str, wall: int, monotonic: int, source: int | None) -> int:
        """Return when the sender made an entry: rule 1. `source` is its own wall clock time, if it has told one."""
        at = self.place(boot, wall, monotonic)
        lag = 0 if source is None else wall - source
        return at - lag if 0 <= lag <= LAG else at

    def sleep(self) -> None:
        """Note that the machine is about to sleep: where the newest entry is."""
        self._asleep = self._newest

    def awake(self) -> None:
        """Note that it has woken up."""
        self._asleep = 0

    def forget(self) -> None:
        """Forget boots, steps and sleeps of long ago."""
        for boot in list(self._bases)[:-LATEST]:
            del self._bases[boot]
        for some in (self.steps, self.sleeps, self.untold):
            del some[:-LATEST]

    def of_wall(self, wall: int) -> int:
        """Return the time for a wall clock time, by the clock as it stands at the newest entry."""
        return wall + self._bases.get(self._boot, 0) - self._ahead

    def to_wall(self, at: int) -> int:
        """Return the wall clock time for a time: as the clock stood in the newest entry's setting."""
        return at - self._bases.get(self._boot, 0) + self._ahead

    def of_monotonic(self, boot: str, monotonic: int) -> int | None:
        """Return the time for one of a boot's monotonic clock; None: nothing is known of that boot."""
        return self._bases[boot] + monotonic if boot in self._bases else None

    def _enter(self, boot: str, wall: int, monotonic: int) -> None:
        if boot not in self._bases:
            self._bases[boot] = self._begin(wall - monotonic)
        self._boot, self._ahead, self._asleep = boot, wall - monotonic, 0

    def _begin(self, begin: int) -> int:
        if not self._boot:
            return begin
        span = begin - self.to_wall(self._newest)
        if not 0 <= span <= LONGEST:
            self.untold.append(self._newest)
            span = 0
        return self._newest + span

    def _compare(self, boot: str, ahead: int, at: int) -> None:
        change = ahead - self._ahead
        if abs(change) <= STEP:
            return
        if self._asleep and 0 < change <= LONGEST:
            self._bases[boot] += change
            self.sleeps.append((self._asleep, at + change))
            self._asleep = 0
        else:
            self.steps.append((at, change))
        self._ahead = ahead
