"""`hafta log`: what happened to units, run by run; repeats are folded, and what is missing is a line."""

from __future__ import annotations

import json
import os
import re
import select
import time

import click

from hafta import exits
from hafta.cli.log_text import Printer, plain, runs
from hafta.cli.options import AS_JSON, options
from hafta.cli.past import DIRECTORY, OVERLORD, UNTIL, USER, Past, read, since
from hafta.cli.table import put, put_bytes
from hafta.errors import HaftaError, UsageError
from hafta.observe.entry import Trust
from hafta.observe.kinds import Kind
from hafta.observe.lines import Gaps, exported, lines, runs_of
from hafta.observe.times import iso
from hafta.settings import Program, Setting, switch, whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from hafta.observe.entry import Entry
    from hafta.settings import Values

DEFAULT = 50
_PLACE = re.compile(r"-[0-9]{1,9}|[0-9]{1,3}")  # which run; what is longer is the begin of an id
FEW, MANY = 50, 1_000_000  # entries that are read first, and from which on all are


def run_name(text: str) -> str:
    """Read which run: 0 or a number below it, or the first digits of its id."""
    if not _PLACE.fullmatch(text) and not (4 <= len(text) <= 32 and set(text.lower()) <= set("0123456789abcdef")):
        raise ValueError("0 (the newest run), -1 (the one before), or at least 4 digits of its id")
    return text.lower()


LINES = Setting(
    "lines", whole, None, "show the newest lines only", "N", short="n", environment="",
    shown_default="50, or all of --since, --run or --event",
)  # fmt: skip
FOLLOW = Setting("follow", switch, default=False, help="go on with what comes", short="f", environment="")
RUN = Setting(
    "run", run_name, "", "show one run: 0 is the newest, -1 the one before; or the first digits of its id", "RUN",
    environment="",
)  # fmt: skip
RUNS = Setting("runs", switch, default=False, help="list the runs, and how each ended", environment="")
EVENT = Setting(
    "event", lambda text: (text,), (), "show only this event, such as rolled-back; may be given again", "EVENT",
    short="e", repeats=True, environment="",
)  # fmt: skip
SEQUENCE = Setting(
    "sequence", lambda text: (text,), (), "show only events of this sequence; may be given again", "SEQUENCE",
    short="s", repeats=True, environment="",
)  # fmt: skip
NODE = Setting(
    "node", lambda text: (text,), (), "show only events of this node; may be given again", "NODE", repeats=True,
    environment="",
)  # fmt: skip
WITH = Setting(
    "with", lambda text: (text,), (), "show all of this unit, too, at the times of the others; may be given again",
    "UNIT", repeats=True, environment="",
)  # fmt: skip
EXPORT = Setting(
    "export", switch, default=False, help="print whole entries in the export format of the journal", environment=""
)
EXPLAIN = Setting(
    "explain", switch, default=False, help="explain each event, once, as the journal's catalog does", environment=""
)
ALL = Setting("all", switch, default=False, help="show lines of priority debug, too", environment="")
PROGRAM = Program(
    "hafta log",
    "Show what happened to units: run by run, with repeats folded and gaps told.",
    (
        LINES, FOLLOW, since("", "the begin of it"), UNTIL, RUN, RUNS, EVENT, SEQUENCE, NODE, WITH, ALL, EXPLAIN,
        EXPORT, DIRECTORY, OVERLORD, AS_JSON, USER,
    ),
    (exits.OK, exits.FAILED, exits.USAGE, exits.NOT_FOUND, exits.PERMISSION, exits.SYSTEM),
    "[NAME]...",
    {exits.FAILED: "there is no such entry", exits.PERMISSION: "nothing of the journal could be seen"},
)  # fmt: skip


@click.command(name="log", help=PROGRAM.summary, options_metavar="[OPTION]...")
@options(PROGRAM)
@click.argument("names", nargs=-1, metavar="[NAME]...")
def log(names: tuple[str, ...], **given: Any) -> int:
    """Read the journal, and print what happened."""
    values = read(PROGRAM, given)
    _check(values)
    past = Past(names, values)
    past.join(getattr(values, "with"))
    past.journal.is_exact = values.export
    if values.runs:
        return _runs(past, values)
    output = os.dup(1) if values.follow else -1
    printer = Printer(past, explain=values.explain, names_units=len(past.units) > 1)
    gaps, entries = Gaps(), _chosen(past, values)
    past.complain()
    try:
        shown = _print(entries, printer, values, gaps)
        if values.follow:
            _follow(past, printer, values, gaps, output)
    finally:
        printer.close()
    return exits.OK if shown or values.follow else exits.FAILED


def _check(values: Values) -> None:
    """Raises UsageError if --follow is asked for together with what has an end."""
    ended = {"--run": values.run, "--runs": values.runs, "--until": values.until is not UNTIL.default}
    if values.follow and (given := [name for name, is_given in ended.items() if is_given]):
        raise UsageError(f"--follow goes on, and {given[0]} has an end", "leave out one of the two")
    others = {"--json": values.json, "--runs": values.runs, "--explain": values.explain}
    if values.export and (given := [name for name, is_given in others.items() if is_given]):
        raise UsageError(f"--export prints entries, and {given[0]} something else", "leave out one of the two")


def _runs(past: Past, values: Values) -> int:
    histories = past.histories()
    past.complain()
    found = [one for history in histories for one in runs(history, past)]
    if values.json:
        for one in found:
            end = None if one["end"] is None else iso(one["end"])
            put(json.dumps({"version": 1, **one, "begin": iso(one["begin"]), "end": end}, allow_nan=False))
    else:
        Printer(past, explain=False, names_units=len(past.units) > 1).table(found)
    return exits.OK if found else exits.FAILED


def _chosen(past: Past, values: Values) -> list[Entry]:
    """Return the entries of the units and the time that are asked for.

    Raises HaftaError if there is no such unit or run.
    """
    run, is_until = "", values.until is not UNTIL.default
    if values.run and len(past.units) - len(past.joined) != 1:
        raise UsageError("--run needs one unit", "name the unit")
    if missing := [unit for unit in past.units if not past.journal.has(unit)]:
        hint = "look for it in systemctl list-units; without a name: all that report events of HAFTA"
        raise HaftaError(f"there is no entry of {missing[0]} in {past.journal.name}", hint, status=exits.NOT_FOUND)
    if values.run:
        known = past.entries()
        run = _run(past, known, values.run)
        found = _read(past, values, since=min(one.wall for one in known if one.run == run))
    elif values.since:
        found = _read(past, values, since=past.walls(values.since)[0])
    elif _filters(values) or is_until:
        found = _read(past, values)
    else:
        found = _newest(past, values)
    past.now()
    begin, end = (past.moments(one)[0] if is_asked else None for one, is_asked in (
        (values.since, bool(values.since)), (values.until, is_until),
    ))  # fmt: skip
    chosen = [one for one in found if (begin is None or one.at >= begin) and (end is None or one.at <= end)]
    return _of_run(chosen, run, past) if run else chosen


def _of_run(entries: list[Entry], run: str, past: Past) -> list[Entry]:
    """Return the entries of one run, and those of joined units from its first to its last."""
    times = [one.at for one in entries if one.run == run]
    begin, end = min(times, default=0), max(times, default=0)
    return [one for one in entries if one.run == run or (one.unit in past.joined and begin <= one.at <= end)]


def _read(past: Past, values: Values, **how: int) -> list[Entry]:
    found = past.entries(everything=True, debug=values.all, **how)
    return [one for one in found if is_of(one, past.units)]


def _newest(past: Past, values: Values) -> list[Entry]:
    """Return at least the newest entries, without reading a long journal whole."""
    wanted = DEFAULT if values.lines is None else values.lines
    count = 2 * wanted + FEW
    while count < MANY:
        found = past.entries(everything=True, debug=values.all, newest=count)
        chosen = [one for one in found if is_of(one, past.units)]
        if len(found) < count or sum(1 for _ in lines(chosen)) > wanted:
            return chosen
        count *= 8
    return _read(past, values)


def _run(past: Past, entries: list[Entry], name: str) -> str:
    known = runs_of(entries, past.units[0])
    if _PLACE.fullmatch(name):
        place = -1 - abs(int(name))
        if -place <= len(known):
            return known[place]
    elif found := [run for run in known if run.startswith(name)]:
        return found[-1]
    hint = f"list them: hafta log {past.units[0]} --runs"
    raise HaftaError(f"{past.units[0]} has no run {name} in {past.journal.name}", hint, status=exits.NOT_FOUND)


def is_of(entry: Entry, units: Iterable[str]) -> bool:
    """Tell whether an entry is of these units, or of the machine. What names no unit may be of any."""
    if entry.unit:
        return entry.unit in units
    return entry.trust is Trust.MACHINE and entry.kind not in (Kind.TEXT, Kind.JOURNALD_EXITED)


def is_wanted(entry: Entry, values: Values, joined: Iterable[str] = ()) -> bool:
    """Tell whether an entry is one of the events, sequences and nodes that are asked for, or of a joined unit."""
    fields, events = entry.fields, values.event
    if entry.unit in joined:
        return True
    return (
        (not events or entry.kind.value in events or fields.get("HAFTA_EVENT") in events)
        and (not values.sequence or fields.get("HAFTA_SEQUENCE") in values.sequence)
        and (not values.node or fields.get("HAFTA_NODE") in values.node)
    )


def _filters(values: Values) -> bool:
    """Tell whether only some events are asked for: then the newest entries may have none of them."""
    return bool(values.event or values.sequence or values.node)


def _print(entries: list[Entry], printer: Printer, values: Values, gaps: Gaps, *, is_all: bool = False) -> int:
    """Print them; return how many lines of entries."""
    is_asked = values.since or values.run or _filters(values)
    is_all = is_all or (values.lines is None and bool(is_asked))
    count = DEFAULT if values.lines is None else values.lines
    joined = printer.past.joined
    if values.json or values.export:
        wanted = [one for one in entries if is_wanted(one, values, joined)]
        chosen = wanted if is_all else wanted[-count:] if count else []
        for entry in chosen:
            if values.export:
                put_bytes(exported(entry))
            else:
                put(json.dumps(plain(entry, printer.past), allow_nan=False))
        return len(chosen)
    found = list(lines(entries, gaps, lambda entry: is_wanted(entry, values, joined)))
    found = found if is_all else found[-count:] if count else []
    for line in found:
        printer.line(line)
    return sum(not line.is_gap for line in found)


def _follow(past: Past, printer: Printer, values: Values, gaps: Gaps, output: int) -> None:
    """Print what comes, until Ctrl-C or until the reader has gone. `output`: stdout, as it was at first."""
    from hafta.observe.sources.journal import POLL

    reader = select.poll()
    reader.register(output, 0)  # only that nobody reads any more
    batch: list[Entry] = []
    try:
        for raw in past.journal.follow():
            if raw is not None:
                entry = past.entry(raw)
                batch += [entry] if is_of(entry, past.units) else []
                continue
            if batch:
                _print(batch, printer, values, gaps, is_all=True)
                batch = []
            if reader.poll(0):
                return
            time.sleep(POLL)
    except KeyboardInterrupt:
        return
