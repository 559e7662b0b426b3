"""The overlord of a demonstration, and the words between its lines.

It runs in a child, in its own session, and dies with us. What it shows passes through here, a terminal's output
through a terminal, so that it looks as it would alone. A signal to stop is passed on, once; then the overlord stops its
services in order, and that is still shown.
"""

from __future__ import annotations

import os
import select
import signal
import time
from contextlib import suppress

from hafta import exits
from hafta.demo.faults import Faults
from hafta.demo.lessons import Lessons
from hafta.descriptors import silence
from hafta.journal.terminal import wants_colour
from hafta.overlord.program import main as run_overlord
from hafta.process.prctl import die_with_parent
from hafta.units.execstart import in_checkout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hafta.settings import Values

#: Cold: what is shown is the work of the overlord, which a warm parent would do before it.
SETTINGS = ("--set=HAFTA_INTERVAL=0.2", "--set=HAFTA_BAD_RATE=8", "--set=HAFTA_WARM=0")
OVERLORD = ("--ephemeral", "--as-root", *SETTINGS, "hafta.target")
STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
WELCOME = (
    "A server writes the alphabet to a pipe, and bad data now and then; a client reads it, and rolls back. Ctrl-C ends"
    " both."
)


class Stage:
    """One demonstration."""

    def __init__(self, values: Values, environ: Mapping[str, str]) -> None:
        self._values = values
        self._environ = environ
        self._lessons = Lessons()
        self._bold = os.isatty(1) and wants_colour(environ)
        self._is_read = True
        self._overlord = 0

    def run(self) -> int:
        """Run it to its end; return the overlord's exit status."""
        self._say(WELCOME)
        if not self._is_read:
            return exits.OK
        began = time.monotonic()
        self._overlord, source = self._start()
        for signum in STOPS:
            signal.signal(signum, lambda signum, _frame: self._stop(signum))
        try:
            self._show(source)
        finally:
            os.close(source)
            status = os.waitstatus_to_exitcode(os.waitpid(self._overlord, 0)[1])
        if status == exits.OK:
            for text in (f"In {time.monotonic() - began:.0f} s:", *self._lessons.counts(), "", *_next()):
                self._say(text)
        return status if status >= 0 else exits.FAILED

    def _start(self) -> tuple[int, int]:
        """Start the overlord; return its process, and where what it shows is read."""
        source, sink = os.openpty() if os.isatty(1) else os.pipe()
        parent = os.getpid()
        pid = os.fork()
        if pid:
            os.close(sink)
            return pid, source
        status = int(exits.FAILED)
        try:
            os.setsid()
            os.dup2(sink, 1)
            os.closerange(3, max(source, sink) + 1)
            if die_with_parent(signal.SIGTERM, parent):
                status = run_overlord(self._options(), self._environ)
        finally:
            os._exit(status)

    def _options(self) -> list[str]:
        duration = getattr(self._values, "for")
        chosen = {f"--for={duration:g}": duration, "--debug": self._values.debug}
        return [*(option for option, wanted in chosen.items() if wanted), *OVERLORD]

    def _stop(self, signum: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(self._overlord, signum)

    def _show(self, source: int) -> None:
        """Pass on what the overlord shows, to its end, and say something of it; make the faults in between."""
        faults: Faults | None = None
        poll = select.poll()
        poll.register(source, select.POLLIN)
        rest = b""
        while True:
            if poll.poll(faults.wait(time.monotonic()) * 1000 if faults else None):
                data = _read(source)
                if not data:
                    break
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    self._pass_on(line.rstrip(b"\r").decode(errors="replace"))
            if faults and (command := faults.make(time.monotonic())):
                self._say(command)
            if not faults and self._lessons.seen["ready"] and self._values.faults:
                faults = Faults(self._overlord, self._environ, time.monotonic())
        if rest:
            self._pass_on(rest.decode(errors="replace"))

    def _pass_on(self, line: str) -> None:
        self._write(line)
        for text in self._lessons.heed(line):
            if self._values.explain:
                self._say(text)

    def _say(self, text: str) -> None:
        line = f"demo         | {text}".rstrip()
        self._write(f"\x1b[1m{line}\x1b[0m" if self._bold else line)

    def _write(self, line: str) -> None:
        """Show it. When nobody reads any more (a pipe to head), the overlord stops."""
        try:
            print(line, flush=True)
        except OSError:
            silence(1)
            self._is_read = False
            if self._overlord:
                self._stop(signal.SIGTERM)


def _read(source: int) -> bytes:
    """Return what is there; nothing at the end, which a terminal says by an error."""
    try:
        return os.read(source, 65536)
    except OSError:
        return b""


def _next() -> Iterator[str]:
    """Give what to try next: from a checkout, what works without an installation."""
    run, ctl, page = ("hafta run", "hafta ctl", "man 7 hafta")
    if in_checkout():
        run, ctl, page = ("python3 -m hafta.overlord", "python3 -m hafta.control", "less docs/tutorial.md")
    yield "Try next:"
    yield f"  {run} {' '.join(OVERLORD[:2])} hafta.target    the same, without faults and in peace"
    yield f"  {ctl} list-units    from another terminal, while one runs: where the units stand"
    yield f"  {page}    how the two are written, function by function"
