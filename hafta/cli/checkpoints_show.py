"""`hafta checkpoints show`: everything that is known about one record."""

from __future__ import annotations

import json
import time

import click

from hafta import exits
from hafta.cli.looking import DIRECTORY, STORE_URL, entries, read
from hafta.cli.options import AS_JSON, options
from hafta.cli.picture import plain, text
from hafta.cli.table import put
from hafta.observe.sources.records import pick
from hafta.settings import Program

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PROGRAM = Program(
    "hafta checkpoints show",
    "Show everything that is known about one record.",
    (DIRECTORY, STORE_URL, AS_JSON),
    (exits.OK, exits.FAILED, exits.USAGE, exits.NOT_FOUND, exits.PERMISSION, exits.SYSTEM),
    "SEQUENCE[@INSTANCE]",
)


@click.command(name="show", help=PROGRAM.summary, options_metavar="[OPTION]...")
@options(PROGRAM)
@click.argument("name", metavar=PROGRAM.operands)
def show(name: str, **given: Any) -> int:
    """Print the record of this name."""
    values = read(PROGRAM, given)
    entry = pick(entries(values), name)
    now = time.time()
    put(json.dumps(plain(entry, now), indent=2, allow_nan=False) if values.json else text(entry, now))
    return exits.FAILED if entry.trouble else exits.OK
