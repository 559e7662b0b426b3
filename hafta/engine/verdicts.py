"""Which verdict may answer which event (machine.py, rules 3 to 6 and 11)."""

from __future__ import annotations

from hafta.engine.words import Act, Kind, Verdict
from hafta.errors import IllegalMove

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hafta.engine.node import Node

_ACTS = frozenset(Act)
_LEGAL = {
    Kind.NORMAL_SUCCESS: _ACTS,
    Kind.NORMAL_FAIL: _ACTS,
    Kind.ROLLBACK_SUCCESS: _ACTS - {Act.ROLL_BACK_CURRENT},
    Kind.ROLLBACK_FAIL: _ACTS,
    Kind.INTERRUPTED: _ACTS,
    Kind.ORPHANED: frozenset({Act.PROCEED, Act.EXIT, Act.FAIL_SEQUENCE, Act.PANIC}),
}
_ORPHANED_ANSWERS = "answer proceed(node), EXIT, FAIL_SEQUENCE or PANIC"
_ANSWERS = "answer proceed(node), EXIT, ROLL_BACK_CURRENT, ROLL_BACK_PREVIOUS, FAIL_SEQUENCE or PANIC"


def checked(answer: object, kind: Kind, node: Node) -> Verdict:
    """Return what was answered to an event of this kind, if it may be. Raises IllegalMove."""
    if isinstance(answer, Verdict) and answer.act in _LEGAL[kind]:
        return answer
    is_orphaned = kind is Kind.ORPHANED
    judge = "orphaned function" if is_orphaned else f"policy of node {node}"
    if not isinstance(answer, Verdict):
        hint = _ORPHANED_ANSWERS if is_orphaned else _ANSWERS
        raise IllegalMove(f"the {judge} answered {answer!r}, which is not a verdict", hint)
    hint = "its rollback function has just succeeded: proceed, or roll back to the previous node"
    hint = _ORPHANED_ANSWERS if is_orphaned else hint
    raise IllegalMove(f"the {judge} answered {answer!r} to {kind.value}", hint)
