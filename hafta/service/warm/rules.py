"""Rules for a worker, which the parent looks at once a second: memory, age, open files, growth, health, those of users.

A rule is an object with `broken(seen)`, which returns what is wrong, or an empty string. It runs in the parent: it must
not wait, and must not raise. A worker that breaks one is replaced at its next safe point, which is between two
sequences; if it has not come to one after PATIENCE seconds, or if `at_once` is true, it is asked to stop (SIGTERM).
Neither counts as a crash. The standby takes its place.
"""

from __future__ import annotations

import os

from hafta.errors import UsageError
from hafta.frozen import Frozen
from hafta.process.stat import bytes_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

EVERY = 1.0  # seconds
PATIENCE = 30.0  # seconds
_PAGE = os.sysconf("SC_PAGESIZE")
_MIB = 1024 * 1024


class Seen(Frozen):
    """What a look at the worker found. What could not be read is 0."""

    pid: int
    age: float  # seconds since it became ready
    memory: int  # bytes: its resident set
    files: int  # open descriptors
    health: str = ""  # what the service says is wrong with it (Health)


class Rule:
    """Holds nothing; a subclass says what."""

    #: Whether the worker is asked to stop at once.
    at_once = False

    def broken(self, seen: Seen) -> str:  # noqa: ARG002 - a subclass looks at it
        """Return what is wrong with this worker; empty: nothing."""
        return ""


class Memory(Rule):
    """The resident set is at most this many bytes. Raises ValueError for less than a page."""

    def __init__(self, most: int, *, at_once: bool = False) -> None:
        self.most = _number(most, "a limit of memory", _PAGE)
        self.at_once = at_once

    def broken(self, seen: Seen) -> str:
        """Compare."""
        if seen.memory <= self.most:
            return ""
        return f"memory: {seen.memory / _MIB:.0f} MiB (limit {self.most / _MIB:.0f} MiB)"


class Growth(Rule):
    """The resident set has grown by at most this many bytes since `after` seconds of age."""

    def __init__(self, most: int, *, after: float = 60.0, at_once: bool = False) -> None:
        self.most = _number(most, "a limit of growth", _PAGE)
        self.after = after
        self.at_once = at_once
        self._first = (0, 0)  # the worker, and what it had

    def broken(self, seen: Seen) -> str:
        """Compare with the first look at this worker after that age."""
        if seen.age < self.after or not seen.memory:
            return ""
        if self._first[0] != seen.pid:
            self._first = (seen.pid, seen.memory)
        grown = seen.memory - self._first[1]
        return f"growth: {grown / _MIB:.0f} MiB (limit {self.most / _MIB:.0f} MiB)" if grown > self.most else ""


class Age(Rule):
    """The worker is at most this many seconds old."""

    def __init__(self, most: float, *, at_once: bool = False) -> None:
        self.most = _number(most, "a limit of age", 1)
        self.at_once = at_once

    def broken(self, seen: Seen) -> str:
        """Compare."""
        return f"age: {seen.age:.0f} s (limit {self.most:g} s)" if seen.age > self.most else ""


class OpenFiles(Rule):
    """The worker has at most this many open descriptors."""

    def __init__(self, most: int, *, at_once: bool = False) -> None:
        self.most = _number(most, "a limit of open files", 16)
        self.at_once = at_once

    def broken(self, seen: Seen) -> str:
        """Compare."""
        return f"open files: {seen.files} (limit {self.most})" if seen.files > self.most else ""


class Health(Rule):
    """The service itself says that nothing is wrong. `check()` returns what is, as text; empty or None: nothing.

    It runs in the worker, once it is ready, every `every` seconds at most: while the worker shows progress or waits in
    HAFTA's waits (health.py). So it may look at the program's objects, and must be quick. What it raises is wrong, too.
    Raises TypeError for what cannot be called.
    """

    def __init__(self, check: Callable[[], str | None], *, every: float = 1.0, at_once: bool = False) -> None:
        if not callable(check):
            raise TypeError(f"Health takes a function that says what is wrong, not {check!r}")
        self.check = check
        self.every = every
        self.at_once = at_once

    def broken(self, seen: Seen) -> str:
        """Pass on what the service says."""
        return f"health: {seen.health}" if seen.health else ""


def health_of(rules: Iterable[Rule]) -> Health | None:
    """Return the one rule that the worker has to look at itself. Raises UsageError for two."""
    found = [rule for rule in rules if isinstance(rule, Health)]
    if len(found) > 1:
        raise UsageError(f"rules= has {len(found)} of Health", "give one, whose function judges all of the service")
    return found[0] if found else None


def look(pid: int, age: float, health: str = "") -> Seen:
    """Look at a worker, which has said this of its health."""
    pages = (bytes_of(pid, "statm") or b"0 0").split()[1]
    try:
        files = len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        files = 0
    return Seen(pid, age, int(pages) * _PAGE, files, health)


def first_broken(rules: Iterable[Rule], seen: Seen) -> tuple[Rule, str] | None:
    """Return the first rule that this worker breaks, and how. One that raises counts as broken, and is named."""
    for rule in rules:
        try:
            reason = rule.broken(seen)
        except Exception as error:
            reason = f"{type(rule).__name__} cannot judge: {type(error).__name__}: {error}"
        if reason:
            return rule, str(reason)
    return None


def _number(given: float, what: str, least: float) -> float:
    if isinstance(given, bool) or not isinstance(given, (int, float)) or not least <= given < float("inf"):
        raise ValueError(f"{what} is a number of {least} or more, not {given!r}")
    return given
