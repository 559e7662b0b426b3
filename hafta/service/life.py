"""What this run of a service is, as its entries in the journal say it: at READY, and in each of them."""

from __future__ import annotations

import os
import time

import hafta
from hafta.service.published import Published

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from hafta.journal.events import ServiceStarted


class Life:
    """One run of a service."""

    def __init__(self, name: str, environ: Mapping[str, str]) -> None:
        #: What it says about itself in its runtime directory.
        self.published = Published(name, environ)
        #: Fields that every entry of this process has. The sink has this very dict.
        self.about: dict[str, str] = {}
        self.crashes: int | None = None  # in a row, before this run; None: nobody has counted them
        self.began = hafta.BEGAN  # on the monotonic clock
        self.is_up = False  # whether READY has been sent

    def known_as(self, instance: object) -> None:
        """Note which copy of the service this is: text, or what a program's own setting of that name has."""
        if instance is not None and (name := str(instance)):
            self.about["HAFTA_INSTANCE"] = name
            self.published.note(instance=name)

    def started(self, name: str) -> ServiceStarted:
        """Return the event that tells how long the start has taken."""
        from hafta.journal.events import ServiceStarted
        from hafta.version import VERSION

        began = round((time.monotonic() - self.began) * 1_000_000)
        return ServiceStarted(name, VERSION, began, self.crashes, _since_exec())


def _since_exec() -> int | None:
    """Return the microseconds since the process began, which the kernel counts in ticks; None if it does not say."""
    from hafta.process.stat import read_process

    process = read_process(os.getpid())
    if process is None:
        return None
    began = process.started / os.sysconf("SC_CLK_TCK")
    return max(0, round((time.clock_gettime(time.CLOCK_BOOTTIME) - began) * 1_000_000))
