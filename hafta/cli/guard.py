"""`hafta guard`: `python3 -m hafta.guard` is the same, and so is this command itself: it starts without click."""

from __future__ import annotations

import click

from hafta.cli.options import options, words
from hafta.guard import main as run_guard
from hafta.guard.options import PROGRAM

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


@click.command(name="guard", help=PROGRAM.summary, options_metavar="[OPTION]...")
@options(PROGRAM)
@click.argument("program", nargs=-1, metavar=PROGRAM.operands)
def guard(program: tuple[str, ...], **given: Any) -> int:
    """Run the guard with what click has read."""
    return run_guard([*words(PROGRAM, given), "--", *program])
