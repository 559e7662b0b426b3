"""A probe as steps that never wait, and the rounds in which all probes are tried at once.

Rules:

1. A probe is a generator. It yields what it waits for (`Want`) and is resumed when that is ready; it returns when it
   has passed, and raises `Refused` or OSError when it has failed. Between two yields it does nothing that waits.
2. Each try has its timeout, whatever the peer does. When that is over, the generator is closed, and its `finally`
   blocks close sockets and kill commands.
3. A probe reads at most what it needs: a peer that talks without end costs no more than one that says little.
4. A round is over when each of its probes has passed or failed. It fails with the reason of the first one listed.
"""

from __future__ import annotations

from hafta.frozen import Frozen
from hafta.journal.event import show_duration

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from hafta.process.loop import Loop


class Want(Frozen):
    """What a probe waits for: a descriptor that can be read, or written."""

    fd: int
    write: bool = False


class Refused(Exception):
    """The probe has failed; its text says why."""


class Probe(Frozen):
    """A way to ask whether the program works. `text` is how the user wrote it."""

    text: str
    begin: Callable[[], Generator[Want, None, None]]  # one try


class Try:
    """One try of one probe. `done` is called once: with "" if it passed, else with the reason."""

    def __init__(self, probe: Probe, loop: Loop, timeout: float, done: Callable[[str], None]) -> None:
        self._loop = loop
        self._steps = probe.begin()
        self._timeout = timeout
        self._key = ("probe", str(id(self)))
        self._done = done
        self._watched = -1

    def begin(self) -> None:
        """Take the first step."""
        self._loop.set_timer(self._key, self._timeout, self._late)
        self._go()

    def cancel(self) -> None:
        """Give up without an answer."""
        self._let_go()
        self._loop.clear_timer(self._key)
        self._steps.close()

    def _go(self) -> None:
        self._let_go()
        try:
            want = next(self._steps)
        except StopIteration:
            self._end("")
        except Refused as refusal:
            self._end(str(refusal))
        except OSError as error:
            self._end((error.strerror or str(error)).lower() if error.errno else str(error))
        else:
            self._watched = want.fd
            self._loop.watch(want.fd, self._go, write=want.write)

    def _let_go(self) -> None:
        """Stop watching, before the generator can close what is watched."""
        if self._watched >= 0:
            self._loop.forget(self._watched)
            self._watched = -1

    def _late(self) -> None:
        self.cancel()
        self._end(f"no answer within {show_duration(round(self._timeout * 1_000_000))}")

    def _end(self, reason: str) -> None:
        self._loop.clear_timer(self._key)
        self._done(reason)


class Round:
    """All probes, tried once. `done` is called with "" if all passed, else with the first reason."""

    def __init__(self, probes: Sequence[Probe], loop: Loop, timeout: float, done: Callable[[str], None]) -> None:
        self._probes = probes
        self._reasons: list[str | None] = [None] * len(probes)
        self._tries = [Try(probe, loop, timeout, self._taker(at)) for at, probe in enumerate(probes)]
        self._done = done

    def begin(self) -> None:
        """Try all."""
        for each in self._tries:
            each.begin()

    def cancel(self) -> None:
        """Give up: `done` is not called any more."""
        self._done = lambda _: None
        for each, reason in zip(self._tries, self._reasons, strict=True):
            if reason is None:
                each.cancel()

    def _taker(self, at: int) -> Callable[[str], None]:
        def take(reason: str) -> None:
            self._reasons[at] = reason and f"{self._probes[at].text}: {reason}"
            if None not in self._reasons:
                self._done(next(filter(None, self._reasons), ""))

        return take


class Rounds:
    """Rounds, one after the other. `answered` is given each outcome, and returns the interval from round to round."""

    KEY = ("round", "")

    def __init__(self, probes: Sequence[Probe], loop: Loop, timeout: float, answered: Callable[[str], float]) -> None:
        self._probes = probes
        self._loop = loop
        self._timeout = timeout
        self._answered = answered
        self._round: Round | None = None

    def begin(self) -> None:
        """Ask now, and again after each answer."""
        begun = self._loop.now()

        def done(reason: str) -> None:
            interval = self._answered(reason)
            if self._round is not None:  # the answer may have ended it all
                self._loop.set_timer(self.KEY, max(0.0, begun + interval - self._loop.now()), self.begin)

        self._round = Round(self._probes, self._loop, self._timeout, done)
        self._round.begin()

    def cancel(self) -> None:
        """Ask no more."""
        current, self._round = self._round, None
        self._loop.clear_timer(self.KEY)
        if current is not None:
            current.cancel()
