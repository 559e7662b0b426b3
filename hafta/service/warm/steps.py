"""An observer of each call of a worker: it tells the beat where the call is, and what its node is allowed.

A node's deadline= counts for all of its functions; its timeout=, rollback_timeout= and policy_timeout= for one each, as
in asyncio. An inner sequence has what it is allowed itself, and the time of the node that called it, or of that call.
At its end, what the outer node is allowed holds again. The limit that comes first counts, and is known by its owner:
the node that fails with it in the next process.

The parent ends what the driver cannot: a plain function that does not return. Its run.sleep() and run.wait() end in
time by themselves, so the parent comes SLACK seconds later. An `async def` function is cancelled by its loop, and may
be cancelled by others: it has no such limit. If it blocks the loop, its deadline ends it.

Calls that run at the same time, in threads or tasks, share one beat: the node that began last says what is allowed.
"""

from __future__ import annotations

from contextvars import ContextVar

from hafta.drivers.observer import Observer
from hafta.engine.machine import Phase
from hafta.engine.signature import is_async
from hafta.engine.words import Kind
from hafta.service.warm.beat import NEVER, lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol, TypeAlias

    from hafta.engine.machine import Machine
    from hafta.engine.node import Node

    class Beat(Protocol):
        """The service of a worker, as this module sees it."""

        def now(self) -> float:
            """Return the time on its clock."""

        def enter(self, sequence: str, node: str, deadline: float | None, limit: Limit) -> None:
            """Note that a function begins."""

        def limit(self, limit: Limit) -> None:
            """Change when the time of the function is up."""

    #: When a time is up, and whose it is, as the page has it.
    Limit: TypeAlias = tuple[float, bytes]


SLACK = 0.02  # seconds
_RUNNING = frozenset({Phase.NORMAL, Phase.ROLLBACK, Phase.UNWIND, Phase.UNWOUND, Phase.ASK})
_innermost: ContextVar[Steps | None] = ContextVar(
    "hafta.service.warm.steps", default=None
)  # the call that goes on here


_UNLIMITED = (NEVER, b"")


class Steps(Observer):
    """Watches one call. `limit` is that of the function that runs."""

    __slots__ = ("_outer", "_service", "limit", "node", "sequence")

    sees_every_step = True

    def __init__(self, service: Beat, sequence: str) -> None:
        self._service = service
        self.sequence = sequence
        self._outer: Steps | None = None
        self.node: Node | None = None
        self.limit: Limit = _UNLIMITED

    def entering(self, machine: Machine) -> None:
        """Note which node begins, and when its time is up."""
        node = machine.node
        self._enter(node, node.normal_function, "timeout")

    def undoing(self, machine: Machine) -> None:
        """Note that a rollback function begins."""
        node = machine.node
        self._enter(node, node.rollback_function, "rollback_timeout")

    def asking(self, machine: Machine) -> None:
        """Note that a policy begins, if it has a time."""
        node = machine.node
        if node.policy_timeout is not None and machine.kind is not Kind.ORPHANED:
            self._enter(node, node.policy_function, "policy_timeout")

    def ended(self, machine: Machine) -> None:  # noqa: ARG002 - the observer's
        """The time of the function no longer runs."""
        self._take_back(self._inherited())

    def failed(self, machine: Machine) -> None:
        """The same."""
        self.ended(machine)

    def moved(self, machine: Machine) -> None:
        """The policy has answered. At the end of the call, what the outer node is allowed holds again."""
        if machine.phase not in _RUNNING:
            self._leave()
        elif self.limit[0] != NEVER:
            self.ended(machine)

    def shorten(self, seconds: float) -> Limit:
        """Have what the node does now end in time; return the limit before, for lengthen()."""
        before = self.limit
        self.limit = self._sooner(before, seconds, f"the time of its call, {seconds:g} s")
        self._service.limit(self.limit)
        return before

    def lengthen(self, before: Limit) -> None:
        """Give the node back the time that it had."""
        self._take_back(before)

    def _take_back(self, limit: Limit) -> None:
        self.limit = limit
        self._service.limit(limit)

    def _enter(self, node: Node, function: Callable[..., Any] | None, option: str) -> None:
        if self.node is None:
            self._outer = _innermost.get()
            _innermost.set(self)
        self.node = node
        self.limit = self._inherited()
        seconds = getattr(node, option)
        if seconds is not None and function is not None and not is_async(function):
            self.limit = self._sooner(self.limit, seconds, f"its {option} of {seconds:g} s")
        self._service.enter(self.sequence, node.name, node.deadline, self.limit)

    def _sooner(self, limit: Limit, seconds: float, which: str) -> Limit:
        """Return the limit that comes first: this one, or that of `seconds` from now."""
        own = self._service.now() + seconds + SLACK
        if own >= limit[0] or self.node is None:
            return limit
        return own, lines(self.sequence, self.node.name, which)

    def _inherited(self) -> Limit:
        return _UNLIMITED if self._outer is None else self._outer.limit

    def _leave(self) -> None:
        outer = self._outer
        _innermost.set(outer)
        if outer is not None and outer.node is not None:
            self._service.enter(outer.sequence, outer.node.name, outer.node.deadline, outer.limit)


def call_begins(seconds: float) -> tuple[Steps, Limit] | None:
    """Shorten the time of the node that calls a sequence here; return what call_ends() takes."""
    steps = _innermost.get()
    return None if steps is None else (steps, steps.shorten(seconds))


def call_ends(begun: Any) -> None:
    """Give the node back the time that it had."""
    if begun is not None:
        steps, before = begun
        steps.lengthen(before)
