"""The parent's watch over the beat of its worker: when to look, and what a look has found."""

from __future__ import annotations

from hafta.death import HANG, TIMEOUT, Death
from hafta.service.warm.beat import ALLOWED, DUE, MARKED, NEVER, OVER, RAN, SLEEPS
from hafta.service.warm.judge import Look, judge
from hafta.service.warm.look import look

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hafta.service.warm.beat import Page


class Watch:
    """Judges one worker at a time. `again` is when to look; infinity: nothing is to be judged."""

    def __init__(self, page: Page) -> None:
        self.again = NEVER
        self._page = page
        self._latest: Look | None = None  # None: nothing is judged
        self._base: Look | None = None  # the last look before the beat that is judged
        self._due = NEVER  # of the beat that is judged
        self._granted = 0.0  # to that beat
        self._stopped = NEVER  # since when the worker has been stopped (SIGSTOP)

    def begin(self, pid: int) -> None:
        """Judge this worker from now on."""
        self._latest = self._base = look(pid)
        self._due, self._granted, self._stopped = NEVER, 0.0, NEVER
        self.again = self._next()

    def end(self) -> None:
        """Judge nothing."""
        self.again, self._latest = NEVER, None

    def sleep_until(self, moment: float) -> float:
        """Tell the worker until when the parent sleeps; return until when it may, as the worker may have beaten."""
        if self._latest is None:
            return moment
        self._page.words[SLEEPS] = moment = min(moment, self.again)
        if self._page.words[DUE] < moment and self._granted == 0.0:
            self.again = self._next()
        return min(moment, self.again)

    def kicked(self) -> None:
        """Note that the worker's next sign is due sooner than it was."""
        if self._latest is not None:
            self.again = min(self.again, self._next())

    def changed(self, stops: list[bool], now: float) -> None:
        """Note that the worker was stopped, or goes on. A stopped one writes no beat, however long it was to wait."""
        for stopped in stops:
            self._stopped = now if stopped else NEVER
        if stops and self._latest is not None:
            self.again = min(self.again, self._next())

    def look(self, pid: int) -> Death | None:
        """Look at the worker. Return why it is to be ended, if it is."""
        if self._latest is None or self._base is None:
            return None
        seen, words = look(pid), self._page.words
        due, allowed = self._due_now(), words[ALLOWED]
        if due != self._due:
            self._due, self._granted, self._base = due, 0.0, self._latest
        over = words[OVER]
        if seen.at >= over:
            death = self._overdue(pid)
            if words[OVER] == over:  # else the function has come back just now, and the text is of another one
                return death
        verdict = judge(due, allowed, self._from(self._base), seen)
        if verdict.hung and self._due_now() == due:  # read once more: the parent may have lost its processor just now
            silent = f"no progress for {seen.at - (due - allowed):.3f} s (allowed {allowed:g} s)"
            return self._death(pid, HANG, f"{silent}, state {seen.state or '?'}")
        self._latest, self._granted = seen, verdict.granted
        self.again = seen.at if verdict.hung else min(verdict.again, words[OVER])
        return None

    def _from(self, base: Look) -> Look:
        """Return from where on to judge: the worker's own mark, if that is newer than the last look before its beat."""
        words = self._page.words
        return base if words[MARKED] <= base.at else Look(words[MARKED], base.state, words[RAN], base.waited)

    def _next(self) -> float:
        return float(min(self._due_now() + self._granted, self._page.words[OVER]))

    def _due_now(self) -> float:
        return float(min(self._page.words[DUE], self._stopped + self._page.words[ALLOWED]))

    def _overdue(self, pid: int) -> Death:
        """Return why a worker is ended that has not come back in time: the node is the one whose time is up."""
        sequence, node, which = self._page.read_timed()
        place = self._page.read_where()
        inside = "" if place == (sequence, node) else f", in {place[1]} of sequence {place[0]}"
        return Death(pid, why=TIMEOUT, sequence=sequence, node=node, detail=f"longer than {which}{inside}")

    def _death(self, pid: int, why: str, detail: str) -> Death:
        sequence, node = self._page.read_where()
        return Death(pid, why=why, sequence=sequence, node=node, detail=detail)
