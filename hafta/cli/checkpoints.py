"""`hafta checkpoints`: where durable sequences stand, of running, hung and dead services, without touching them."""

from __future__ import annotations

import json
import time

import click

from hafta import exits
from hafta.cli.checkpoints_discard import discard
from hafta.cli.checkpoints_show import show
from hafta.cli.looking import DIRECTORY, STORE_URL, entries, read
from hafta.cli.options import AS_JSON, options
from hafta.cli.picture import COLUMNS, plain, rows
from hafta.cli.table import put, say, shown, table
from hafta.settings import Program

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hafta.observe.sources.records import Entry

PROGRAM = Program(
    "hafta checkpoints",
    "Show where durable sequences stand, without disturbing the processes that run them.",
    (DIRECTORY, STORE_URL, AS_JSON),
    (exits.OK, exits.FAILED, exits.USAGE, exits.NOT_FOUND, exits.PERMISSION, exits.SYSTEM),
    "[COMMAND [ARG]...]",
)


@click.group(name="checkpoints", help=PROGRAM.summary, invoke_without_command=True, options_metavar="[OPTION]...")
@options(PROGRAM)
@click.pass_context
def checkpoints(context: click.Context, **given: Any) -> int:
    """List the records. Options of a command below stand behind its name."""
    if context.invoked_subcommand is not None:
        if any(given.values()):
            raise click.UsageError(f"put options behind {context.invoked_subcommand}", context)
        return exits.OK
    values = read(PROGRAM, given)
    found = entries(values)
    now = time.time()
    if values.json:
        put(json.dumps([plain(entry, now) for entry in found], indent=2, allow_nan=False))
    else:
        _print(found, now)
    return exits.FAILED if any(entry.trouble for entry in found) else exits.OK


checkpoints.add_command(show)
checkpoints.add_command(discard)


def _print(found: list[Entry], now: float) -> None:
    if not found:
        click.echo("hafta: there are no records", err=True)
        return
    lines = [(None, COLUMNS), *((entry, row) for entry in found for row in rows(entry, now))]
    for (entry, _), cells in zip(lines, table([row for _, row in lines]), strict=True):
        say(cells, _colour(entry))
    for entry in found:
        for incident in entry.snapshot.incidents:
            if incident != entry.trouble:
                click.echo(f"hafta: {shown(entry.name)}: {shown(incident.text)}", err=True)


def _colour(entry: Entry | None) -> str | None:
    if entry is None:
        return None
    return "red" if entry.trouble else "yellow" if entry.status == "interrupted" else None
