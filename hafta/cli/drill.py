"""`hafta drill`: break a unit on purpose, measure how it comes back, and undo it."""

from __future__ import annotations

import os
import signal
import time
from contextlib import contextmanager

import click

from hafta import exits
from hafta.cli.options import options
from hafta.drill.options import PROGRAM
from hafta.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from click.shell_completion import CompletionItem

    from hafta.drill.drills import Drill
    from hafta.drill.expect import Expected
    from hafta.drill.holder import Holder
    from hafta.drill.managers import Embedded, Systemd
    from hafta.drill.outcome import Outcome
    from hafta.drill.subject import Subject
    from hafta.settings import Values


def complete(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the drills that may be meant, behind a unit."""
    from click.shell_completion import CompletionItem

    from hafta.drill.drills import DRILLS

    known = DRILLS if context.params.get("names") else ()
    return [CompletionItem(name) for name in known if name.startswith(incomplete)]


@click.command(name="drill", help=PROGRAM.summary, options_metavar="[OPTION]...")
@options(PROGRAM)
@click.argument("names", nargs=-1, metavar=PROGRAM.operands, shell_complete=complete)
def drill(names: tuple[str, ...], **given: Any) -> int:
    """Show the plan; with --yes carry it out."""
    from hafta.cli.looking import read
    from hafta.drill import drills, expect, managers, refusals

    values = read(PROGRAM, given)
    if not names:
        raise click.UsageError("name a unit")
    chosen = drills.choose(names[1:])
    expected = expect.read(values.expect) if values.expect else {}
    manager, subject = managers.find(names[0], os.environ, of_user=values.user)
    if values.plan or not values.yes:
        refusals.refuse(subject, managers.own_units(), managers.own_line())
        return _plan(values, manager, subject, chosen)
    return _do(values, manager, subject, chosen, expected)


def _plan(values: Values, manager: Systemd | Embedded, subject: Subject, chosen: list[Drill]) -> int:
    """Show the plan. Raises UsageError if it was not asked for."""
    from hafta.cli import drill_text
    from hafta.drill.plain import plain

    if values.json:
        drill_text.put_json(plain(subject, manager, chosen, None, time.time()))
    else:
        drill_text.put_plan(subject, manager, chosen, values.times)
    if not values.plan:
        raise UsageError("nothing was done: --yes is missing", "read the plan; to carry it out, add --yes")
    return exits.OK


def _do(
    values: Values, manager: Systemd | Embedded, subject: Subject, chosen: list[Drill], expected: Expected
) -> int:  # fmt: skip
    """Carry the plan out."""
    from hafta.cli import drill_text
    from hafta.drill.drills import ends
    from hafta.drill.expect import missed
    from hafta.drill.managers import own_line, own_units
    from hafta.drill.measure import Measure
    from hafta.drill.plain import plain
    from hafta.drill.refusals import refuse, refuse_without_budget
    from hafta.drill.running import Running

    at = time.time()
    done: list[Outcome] = []
    with _holding(subject.unit, manager.text) as holder:
        refuse(subject, own_units(), own_line())
        measure = Measure(subject.unit, manager, os.environ)
        refuse_without_budget(subject, *measure.starts(subject.interval), ends(chosen, subject, values.times, manager))
        running = Running(subject, manager, measure, holder)
        for one in chosen:
            drill_text.tell(f"{one.name} ...")
            found = running.drill(one, values.times)
            done.append(found.replace(missed=missed(expected, found)))
    if values.json:
        drill_text.put_json(plain(subject, manager, chosen, done, at, measure.missing))
    else:
        drill_text.put_table(done)
    for line in measure.missing:
        drill_text.tell(line)
    is_good = all(one.ok and not one.missed for one in done) and not holder.problems
    return exits.OK if is_good else exits.FAILED


@contextmanager
def _holding(unit: str, manager: str) -> Iterator[Holder]:
    """Have a holder; say at the end, also after an error, what could not be undone."""
    from hafta.cli import drill_text
    from hafta.drill.holder import Holder

    signal.signal(signal.SIGTSTP, signal.SIG_IGN)  # a drill that is stopped would leave its changes for that time
    holder = Holder(unit, manager)
    try:
        with holder:
            yield holder
    finally:
        for line in holder.problems:
            drill_text.tell(line)
