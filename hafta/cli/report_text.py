"""A report for people: the same figures as the JSON, in lines of at most 100 characters or so."""

from __future__ import annotations

import shlex
from math import floor, log10

from hafta.cli.table import shown
from hafta.observe.times import dated, lasting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

DEFINITIONS = """\
up, down       From READY to the end of the main process, or the first sign of a hang; from then until READY again.
held           The part of being down that was waited on purpose: RestartSec=, and service-held-back.
stopped        Asked to stop, ended by itself, or down in a drill. Not down, unless --count-stops.
machine        Shut down, rebooting, asleep. Not down, but in the second line of the availability.
unknown        The journal does not say. It makes a range, and is never guessed.
availability   up / (up + down). Range: all that is unknown was down, or up.
MTBF           up / failures. A failure is the end of being up. 95 %: the exact Poisson interval.
MTTR           down / restorations, the time until a hang is noticed included.
half within    The median of the restorations (Kaplan-Meier): outages that go on count with their age.
its parts      abort: from the watchdog's timeout to the end. wait: until the restart is scheduled. begin: until the
               start. hold: service-held-back. start: until READY. Of each the mean for one restoration.
restarts       Failures by cause. Starts that failed while it was down are counted apart.
rollbacks      Of nodes that had failed, by the class of the reason. What went back for another node is not counted.
budget         (1 - SLO) x (up + down + unknown), less what was down.
Times are by the clock as it stands at the end. Setting the clock takes no time."""
WIDTH = 17
_NAMES = {"killed by hand": "killed by hand", "hang": "hung", "oom": "out of memory", "core": "dumped core"}


def lines(unit: dict[str, Any], where: Sequence[str] = (), *, counts_stops: bool = False) -> Iterator[str]:
    """Yield the report of one unit. `where`: the options that say which journal it comes from."""
    known, asked = lasting(unit["known_seconds"]), lasting(unit["asked_seconds"])
    whole = unit["known_seconds"] >= unit["asked_seconds"]
    head = f"{dated(unit['from'])} - {dated(unit['to'])}   {asked}" + ("" if whole else f", of which {known} are known")
    yield f"{shown(unit['unit'])}   {head}"
    yield from _availability(unit, counts_stops=counts_stops)
    yield from _failures(unit, where)
    yield from _drills(unit)
    yield from _rollbacks(unit)
    yield from _unknown(unit)
    yield from _groups(unit["groups"])


def _groups(groups: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield a row for each node, cause or day, with the columns of which anything is known."""
    heads = {"availability": "AVAILABLE", "down_seconds": "DOWN", "unknown_seconds": "UNKNOWN", "failures": "FAILURES"}
    heads["rollbacks"] = "ROLLBACKS"
    keys = [key for key in heads if any(row[key] is not None for row in groups)]
    rows = [["", *(heads[key] for key in keys)]]
    rows += [[shown(row["name"])[:60], *(_cell(key, row[key]) for key in keys)] for row in groups]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *others in rows if groups else ():
        cells = [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))]
        yield f"  {'   '.join(cells)}"


def _cell(key: str, value: Any) -> str:
    if value is None:
        return "-"
    if key == "availability":
        return "-" if value["value"] is None else percent(value["value"], is_whole=value["low"] == 1)
    return lasting(value) if key.endswith("_seconds") else f"{value:,}"


def percent(value: float, *, is_whole: bool) -> str:
    """Return a share with two digits of what is missing to the whole: 99.982 %; 100 % only if nothing is."""
    if is_whole and value == 1:
        return "100 %"
    missing = max(1 - value, 1e-9)
    digits = min(max(1 - floor(log10(missing * 100)), 0), 7)
    if value == 1:
        return "no outage seen"
    text = f"{value * 100:.{digits}f}"
    return f"{text} %" if float(text) < 100 else f"> {100 - 10**-digits:.{digits}f} %"


def _line(name: str, text: str) -> str:
    return f"{name:<{WIDTH}}{text}"


def _availability(unit: dict[str, Any], *, counts_stops: bool) -> Iterator[str]:
    took, figure = unit["seconds"], unit["availability"]
    down = took["down"] + took["held"]
    spent = f"up {lasting(took['up'])}, down {lasting(down)}"
    if figure["value"] is None:
        yield _line("availability", f"-   {figure['reason']}; {_others(took)}")
        return
    is_whole = not took["unknown"] and not unit["failures"]["n"]
    worst = percent(figure["low"], is_whole=False)
    bound = (
        "" if worst == percent(figure["value"], is_whole=is_whole) else f"   ({worst} if all that is unknown was down)"
    )
    yield _line("availability", f"{percent(figure['value'], is_whole=is_whole)}{bound}   {spent}")
    if took["machine"]:
        value = percent(unit["availability_with_machine"]["value"], is_whole=False)
        yield _line("  with machine", f"{value}   {lasting(took['machine'])} with the machine")
    if took["stopped"]:
        how = "counted as down" if counts_stops else "not counted as down without --count-stops"
        yield _line("  stopped", f"{lasting(took['stopped'])}, {how}")
    if budget := unit["budget"]:
        yield _line(f"  budget {budget['slo'] * 100:g} %", _budget(budget))


def _others(took: dict[str, float]) -> str:
    return ", ".join(f"{what} {lasting(took[what])}" for what in ("stopped", "machine", "unknown") if took[what])


def _budget(budget: dict[str, Any]) -> str:
    used = f"{lasting(budget['allowed_seconds'])} allowed, {lasting(budget['used_seconds'])} used"
    could = budget["unknown_seconds"] > max(budget["left_seconds"], 0)
    if budget["left_seconds"] < 0:
        return f"{used}: missed"
    return f"{used}" + ("; what is unknown could take it all: missed" if could and not budget["met"] else "")


def _failures(unit: dict[str, Any], where: Sequence[str]) -> Iterator[str]:
    between, restoring, count = unit["mtbf"], unit["mttr"], unit["failures"]
    up = lasting(unit["seconds"]["up"])
    if not unit["seconds"]["up"]:
        yield _line("MTBF", "-   it was never up")
    elif between["value"] is None:
        yield _line("MTBF", f"no failure in {up} of up time: at least {lasting(between['low'])}")
    else:
        bounds = f"(95 %: {lasting(between['low'])} to {lasting(between['high'])})"
        yield _line(
            "MTBF", f"{lasting(between['value'])}   {bounds}, {_counted(count['n'], 'failure')} in {up} of up time"
        )
    if restoring["value"] is not None:
        yield _line("MTTR", f"{lasting(restoring['value'])}   {_restorations(unit)}")
        longest = unit["restoration"]["longest"]
        if longest and longest["run"]:
            words = ["hafta", "log", *where, unit["unit"], "--run", longest["run"][:8]]
            yield _line("", f"→ {shown(shlex.join(words))}")
        names = ("abort", "wait", "begin", "hold", "start")
        parts = [f"{name} {lasting(unit['parts'][name]['value'])}" for name in names if unit["parts"][name]["value"]]
        yield _line("  its parts", f"{' · '.join(parts)}   (means of {restoring['n']})")
    causes = ", ".join(f"{number} {shown(_NAMES.get(cause, cause))}" for cause, number in count["causes"].items())
    starts, uncertain = count["failed_starts"], count["high"] - count["n"]
    more = [_counted(starts, "failed start")] if starts else []
    more += [f"{count['given_up']} given up"] if count["given_up"] else []
    more += [f"{unit['restarts']['asked']} asked for"] if unit["restarts"]["asked"] else []
    more += [f"{uncertain} more {'end' if uncertain == 1 else 'ends'}, of which it is not known whether it was up"] * (
        uncertain > 0
    )
    if causes or more:
        head = f"{_counted(count['n'], 'failure')}{': ' if causes else ''}{causes}"
        yield _line("restarts", " · ".join([head, *more]))


def _drills(unit: dict[str, Any]) -> Iterator[str]:
    found = unit["drills"]
    if found["outages"]:
        names = ", ".join(map(shown, found["drills"]))
        yield _line("(drill)", f"{found['outages']} x down for {lasting(found['seconds'])}, not counted: {names}")


def _restorations(unit: dict[str, Any]) -> str:
    found = unit["restoration"]
    text = _counted(found["n"], "restoration")
    if found["n"] > 1 and found["p50"]["value"] is not None:
        text += f"; half within {lasting(found['p50']['value'])}"
    if found["longest"]:
        text += f", the longest {lasting(found['longest']['seconds'])}"
    return text


def _rollbacks(unit: dict[str, Any]) -> Iterator[str]:
    found, sequences = unit["rollbacks"], unit["sequences"]
    ended = sequences["succeeded"] + sequences["failed"]
    if not ended and not found["nodes"]:
        return
    success = sequences["success"]["value"]
    share = "" if success is None else f" ({percent(success, is_whole=not sequences['failed'])} succeeded)"
    yield _line("rollbacks", f"{found['total']} in {_counted(ended, 'sequence')}{share}")
    for node in (one for one in found["nodes"] if one["count"]):
        errors = " · ".join(f"{shown(error)} {number}" for error, number in [*node["errors"].items()][:4])
        undone = node["undone"]["median_seconds"]
        took = "" if undone is None else (
            f"   undone in: median {lasting(undone)}, longest {lasting(node['undone']['longest_seconds'])}"
        )  # fmt: skip
        yield _line(f"  {shown(node['node'])[: WIDTH - 3]}", f"{node['count']}   {errors}{took}")


def _unknown(unit: dict[str, Any]) -> Iterator[str]:
    spans = unit["unknown"]
    if spans:
        longest = sorted(spans, key=lambda one: -one["seconds"])[:3]
        why = "; ".join(f"{lasting(one['seconds'])} from {dated(one['from'])}: {one['part']}" for one in longest)
        more = f"; {len(spans) - 3} more" if len(spans) > 3 else ""
        yield _line("unknown", f"{lasting(unit['seconds']['unknown'])}: {why}{more}")
    if unit["covered_seconds"] < unit["asked_seconds"]:
        yield _line(
            "covered",
            f"{lasting(unit['covered_seconds'])} of {lasting(unit['asked_seconds'])}: the journal begins later",
        )
    if unit["lost"]["events"]:
        how = ", ".join(f"{number} {text}" for text, number in unit["lost"]["how"].items())
        yield _line("lost", f"{_counted(unit['lost']['events'], 'event')}: {how}")


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
