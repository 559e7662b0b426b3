"""`hafta checkpoints show`: all that is known of one record."""

from __future__ import annotations

import json
import time

import click

from hafta import exits
from hafta.cli.looking import AS_JSON, DIRECTORY, entries, read
from hafta.cli.options import options
from hafta.cli.picture import plain, text
from hafta.cli.records import pick
from hafta.cli.table import put
from hafta.settings import Program

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PROGRAM = Program(
    "hafta checkpoints show",
    "Show all that is known of one record.",
    (DIRECTORY, AS_JSON),
    (exits.OK, exits.FAILED, exits.USAGE, exits.NOT_FOUND, exits.PERMISSION, exits.SYSTEM),
    "SEQUENCE[@INSTANCE]",
)


@click.command(name="show", help=PROGRAM.summary, options_metavar="[OPTION]...")
@options(PROGRAM)
@click.argument("name", metavar=PROGRAM.operands)
def show(name: str, **given: Any) -> int:
    """Print the record that is named."""
    values = read(PROGRAM, given)
    entry = pick(entries(values), name)
    now = time.time()
    put(json.dumps(plain(entry, now), indent=2, allow_nan=False) if values.json else text(entry, now))
    return exits.FAILED if entry.trouble else exits.OK
