"""What `hafta checkpoints` and its commands share: which records they look at."""

from __future__ import annotations

import os

import click

from hafta.cli.options import words
from hafta.cli.table import shown
from hafta.errors import UsageError
from hafta.observe.sources import records
from hafta.settings import Setting, parse, path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hafta.observe.sources.records import Entry
    from hafta.settings import Program, Values
    from hafta.stores.leased.store import LeasedStore

PATIENCE = 5.0  # seconds that a shared store may take to answer
DIRECTORY = Setting(
    "directory",
    lambda text: (os.path.abspath(path(text)),),
    (),
    "look only here; may be given more than once",
    "PATH",
    shown_default="where services of the system and of this user keep records",
    repeats=True,
)
STORE_URL = Setting(
    "store", str, "", "look in the store that hosts share: etcd://HOST:PORT,... or postgresql://HOST/DATABASE", "URL"
)


def read(program: Program, given: dict[str, Any]) -> Values:
    """Return the values of what click has parsed."""
    values, _ = parse(program, words(program, given), os.environ)
    return values


def shared_store(url: str) -> LeasedStore:
    """Return the store of a URL. Raises UsageError."""
    from hafta.stores.leased.url import store_of

    return store_of(url, PATIENCE)


def entries(values: Values) -> list[Entry]:
    """Return the records to look at. Raises HaftaError for a directory that was named and cannot be read."""
    if values.store and values.directory:
        raise UsageError("--store and --directory name different places", "use one of them")
    if values.store:
        return records.find_in(shared_store(values.store))
    if values.directory:
        return records.find(dict.fromkeys(values.directory))
    found, closed = records.find_here(os.environ)
    for directory in closed:
        click.echo(f"hafta: cannot read {shown(directory)}: run this as root", err=True)
    return found
