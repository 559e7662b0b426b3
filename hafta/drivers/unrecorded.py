"""Calls that have ended without a record of it, because the store failed and the program wanted to go on.

Their record says what is over. Another process cannot know, and takes that for a crash; this one does, and begins anew.
"""

from __future__ import annotations

import time

from hafta.drivers.book import boot_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hafta.stores.codec import Position
    from hafta.stores.protocol import Claim, Store

    Names = tuple[str, str]

#: When the newest one ended, on CLOCK_BOOTTIME, by where its record is. A store that has no files is kept for its id.
_ended: dict[object, tuple[float, Store]] = {}


def ended(store: Store, claim: Claim, names: Names) -> None:
    """Note that a call has ended now, whatever its record says."""
    _ended[_place(store, claim, names)] = time.clock_gettime(time.CLOCK_BOOTTIME), store


def is_over(position: Position, store: Store, claim: Claim, names: Names) -> bool:
    """Tell whether this record was written before the end of such a call."""
    when, _ = _ended.get(_place(store, claim, names), (0.0, None))
    return when > 0 and (position.boottime <= when or position.boot != boot_id())


def _place(store: Store, claim: Claim, names: Names) -> object:
    return getattr(claim, "path", "") or (id(store), *names)
