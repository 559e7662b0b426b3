"""Taking in units while the overlord runs: they are locked, and what is to be cleared away is noted, before they start.

Nothing waits here: a unit that another overlord runs, or is still clearing away, is refused.
"""

from __future__ import annotations

import os

from hafta.overlord.folders import removable, runtime_directories
from hafta.overlord.heir import write_folders
from hafta.overlord.locks import acquire_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from hafta.overlord.estate import Estate
    from hafta.overlord.keeper import Keeper
    from hafta.units.roots import Roots
    from hafta.units.unit import Unit


def take_in(estate: Estate, keeper: Keeper, roots: Roots, units: Mapping[str, Unit]) -> Estate:
    """Return the estate with more units, or with what is new of those it has. The keeper knows it when this returns.

    Raises HaftaError (status 25) for a unit that another overlord runs, OSError if there can be no keeper that does.
    """
    folder = os.path.join(os.path.dirname(estate.own), "lock")
    held = {os.path.basename(lock.path) for lock in estate.locks}
    locks = acquire_all(folder, [name for name in units if name not in held], patience=0.0)
    names, links = runtime_directories(units.values())
    deeper = [path for path in removable(roots, units.values()) if path not in estate.folders]
    larger = estate.replace(
        names=tuple(dict.fromkeys((*estate.names, *names))),
        links=tuple(dict.fromkeys((*estate.links, *links))),
        folders=(*dict.fromkeys(deeper), *estate.folders),
        locks=(*estate.locks, *locks),
    )
    try:
        write_folders(larger.own, larger.names, larger.links)
        keeper.entrust(larger)
    except BaseException:
        write_folders(estate.own, estate.names, estate.links)
        for lock in locks:
            lock.release()
        raise
    return larger
