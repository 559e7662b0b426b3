"""What was found as JSON (check.schema.json): keys never vanish, null is what is not known."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hafta.check.look import Answer
    from hafta.check.rule import Finding

VERSION = 1


def plain(answer: Answer, now: str) -> dict[str, Any]:
    """Return the document. `now`: the time, as text."""
    return {
        "version": VERSION,
        "at": now,
        "systemd": answer.systemd,
        "complete": not answer.missing,
        "missing": list(answer.missing),
        "unknown": list(answer.unknown),
        "checked": [{"kind": one.kind, "name": one.name, "files": list(one.files)} for one in answer.checked],
        "findings": [_finding(one) for one in answer.findings],
    }


def _finding(one: Finding) -> dict[str, Any]:
    return {
        "code": one.code,
        "severity": one.severity,
        "kind": one.kind,
        "subject": one.subject,
        "text": one.text,
        "file": one.file or None,
        "line": one.line or None,
        "cure": one.cure,
    }
