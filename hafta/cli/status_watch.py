"""`hafta status --watch`: the same again and again, on one screen, until q or a signal; then all is as before."""

from __future__ import annotations

import contextlib
import os
import re
import select
import shutil
import signal
import sys
import termios
import time
import tty

import click

from hafta import exits
from hafta.cli.status_text import rows
from hafta.cli.table import shown
from hafta.errors import UsageError
from hafta.observe import words
from hafta.observe.sources.look import look

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Self

HOME, CLEAR_LINE, CLEAR_REST = "\x1b[H", "\x1b[K", "\x1b[J"
ENTER, LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"  # the other screen, without a cursor
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
#: What keys without a character send: arrows, function keys, Alt with a key, Escape alone.
SEQUENCE = re.compile(rb"\x1b(\[[0-?]*[ -/]*[@-~]|O.|.)?", re.DOTALL)


class Ended(BaseException):
    """A signal has come."""


class Signals:
    """While it is entered, the first signal that ends a process raises Ended, and no other does anything."""

    def __init__(self) -> None:
        self.number = 0  # of the signal that has come
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup
                self._before[number] = signal.signal(number, self._come)
        return self

    def _come(self, number: int, _frame: object) -> None:
        if not self.number:
            self.number = number
            raise Ended

    def __exit__(self, *_error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)


class Screen:
    """The other screen of the terminal, and keys without Enter, until it is left."""

    def __init__(self) -> None:
        self.has_keys = sys.stdin.isatty()
        self._before = termios.tcgetattr(0) if self.has_keys else None
        self._is_left = False

    def enter(self) -> None:
        """Show it."""
        if self.has_keys:
            tty.setcbreak(0)
        sys.stdout.write(ENTER)

    def leave(self) -> None:
        """Show again what was there before; once. A terminal that has gone needs nothing."""
        if self._is_left:
            return
        with contextlib.suppress(OSError):
            sys.stdout.write(LEAVE)
            sys.stdout.flush()
        if self._before is not None:
            with contextlib.suppress(termios.error):
                termios.tcsetattr(0, termios.TCSADRAIN, self._before)
        self._is_left = True


def watch(values: Any, names: tuple[str, ...]) -> int:
    """Look and draw until q is pressed; return the status of the last look. Raises UsageError without a terminal.

    A signal ends the process as it always does, after the terminal is as it was.
    """
    if not sys.stdout.isatty():
        raise UsageError("--watch needs a terminal", "without it, the command prints once")
    with Signals() as signals:
        screen = Screen()
        try:
            try:
                screen.enter()
                return _loop(values, names, has_keys=screen.has_keys)
            finally:
                screen.leave()
        except Ended:
            screen.leave()  # it may have come in the middle of that
    signal.signal(signals.number, signal.SIG_DFL)
    os.kill(os.getpid(), signals.number)
    return exits.FAILED  # not reached: the signal ends it


def _loop(values: Any, names: tuple[str, ...], *, has_keys: bool) -> int:
    while True:
        seen = look(names, os.environ, of_user=values.user, everything=values.all, log=not values.no_log)
        size = shutil.get_terminal_size((80, 24))
        lines = [f"{time.strftime('%H:%M:%S')}  every {values.every:g}s, q ends"]
        lines += [f"not seen: {shown(each)}" for each in seen.missing]
        lines += [f"unknown: {shown(each)}" for each in seen.unknown]
        drawn = [line[: size.columns] for line in lines]
        for line, health in rows(seen, verbose=values.verbose):
            drawn.append(click.style(line[: size.columns], fg=words.COLOURS.get(health)))
        body = "".join(f"{line}{CLEAR_LINE}\n" for line in drawn[: size.lines - 1])
        sys.stdout.write(f"{HOME}{body}{CLEAR_REST}")
        sys.stdout.flush()
        if _ended(values.every, has_keys=has_keys):
            return seen.status


def _ended(seconds: float, *, has_keys: bool) -> bool:
    """Wait; tell whether q was pressed, or the terminal is gone."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        if not has_keys:
            time.sleep(left)
        elif select.select([0], [], [], left)[0]:
            try:
                keys = os.read(0, 1024)
            except OSError:
                return True
            if not keys or b"q" in SEQUENCE.sub(b"", keys).lower():
                return True
    return False
