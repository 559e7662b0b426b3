"""One thread, one select: descriptors, signals, timers, and a clock that stops while the overlord does not run.

The overlord's time is the monotonic clock without the gaps in which the overlord itself did not run (SIGSTOP, a machine
that stalled). So no service is killed as late while the overlord could not listen to it. A gap is a wake-up more than
GAP seconds later than requested, or a round of work that took longer than GAP. While a timer is pending, no wait is
longer than TICK, so that a gap of more than TICK + GAP is always seen.

What services write is patient: in each turn all else comes first, and all of it together gets at most SLICE seconds.
Those that are left over come first in the next turn. So a hundred services that write empty lines without a pause delay
each other, and nothing else.
"""

from __future__ import annotations

import os
import selectors
import signal
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from typing import Any

    Key = tuple[str, str]

GAP = 0.5  # seconds
TICK = 1.0  # seconds
SLICE = 0.03  # seconds of a turn for what is patient, and the rest of what was begun in them


class Loop:
    """Calls back when something is readable, writable or due, and when a signal came."""

    def __init__(self, on_signal: Callable[[int], None], on_gap: Callable[[float], None]) -> None:
        self._selector = selectors.DefaultSelector()
        self._timers: dict[Key, tuple[float, Callable[[], None]]] = {}
        self._on_signal = on_signal
        self._on_gap = on_gap
        self._lost = 0.0
        self._woken = time.monotonic()
        self._queue: list[Any] = []  # patient sources that were ready, whose turn comes first in front
        self._wakeup, self._wakeup_end = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self.watch(self._wakeup, self._take_signals)

    def now(self) -> float:
        """Return the overlord's time, in seconds."""
        return time.monotonic() - self._lost

    def watch(self, source: Any, callback: Callable[[], None], *, write: bool = False, patient: bool = False) -> None:
        """Call back whenever `source` is ready: a descriptor, or an object that has one; `patient` gives way."""
        events = selectors.EVENT_WRITE if write else selectors.EVENT_READ
        self._selector.register(source, events, (callback, patient))

    def is_watching(self, source: Any) -> bool:
        """Tell whether it is watched."""
        return source in self._selector.get_map()

    def forget(self, source: Any) -> None:
        """Stop watching it."""
        self._selector.unregister(source)

    def set_timer(self, key: Key, delay: float, callback: Callable[[], None]) -> None:
        """Call back once in `delay` seconds. This replaces an earlier timer of the key; infinity means never."""
        self._timers[key] = (self.now() + delay, callback)

    def clear_timer(self, key: Key) -> None:
        """Remove the timer of the key."""
        self._timers.pop(key, None)

    def left(self, key: Key) -> float | None:
        """Return the seconds until the timer of the key is due; None if there is none."""
        return self._timers[key][0] - self.now() if key in self._timers else None

    def extend_timer(self, key: Key, delay: float) -> None:
        """Postpone the timer of the key to at least `delay` seconds from now."""
        if key in self._timers:
            deadline, callback = self._timers[key]
            self._timers[key] = (max(deadline, self.now() + delay), callback)

    def listen(self, signals: Collection[int]) -> None:
        """Handle these signals from now on, including those that came while they were blocked."""
        signal.set_wakeup_fd(self._wakeup_end, warn_on_full_buffer=False)
        for signum in signals:
            signal.signal(signum, lambda *_: None)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)

    def turn(self) -> None:
        """Wait for something to happen, and call back."""
        asked = self._wait()
        begun = time.monotonic()
        self._account(begun - self._woken)
        ready = self._selector.select(asked)
        self._woken = time.monotonic()
        if asked is not None and self._woken - begun > asked + GAP:
            self._account(self._woken - begun)
        patient: dict[Any, Callable[[], None]] = {}
        for key, _ in ready:
            callback, is_patient = key.data
            if is_patient:
                patient[key.fileobj] = callback
            else:
                self._call(key.fileobj, callback)
        self._serve(patient)
        self._fire()

    def _call(self, source: Any, callback: Callable[[], None]) -> None:
        if source in self._selector.get_map():  # an earlier callback may have closed it
            callback()

    def _serve(self, patient: dict[Any, Callable[[], None]]) -> None:
        """Call back for what is patient, for at most SLICE seconds."""
        end = time.monotonic() + SLICE
        first = dict.fromkeys(source for source in self._queue if source in patient)
        order = [*first, *(source for source in patient if source not in first)]
        at = 0
        while at < len(order) and time.monotonic() <= end:
            self._call(order[at], patient[order[at]])
            at += 1
        self._queue = [*order[at:], *order[:at]]

    def _wait(self) -> float | None:
        due = min((deadline for deadline, _ in self._timers.values()), default=float("inf"))
        return None if due == float("inf") else min(max(due - self.now(), 0.0), TICK)

    def _account(self, seconds: float) -> None:
        if seconds > GAP:
            self._lost += seconds
            self._on_gap(seconds)

    def _fire(self) -> None:
        now = self.now()
        for key, (deadline, callback) in list(self._timers.items()):
            if deadline <= now and self._timers.get(key, (0.0, None))[1] is callback:
                del self._timers[key]
                callback()

    def _take_signals(self) -> None:
        signals = os.read(self._wakeup, 4096)
        for signum in signals.replace(bytes((signal.SIGCHLD,)), b""):
            self._on_signal(signum)
        if signal.SIGCHLD in signals:  # once is enough for any number of them
            self._on_signal(signal.SIGCHLD)

    def close(self) -> None:
        """Close all descriptors."""
        signal.set_wakeup_fd(-1)
        self._selector.close()
        os.close(self._wakeup)
        os.close(self._wakeup_end)
