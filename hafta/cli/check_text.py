"""`hafta check` in print: one line for each finding and its cure; JSON; SARIF; and what a code means."""

from __future__ import annotations

import json
import textwrap
import time

import click

from hafta import exits
from hafta.check.rule import ERROR, NOTE, WARNING
from hafta.check.rules import RULES
from hafta.cli.table import put, say, shown
from hafta.errors import UsageError
from hafta.observe.times import iso

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hafta.check.look import Answer
    from hafta.check.rule import Finding, Rule

COLOURS = {ERROR: "red", WARNING: "yellow"}
WIDTH = 100  # of an explanation


def put_lines(answer: Answer) -> None:
    """Print the findings, each with its cure where it is seen first."""
    told: set[str] = set()
    for one in answer.findings:
        say([shown(place(one)), one.code, one.severity.ljust(len(WARNING)), shown(one.text)], COLOURS.get(one.severity))
        if one.code not in told:
            put(f"    → {one.cure}")
            told.add(one.code)


def place(one: Finding) -> str:
    """Return where it is: FILE:LINE, FILE, or the name of the subject."""
    if not one.file:
        return one.subject
    return f"{one.file}:{one.line}" if one.line else one.file


def put_json(answer: Answer) -> None:
    """Print the document."""
    from hafta.check.plain import plain

    put(json.dumps(plain(answer, iso(time.time())), indent=2, allow_nan=False))


def put_sarif(answer: Answer) -> None:
    """Print it for code scanning."""
    from hafta.check.sarif import sarif

    put(json.dumps(sarif(answer), indent=2, allow_nan=False))


def tell(answer: Answer) -> None:
    """Say on stderr what was looked at, what could not be seen, and what there is not."""
    for name in answer.unknown:
        click.echo(f"hafta: there is no unit, file, sequence or record {shown(name)}", err=True)
        if name.endswith(".py"):
            module = shown(name.rpartition("/")[2].removesuffix(".py"))
            click.echo(f"hafta: name the sequence in that program, from where it lies: {module}:SEQUENCE", err=True)
    if answer.missing:
        click.echo(f"hafta: not seen: {shown('; '.join(answer.missing))}", err=True)
    if not answer.checked:
        if not answer.unknown and not answer.missing:
            click.echo("hafta: there is nothing of HAFTA here; name a unit to check any", err=True)
        return
    kinds = [one.kind for one in answer.checked]
    what = ", ".join(_count(kinds.count(kind), kind) for kind in dict.fromkeys(kinds))
    found = ", ".join(_count(answer.count(severity), severity) for severity in (ERROR, WARNING, NOTE))
    click.echo(f"hafta: looked at {what}: {found}", err=True)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def explain(code: str) -> int:
    """Print what a code means; all of them for `all`. Raises UsageError (status 4) for one that there is not."""
    if code.lower() == "all":
        put("\n\n".join(explanation(rule) for rule in RULES.values()))
        return exits.OK
    rule = RULES.get(code.upper())
    if rule is None:
        hint = f"codes are {min(RULES)} to {max(RULES)}; hafta check --explain all lists them"
        raise UsageError(f"there is no code {shown(code)}", hint, status=exits.NOT_FOUND)
    put(explanation(rule))
    return exits.OK


def explanation(rule: Rule) -> str:
    """Return what a rule is for, what to do, and its examples."""
    return "\n".join(
        (
            f"{rule.code} {rule.severity}: {rule.title}", "",
            textwrap.fill(rule.reason, WIDTH), "",
            textwrap.fill(f"What to do: {rule.cure}.", WIDTH), "",
            "Bad:", "", textwrap.indent(rule.bad, "    "), "",
            "Good:", "", textwrap.indent(rule.good, "    "),
        )
    )  # fmt: skip
