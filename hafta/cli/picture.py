"""How a record is shown: as columns and as text for people, as plain values for programs."""

from __future__ import annotations

import math
import time
from base64 import b64encode

from hafta.cli.table import shown
from hafta.engine.machine import Phase

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from hafta.death import Death
    from hafta.durable.position import SequencePosition, Visit
    from hafta.observe.sources.records import Entry
    from hafta.stores.protocol import Holder

COLUMNS = ("SEQUENCE", "NODE", "CP", "FAILS", "AGE", "HOLDER", "CAUSE", "STATE")

#: What goes on (the function, and whether it has begun), as a column and as a phrase.
_DOING = {
    (Phase.NORMAL, False): (" (next)", "is next"),
    (Phase.NORMAL, True): ("", "in its normal function"),
    (Phase.ROLLBACK, False): (" (undo)", "is to be rolled back"),
    (Phase.ROLLBACK, True): (" (undo)", "in its rollback function"),
    (Phase.UNWIND, True): (" (undo)", "in its rollback function, on the way back"),
}


def rows(entry: Entry, now: float) -> list[tuple[str, ...]]:
    """Return the rows of a table: one for each sequence, those inside of others indented."""
    who, aged = _holder_column(entry), age(entry, now)
    if entry.position is None:
        why = entry.trouble.text if entry.trouble else ""
        return [(shown(entry.name), "", "", "", aged, who, "", shown(why))]
    cause = entry.position.cause
    first = (shown(entry.name), aged, who, shown(cause.word) if cause else "")
    found: list[tuple[str, ...]] = []
    for depth, one in enumerate(entry.position.sequences):
        name, aged, who, how = first if not depth else ("  " * depth + shown(one.sequence), "", "", "")
        ended = one.doing.function is Phase.DONE
        where = ("", "", "") if ended else (_node_column(one), str(one.checkpoint), str(one.attempt))
        values = {**one.state, **({} if depth else entry.kept)}
        state = " ".join(f"{shown(key)}={value!r}" for key, value in values.items())
        found.append((name, *where, aged, who, how, state))
    return found


def text(entry: Entry, now: float) -> str:
    """Return everything that is known about a record, for people."""
    seen = entry.snapshot
    pairs = [("file", seen.path)] if seen.path else []
    pairs.append(("status", _status(entry)))
    if seen.written:
        number = f", as record {seen.saved.number}" if seen.saved else ""
        pairs.append(("written", f"{_when(seen.written)}, {age(entry, now)} ago{number}"))
    if entry.position is not None and entry.position.cause is not None:
        pairs.append(("cause", f"the process before {entry.position.pid} {entry.position.cause}"))
    if entry.position is not None and entry.position.bound:
        needs = f"node {entry.position.bound} needs what is on the disk of host {entry.position.host}"
        pairs.append(("bound", needs))
    if entry.trouble is not None:
        pairs.append(("trouble", entry.trouble.text))
    pairs += [("note", incident.text) for incident in seen.incidents if incident != entry.trouble]
    pairs += [("kept", value) for value in _values(entry.kept)]
    lines = [shown(entry.name), *_lines(pairs)]
    for one in entry.position.sequences if entry.position else ():
        lines += ["", f"sequence {shown(one.sequence)}", *_lines(_of_sequence(one))]
    return "\n".join(lines)


def plain(entry: Entry, now: float) -> dict[str, Any]:
    """Return the same for programs: stable keys, values that JSON has."""
    seen, position = entry.snapshot, entry.position
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
        "host": (position.host or None) if position else None,
        "bound": (position.bound or None) if position else None,
        "cause": _plain_cause(position.cause) if position else None,
        "sequences": [_plain_sequence(one) for one in position.sequences] if position else [],
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
        host = f"{shown(who.host)}:" if who.host else ""
        return f"{host}{shown(who.unit.removesuffix('.service')) or 'pid'}[{who.pid}]"
    return "another process" if entry.snapshot.held else f"({entry.status})"


def _node_column(one: SequencePosition) -> str:
    return shown(one.node) + _DOING[one.doing.function, one.doing.begun][0]


def _status(entry: Entry) -> str:
    who = entry.snapshot.holder
    if who is None:
        return entry.status
    unit = f", {who.unit}" if who.unit else ""
    unit += f", on {who.host}, token {who.token}" if who.host else ""
    held = "held" if entry.snapshot.held else "last held"
    return f"{entry.status}; {held} by pid {who.pid}{unit}, since {_when(who.since)}"


def _of_sequence(one: SequencePosition) -> list[tuple[str, str]]:
    if one.doing.function is Phase.DONE:
        return [("node", "none: the sequence has ended")]
    return [
        ("node", f"{one.node}: {_DOING[one.doing.function, one.doing.begun][1]}"),
        ("checkpoint", str(one.checkpoint)),
        ("failures", f"{one.attempt} in a row"),
        *(("state", value) for value in _values(one.state)),
        *(("visited", _visit(visit)) for visit in one.stack),
        ("nodes", ", ".join(one.nodes)),
        *([("version", one.version)] if one.version else []),
    ]


def _visit(visit: Visit) -> str:
    return "; ".join([f"{visit.node}: checkpoint {visit.checkpoint}", *_values(visit.state)])


def _values(values: Mapping[str, Any]) -> list[str]:
    return [f"{key} = {value!r}" for key, value in values.items()]


def _lines(pairs: list[tuple[str, str]]) -> list[str]:
    return [f"  {name:<11} {shown(value)}" for name, value in pairs]


def _when(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S %z", time.localtime(seconds))


def _plain_sequence(one: SequencePosition) -> dict[str, Any]:
    doing = one.doing
    return {
        "sequence": one.sequence,
        "version": one.version,
        "node": one.node,
        "function": "ended" if doing.function is Phase.DONE else doing.function.name.lower(),
        "begun": doing.begun,
        "stopped": doing.stopped,
        "checkpoint": one.checkpoint,
        "attempt": one.attempt,
        "state": _json(one.state),
        "visited": [
            {"node": visit.node, "checkpoint": visit.checkpoint, "state": _json(visit.state)} for visit in one.stack
        ],
        "nodes": list(one.nodes),
    }


def _plain_holder(holder: Holder | None) -> dict[str, Any] | None:
    if holder is None:
        return None
    shared = {"host": holder.host or None, "token": holder.token or None}
    return {"pid": holder.pid, "unit": holder.unit, "since": holder.since, **shared}


def _plain_cause(cause: Death | None) -> dict[str, Any] | None:
    if cause is None:
        return None
    where: dict[str, Any] = {"sequence": cause.sequence or None, "node": cause.node or None}
    where |= {"host": cause.host or None, "token": cause.token or None}
    return {"why": cause.word, "signal": cause.signal or None, "exit": cause.status, **where, "text": str(cause)}


def _plain_incident(incident: Any) -> dict[str, str] | None:
    return None if incident is None else {"kind": incident.kind, "text": incident.text}


def _json(value: Any) -> Any:
    """Return a recorded value as JSON: bytes as {"base64": ...}, an infinite float or NaN as its name."""
    if isinstance(value, bytes):
        return {"base64": b64encode(value).decode()}
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    if isinstance(value, dict):
        return {key: _json(item) for key, item in value.items()}
    return [_json(item) for item in value] if isinstance(value, list | tuple) else value
