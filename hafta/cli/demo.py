"""`hafta demo`: `python3 -m hafta.demo` is the same without click."""

from __future__ import annotations

import click

from hafta.cli.options import options, words
from hafta.demo.options import PROGRAM
from hafta.demo.program import main as run_demo

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


@click.command(name="demo", help=PROGRAM.summary, options_metavar="[OPTION]...")
@options(PROGRAM)
def demo(**given: Any) -> int:
    """Run the demonstration with what click has read."""
    return run_demo(words(PROGRAM, given))
