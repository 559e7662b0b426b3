"""What a guard says: notifications to the overlord, events to the journal. Nothing here waits."""

from __future__ import annotations

from hafta.guard.arithmetic import SPACING
from hafta.journal.events import NotificationsDropped, ServiceHeldBack, StartNotCounted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hafta.journal.event import Event
    from hafta.service.holdoff import Holdoff
    from hafta.service.service import Service


class Voice:
    """Speaks for the program. A ping means that a round of probes has passed: nothing else pings."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._next = 0.0  # when a pass may ping

    @property
    def is_watched(self) -> bool:
        """Whether the overlord expects pings."""
        return self._service.notifier.enabled and self._service.watchdog.period is not None

    def report(self, event: Event) -> None:
        """Report an event to the journal."""
        self._service.report(event)

    def status(self, text: str) -> None:
        """Say in one line how the program is."""
        self._service.notifier.status(text)

    def ready(self, text: str) -> None:
        """Say that the program is up."""
        self._service.ready(text)

    def ping(self) -> None:
        """Say that the program has passed."""
        period, now = self._service.watchdog.period, self._service.now()
        if period is not None and now >= self._next:
            self._next = now + period * SPACING
            self._service.notifier.watchdog()

    def trigger(self, text: str) -> None:
        """Have the watchdog act now; systemd logs the newest STATUS with it."""
        self._service.notifier.trigger(text)

    def extend(self, seconds: float) -> None:
        """Ask for this much time, for the start or for the stop."""
        self._service.notifier.extend_timeout(seconds)

    def stopping(self, text: str) -> None:
        """Say that the end has begun."""
        self._service.notifier.stopping(text)

    def tick(self) -> None:
        """Send what is due."""
        self._service.notifier.tick()
        if count := self._service.notifier.recovered():
            self.report(NotificationsDropped(count))
        self._service.reporter.tick()


def hold_back(service: Service, holdoff: Holdoff) -> float:
    """Count this start; return how many seconds to wait after too many crashes in a row, and say why."""
    crashes, seconds = holdoff.begin(service.now())
    if not seconds:
        return 0.0
    usec = round(seconds * 1_000_000)
    if holdoff.trouble:
        service.report(StartNotCounted(service.name, holdoff.path, holdoff.trouble, usec))
    else:
        service.report(ServiceHeldBack(service.name, crashes, usec))
    service.notifier.extend_timeout(seconds + 5)
    service.notifier.status(f"held back {seconds:g} s: {holdoff.trouble or f'{crashes} crashes in a row'}")
    return seconds
