"""How a record is shown: as columns and as text for people, as plain values for programs."""

from __future__ import annotations

import math
import time
from base64 import b64encode

from hafta.cli.records import doing, state_of
from hafta.cli.table import shown
from hafta.drivers import ledger

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from hafta.cli.records import Entry
    from hafta.stores.codec import Level, Visit
    from hafta.stores.protocol import Holder

COLUMNS = ("SEQUENCE", "NODE", "CP", "FAILS", "AGE", "HOLDER", "STATE")

_MARKS = {ledger.BETWEEN: " (next)", ledger.BACK: " (undo)", ledger.ROLLBACK: " (undo)", ledger.UNWIND: " (undo)"}
_PHRASES = {
    ledger.BETWEEN: "is next",
    ledger.NORMAL: "in its normal function",
    ledger.BACK: "is to be rolled back",
    ledger.ROLLBACK: "in its rollback function",
    ledger.UNWIND: "in its rollback function, on the way back",
    ledger.ENDED: "the sequence has ended",
}


def rows(entry: Entry, now: float) -> list[tuple[str, ...]]:
    """Return the rows of a table: one for each sequence, those inside of others indented."""
    who, aged = _holder_column(entry), age(entry, now)
    if entry.position is None:
        told = entry.trouble.text if entry.trouble else ""
        return [(shown(entry.name), "", "", "", aged, who, shown(told))]
    first = (shown(entry.name), aged, who)
    found: list[tuple[str, ...]] = []
    for depth, level in enumerate(entry.position.levels):
        name, aged, who = first if not depth else ("  " * depth + shown(level.sequence), "", "")
        ended = doing(level.phase) == ledger.ENDED
        where = ("", "", "") if ended else (_node_column(level), str(level.checkpoint), str(level.attempt))
        values = {**state_of(level), **({} if depth else entry.kept)}
        found.append((name, *where, aged, who, " ".join(f"{shown(key)}={value!r}" for key, value in values.items())))
    return found


def text(entry: Entry, now: float) -> str:
    """Return all that is known of a record, for people."""
    seen = entry.snapshot
    pairs = [("file", seen.path), ("status", _status(entry))]
    if seen.written:
        number = f", as record {seen.saved.number}" if seen.saved else ""
        pairs.append(("written", f"{_when(seen.written)}, {age(entry, now)} ago{number}"))
    if entry.trouble is not None:
        pairs.append(("trouble", entry.trouble.text))
    pairs += [("note", incident.text) for incident in seen.incidents if incident != entry.trouble]
    pairs += [("kept", value) for value in _values(entry.kept)]
    lines = [shown(entry.name), *_lines(pairs)]
    for level in entry.position.levels if entry.position else ():
        lines += ["", f"sequence {shown(level.sequence)}", *_lines(_of_level(level))]
    return "\n".join(lines)


def plain(entry: Entry, now: float) -> dict[str, Any]:
    """Return the same for programs: stable keys, values that JSON has."""
    seen, position = entry.snapshot, entry.position
    levels = [_plain_level(level) for level in position.levels] if position else []
    return {
        "sequence": seen.sequence,
        "instance": seen.instance,
        "path": seen.path,
        "status": entry.status,
        "held": seen.held,
        "holder": _plain_holder(seen.holder),
        "written": seen.written or None,  # it could not be opened
        "age": round(max(0.0, now - seen.written), 3) if seen.written else None,
        "number": seen.saved.number if seen.saved else None,
        "entered": position.entered if position else None,
        "pid": position.pid if position else None,
        "levels": levels,
        "kept": _json(entry.kept),
        "trouble": _plain_incident(entry.trouble),
        "incidents": [_plain_incident(incident) for incident in seen.incidents],
    }


def age(entry: Entry, now: float) -> str:
    """Return how long ago the newest record was written, in two or three characters."""
    seconds = max(0.0, now - entry.snapshot.written)
    if not entry.snapshot.written:
        return ""
    for limit, size, unit in ((100, 1, "s"), (6000, 60, "m"), (100 * 3600, 3600, "h")):
        if seconds < limit:
            return f"{int(seconds / size)}{unit}"
    return f"{int(seconds / 86400)}d"


def _holder_column(entry: Entry) -> str:
    if entry.snapshot.held and entry.snapshot.holder is not None:
        who = entry.snapshot.holder
        return f"{shown(who.unit.removesuffix('.service')) or 'pid'}[{who.pid}]"
    return "another process" if entry.snapshot.held else f"({entry.status})"


def _node_column(level: Level) -> str:
    return shown(level.node) + _MARKS.get(doing(level.phase), "")


def _status(entry: Entry) -> str:
    who = entry.snapshot.holder
    if who is None:
        return entry.status
    unit = f", {who.unit}" if who.unit else ""
    held = "held" if entry.snapshot.held else "last held"
    return f"{entry.status}; {held} by pid {who.pid}{unit}, since {_when(who.since)}"


def _of_level(level: Level) -> list[tuple[str, str]]:
    word = doing(level.phase)
    if word == ledger.ENDED:
        return [("node", f"none: {_PHRASES[word]}")]
    return [
        ("node", f"{level.node}: {_PHRASES.get(word, level.phase)}"),
        ("checkpoint", str(level.checkpoint)),
        ("failures", f"{level.attempt} in a row"),
        *(("state", value) for value in _values(state_of(level))),
        *(("visited", _visit(visit)) for visit in level.stack),
        ("nodes", ", ".join(level.nodes)),
        *([("version", level.version)] if level.version else []),
    ]


def _visit(visit: Visit) -> str:
    return "; ".join([f"{visit.node}: checkpoint {visit.checkpoint}", *_values(visit.state)])


def _values(values: Mapping[str, Any]) -> list[str]:
    return [f"{key} = {value!r}" for key, value in values.items()]


def _lines(pairs: list[tuple[str, str]]) -> list[str]:
    return [f"  {name:<11} {shown(value)}" for name, value in pairs]


def _when(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S %z", time.localtime(seconds))


def _plain_level(level: Level) -> dict[str, Any]:
    return {
        "sequence": level.sequence,
        "version": level.version,
        "node": level.node,
        "doing": doing(level.phase),
        "phase": level.phase,
        "checkpoint": level.checkpoint,
        "attempt": level.attempt,
        "state": _json(state_of(level)),
        "visited": [
            {"node": visit.node, "checkpoint": visit.checkpoint, "state": _json(visit.state)} for visit in level.stack
        ],
        "nodes": list(level.nodes),
    }


def _plain_holder(holder: Holder | None) -> dict[str, Any] | None:
    return None if holder is None else {"pid": holder.pid, "unit": holder.unit, "since": holder.since}


def _plain_incident(incident: Any) -> dict[str, str] | None:
    return None if incident is None else {"kind": incident.kind, "text": incident.text}


def _json(value: Any) -> Any:
    """Return a recorded value as JSON can say it: bytes as {"base64": ...}, a float without a number as its name."""
    if isinstance(value, bytes):
        return {"base64": b64encode(value).decode()}
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    if isinstance(value, dict):
        return {key: _json(item) for key, item in value.items()}
    return [_json(item) for item in value] if isinstance(value, list) else value
