"""`hafta checkpoints discard`: remove a record, so that its sequence begins anew."""

from __future__ import annotations

import sys
import time

import click

from hafta import exits
from hafta.cli.looking import DIRECTORY, entries, read
from hafta.cli.options import options
from hafta.cli.picture import text
from hafta.cli.records import pick
from hafta.errors import StoreError, UsageError
from hafta.settings import Program, Setting, switch
from hafta.stores import FileStore
from hafta.stores.holder import tell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hafta.cli.records import Entry

YES = Setting("yes", switch, default=False, help="do not ask")

PROGRAM = Program(
    "hafta checkpoints discard",
    "Remove a record, so that its sequence begins anew: nothing of what it had begun is rolled back.",
    (DIRECTORY, YES),
    (exits.OK, exits.FAILED, exits.USAGE, exits.NOT_FOUND, exits.PERMISSION, exits.IN_USE, exits.SYSTEM),
    "SEQUENCE[@INSTANCE]",
)


@click.command(name="discard", help=PROGRAM.summary, options_metavar="[OPTION]...")
@options(PROGRAM)
@click.argument("name", metavar=PROGRAM.operands)
def discard(name: str, **given: Any) -> int:
    """Remove the record that is named, unless a process holds it."""
    values = read(PROGRAM, given)
    entry = pick(entries(values), name)
    seen = entry.snapshot
    if seen.held:
        raise StoreError(f"{seen.path}: held by {tell(seen.holder)}", "stop that process first", kind="held")
    if not values.yes:
        _ask(entry)
    if not FileStore(entry.directory).discard(seen.sequence, seen.instance):
        click.echo(f"hafta: {seen.path} was gone already", err=True)
    return exits.OK


def _ask(entry: Entry) -> None:
    """Let the person see what goes, and decide. Raises UsageError where there is none, click.Abort for a no."""
    if not sys.stdin.isatty():
        raise UsageError(f"discarding {entry.name} needs a yes", "there is no terminal to ask on: give --yes")
    click.echo(text(entry, time.time()), err=True)
    click.confirm("Discard it? Nothing of what it had begun is rolled back", abort=True, err=True)
