"""The service of a worker: each sign of progress is a beat in the page that the parent reads."""

from __future__ import annotations

import os
import time
from _thread import _count as other_threads

from hafta import exits
from hafta.service.service import Service
from hafta.service.warm.beat import ALLOWED, DUE, MARKED, NEVER, OVER, RAN, RETIRE, SLEEPS, lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hafta.drivers.observer import Observer
    from hafta.service.warm.beat import Page
    from hafta.service.warm.health import Checkup
    from hafta.service.warm.rules import Rule
    from hafta.service.warm.steps import Limit

_now = time.monotonic


class BeatingService(Service):
    """The runtime of a worker. `deadline` is what a node without its own has; 0: nothing is judged.

    Tasks of an event loop and threads share one beat: one of them must not cut short the wait that another one has
    announced. So from the first such wait on, each deadline is longer by the longest slice of a wait, 0.5 s.
    """

    is_warm = True

    def __init__(self, name: str, environ: Mapping[str, str], page: Page, kick: int, deadline: float) -> None:
        self._page = page
        self._words = page.words
        self._kick = kick
        self._judges = bool(deadline)
        self._allowed = self._standard = deadline or NEVER
        self._shared = 0.0  # what a shared beat adds to each deadline
        self._places: dict[tuple[str, str], bytes] = {}
        self._checkup: Checkup | None = None
        super().__init__(name, environ)

    def progress(self) -> None:
        """Note that the work has moved on: a store in memory more than in a service without a parent."""
        now = _now()
        self._words[0] = now + self._allowed
        if now >= self._next:
            self._beat(now)
            self._next = min(now + self.slice, self.watchdog.next)

    def _beat(self, now: float) -> None:
        super()._beat(now)
        if self.watchdog.left() <= 0:
            self._end_without_lease()
        if self._checkup is not None:
            self._checkup.ask(now)

    def _end_without_lease(self) -> None:
        """End at once: a node that shows progress and records nothing must not outlive its lease (docs/hosts.md)."""
        message = "the lease of the record has ended, and another host may have it"
        hint = "the owner is found by `hafta checkpoints`; look whether the store can be reached from here"
        self.fail(message, hint, exits.LOST)
        self.flush()
        self.end_process(exits.LOST)

    def check_health(self, rules: Iterable[Rule]) -> None:
        """Ask the service how it is from now on, if there is a rule for it."""
        from hafta.service.warm.rules import health_of

        rule = health_of(rules)
        if rule is not None:
            from hafta.service.warm.health import Checkup

            self._checkup = Checkup(rule, self._page)

    def ready(self, status: str = "") -> None:
        """Tell the parent that the worker is up. From now on it is judged."""
        self._words[ALLOWED] = self._allowed
        self.progress()
        super().ready(status)
        if self._checkup is not None:
            self._checkup.begin()

    def waiting(self, seconds: float, *, alone: bool = True) -> None:
        """Announce a wait: no sign of progress is due before its end."""
        if not self._shared and (not alone or other_threads()):
            self._shared = self.slice
            self._allowed += self.slice
            self._words[ALLOWED] = self._allowed
        self._words[DUE] = _now() + seconds + self._allowed

    def _waited(self) -> None:
        self._mark()
        super()._waited()
        self._wake_parent()

    def _mark(self) -> None:
        """Mark how long this thread has run until now, before a beat. Where there are others, marks would not fit.

        The clock is read first, and the beat comes later: so what this thread is not given in between counts as such.
        """
        if not self._shared:
            now = _now()
            self._words[RAN] = time.thread_time()
            self._words[MARKED] = now

    def _wake_parent(self) -> None:
        """Wake the parent if the next sign is due before it wakes by itself."""
        words = self._words
        if words[DUE] < words[SLEEPS] or words[OVER] < words[SLEEPS]:
            try:
                os.eventfd_write(self._kick, 1)
            except OSError:
                return  # it is full: the parent is to wake anyway

    def observers(self, sequence: str) -> tuple[Observer, ...]:
        """Watch each call of the sequence, for where it is and what it is allowed."""
        from hafta.service.warm.steps import Steps

        return (*super().observers(sequence), Steps(self, sequence))

    def enter(self, sequence: str, node: str, deadline: float | None, limit: Limit) -> None:
        """Note that a function begins: where it is, how often it has to show progress, and when its time is up."""
        place = self._places.get((sequence, node))
        if place is None:
            place = self._places[sequence, node] = lines(sequence, node)
        words = self._words
        self._page.say_where(place)
        allowed = self._standard if deadline is None or not self._judges else deadline
        self._allowed = words[ALLOWED] = allowed + self._shared
        self.limit(limit)
        self._mark()
        words[DUE] = _now() + self._allowed
        self._wake_parent()

    def limit(self, limit: Limit) -> None:
        """Change when the time of the function is up, and whose time that is."""
        moment, whose = limit
        if moment is not NEVER:
            self._words[OVER] = NEVER  # the text and the moment belong together
            self._page.say_timed(whose)
        self._words[OVER] = moment if self._judges else NEVER

    def call_begins(self, seconds: float) -> object:
        """Have the call of a sequence end in time."""
        from hafta.service.warm.steps import call_begins

        begun = call_begins(seconds)
        self._wake_parent()
        return begun

    def call_ends(self, begun: object) -> None:
        """Let the node go on with the time that it had before the call."""
        from hafta.service.warm.steps import call_ends

        call_ends(begun)

    def arrive(self) -> None:
        """Begin after a wait at the gate, which does not count."""
        self._words[DUE] = NEVER

    def may_go(self) -> bool:
        """Tell whether the parent wants another worker: this is a safe place to end."""
        return bool(self._words[RETIRE])
