"""What the parent says of its workers: STATUS to the overlord, entries to the journal.

A replacement is reported once it is known how it went: when the next worker is ready, with the time that the service
was down; or when that one dies, or is too slow, before it is ready. So the time in the entry is exact, and nothing is
written between the death of a worker and READY of the next one.
"""

from __future__ import annotations

from hafta.service.warm import relay

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hafta.death import Death
    from hafta.journal.warm_events import WorkerReplaced
    from hafta.service.service import Service
    from hafta.service.warm.tally import Tally


class Voice:
    """Speaks for one parent. Times are on the monotonic clock."""

    def __init__(self, service: Service, tally: Tally) -> None:
        self._service = service
        self._tally = tally
        self._since: float | None = None  # since when no worker works; None: one does, or none was ever ready
        self._owed: WorkerReplaced | None = None  # the replacement that is not reported yet

    # To the overlord.

    def show(self, pid: int) -> None:
        """Send STATUS; `pid` is the worker, 0 if there is none."""
        self.describe(pid)
        self._service.notifier.status(self._service.describe())

    def describe(self, pid: int) -> None:
        """Note what STATUS is to say."""
        last = "" if self._tally.last is None else str(self._tally.last)
        self._service.status(relay.status(self._tally.status, pid, self._tally.replaced, last))

    # To the journal.

    def down(self, now: float) -> None:
        """Note that from now on no worker works."""
        if self._since is None and self._tally.ready:
            self._since = now

    def replaced(self, by: int) -> None:
        """Note that a worker takes the place of the last one."""
        from hafta.journal.warm_events import WorkerReplaced

        last = self._tally.last
        if last is not None:
            self._owed = WorkerReplaced(
                self._service.name, last.pid, by, str(last), self._tally.replaced, self._tally.row.crashes,
                last.sequence or None, last.node or None,
            )  # fmt: skip

    def up(self, now: float) -> None:
        """Report the replacement: it works."""
        self._report(now, ready=True)
        self._since = None

    def failed(self, now: float) -> None:
        """Report the replacement if it has never been ready."""
        self._report(now, ready=False)

    def _report(self, now: float, *, ready: bool) -> None:
        owed, self._owed = self._owed, None
        if owed is not None:
            since = now if self._since is None else self._since
            self._service.report(owed.replace(down_usec=round((now - since) * 1e6), ready=ready))

    def hung(self, why: Death) -> None:
        """Report that a worker is ended: it hangs."""
        from hafta.journal.warm_events import WorkerHung

        where = why.sequence or None, why.node or None
        self._service.report(WorkerHung(self._service.name, why.pid, str(why), *where))

    def held(self) -> None:
        """Report that the next worker waits, and have the overlord wait, too."""
        from hafta.journal.events import ServiceHeldBack, StartNotCounted

        service, tally = self._service, self._tally
        usec = round(tally.hold * 1e6)
        if tally.holdoff.trouble:
            service.report(StartNotCounted(service.name, tally.holdoff.path, tally.holdoff.trouble, usec))
        else:
            service.report(ServiceHeldBack(service.name, tally.row.crashes, usec))
        service.notifier.extend_timeout(tally.hold + 5)
        tally.status = f"held back {tally.hold:g} s: {tally.row.crashes} crashes in a row"
        self.show(0)
