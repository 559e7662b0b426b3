"""The verbs of `hafta ctl` that change nothing: show, list-units, status, cat, is-active and its kin."""

from __future__ import annotations

import json
import sys
import time

from hafta.control import options
from hafta.control.asking import Refused
from hafta.control.shown import ago, lines, moment
from hafta.control.spoken import say
from hafta.errors import HaftaError
from hafta.journal.entry import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    from hafta.control.asking import Asking
    from hafta.settings import Values

    Properties = dict[str, Any]

_UP = frozenset(("active", "reloading"))
_ENABLED = frozenset(("enabled", "enabled-runtime", "static", "alias", "indirect", "generated", "transient", "linked"))


def properties(asking: Asking, units: Sequence[str], wanted: Iterable[str] = ()) -> list[Properties]:
    """Return the properties of units; of all that are run if none is named."""
    parameters: dict[str, Any] = {}
    if units:
        parameters["units"] = list(units)
    if wanted := list(wanted):
        parameters["properties"] = wanted
    try:
        return [reply.get("properties", {}) for reply in asking.each("List", parameters)]
    except Refused as error:
        problem = f"cannot look at {', '.join(units) or 'units'}: {error.message}"
        raise HaftaError(problem, "see hafta ctl list-units --all", status=options.FAILED) from error


def show(asking: Asking, values: Values, units: Sequence[str]) -> int:
    """Print properties, blocks with empty lines between them; without a unit, those of the overlord."""
    wanted = (*values.property, *values.value_of)
    if units:
        found = properties(asking, units, wanted)
    else:
        described = asking.ask("Describe", {}).get("properties", {})
        found = [{name: value for name, value in described.items() if not wanted or name in wanted}]
    if values.json:
        say(json.dumps(found, indent=2))
        return options.OK
    blocks = []
    for each in found:
        rows = [
            row if values.value or values.value_of else f"{name}={row}"
            for name, value in each.items()
            if not wanted or name in wanted
            for row in lines(name, value) or [""]
            if row or wanted or values.all
        ]
        blocks.append("\n".join(rows))
    say("\n\n".join(blocks)) if any(blocks) else None
    return options.OK


def is_active(asking: Asking, values: Values, units: Sequence[str]) -> int:
    """Print ActiveState of each; 0 if one of them is active."""
    return _is(asking, values, units, lambda state: state in _UP, options.NOT_RUNNING)


def is_failed(asking: Asking, values: Values, units: Sequence[str]) -> int:
    """Print ActiveState of each; 0 if one of them has failed. Without a unit: how all of it stands, 0 if degraded."""
    if not units:
        return options.OK if _system_state(asking, values) == "degraded" else options.FAILED
    return _is(asking, values, units, lambda state: state == "failed", options.FAILED)


def _is(asking: Asking, values: Values, units: Sequence[str], good: Callable[[str], bool], otherwise: int) -> int:
    found = properties(asking, units, ("Id", "ActiveState", "LoadState"))
    if values.json:
        say(json.dumps({each["Id"]: each["ActiveState"] for each in found}))
    elif not values.quiet:
        say("\n".join(each["ActiveState"] for each in found))
    if any(good(each["ActiveState"]) for each in found):
        return options.OK
    missing = found and all(each["LoadState"] == "not-found" for each in found)
    return options.UNKNOWN if missing else otherwise


def is_enabled(asking: Asking, values: Values, units: Sequence[str]) -> int:
    """Print UnitFileState of each; 0 if one of them is enabled."""
    found = properties(asking, units, ("Id", "UnitFileState"))
    states = [each.get("UnitFileState") or "not-found" for each in found]
    if values.json:
        say(json.dumps({each["Id"]: state for each, state in zip(found, states, strict=True)}))
    elif not values.quiet:
        say("\n".join(states))
    if any(state in _ENABLED for state in states):
        return options.OK
    return options.UNKNOWN if set(states) == {"not-found"} else options.FAILED


def is_system_running(asking: Asking, values: Values, _units: Sequence[str]) -> int:
    """Print how all of it stands: 0 only if it is running."""
    return options.OK if _system_state(asking, values) == "running" else options.FAILED


def _system_state(asking: Asking, values: Values) -> str:
    """Print how all of it stands, and return it."""
    state = str(asking.ask("Describe", {})["properties"]["SystemState"])
    if values.json:
        say(json.dumps(state))
    elif not values.quiet:
        say(state)
    return state


def cat(asking: Asking, values: Values, units: Sequence[str]) -> int:
    """Print the files of units, each under its name."""
    status, blocks, found = options.OK, [], []
    for each in properties(asking, units, ("Id", "LoadState", "FragmentPath", "DropInPaths")):
        if each["LoadState"] == "masked":
            blocks.append(f"# Unit {each['Id']} is masked.")
            continue
        if not each.get("FragmentPath"):
            print(f"No files found for {each['Id']}.", file=sys.stderr)
            status = options.FAILED
            continue
        for path in (each["FragmentPath"], *each["DropInPaths"]):
            text = _read(path)
            found.append({"path": path, "text": text})
            blocks.append(f"# {printable(path)}\n{_harmless(text)}".rstrip("\n"))
    if values.json:
        say(json.dumps(found, indent=2))
    elif blocks:
        say("\n\n".join(blocks))
    return status


def _read(path: str) -> str:
    from hafta.units.files import read_text, reason

    try:
        return read_text(path)
    except (OSError, ValueError) as error:
        raise HaftaError(f"cannot read {path}: {reason(error)}", "run it as root", status=options.FAILED) from None


def _harmless(text: str) -> str:
    """Return text without what a terminal might obey."""
    return "\n".join(line if line.isprintable() else _tabs(line) for line in text.split("\n"))


def _tabs(line: str) -> str:
    return "\t".join(printable(part) for part in line.split("\t"))


_STATUS = (
    *("Id", "Description", "LoadState", "LoadError", "FragmentPath", "DropInPaths", "UnitFileState", "ActiveState"),
    *("SubState", "Result", "ActiveEnterTimestamp", "InactiveEnterTimestamp", "InactiveExitTimestamp"),
    *("StateChangeTimestamp", "InvocationID", "MainPID", "ExecMainPID", "ExecMainCode", "ExecMainStatus", "StatusText"),
    *("NRestarts", "Type", "HaftaReason"),
)


def status(asking: Asking, values: Values, units: Sequence[str]) -> int:
    """Print where units stand: for people; 0 running, 3 not, 4 no such unit."""
    found = properties(asking, units, _STATUS)
    if values.json:
        say(json.dumps(found, indent=2))
    worst = options.OK
    shown = []
    for each in found:
        if each["LoadState"] == "not-found" and units:
            print(f"Unit {each['Id']} could not be found.", file=sys.stderr)
            worst = max(worst, options.UNKNOWN)
            continue
        shown.append("\n".join(_paragraph(each)))
        if each["ActiveState"] not in _UP:
            worst = max(worst, options.NOT_RUNNING)
    if shown and not (values.json or values.quiet):
        say("\n\n".join(shown))
    return worst if units else options.OK


def _paragraph(unit: Properties) -> list[str]:
    """Return what a person is shown of a unit."""
    mark = {"failed": "\u00d7", "inactive": "○"}.get(unit["ActiveState"], "●")
    name, described = unit["Id"], unit.get("Description") or unit["Id"]
    rows = [f"{mark} {name}" + (f" - {printable(described)}" if described != name else "")]
    loaded = unit["LoadState"]
    about = [unit["FragmentPath"]] if unit.get("FragmentPath") else []
    about += [unit["UnitFileState"]] if unit.get("UnitFileState") else []
    if loaded != "loaded":
        about = [f"Reason: {unit.get('LoadError', loaded)}"]
    facts = {
        "Loaded": f"{loaded} ({printable('; '.join(about))})" if about else loaded,
        "Drop-In": " ".join(map(printable, unit.get("DropInPaths") or ())),
        "Active": _since(unit),
        "Reason": printable(unit.get("HaftaReason") or ""),
        "Invocation": unit.get("InvocationID") or "",
        "Main PID": _main(unit),
        "Status": f'"{printable(unit["StatusText"])}"' if unit.get("StatusText") else "",
        "Restarts": str(unit["NRestarts"]) if unit.get("NRestarts") else "",
    }
    return [*rows, *(f"{title:>11}: {text}" for title, text in facts.items() if text)]


def _since(unit: Properties) -> str:
    active, sub = unit["ActiveState"], unit["SubState"]
    result = unit.get("Result", "success")
    text = f"{active} ({sub})" if sub != active else active
    text += f" (Result: {result})" if result != "success" else ""
    name = {"active": "ActiveEnter", "inactive": "InactiveEnter", "failed": "InactiveEnter"}.get(active, "StateChange")
    usec = unit.get(f"{name}Timestamp") or 0
    return f"{text} since {moment(usec)}; {ago(time.time_ns() // 1000 - usec)}" if usec else text


def _main(unit: Properties) -> str:
    if unit.get("MainPID"):
        return f"{unit['MainPID']}{_program(unit['MainPID'])}"
    if not unit.get("ExecMainPID") or not unit.get("ExecMainCode"):
        return ""
    code = {1: "exited", 2: "killed", 3: "dumped"}.get(unit["ExecMainCode"], "")
    what = "status" if code == "exited" else "signal"
    return f"{unit['ExecMainPID']} (code={code}, {what}={_number(code, unit['ExecMainStatus'])})"


def _number(code: str, number: int) -> str:
    if code == "exited":
        return f"{number}/{'SUCCESS' if number == 0 else 'FAILURE'}" if number < 2 else str(number)
    import signal

    return signal.Signals(number).name.removeprefix("SIG") if number in signal.valid_signals() else str(number)


def _program(pid: int) -> str:
    """Return the name of a program; empty where it cannot be known."""
    try:
        with open(f"/proc/{int(pid)}/comm", encoding="utf-8", errors="backslashreplace") as file:
            return f" ({printable(file.read().strip())})"
    except OSError:
        return ""
