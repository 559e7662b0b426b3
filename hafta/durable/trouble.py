"""When the store fails: raise, or go on without checkpoints and report that once until it works again.

A call that ends meanwhile leaves a record that says something that is over. Another process cannot know that, and takes
it for a crash. This process remembers it (`ended_unrecorded`), and starts from the beginning.
"""

from __future__ import annotations

import time

from hafta.boot import boot_id
from hafta.journal.durable_events import StoreTrouble  # now: the trouble may be that no file can be opened

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hafta.durable.checkpoints import Checkpoints
    from hafta.durable.position import Position
    from hafta.errors import StoreError
    from hafta.runtime import Runtime
    from hafta.stores.protocol import Incident, Store

    Which = tuple[str, str, str]

#: When the newest call ended that could not record it, on CLOCK_BOOTTIME, by where its record is, sequence and instance
#: (one `where` may hold all records of a store). The store is held: no other gets its name then.
_ended: dict[Which, tuple[float, Store]] = {}


class Trouble:
    """The trouble that one call has with its store."""

    __slots__ = ("_checkpoints", "_runtime", "_sequence", "fatal", "ongoing", "stop_missed", "where")

    def __init__(self, checkpoints: Checkpoints, runtime: Runtime, sequence: str) -> None:
        self.fatal: BaseException | None = None  # why the call cannot go on
        self.ongoing = False  # whether the newest write failed
        self.stop_missed = False  # whether a stop could not be recorded, and that is reported
        self.where = checkpoints.store.where
        self._checkpoints = checkpoints
        self._runtime = runtime
        self._sequence = sequence

    @property
    def which(self) -> Which:
        """Which record it is, among all of all stores."""
        return self.where, self._sequence, self._checkpoints.instance

    def is_survived(self, error: StoreError) -> bool:
        """Return whether the call goes on without its store."""
        return not error.final and self._checkpoints.goes_on(error)

    def met(self, error: StoreError) -> None:
        """Deal with a write that failed: raise it, unless the program wants to go on."""
        if not self.is_survived(error):
            self.fatal = error
            raise error
        if not self.ongoing:
            self.ongoing = True
            self.report(error.message, "continuing without checkpoints: a crash now would resume from an older one")

    def over(self) -> None:
        """Note that a write has worked."""
        if self.ongoing:
            self.ongoing = False
            self.report("the store works again", "what is recorded now is current")

    def incident(self, incident: Incident) -> None:
        """Report something from which the store could continue."""
        self.report(f"{incident.kind}: {incident.text}", "it went on")

    def report(self, what: str, action: str) -> None:
        """Report what happened, and what is done about it."""
        instance = self._checkpoints.instance
        self._runtime.report(StoreTrouble(self._sequence, instance, self.where, what, action))


def ended_unrecorded(which: Which, store: Store) -> None:
    """Note that a call has ended now, whatever its record says."""
    _ended[which] = time.clock_gettime(time.CLOCK_BOOTTIME), store


def is_over(position: Position, which: Which) -> bool:
    """Return whether this record was written before the end of such a call."""
    if which not in _ended:
        return False
    when, _ = _ended[which]
    return position.boottime <= when or position.boot != boot_id()
