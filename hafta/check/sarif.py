"""What was found as SARIF 2.1.0 (Static Analysis Results Interchange Format, OASIS), for code scanning."""

from __future__ import annotations

from urllib.parse import quote

from hafta.check.rule import ERROR, NOTE, WARNING
from hafta.check.rules import RULES
from hafta.version import VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hafta.check.look import Answer
    from hafta.check.rule import Finding, Rule

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
LEVELS = {ERROR: "error", WARNING: "warning", NOTE: "note"}


def sarif(answer: Answer) -> dict[str, Any]:
    """Return the document: one run, all rules that there are, a result for each finding."""
    order = list(RULES)
    driver = {"name": "hafta check", "version": VERSION, "rules": [_rule(rule) for rule in RULES.values()]}
    notices = [*answer.missing, *(f"there is no {name}" for name in answer.unknown)]
    invocation = {
        "executionSuccessful": not answer.unknown,
        "toolExecutionNotifications": [{"level": "warning", "message": {"text": text}} for text in notices],
    }
    results = [_result(one, order.index(one.code)) for one in answer.findings]
    run = {"tool": {"driver": driver}, "invocations": [invocation], "results": results}
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.code,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.reason},
        "help": {"text": f"{rule.cure}.\n\nBad:\n\n{rule.bad}\n\nGood:\n\n{rule.good}"},
        "defaultConfiguration": {"level": LEVELS[rule.severity]},
    }


def _result(one: Finding, index: int) -> dict[str, Any]:
    found: dict[str, Any] = {
        "ruleId": one.code,
        "ruleIndex": index,
        "level": LEVELS[one.severity],
        "message": {"text": f"{one.subject}: {one.text}. To do: {one.cure}."},
    }
    if one.file:
        place: dict[str, Any] = {"artifactLocation": {"uri": _uri(one.file)}}
        if one.line:
            place["region"] = {"startLine": one.line}
        found["locations"] = [{"physicalLocation": place}]
    return found


def _uri(path: str) -> str:
    """Return a path as a reference: of a file, or relative to where it was named."""
    text = quote(path, safe="/", errors="surrogateescape")
    return f"file://{text}" if path.startswith("/") else text
