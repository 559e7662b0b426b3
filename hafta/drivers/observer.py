"""Observers of a call: the one seam for rollback reports, recording, test probes, and what else watches a call.

The conductor calls each of them at six moments. When something begins, it calls them in the order in which they were
given; when it has ended, in the reverse order.

    entering   a normal function is about to run        what it raises is a failure of that function
    undoing    a rollback function is about to run      the same
    ended      a function ends with success; the machine has not moved yet   the same
    failed     a function has failed, and the machine has moved to ASK or UNWOUND
    asking     the policy is about to be asked
    moved      the verdict is carried out, or what an unwinding had put off

An observer that sees every step keeps a call from its fast path, on which no observer sees a plain node that succeeds.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, Protocol

    from hafta.engine.machine import Machine
    from hafta.engine.shape import Shape

    Moment = Callable[[Machine], None]

    class Recording(Protocol):
        """The observer that makes a call durable, as a run and a nested call see it."""

        @property
        def token(self) -> int:
            """The fencing token of the record; 0: its store has none."""

        def checkpoint(self, value: int, state: dict[str, Any], sync: bool) -> None:
            """Record a checkpoint of the function that runs."""

        def nested(self, shape: Shape, machine: Machine) -> Recording | None:
            """Return what records an inner sequence, ready; None where nothing is recorded."""

        def leave(self, error: BaseException | None) -> None:
            """Leave the record as the next call should find it."""


class Observer:
    """Does nothing at each moment; a subclass overrides the ones that it wants to see."""

    __slots__ = ()

    #: Whether it sees every step, also the success of a plain node.
    sees_every_step = False

    def entering(self, machine: Machine) -> None:
        """See that a normal function is about to run."""

    def undoing(self, machine: Machine) -> None:
        """See that a rollback function is about to run."""

    def ended(self, machine: Machine) -> None:
        """See that a function ends with success."""

    def failed(self, machine: Machine) -> None:
        """See that a function has failed."""

    def asking(self, machine: Machine) -> None:
        """See that the policy is about to be asked."""

    def moved(self, machine: Machine) -> None:
        """See where control has gone."""


class Observers:
    """The observers of one call, by moment: only those that want to see it are called."""

    __slots__ = ("_always", "asking", "ended", "entering", "failed", "moved", "see_every_step", "undoing")

    def __init__(self, observers: Iterable[Observer]) -> None:
        each = tuple(observers)
        self.see_every_step = self._always = any(one.sees_every_step for one in each)
        self.entering = _wanting(each, "entering")
        self.undoing = _wanting(each, "undoing")
        self.ended = _wanting(each[::-1], "ended")
        self.failed = _wanting(each[::-1], "failed")
        self.asking = _wanting(each, "asking")
        self.moved = _wanting(each[::-1], "moved")

    def look_closer(self, closer: bool) -> None:
        """Show every step for a while, or no longer, unless one of them always wants to see it."""
        self.see_every_step = closer or self._always


def _wanting(observers: tuple[Observer, ...], moment: str) -> tuple[Moment, ...]:
    plain = getattr(Observer, moment)
    return tuple(getattr(one, moment) for one in observers if getattr(type(one), moment) is not plain)
