"""What a notification means to the unit that sent it (sd_notify(3))."""

from __future__ import annotations

import os

from hafta.overlord.table import Event

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hafta.overlord.notifications import Message
    from hafta.overlord.runner import Runner


class Hearing:
    """Turns messages into events and facts of a unit."""

    def __init__(
        self,
        post: Callable[[Runner, Event], None],
        adopt: Callable[[Runner, int], None],
        note: Callable[[str], None],
    ) -> None:
        self._post = post
        self._adopt = adopt
        self._note = note
        self._noted: set[tuple[str, str]] = set()
        self._meanings: dict[str, Callable[[Runner, str], None]] = {
            "MAINPID": self._mainpid,
            "READY": self._ready,
            "STOPPING": lambda runner, value: self._post(runner, Event.LEAVING) if value == "1" else None,
            "STATUS": lambda runner, value: setattr(runner, "status", value),
            "ERRNO": self._errno,
            "WATCHDOG": self._watchdog,
            "WATCHDOG_USEC": lambda runner, value: _with_time(value, runner.set_watchdog),
            "EXTEND_TIMEOUT_USEC": lambda runner, value: _with_time(value, runner.extend),
            "FDSTORE": lambda runner, _: self._once(runner, "FDSTORE", "keeps no file descriptors (FDSTORE=1)"),
        }

    def take(self, message: Message, runner: Runner) -> None:
        """Do what a unit's message asks for, if NotifyAccess= lets its sender."""
        if runner.unit.notify_access != "all" and (runner.unit.notify_access == "none" or message.pid != runner.main):
            self._once(runner, "access", f"takes no notification from process {message.pid} (NotifyAccess=)")
            return
        for name, value in message.fields:
            if name in self._meanings:
                self._meanings[name](runner, value)

    def _once(self, runner: Runner, subject: str, text: str) -> None:
        if (runner.name, subject) not in self._noted:
            self._noted.add((runner.name, subject))
            self._note(f"{runner.name}: the overlord {text}")

    def _ready(self, runner: Runner, value: str) -> None:
        if value == "1" and runner.unit.policy.type == "notify":
            self._post(runner, Event.READY)

    def _watchdog(self, runner: Runner, value: str) -> None:
        if value == "trigger":
            self._post(runner, Event.HUNG)
        elif value == "1":
            runner.feed()

    def _errno(self, runner: Runner, value: str) -> None:
        if value.isascii() and value.isdigit() and len(value) < 6:
            runner.trouble = os.strerror(int(value))

    def _mainpid(self, runner: Runner, value: str) -> None:
        if value.isascii() and value.isdigit() and len(value) < 10 and int(value) != runner.main:
            self._adopt(runner, int(value))


def _with_time(value: str, use: Callable[[float], None]) -> None:
    if value.isascii() and value.isdigit() and len(value) < 18:
        use(int(value) / 1_000_000)
