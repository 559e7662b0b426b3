"""The click group, and how every command ends: with a documented status; an error is one line and a hint.

A command is imported when it is called: what one of them needs costs the others nothing.
"""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper

import click

from hafta import exits
from hafta.errors import HaftaError
from hafta.journal.complaint import complain, tell
from hafta.version import VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

#: Each command: its module in hafta.cli, which gives it the same name, and what help says of it, which is its summary.
COMMANDS = {
    "check": "Find what is wrong with units, sequences, records and the machine before it matters: where, and what to"
    " do.",
    "checkpoints": "Show where durable sequences stand, without disturbing the processes that run them.",
    "ctl": "Ask a running overlord where its units stand, and start, stop, restart, reload and kill them, as systemctl"
    " does.",
    "demo": "Show what HAFTA does: a server, a client, bad data, kills, a hang; each explained when it is first seen.",
    "diagram": "Draw a sequence: its nodes, where each goes, how often it went back, and where it is now.",
    "drill": "Break a running unit on purpose, measure how it comes back, and undo all of it, however the drill ends.",
    "guard": "Run a program that knows nothing of sd_notify, and say READY and WATCHDOG for it as long as its probes"
    " pass.",
    "log": "Show what happened to units: run by run, with repeats folded and gaps told.",
    "metrics": "Print metrics for Prometheus: how services stand, where their sequences are, and what the journal has"
    " counted.",
    "move": "Have the service that runs a sequence stop and hand it over to another host, where one waits as standby.",
    "report": "Show how available units were, what ended them and how fast they were back, from the journal.",
    "run": "Run systemd units where systemd is not PID 1: start in order, watch, restart, stop in reverse order.",
    "status": "Show what stands where, the worst first: how services are, where their sequences are, and what to do.",
    "unit": "Print a systemd unit for a program or a sequence: watched, restarted, in a sandbox that is opened only by"
    " what is named here.",
}


class Late(click.Group):
    """A group that imports a command when it is called. Help and completion of names import none."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's
        """Return the names."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's
        """Import a command; None if there is none of this name."""
        if cmd_name not in COMMANDS:
            return None
        from importlib import import_module

        found: click.Command = getattr(import_module(f"hafta.cli.{cmd_name}"), cmd_name)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        """Write the list of commands, as click does."""
        left = formatter.width - 6 - max(map(len, COMMANDS))
        lines = [(name, click.Command(name, help=about).get_short_help_str(left)) for name, about in COMMANDS.items()]
        with formatter.section("Commands"):
            formatter.write_dl(lines)


@click.group(cls=Late, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="hafta", message="%(prog)s %(version)s")
@click.pass_context
def hafta(context: click.Context) -> int:
    """Checkpoint and rollback for Linux services, and an overlord that restarts what died or hangs."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help(), err=True)
    return exits.USAGE


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
        return complain(error, otherwise="fix that and run it again")
    return int(status or exits.OK)


def _fill_streams() -> None:
    """Replace streams that were closed when the program began, which are None."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 - for as long as the program runs


def _say_anything() -> None:
    """Print what the terminal's encoding lacks as an escape: names and values may have any character."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _path(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    return context.command_path if context else "hafta"
