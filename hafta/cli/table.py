"""Printing on a terminal: aligned columns, of which the last one is cut to fit, and colours where they are wanted."""

from __future__ import annotations

import os
import shutil

import click

from hafta.descriptors import silence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

GAP = "  "
LEAST = 8  # of the last column, however narrow the terminal


def shown(text: str) -> str:
    """Return the text on one line, with what is not printable as repr() shows it: ends of lines, control, bidi."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def table(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    """Return the rows, padded to columns; the last column is cut so that a line fits the terminal (80 without one)."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    width = shutil.get_terminal_size((80, 24)).columns
    left = max(LEAST, width - sum(widths[:-1]) - len(GAP) * (len(widths) - 1))
    return [
        [*(cell.ljust(size) for cell, size in zip(row, widths[:-1], strict=False)), _cut(row[-1], left)] for row in rows
    ]


def say(cells: Sequence[str], colour: str | None = None) -> None:
    """Print a line of a table; coloured only on a terminal that wants it."""
    plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
    put(click.style(GAP.join(cells).rstrip(), fg=colour), color=False if plain else None)


def put(text: str, *, color: bool | None = None) -> None:
    """Print on stdout. A reader that has gone (head, less) has what it wanted, which is not an error."""
    try:
        click.echo(text, color=color)
    except BrokenPipeError:
        silence(1)


def put_bytes(data: bytes) -> None:
    """Print bytes on stdout, at once; as put()."""
    try:
        stream = click.get_binary_stream("stdout")
        stream.write(data)
        stream.flush()
    except BrokenPipeError:
        silence(1)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
