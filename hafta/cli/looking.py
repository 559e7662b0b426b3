"""What `hafta checkpoints` and its commands share: which records they look at."""

from __future__ import annotations

import os

import click

from hafta.cli import records
from hafta.cli.options import words
from hafta.settings import Setting, parse, path, switch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hafta.cli.records import Entry
    from hafta.settings import Program, Values

DIRECTORY = Setting(
    "directory",
    lambda text: (os.path.abspath(path(text)),),
    (),
    "look here alone; may be given more than once",
    "PATH",
    shown_default="where services of the system and of this user keep records",
    repeats=True,
)
AS_JSON = Setting("json", switch, default=False, help="print JSON, for programs")


def read(program: Program, given: dict[str, Any]) -> Values:
    """Return the values of what click has read."""
    values, _ = parse(program, words(program, given), os.environ)
    return values


def entries(values: Values) -> list[Entry]:
    """Return the records to look at. Raises HaftaError for a directory that was named and cannot be looked into."""
    if values.directory:
        return records.find(dict.fromkeys(values.directory))
    found, closed = records.find_here(os.environ)
    for directory in closed:
        click.echo(f"hafta: {directory} cannot be looked into: root can", err=True)
    return found
