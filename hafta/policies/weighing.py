"""How the ready-made policies of a chain are weighed together, so that their order does not matter.

1. A failure is one of the node (NORMAL_FAIL, INTERRUPTED) or of its rollback function (ROLLBACK_FAIL). Where the
   verdict before the chain is to go back to the previous node, Attempts turns that into another attempt.
2. A reason that an On is about gets its verdict, whatever the verdict before. A function counts before types, a near
   exception before a far one (reasons.py), a class before its bases, as in singledispatch. Of several verdicts that
   are equally near, the severest is given.
3. Then come the policies that users have written, from left to right. They may answer anything.
4. Limits (Attempts, Deadline, CircuitBreaker with then=) take the place of rolling back, and of nothing else. If
   several are reached at once, the severest then= is given.
5. What is tried again, an attempt or a failed rollback, waits as long as the longest delay says. If a deadline would
   be over by then, that limit is reached now.

What no order could settle, such as two limits that lead to different nodes, is refused when the chain is made.
If you change a rule, change docs/sequences.md, section 4.
"""

from __future__ import annotations

from hafta.engine.words import ROLL_BACK_CURRENT, Act, Kind
from hafta.policies.reasons import classes_of, levels

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, Protocol

    from hafta.engine.words import PolicyEvent, Verdict

    class Part(Protocol):
        """What a ready-made policy says of an event (hafta.policies.policy.ReadyMade)."""

        grants: bool
        then: Verdict | None
        verdict: Verdict | None
        about: tuple[type[BaseException], ...]
        holds: Callable[[Any], bool] | None

        def limit(self, event: PolicyEvent) -> Verdict | None:
            """Return what follows if this failure reaches a limit."""

        def late(self, event: PolicyEvent, delay: float) -> Verdict | None:
            """Return what follows if it is too late to go on in place after this delay."""

        def wait(self, event: PolicyEvent) -> float:
            """Return the seconds to wait before trying again."""


FAILURES = frozenset({Kind.NORMAL_FAIL, Kind.INTERRUPTED, Kind.ROLLBACK_FAIL})
_ROLLING_BACK = frozenset({Act.ROLL_BACK_CURRENT, Act.ROLL_BACK_PREVIOUS})
_SEVERITY = (
    Act.ROLL_BACK_CURRENT, Act.EXIT, Act.PROCEED, Act.ROLL_BACK_PREVIOUS, Act.FAIL_SEQUENCE, Act.PANIC,
)  # fmt: skip


def answer(parts: Iterable[Part], event: PolicyEvent, verdict: Verdict) -> Verdict:
    """Return the verdict after rules 1 and 2."""
    if event.kind not in FAILURES:
        return verdict
    if verdict.act is Act.ROLL_BACK_PREVIOUS and any(part.grants for part in parts):
        verdict = ROLL_BACK_CURRENT
    rules = [part for part in parts if part.verdict is not None]
    return (rules and _verdict_on(event.reason, rules)) or verdict


def restrict(parts: Iterable[Part], event: PolicyEvent, verdict: Verdict) -> Verdict:
    """Return the verdict after rules 4 and 5."""
    failed = event.kind in FAILURES
    again = _tries_again(event, verdict)
    if again:
        verdict = _at_least(verdict, max([part.wait(event) for part in parts], default=0.0))
    if not again and not (failed and verdict.act in _ROLLING_BACK):
        return verdict
    delay = verdict.delay if again or verdict.act is Act.ROLL_BACK_CURRENT else 0.0
    reached = [part.limit(event) for part in parts] if failed else []
    reached += [part.late(event, delay) for part in parts]
    return _severest(reached) or verdict


def refuse_contradictions(parts: tuple[Part, ...]) -> None:
    """Raise ValueError for policies that cannot be given together: no order of them would make sense."""
    for at, one in enumerate(parts):
        for other in parts[:at]:
            if what := _contradiction(other, one):
                raise ValueError(what)


def _contradiction(one: Part, other: Part) -> str:
    if one.then is not None and other.then is not None and _part_ways(one.then, other.then):
        both, thens = f"{type(one).__name__} and {type(other).__name__}", f"{one.then!r} and {other.then!r}"
        return f"{both} lead to different nodes, {thens}: give them the same then="
    if one.verdict is None or other.verdict is None or one.verdict == other.verdict:
        return ""
    both = f"{one.verdict!r} and {other.verdict!r}"
    if common := set(one.about) & set(other.about):
        return f"two verdicts on {min(kind.__name__ for kind in common)}, {both}: give one of them"
    if one.holds and other.holds and (one.holds == other.holds or _part_ways(one.verdict, other.verdict)):
        return f"two functions of the reason with different verdicts, {both}: write one policy function that decides"
    return ""


def _verdict_on(reason: Any, rules: list[Part]) -> Verdict | None:
    """Return the verdict on this reason (rule 2); None if no rule is about it."""
    held = [rule.verdict for rule in rules if rule.holds is not None and rule.holds(reason)]
    if held:
        return _severest(held)
    for level in levels(reason):
        found = [_verdict_on_one(one, rules) for one in level]
        if any(verdict is not None for verdict in found):
            return _severest(found)
    return None


def _verdict_on_one(reason: Any, rules: list[Part]) -> Verdict | None:
    return next((rule.verdict for kind in classes_of(reason) for rule in rules if kind in rule.about), None)


def _severest(verdicts: Iterable[Verdict | None]) -> Verdict | None:
    """Return the severest verdict, of equally severe ones that with the longest delay."""
    given = [verdict for verdict in verdicts if verdict is not None]
    if not given:
        return None  # the usual case
    return max(given, key=lambda verdict: (_SEVERITY.index(verdict.act), verdict.delay))


def _part_ways(one: Verdict, other: Verdict) -> bool:
    return one.act is other.act is Act.PROCEED and str(one.to) != str(other.to)


def _tries_again(event: PolicyEvent, verdict: Verdict) -> bool:
    """Whether the verdict starts the node once more after a failure, or its rollback function after it failed."""
    if event.kind is Kind.ROLLBACK_FAIL:
        return verdict.act is Act.ROLL_BACK_CURRENT
    if event.kind is not Kind.ROLLBACK_SUCCESS or verdict.act is not Act.PROCEED or event.attempt == 0:
        return False
    node = event.node
    return verdict.to is node or verdict.to == node.name or (node.id is not None and verdict.to == node.id)


def _at_least(verdict: Verdict, delay: float) -> Verdict:
    return verdict if delay <= verdict.delay else verdict.after(delay)
