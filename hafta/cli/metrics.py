"""`hafta metrics`: what is seen and counted, for Prometheus; on stdout, or in a file that node_exporter reads."""

from __future__ import annotations

import os

import click

from hafta import exits
from hafta.cli.options import options
from hafta.cli.table import put_bytes, shown
from hafta.observe.options import METRICS as PROGRAM

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


@click.command(name="metrics", help=PROGRAM.summary, options_metavar="[OPTION]...")
@options(PROGRAM)
def metrics(**given: Any) -> int:
    """Look, count what is new in the journal, and print or write it all."""
    from hafta.cli.looking import read
    from hafta.cli.metrics_text import text_of

    values = read(PROGRAM, given)
    from hafta.observe.sources.measuring import measure

    text_of((), {}, openmetrics=values.openmetrics)  # without its library nothing is counted
    found = measure(values.state or os.environ.get("STATE_DIRECTORY", ""), os.environ, of_user=values.user)
    text = text_of(found.samples, found.histograms, openmetrics=values.openmetrics)
    if values.textfile:
        from hafta.cli.files import replace

        replace(values.textfile, text, "name a file in a directory that you may write to, and that node_exporter reads")
    else:
        put_bytes(text)
    for line in found.missing:
        click.echo(f"hafta: {shown(line)}", err=True)
    return exits.OK if found.is_any else exits.PERMISSION
