"""`hafta run`: the embedded overlord. `python3 -m hafta.overlord` is the same without click."""

from __future__ import annotations

import click

from hafta.cli.options import options, words
from hafta.overlord.options import PROGRAM
from hafta.overlord.program import main as run_overlord
from hafta.overlord.program import use_utf8

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


@click.command(name="run", help=PROGRAM.summary, options_metavar="[OPTION]...")
@options(PROGRAM)
@click.argument("units", nargs=-1, metavar=PROGRAM.operands)
def run(units: tuple[str, ...], **given: Any) -> int:
    """Run the overlord with what click has read."""
    use_utf8()
    return run_overlord([*words(PROGRAM, given), "--", *units])
