"""A report as one HTML page: no script, nothing loaded from elsewhere, and everything from the journal escaped.

The policy of the page allows its own style, by hash, and nothing else. So what is drawn has no style of its elements:
classes and attributes of SVG only.
"""

from __future__ import annotations

import time
from base64 import b64encode
from bisect import bisect_right
from hashlib import sha256
from math import ceil, floor, log10
from pathlib import Path

from hafta import exits
from hafta.cli.report_text import percent
from hafta.cli.table import shown
from hafta.errors import HaftaError
from hafta.observe.grouped import HOUR, midnights
from hafta.observe.intervals import Class
from hafta.observe.times import dated, lasting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

    Hours = Mapping[tuple[str, str], Mapping[int, int]]

DAYS, DOTS, NODES, COLUMNS = 92, 2000, 30, 168  # what is drawn of a unit at most
MINUTES = 1440  # of a day
NARROWEST = 4.0  # minutes: two pixels or so
HEIGHT, TOP, BOTTOM, LEFT, RIGHT = 220, 14, 190, 52, 392
FOLDER = Path(__file__).parent


def page(units: list[dict[str, Any]], hours: list[Hours], missing: Iterable[str], now: float) -> bytes:
    """Return the page. `hours`: of each unit, the rollbacks of its nodes by hour. Raises HaftaError without Jinja2."""
    try:
        from jinja2 import Environment, StrictUndefined
        from markupsafe import Markup
    except ImportError as error:
        hint = "install it: apt install python3-jinja2, or pip install jinja2"
        raise HaftaError(f"--html needs Jinja2: {error}", hint, status=exits.SYSTEM) from error
    style = FOLDER.joinpath("report.css").read_text(encoding="utf-8")
    maker = Environment(autoescape=True, undefined=StrictUndefined)
    made = maker.from_string(FOLDER.joinpath("report.html.jinja").read_text(encoding="utf-8")).render(
        style=Markup(style),  # noqa: S704 - our own file
        hash=b64encode(sha256(style.encode()).digest()).decode(),
        title=f"Availability of {units[0]['unit']}" if len(units) == 1 else "Availability",
        made=time.strftime("%Y-%m-%d %H:%M %Z", time.localtime(now)),
        missing=[*map(shown, missing)],
        units=[_unit(*each) for each in zip(units, hours, strict=True)],
        classes=[what.value for what in Class],
        chart={"height": HEIGHT},
    )
    return made.encode(errors="replace")


def _unit(unit: dict[str, Any], hours: Hours) -> dict[str, Any]:
    days = list(midnights(unit["from"], unit["to"]))
    first, columns = _columns(unit)
    nodes = sorted(hours.items(), key=lambda one: -sum(one[1].values()))
    return {
        "name": shown(unit["unit"]),
        "span": f"{dated(unit['from'])} to {dated(unit['to'])}, {lasting(unit['asked_seconds'])}, of which "
        f"{lasting(unit['known_seconds'])} are known.",
        "facts": [*_facts(unit)],
        "days": [_day(unit, *day) for day in days[-DAYS:]],
        "older": f"{len(days) - DAYS} days before that are not drawn." if len(days) > DAYS else "",
        "dots": _dots(unit),
        "columns": ceil((unit["to"] // HOUR + 1 - first) / columns),
        "column": f"Each column is {columns} h." if columns > 1 else "Each column is an hour.",
        "nodes": [_node(name, counts, first, columns) for name, counts in nodes[:NODES]],
        "more_nodes": f"{len(nodes) - NODES} more nodes are not drawn." if len(nodes) > NODES else "",
        "causes": [*_causes(unit["failures"]["causes"])],
    }


def _facts(unit: dict[str, Any]) -> Iterator[dict[str, str]]:
    figure, budget = unit["availability"], unit["budget"]
    tone = "" if not budget else "met" if budget["met"] else "missed"
    word = {"": "", "met": "; the promise is kept", "missed": "; the promise is missed"}[tone]
    more = "" if figure["low"] in (None, figure["value"]) else f"at least {_share(unit, figure['low'])}"
    yield {"name": f"availability{word}", "value": _share(unit, figure["value"]), "more": more, "tone": tone}
    took = unit["seconds"]
    yield _fact("down", lasting(took["down"] + took["held"]), f"held: {lasting(took['held'])}")
    between, restoring = unit["mtbf"], unit["mttr"]
    at_least = "" if between["low"] is None else f"at least {lasting(between['low'])}"
    yield _fact("between failures", _lasting(between["value"]), at_least)
    yield _fact("to restore", _lasting(restoring["value"]), f"{restoring['n']} restorations")
    yield _fact("failures", str(unit["failures"]["n"]), "")
    yield _fact("rollbacks", f"{unit['rollbacks']['total']:,}", f"lost events: {unit['lost']['events']:,}")
    yield _fact("unknown", lasting(took["unknown"]), "")


def _fact(name: str, value: str, more: str) -> dict[str, str]:
    return {"name": name, "value": value, "more": more, "tone": ""}


def _lasting(seconds: float | None) -> str:
    return "–" if seconds is None else lasting(seconds)  # noqa: RUF001 - a dash


def _share(unit: dict[str, Any], value: float | None) -> str:
    if value is None:
        return "not known"
    return percent(value, is_whole=not unit["seconds"]["unknown"] and not unit["failures"]["n"])


def _day(unit: dict[str, Any], first: float, after: float) -> dict[str, Any]:
    """Return the strip of a day: pieces by the minute, of which what was not up is wide enough to be seen."""
    up = bad = 0.0
    pieces: dict[tuple[str, int], dict[str, Any]] = {}
    length = (after - first) / MINUTES  # a day on which the clock is put forward or back is drawn as long as others
    intervals = unit["intervals"]
    for place in range(bisect_right(intervals, first, key=lambda one: one["to"]), len(intervals)):
        one = intervals[place]
        begin, end = max(one["from"], first), min(one["to"], after)
        if end <= begin:
            break
        up += (end - begin) * (one["class"] == Class.UP.value)
        bad += (end - begin) * (one["class"] in ("down", "held"))
        x = (begin - first) / length
        width = (end - begin) / length
        if one["class"] != Class.UP.value:
            x, width = floor(x), max(NARROWEST, width)
        why = f" ({one['part']})" if one["part"] else ""
        label = f"{dated(begin)}, {lasting(end - begin)}: {one['class']}{why}"
        pieces[one["class"], int(x)] = {"what": one["class"], "x": _at(x), "width": _at(width), "label": shown(label)}
    share = percent(up / (up + bad), is_whole=not bad) if up + bad else "–"  # noqa: RUF001 - a dash
    drawn = sorted(pieces.values(), key=lambda piece: piece["what"] != "up")  # what is narrow stands in front
    name = time.strftime("%a %d %b", time.localtime(first))
    label = f"{name}: up {lasting(up)}, down {lasting(bad)}"
    return {"name": name, "share": share, "label": label, "pieces": drawn}


def _dots(unit: dict[str, Any]) -> dict[str, Any] | None:
    found = [one for one in unit["outages"] if one["outcome"] == "restored" and one["seconds"] is not None]
    if not found:
        return None
    drawn = sorted(found, key=lambda one: -one["seconds"])[:DOTS]
    powers = [log10(max(one["seconds"], 0.001)) for one in drawn]
    low, high = floor(min(powers)), max(ceil(max(powers)), floor(min(powers)) + 1)
    span = max(unit["to"] - unit["from"], 1e-6)

    def place(power: float) -> float:
        return _at(BOTTOM - (BOTTOM - TOP) * (power - low) / (high - low))

    marks = [
        {
            "x": _at(LEFT + (RIGHT - LEFT) * min(max((one["from"] - unit["from"]) / span, 0), 1)),
            "y": place(power),
            "label": shown(f"{dated(one['from'])}: {lasting(one['seconds'])}, {one['cause']}"),
        }
        for one, power in zip(drawn, powers, strict=True)
    ]
    ticks = [{"y": place(power), "name": _power(power)} for power in range(low, high + 1)]
    cut = f"The longest {DOTS} of {len(found)} are drawn." if len(found) > DOTS else ""
    label = f"{len(found)} restorations, the longest {lasting(drawn[0]['seconds'])}"
    return {
        "ticks": ticks, "marks": marks, "cut": cut, "label": label,
        "first": dated(unit["from"]), "last": dated(unit["to"]),
    }  # fmt: skip


def _power(power: int) -> str:
    return f"{10**power:,} s" if power >= 0 else f"{10 ** (power + 3):g} ms"


def _columns(unit: dict[str, Any]) -> tuple[int, int]:
    """Return the first hour, and how many hours a column stands for."""
    first = int(unit["from"] // HOUR)
    return first, max(1, ceil((unit["to"] // HOUR + 1 - first) / COLUMNS))


def _node(name: tuple[str, str], counts: Mapping[int, int], first: int, columns: int) -> dict[str, Any]:
    cells: dict[int, int] = {}
    for hour, number in counts.items():
        cells[(hour - first) // columns] = cells.get((hour - first) // columns, 0) + number
    total, text = sum(counts.values()), shown(" ".join(filter(None, name)))
    return {
        "name": text,
        "count": f"{total:,}",
        "label": f"{text}: {total} rollbacks",
        "cells": [
            {
                "x": x,
                "shade": f"h{min(4, 1 + int(log10(number)))}",
                "label": f"{dated((first + x * columns) * HOUR)}: {number:,}",
            }
            for x, number in sorted(cells.items())
        ],
    }


def _causes(causes: Mapping[str, int]) -> Iterator[dict[str, Any]]:
    most = max(causes.values(), default=1)
    for name, number in causes.items():
        yield {"name": shown(name), "count": f"{number:,}", "width": _at(100 * number / most)}


def _at(value: float) -> float:
    return round(value, 2)
