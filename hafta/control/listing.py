"""`hafta ctl list-units`: a table for people, and columns for scripts, as systemctl prints them."""

from __future__ import annotations

import json

from hafta.control import options
from hafta.control.looking import properties
from hafta.control.shown import one_line
from hafta.control.spoken import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from hafta.control.asking import Asking
    from hafta.settings import Values

COLUMNS = ("UNIT", "LOAD", "ACTIVE", "SUB", "DESCRIPTION")
_PROPERTIES = ("Id", "LoadState", "ActiveState", "SubState", "Description")
_MARKED = frozenset(("failed", "not-found", "bad-setting", "error", "masked"))
LEGEND = """
LOAD   = whether the unit file could be read.
ACTIVE = where the unit stands, in the words that all kinds of units share.
SUB    = the same in the words of its kind."""


def list_units(asking: Asking, values: Values, patterns: Sequence[str]) -> int:
    """Print the units that are run, those at rest only with --all or if they are asked for."""
    found = [each for each in properties(asking, (), _PROPERTIES) if _is_wanted(each, values, patterns)]
    if values.json:
        say(json.dumps([dict(zip(map(str.lower, COLUMNS), _row(each), strict=True)) for each in found], indent=2))
        return options.OK
    rows = [_row(each) for each in found]
    legend = not values.no_legend
    table = [list(COLUMNS), *rows] if legend else rows
    marks = [False] * (len(table) - len(rows)) + [_is_marked(each) for each in found]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)] if table else []
    shown = []
    for row, marked in zip(table, marks, strict=True):
        mark = "" if values.plain else "● " if marked else "  "
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        shown.append(f"{mark}{' '.join(cells)}".rstrip())
    if shown:
        say("\n".join(shown))
    if legend:
        say(_end(values, len(rows)))
    return options.OK


def _row(unit: dict[str, Any]) -> list[str]:
    return [one_line(unit[name]) for name in _PROPERTIES]


def _is_marked(unit: dict[str, Any]) -> bool:
    return unit["ActiveState"] in _MARKED or unit["LoadState"] in _MARKED


def _is_wanted(unit: dict[str, Any], values: Values, patterns: Sequence[str]) -> bool:
    states = {*values.state, *(("failed",) if values.failed else ())}
    if states and not states & {unit["LoadState"], unit["ActiveState"], unit["SubState"]}:
        return False
    if values.type and unit["Id"].rpartition(".")[2] not in values.type:
        return False
    if patterns and not any(matches(unit["Id"], pattern) for pattern in patterns):
        return False
    return bool(values.all or states or unit["ActiveState"] != "inactive")


def matches(name: str, pattern: str) -> bool:
    """Tell whether a unit's name is meant by a pattern, or by a name that may leave its suffix out."""
    from fnmatch import fnmatchcase

    return fnmatchcase(name, pattern) or fnmatchcase(name, f"{pattern}.service")


def _end(values: Values, count: int) -> str:
    more = "" if values.all or values.state or values.failed else " --all shows those at rest, too."
    return f"{LEGEND}\n{count} loaded units listed.{more}" if count else f"0 loaded units listed.{more}"
