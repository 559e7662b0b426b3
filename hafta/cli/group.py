"""The click group, and how every command ends: with a documented status, errors as one line and a hint."""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper

import click

from hafta import exits
from hafta.cli.checkpoints import checkpoints
from hafta.cli.run import run
from hafta.errors import HaftaError
from hafta.overlord.program import complain, tell
from hafta.version import VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="hafta", message="%(prog)s %(version)s")
@click.pass_context
def hafta(context: click.Context) -> int:
    """Checkpoint and rollback for Linux services, and an overlord that restarts what died or hangs."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help(), err=True)
    return exits.USAGE


hafta.add_command(checkpoints)
hafta.add_command(run)


def run_group(argv: Sequence[str] | None) -> int:
    """Run a command line; return the exit status."""
    _fill_streams()
    _say_anything()
    try:
        status = hafta.main(args=None if argv is None else list(argv), prog_name="hafta", standalone_mode=False)
    except click.ClickException as error:
        tell(f"hafta: error: {error.format_message()}", f"hafta: see {_path(error)} --help")
        return exits.USAGE
    except click.Abort:
        return exits.FAILED
    except (HaftaError, OSError) as error:
        return complain(error, otherwise="mend that and run it again")
    return int(status or exits.OK)


def _fill_streams() -> None:
    """Have something in the place of streams that were closed when the program began, which are None."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 - for as long as the program runs


def _say_anything() -> None:
    """Have what the terminal's encoding lacks printed as an escape: names and values may have any character."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _path(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    return context.command_path if context else "hafta"
