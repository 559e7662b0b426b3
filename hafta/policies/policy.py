"""What every ready-made policy is: a plain object that refines a verdict, so that they compose with `|`.

A chain starts with what the default policy (or your own policy function) answers; each policy, from left to right, may
change that: `Attempts(10) | Backoff(0.1, cap=5) | Deadline(60)`. What limits (Attempts, Deadline, CircuitBreaker) only
takes the place of rolling back, in place or to the previous node: who has said to fail, panic or go elsewhere is not
overruled by a count. A Deadline looks at the delays that stand before it, so put it behind what delays.
"""

from __future__ import annotations

from hafta.engine.default import default_policy
from hafta.engine.words import Act, Kind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any

    from hafta.drivers.run import Run
    from hafta.engine.words import PolicyEvent, Verdict

    Decide = Callable[[Run, PolicyEvent], Verdict]

FAILURES = frozenset({Kind.NORMAL_FAIL, Kind.INTERRUPTED})
_ROLLING_BACK = frozenset({Act.ROLL_BACK_CURRENT, Act.ROLL_BACK_PREVIOUS})


class Policy:
    """A policy to give to a node: `@sequence.node(policy=...)`."""

    def refine(self, event: PolicyEvent, verdict: Verdict) -> Verdict:
        """Return the verdict, changed where this policy has a say. Sees all events; has no clock but event.at."""
        raise NotImplementedError

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


class Chain(Policy):
    """Policies one after the other, on top of a policy function, which may be an `async def`."""

    def __init__(self, decide: Decide, parts: tuple[Policy, ...]) -> None:
        self._decide = decide
        self._parts = parts
        self.__func__ = decide  # as a method has it: what tells whether it is asynchronous

    def __call__(self, run: Run, event: PolicyEvent) -> Any:
        """Decide on top of its own policy function."""
        verdict: Any = self._decide(run, event)
        return self._await(event, verdict) if hasattr(verdict, "__await__") else self.refine(event, verdict)

    def refine(self, event: PolicyEvent, verdict: Verdict) -> Verdict:
        """Let each part have its say, from left to right."""
        for part in self._parts:
            verdict = part.refine(event, verdict)
        return verdict

    def __or__(self, other: Policy) -> Policy:
        if not isinstance(other, Policy):
            return NotImplemented
        return Chain(self._decide, (*self._parts, *other.parts()))

    async def _await(self, event: PolicyEvent, verdict: Awaitable[Verdict]) -> Verdict:
        return self.refine(event, await verdict)

    def parts(self) -> tuple[Policy, ...]:
        """Return its parts; a chain that begins with a function of its own stays whole."""
        return self._parts if self._decide is default_policy else (self,)


def tries_again(event: PolicyEvent, verdict: Verdict) -> bool:
    """Whether the verdict starts the node once more, after a failure that has been rolled back."""
    if event.kind is not Kind.ROLLBACK_SUCCESS or verdict.act is not Act.PROCEED or event.attempt == 0:
        return False
    node = event.node
    return verdict.to is node or verdict.to == node.name or (node.id is not None and verdict.to == node.id)


def may_limit(event: PolicyEvent, verdict: Verdict) -> bool:
    """Whether this rolls back a failure, in place or to the previous node: what a limit may put a stop to."""
    return event.kind in FAILURES and verdict.act in _ROLLING_BACK


def at_least(verdict: Verdict, delay: float) -> Verdict:
    """Return the verdict with a delay of at least so many seconds."""
    return verdict if delay <= verdict.delay else verdict.after(delay)
