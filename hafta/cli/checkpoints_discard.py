"""`hafta checkpoints discard`: remove a record, so that its sequence starts from the beginning."""

from __future__ import annotations

import sys
import time

import click

from hafta import exits
from hafta.cli.looking import DIRECTORY, STORE_URL, entries, read, shared_store
from hafta.cli.options import options
from hafta.cli.picture import text
from hafta.errors import StoreError, UsageError
from hafta.observe.sources.records import pick
from hafta.settings import Program, Setting, switch
from hafta.stores import FileStore
from hafta.stores.holder import describe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hafta.observe.sources.records import Entry

YES = Setting("yes", switch, default=False, help="do not ask")

PROGRAM = Program(
    "hafta checkpoints discard",
    "Remove a record, so that its sequence starts from the beginning. Nothing that it had begun is rolled back.",
    (DIRECTORY, STORE_URL, YES),
    (exits.OK, exits.FAILED, exits.USAGE, exits.NOT_FOUND, exits.PERMISSION, exits.IN_USE, exits.SYSTEM),
    "SEQUENCE[@INSTANCE]",
)


@click.command(name="discard", help=PROGRAM.summary, options_metavar="[OPTION]...")
@options(PROGRAM)
@click.argument("name", metavar=PROGRAM.operands)
def discard(name: str, **given: Any) -> int:
    """Remove the record of this name, unless a process holds it."""
    values = read(PROGRAM, given)
    entry = pick(entries(values), name)
    seen = entry.snapshot
    if seen.held:
        raise StoreError(
            f"{seen.path or values.store}: held by {describe(seen.holder)}", "stop that process first", kind="held"
        )
    if not values.yes:
        _ask(entry)
    store = shared_store(values.store) if values.store else FileStore(entry.directory)
    if not store.discard(seen.sequence, seen.instance):
        click.echo(f"hafta: {seen.path or entry.name} was already gone", err=True)
    return exits.OK


def _ask(entry: Entry) -> None:
    """Show what will go, and ask. Raises UsageError if there is no terminal to ask on, click.Abort for a no."""
    if not sys.stdin.isatty():
        raise UsageError(f"discarding {entry.name} needs a yes", "there is no terminal to ask on: use --yes")
    click.echo(text(entry, time.time()), err=True)
    click.confirm("Discard it? Nothing that it had begun is rolled back", abort=True, err=True)
