"""`hafta report`: how available units were, what ended them, how long each restoration took, and what is not known."""

from __future__ import annotations

import json

import click

from hafta import exits
from hafta.cli import report_text
from hafta.cli.options import AS_JSON, options
from hafta.cli.past import DIRECTORY, OVERLORD, UNTIL, USER, Past, read, since
from hafta.cli.table import put
from hafta.errors import UsageError
from hafta.observe.figures import Window
from hafta.observe.figures import report as figures
from hafta.observe.grouped import WAYS, hours, rows
from hafta.observe.times import iso
from hafta.settings import Program, Setting, file_name, switch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hafta.observe.closing import History
    from hafta.settings import Values

VERSION = 1  # of the JSON


def share(text: str) -> float:
    """Read a share in percent, above 0 and below 100."""
    try:
        value = float(text.removesuffix("%"))
    except ValueError:
        value = 0.0
    if not 0 < value < 100:
        raise ValueError("a share of time in percent, such as 99.9")
    return value / 100


SLO = Setting(
    "slo", share, None, "the promised share of time to be up; status 1 if it is missed", "PERCENT", environment=""
)
COUNT_STOPS = Setting(
    "count-stops", switch, default=False, help="count stops that were asked for as being down", environment=""
)
STRICT = Setting("strict", switch, default=False, help="status 1 if any part of that time is not known", environment="")
DEFINITIONS = Setting(
    "definitions", switch, default=False, help="explain each figure, and how it is made", environment=""
)


def way(text: str) -> str:
    """Read by what a report is divided."""
    if text not in WAYS:
        raise ValueError(f"one of {', '.join(WAYS)}")
    return text


BY = Setting("by", way, "", "divide it, too: by node, cause or day", "node|cause|day", environment="")
HTML = Setting(
    "html", file_name, "", "write a page that needs no script and no network, with pictures", "FILE", environment=""
)
BADGE = Setting("badge", file_name, "", "write a small picture (SVG) of the availability", "FILE", environment="")
PROGRAM = Program(
    "hafta report",
    "Show how available units were, what ended them and how fast they were back, from the journal.",
    (
        since("7d", "the begin of it"), UNTIL, SLO, BY, COUNT_STOPS, STRICT, DEFINITIONS, HTML, BADGE, DIRECTORY,
        OVERLORD, AS_JSON, USER,
    ),
    (exits.OK, exits.FAILED, exits.USAGE, exits.NOT_FOUND, exits.PERMISSION, exits.SYSTEM),
    "[NAME]...",
    {
        exits.FAILED: "--slo is missed, also if only what is unknown decides; --strict and not all is known; no unit",
        exits.PERMISSION: "nothing of the journal could be seen",
    },
)  # fmt: skip


@click.command(name="report", help=PROGRAM.summary, options_metavar="[OPTION]...")
@options(PROGRAM)
@click.argument("names", nargs=-1, metavar="[NAME]...")
def report(names: tuple[str, ...], **given: Any) -> int:
    """Read the journal, and print the figures of each unit."""
    values = read(PROGRAM, given)
    if values.definitions:
        put(report_text.DEFINITIONS)
        return exits.OK
    past = Past(names, values)
    found = past.histories()
    now = past.end
    begin, end = past.moments(values.since, values.until)
    if begin >= end:
        hint = "the begin must be before the end, and the end not after now"
        raise UsageError("--since and --until leave no time between them", hint)
    window = Window(begin, min(end, now), values.slo, values.count_stops)
    units = [
        {**figures(history, window, past.wall), "groups": _groups(history, window, past, values)} for history in found
    ]
    past.complain()
    made = document(units, past, past.wall(now))
    if values.html or values.badge:
        _write(units, [hours(history, window, past.wall) for history in found], made, past.wall(now), values)
    if values.json:
        put(json.dumps(made, indent=2, allow_nan=False))
    elif not values.html and not values.badge:
        _print(units, values)
    return exits.FAILED if _is_bad(units, values) else exits.OK


def _groups(history: History, window: Window, past: Past, values: Values) -> list[dict[str, Any]]:
    return rows(history, window, values.by, past.wall) if values.by else []


def _write(units: list[dict[str, Any]], hours: list[Any], made: dict[str, Any], now: float, values: Values) -> None:
    """Write the files that are asked for. Raises HaftaError."""
    from hafta.cli.files import replace

    hint = "name a file in a directory that you may write to"
    if values.html:
        from hafta.cli.report_page import page

        replace(values.html, page(units, hours, made["missing"], now), hint)
    if values.badge:
        from hafta.cli.badge import badge

        replace(values.badge, badge(units), hint)


def document(units: list[dict[str, Any]], past: Past, now: float) -> dict[str, Any]:
    """Return the JSON: times are text, in UTC. Keys never vanish."""
    missing = list(past.journal.missing)
    if any(unit["covered_seconds"] < unit["asked_seconds"] for unit in units):
        missing.append(f"not seen: what was before {iso(past.wall(past.begin))}: {past.journal.name} begins then")
    return {"version": VERSION, "at": iso(now), "complete": not missing, "missing": missing, "units": _dated(units)}


def _dated(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: iso(one) if key in {"from", "to"} and one is not None else _dated(one) for key, one in value.items()
        }
    return [_dated(one) for one in value] if isinstance(value, list) else value


def _print(units: list[dict[str, Any]], values: Values) -> None:
    where = [*(["--user"] if values.user else []), *(["--directory", values.directory] if values.directory else [])]
    if not units:
        click.echo("hafta: no unit has reported events of HAFTA; name units to see others", err=True)
    for place, unit in enumerate(units):
        if place:
            put("")
        for line in report_text.lines(unit, where, counts_stops=values.count_stops):
            put(line)


def _is_bad(units: list[dict[str, Any]], values: Values) -> bool:
    if not units and (values.slo or values.strict):
        return True  # of what was promised, nothing is known
    missed = any(unit["budget"] and not unit["budget"]["met"] for unit in units)
    return missed or (values.strict and any(unit["known_seconds"] < unit["asked_seconds"] for unit in units))
