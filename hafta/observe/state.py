"""What stands where now: what the overlords say of a unit, what it says of itself, and its records, as one Service.

No I/O and no clock: `Now` has both. Rules:

1. A unit is `up` while its overlord says so. It is `degraded` if it is up and a node that runs has failed twice in a
   row or more often; or if its watchdog has less than a quarter left: it pings at half of it while its work moves.
2. Where a sequence stands is what its record says. Without a record it is what the board says, which is a sample: its
   age is shown.
3. A record belongs to the unit that holds it or held it last; or, where nobody can say that, to the unit whose process
   holds it, or whose own description names its place.
4. What is not known is None, never 0.
"""

from __future__ import annotations

from hafta.engine.machine import Phase
from hafta.frozen import Frozen
from hafta.observe import words
from hafta.observe.shown import FOREVER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from hafta.observe.recent import Recent
    from hafta.observe.sources.published import Board, Call, Published
    from hafta.observe.sources.records import Entry
    from hafta.observe.sources.trust import Process

ROW = 2  # failures in a row from which a service is degraded
LITTLE = 0.25  # of the watchdog
_UP = frozenset(("active", "reloading", "refreshing"))
HELD_BACK = "held back "  # how STATUS begins while a service holds itself back (service/main.py)


class Now(Frozen):
    """The moment, by each clock, in seconds; the boot; which processes are alive: those named, those above."""

    real: float
    monotonic: float
    boottime: float
    boot: str
    alive: Mapping[int, Process] = {}

    def descends(self, pid: int, above: int) -> bool:
        """Tell whether a process is alive, and is this one or below it."""
        seen: set[int] = set()
        while pid != above and pid in self.alive and pid not in seen:
            seen.add(pid)
            pid = self.alive[pid].parent
        return pid == above and pid in self.alive


class Position(Frozen):
    """Where one sequence stands."""

    sequence: str
    instance: str
    node: str | None  # None: it has ended
    doing: str  # normal, rollback, unwind, ask; next: the node has not begun; ended
    checkpoint: int
    checkpoint_name: str | None
    attempt: int  # failures of the node in a row
    seconds: float | None  # in this node
    live: bool  # whether the process is alive, and the service's
    source: str  # record, or board: a sample
    age: float | None  # of what the source says, in seconds


class Watchdog(Frozen):
    """The watchdog in force, in seconds; `left` only while it runs."""

    period: float
    left: float | None


class Service(Frozen):
    """One service as it stands now."""

    unit: str
    overlord: str | None  # systemd, embedded; None: a process that nobody runs
    health: str  # words.ORDER
    why: tuple[str, ...]  # for a health that is not plain
    since: float | None  # when it came to this state: seconds ago
    up: float | None  # seconds
    facts: Mapping[str, Any]  # the properties of the unit
    watchdog: Watchdog | None
    next_start: float | None  # seconds from now
    sequences: tuple[Position, ...]
    published: tuple[Published, ...] = ()
    recent: Recent | None = None  # None: the journal was not read, or not to its end


def service_of(
    facts: Mapping[str, Any], overlord: str, published: Sequence[Published], entries: Iterable[Entry], now: Now
) -> Service:
    """Return a unit that an overlord knows, with what may be believed of it."""
    unit = str(facts.get("Id", ""))
    own = tuple(each for each in published if each.unit == unit)
    main = facts.get("MainPID") or 0
    pids = {main, *(each.pid for each in own)} - {0}
    sequences = positions([entry for entry in entries if _belongs(entry, unit, pids, own)], own, now, main)
    active = str(facts.get("ActiveState", ""))
    watchdog = watchdog_of(facts, now)
    health, why = health_of(facts, sequences, watchdog)
    entered = facts.get("ActiveEnterTimestampMonotonic")
    up = _ago(entered, now) if active in {"active", "reloading"} else None
    since = _ago(facts.get("StateChangeTimestampMonotonic"), now)
    return Service(
        unit, overlord, health, why, since, up, facts, watchdog, next_start(facts, now), sequences, own
    )  # fmt: skip


def process_of(
    pid: int, unit: str, published: Sequence[Published], entries: Sequence[Entry], now: Now, *, is_alive: bool
) -> Service:
    """Return a process that no overlord of those that answered runs, with its records: its unit names it, or its id."""
    own = tuple(each for each in published if each.pid == pid)
    sequences = positions(entries, own, now, pid if is_alive else 0)
    is_alive = is_alive or any(each.live for each in sequences)
    row = _row(sequences) if is_alive else ()
    health = words.STOPPED if not is_alive else words.DEGRADED if row else words.UP
    facts = {"MainPID": pid if is_alive else 0}
    return Service(unit or f"process {pid}", words.NOBODY, health, row, None, None, facts, None, None, sequences, own)


def health_of(
    facts: Mapping[str, Any], sequences: Iterable[Position], watchdog: Watchdog | None
) -> tuple[str, tuple[str, ...]]:
    """Return how a unit stands, and why if that is not plain."""
    active, sub = str(facts.get("ActiveState", "")), str(facts.get("SubState", ""))
    text = str(facts.get("StatusText") or "")
    if sub.startswith("auto-restart"):
        return words.DOWN, _ended(facts)
    if active in {*_UP, "activating"} and text.startswith(HELD_BACK):  # a warm parent is up while it holds back
        return words.HELD, (text,)
    if active in _UP:
        why = _row(sequences)
        if watchdog and watchdog.left is not None and watchdog.left < LITTLE * watchdog.period:
            why = (*why, f"no progress: watchdog {max(0.0, watchdog.left):.1f} of {watchdog.period:g} s left")
        return (words.DEGRADED, why) if why else (words.UP, ())
    if sub == "stop-watchdog":
        return words.HUNG, ("missed its watchdog",)
    if active in {"failed", "maintenance"}:
        return words.FAILED, _ended(facts)
    return {"activating": words.STARTING, "deactivating": words.STOPPING}.get(active, words.STOPPED), ()


def _ended(facts: Mapping[str, Any]) -> tuple[str, ...]:
    code, status = facts.get("ExecMainCode"), facts.get("ExecMainStatus")
    result = str(facts.get("Result") or "")
    said = words.ended(code, status)
    if result == "watchdog":
        said = f"hang, {said}" if said else "hang"
    elif result not in {"", "success", "exit-code", "signal", "core-dump"}:
        said = f"{result}, last {said}" if said else result
    meaning = words.meaning(code, status)
    return tuple(filter(None, (f"{said}: {meaning}" if said and meaning else said,)))


def _row(sequences: Iterable[Position]) -> tuple[str, ...]:
    return tuple(
        f"{each.attempt} failures in a row at {each.node}" for each in sequences if each.live and each.attempt >= ROW
    )


def watchdog_of(facts: Mapping[str, Any], now: Now) -> Watchdog | None:
    """Return the watchdog in force. Before READY, and after the end, its last ping is that of another run."""
    period = facts.get("WatchdogUSec")
    if not period or period == FOREVER:
        return None
    ping = facts.get("WatchdogTimestampMonotonic")
    is_up = facts.get("ActiveState") in {"active", "reloading"}
    left = (period + ping) / 1e6 - now.monotonic if ping and is_up else None
    return Watchdog(period / 1e6, left)


def next_start(facts: Mapping[str, Any], now: Now) -> float | None:
    """Return in how many seconds a unit that ended is started again, at the earliest; systemd may take 0.25 s more."""
    if not str(facts.get("SubState", "")).startswith("auto-restart"):
        return None
    changed, wait = facts.get("StateChangeTimestampMonotonic"), facts.get("RestartUSecNext") or facts.get("RestartUSec")
    if not changed or wait is None or wait == FOREVER:
        return None
    return max(0.0, float(changed + wait) / 1e6 - now.monotonic)


def positions(
    entries: Iterable[Entry], published: Sequence[Published], now: Now, main: int
) -> tuple[Position, ...]:  # fmt: skip
    """Return where the sequences of one service stand, the outermost first: by its records and its own description.

    `main`: its main process; 0: none is alive.
    """
    boards = [each.board for each in published if each.board is not None]
    found = [each for entry in entries for each in _from_record(entry, boards, now)]
    known = {each.sequence for each in found}
    for each in published:
        if each.board is not None and each.board.calls and each.board.calls[0].sequence not in known:
            found += _from_board(each.board, each.instance, now, live=now.descends(each.board.pid, main))
    return tuple(found)


def _belongs(entry: Entry, unit: str, pids: set[int], published: Iterable[Published]) -> bool:
    seen, holder = entry.snapshot, entry.snapshot.holder
    if holder is not None and holder.host:
        return False
    if holder is not None and unit and holder.unit == unit:
        return True
    if holder is not None and (seen.held or holder.unit.endswith(".service")):
        return seen.held and holder.pid in pids
    return any(
        each.records == entry.directory and seen.sequence in each.sequences and seen.instance == each.instance
        for each in published
    )


def _from_record(entry: Entry, boards: Iterable[Board], now: Now) -> list[Position]:
    seen, position = entry.snapshot, entry.position
    if position is None:
        return []
    is_same_boot = bool(position.boot) and position.boot == now.boot
    entered = now.boottime - position.boottime if is_same_boot else now.real - position.entered
    age = max(0.0, now.real - seen.written) if seen.written else None
    last = len(position.sequences) - 1
    return [
        Position(
            one.sequence,
            "" if at else seen.instance,
            None if one.doing.function is Phase.DONE else one.node,
            _doing(one.doing),
            one.checkpoint,
            _name_of(one, boards),
            one.attempt,
            max(0.0, entered) if at == last and one.doing.function is not Phase.DONE else None,
            seen.held,
            "record",
            age,
        )
        for at, one in enumerate(position.sequences)
    ]


def _doing(doing: Any) -> str:
    if doing.function is Phase.DONE:
        return "ended"
    return doing.function.name.lower() if doing.begun else "next"


def _name_of(one: Any, boards: Iterable[Board]) -> str | None:
    """Return the name of a checkpoint: records have its number, a board of the same place its name."""
    place = one.sequence, one.node, one.checkpoint
    calls = (call for board in boards for call in board.calls)
    return (
        next((call.checkpoint_name for call in calls if (call.sequence, call.node, call.checkpoint) == place), None)
        or None
    )


def _from_board(board: Board, instance: str, now: Now, *, live: bool) -> list[Position]:
    age = max(0.0, now.monotonic - board.moment / 1e6)
    return [_from_call(call, instance if not at else "", now, age, live=live) for at, call in enumerate(board.calls)]


def _from_call(call: Call, instance: str, now: Now, age: float, *, live: bool) -> Position:
    seconds = None if call.since is None else max(0.0, now.monotonic - call.since / 1e6)
    name = call.checkpoint_name or None
    return Position(
        call.sequence, instance, call.node, call.doing, call.checkpoint, name, call.attempt, seconds, live, "board", age
    )


def _ago(moment: Any, now: Now) -> float | None:
    return max(0.0, now.monotonic - moment / 1e6) if moment else None
