"""`hafta status`: what stands where, the worst first. systemd is asked before the rest is imported."""

from __future__ import annotations

import os

import click

from hafta import exits
from hafta.cli.options import options
from hafta.observe.options import STATUS as PROGRAM

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hafta.observe.sources.look import Seen
    from hafta.settings import Values


@click.command(name="status", help=PROGRAM.summary, options_metavar="[OPTION]...")
@options(PROGRAM)
@click.argument("names", nargs=-1, metavar=PROGRAM.operands)
def status(names: tuple[str, ...], **given: Any) -> int:
    """Look and print, once or again and again."""
    from hafta.cli.looking import read

    values = read(PROGRAM, given)
    if values.watch and values.json:
        raise click.UsageError("--watch is for people: without it, --json prints once")
    if values.watch:
        from hafta.cli.status_watch import watch

        return watch(values, names)
    return show(values, names)


def show(values: Values, names: tuple[str, ...]) -> int:
    """Look once, print it, and return the exit status."""
    from hafta.observe.sources.look import look

    seen = look(names, os.environ, of_user=values.user, everything=values.all, log=not values.no_log)
    if values.json:
        import json

        from hafta.cli.table import put
        from hafta.observe.plain import plain

        put(json.dumps(plain(seen.services, seen.missing, seen.now), indent=2, allow_nan=False))
    else:
        from hafta.cli.status_text import print_services

        print_services(seen, verbose=values.verbose)
    tell_missing(seen)
    return seen.status


def tell_missing(seen: Seen) -> None:
    """Say on stderr what could not be seen, in one line, and which names are unknown."""
    from hafta.cli.table import shown

    for name in seen.unknown:
        click.echo(f"hafta: there is no unit and no sequence {shown(name)}", err=True)
    if seen.missing:
        click.echo(f"hafta: not seen: {shown('; '.join(seen.missing))}", err=True)
    elif not seen.services and not seen.unknown and seen.status == exits.OK:
        click.echo("hafta: there are no services of HAFTA here; name a unit to look at any", err=True)
