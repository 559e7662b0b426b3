"""`hafta check`: what is wrong with units, sequences, records and the machine, each with its place and its cure."""

from __future__ import annotations

import os

import click

from hafta.check.options import JSON, PROGRAM, SARIF
from hafta.cli.options import options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


@click.command(name="check", help=PROGRAM.summary, options_metavar="[OPTION]...")
@options(PROGRAM)
@click.argument("names", nargs=-1, metavar=PROGRAM.operands)
def check(names: tuple[str, ...], **given: Any) -> int:
    """Look and print."""
    from hafta.check.look import look
    from hafta.cli import check_text
    from hafta.cli.looking import read

    values = read(PROGRAM, given)
    if values.explain:
        return check_text.explain(values.explain)
    answer = look(names, os.environ, against=values.against, of_user=values.user, deep=values.deep)
    form = JSON if values.json else values.format
    if form == JSON:
        check_text.put_json(answer)
    elif form == SARIF:
        check_text.put_sarif(answer)
    else:
        check_text.put_lines(answer)
    check_text.tell(answer)
    return answer.status(strict=values.strict)
