"""What every policy object is: it refines a verdict, so that policies compose with `|`.

A chain starts with what the default policy (or your own policy function) answers, and its policies may change that:
`Attempts(10) | Backoff(0.1, cap=5) | Deadline(60)`. The order of the ready-made ones does not matter: weighing.py has
the rules. None of them has a clock or sleeps: they read `event.at` and `event.since`, and answer with a delay.
"""

from __future__ import annotations

from hafta.engine.default import default_policy
from hafta.engine.words import Kind, Verdict
from hafta.policies.weighing import answer, refuse_contradictions, restrict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any, TypeGuard

    from hafta.drivers.run import Run
    from hafta.engine.words import PolicyEvent

    Decide = Callable[[Run, PolicyEvent], Verdict]


class Policy:
    """A policy to give to a node: `@sequence.node(policy=...)`. One of your own defines `refine`."""

    def refine(self, event: PolicyEvent, verdict: Verdict) -> Verdict:
        """Return the verdict, changed where this policy has a say. Sees all events; has no clock but event.at."""
        raise NotImplementedError

    def admit(self, now: float) -> None:
        """Let an attempt begin at this time on the driver's clock; an exception raised here is its failure."""

    def __call__(self, run: Run, event: PolicyEvent) -> Verdict:
        """Decide alone, on top of the default policy."""
        return self.refine(event, default_policy(run, event))

    def __or__(self, other: Policy) -> Policy:
        if not isinstance(other, Policy):
            return NotImplemented
        return Chain(default_policy, (*self.parts(), *other.parts()))

    def __ror__(self, decide: Decide) -> Policy:
        if isinstance(decide, type) or not callable(decide):
            return NotImplemented
        return Chain(decide, self.parts())

    def parts(self) -> tuple[Policy, ...]:
        """Return the policies that this one is made of."""
        return (self,)


class ReadyMade(Policy):
    """A policy that says what it knows of an event; weighing.py makes a verdict of what those in a chain say."""

    grants = False  # whether the node has further attempts after those of the default policy
    then: Verdict | None = None  # what follows its limit
    verdict: Verdict | None = None  # on the reasons that it is about,
    about: tuple[type[BaseException], ...] = ()  # which are these,
    holds: Callable[[Any], bool] | None = None  # or those for which this is true

    def notice(self, event: PolicyEvent) -> None:
        """Remember what is to be remembered of this event."""

    def limit(self, event: PolicyEvent) -> Verdict | None:  # noqa: ARG002 - for those that have one
        """Return what follows if this failure reaches a limit."""
        return None

    def late(self, event: PolicyEvent, delay: float) -> Verdict | None:  # noqa: ARG002 - for those that have one
        """Return what follows if it is too late to go on in place after this delay."""
        return None

    def wait(self, event: PolicyEvent) -> float:  # noqa: ARG002 - for those that delay
        """Return the seconds to wait before trying again."""
        return 0.0

    def refine(self, event: PolicyEvent, verdict: Verdict) -> Verdict:
        """Change the verdict as a chain of this policy alone does."""
        self.notice(event)
        return restrict((self,), event, answer((self,), event, verdict))


class Chain(Policy):
    """Policies together, on top of a policy function, which may be an `async def`."""

    def __init__(self, decide: Decide, parts: tuple[Policy, ...]) -> None:
        self._decide = decide
        self._parts = parts
        ready = {id(part): part for part in parts if _is_ready_made(part)}  # the same object twice is one policy
        self._ready = tuple(ready.values())
        self._own = tuple(part for part in parts if id(part) not in ready)
        self.__func__ = decide  # as methods have it: shows whether it is asynchronous
        refuse_contradictions(self._ready)

    def __call__(self, run: Run, event: PolicyEvent) -> Any:
        """Decide on top of the policy function that the chain begins with."""
        verdict: Any = self._decide(run, event)
        return self._await(event, verdict) if hasattr(verdict, "__await__") else self.refine(event, verdict)

    def refine(self, event: PolicyEvent, verdict: Verdict) -> Verdict:
        """Change the verdict as all parts together do. What is not a verdict stays as it is: the engine refuses it."""
        for part in self._ready:
            part.notice(event)
        if isinstance(verdict, Verdict):
            verdict = answer(self._ready, event, verdict)
        for own in self._own:
            verdict = own.refine(event, verdict)
        return restrict(self._ready, event, verdict) if isinstance(verdict, Verdict) else verdict

    def admit(self, now: float) -> None:
        """Let an attempt begin if all parts do."""
        for part in self._parts:
            part.admit(now)

    def __or__(self, other: Policy) -> Policy:
        if not isinstance(other, Policy):
            return NotImplemented
        return Chain(self._decide, (*self._parts, *other.parts()))

    async def _await(self, event: PolicyEvent, verdict: Awaitable[Verdict]) -> Verdict:
        return self.refine(event, await verdict)

    def parts(self) -> tuple[Policy, ...]:
        """Return its parts. Raises TypeError if it begins with a function, which nothing can stand before."""
        if self._decide is not default_policy:
            name = getattr(self._decide, "__name__", repr(self._decide))
            raise TypeError(f"the policy function {name} begins a chain: write {name} | ... first")
        return self._parts


def _is_ready_made(part: Policy) -> TypeGuard[ReadyMade]:
    return isinstance(part, ReadyMade) and type(part).refine is ReadyMade.refine


def rollbacks_failed(event: PolicyEvent) -> int:
    """Return how often in a row the rollback function of the node has failed: 1 or more, at ROLLBACK_FAIL."""
    number = 0
    for failure in reversed(event.failures):
        if failure.kind is not Kind.ROLLBACK_FAIL:
            break
        number += 1
    return max(1, number)
