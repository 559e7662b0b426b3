"""`hafta drill` in print: the plan, and the table of what came of it."""

from __future__ import annotations

import json

import click

from hafta.cli.table import put, say, shown, table
from hafta.drill.drills import Way, lasts, rounds, why_not
from hafta.observe.times import lasting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from hafta.drill.drills import Drill
    from hafta.drill.managers import Embedded, Systemd
    from hafta.drill.outcome import Outcome
    from hafta.drill.subject import Subject

HEADS = ("drill", "noticed", "ready again", "first good", "resumed in", "lost", "verdict")


def put_plan(subject: Subject, manager: Systemd | Embedded, chosen: Iterable[Drill], times: int) -> None:
    """Print what would be done, and how it is undone."""
    put(f"{shown(subject.unit)} ({manager.kind}), process {subject.pid}:")
    for one in chosen:
        if why := why_not(one, subject, manager.kind, of_user=manager.of_user):
            put(f"  {one.name}: left out: {why}")
            continue
        count = rounds(one, subject, times)
        often = f"{count} x" if one.way is Way.ENDS else f"for {lasts(subject):g} s"
        put(f"  {one.name}: {often} {one.does}")
        put(f"      undone: {one.undone}")


def put_table(done: Iterable[Outcome]) -> None:
    """Print a line for each drill, and below it what was expected."""
    rows = [HEADS, *(_row(one) for one in done)]
    first, *others = table(rows)
    say(first)
    for one, cells in zip(done, others, strict=True):
        say(cells, None if one.ok and not one.missed else "red")
        for line in one.missed:
            put(f"    missed: {shown(line)}")


def _row(one: Outcome) -> tuple[str, ...]:
    verdict = one.verdict if not one.missed else f"missed; {one.verdict}"
    if one.is_skipped:
        return (one.drill, "-", "-", "-", "-", "-", verdict)
    first_good = one.median("first_good")
    return (
        one.drill,
        _span(one.median("noticed")),
        _both(one),
        _span(first_good),
        shown(str(one.resumed or "-")),
        str(one.lost),
        shown(verdict),
    )


def _both(one: Outcome) -> str:
    """Return the median and, if there are several, the longest."""
    text = _span(one.median("ready"))
    return text if one.count("ready") < 2 else f"{text} ({_span(one.longest('ready'))})"


def _span(usec: int | None) -> str:
    return "-" if usec is None else lasting(usec / 1e6)


def put_json(answer: dict[str, Any]) -> None:
    """Print the document."""
    put(json.dumps(answer, indent=2, allow_nan=False))


def tell(line: str) -> None:
    """Say something on stderr."""
    click.echo(f"hafta: {shown(line)}", err=True)
