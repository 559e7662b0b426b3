"""`hafta ctl`: asking a running overlord. hafta.cli calls it without click; this is for help and completion."""

from __future__ import annotations

import click

from hafta.cli.options import options, words
from hafta.control.options import PROGRAM
from hafta.control.program import VERBS
from hafta.control.program import main as run_ctl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from click.shell_completion import CompletionItem


def complete(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the verbs that may be meant; behind a verb, the units that run."""
    from click.shell_completion import CompletionItem

    known = running() if context.params.get("words") else VERBS
    return [CompletionItem(name) for name in known if name.startswith(incomplete)]


def running() -> list[str]:
    """Return the units of the overlord that runs here; none if there is not exactly one."""
    import os

    from hafta.control.asking import connect
    from hafta.errors import HaftaError

    try:
        with connect("", os.environ) as asking:
            return [str(name) for name in asking.ask("Describe", {})["properties"]["Units"]]
    except (HaftaError, OSError, KeyError):
        return []


@click.command(name="ctl", help=PROGRAM.summary, options_metavar="[OPTION]...")
@options(PROGRAM)
@click.argument("words", nargs=-1, metavar=PROGRAM.operands, shell_complete=complete)
def ctl(**given: Any) -> int:
    """Ask with what click has read."""
    operands = given.pop("words")
    return run_ctl([*words(PROGRAM, given), "--", *operands])
