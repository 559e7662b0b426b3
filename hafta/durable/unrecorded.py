"""Calls that have ended without a record of that, because the store failed and the program wanted to go on.

Their record says something that is over. Another process cannot know that, and takes it for a crash. This process
knows, and starts from the beginning.
"""

from __future__ import annotations

import time

from hafta.boot import boot_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hafta.durable.position import Position
    from hafta.stores.protocol import Store

    Which = tuple[str, str, str]

#: When the newest one ended, on CLOCK_BOOTTIME, by where its record is, sequence and instance (one `where` may hold all
#: records of a store). The store is held: no other gets its name then.
_ended: dict[Which, tuple[float, Store]] = {}


def ended(which: Which, store: Store) -> None:
    """Note that a call has ended now, whatever its record says."""
    _ended[which] = time.clock_gettime(time.CLOCK_BOOTTIME), store


def is_over(position: Position, which: Which) -> bool:
    """Return whether this record was written before the end of such a call."""
    if which not in _ended:
        return False
    when, _ = _ended[which]
    return position.boottime <= when or position.boot != boot_id()
