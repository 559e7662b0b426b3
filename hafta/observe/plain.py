"""What stands where as values that JSON has. Keys never vanish; status.schema.json has them all, and tests hold it."""

from __future__ import annotations

from hafta.observe import words
from hafta.observe.times import iso

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from hafta.observe.state import Now, Position, Service

VERSION = 1


def plain(services: Iterable[Service], missing: Iterable[str], now: Now) -> dict[str, Any]:
    """Return the whole answer."""
    unseen = list(missing)
    return {
        "version": VERSION,
        "at": iso(now.real),
        "complete": not unseen,
        "missing": unseen,
        "services": [_service(each, now) for each in services],
    }


def _service(service: Service, now: Now) -> dict[str, Any]:
    facts, watchdog = service.facts, service.watchdog
    code, status = facts.get("ExecMainCode"), facts.get("ExecMainStatus")
    held = service.why[0] if service.health == words.HELD else None
    return {
        "unit": service.unit,
        "overlord": service.overlord,
        "health": service.health,
        "drill": (service.recent and service.recent.drill) or None,
        "why": list(service.why),
        "since": None if service.since is None else iso(now.real - service.since),
        "up_seconds": _seconds(service.up),
        "main_pid": facts.get("MainPID") or None,
        "invocation": facts.get("InvocationID") or None,
        "status_text": facts.get("StatusText") or None,
        "result": facts.get("Result") or None,
        "last_end": words.ended(code, status),
        "restarts": _restarts(service),
        "watchdog": watchdog and {"period_seconds": watchdog.period, "left_seconds": _seconds(watchdog.left)},
        "held": held,
        "next_start_seconds": _seconds(service.next_start),
        "memory_bytes": facts.get("MemoryCurrent"),
        "drop_ins": list(facts.get("DropInPaths") or ()),
        "need_daemon_reload": facts.get("NeedDaemonReload"),
        "sequences": [_position(each) for each in service.sequences],
        "last_rollback": _rollback(service),
        "rollbacks_24h": service.recent and service.recent.rollbacks,
    }


def _restarts(service: Service) -> dict[str, Any]:
    recent = service.recent
    causes = {name: recent and getattr(recent, name) for name in ("killed", "hung", "exit", "asked", "drilled")}
    return {"total": service.facts.get("NRestarts"), **causes}


def _rollback(service: Service) -> dict[str, Any] | None:
    last = service.recent and service.recent.last
    return dict(zip(last._fields, (iso(last.at), *last.values()[1:]), strict=True)) if last else None


def _position(position: Position) -> dict[str, Any]:
    return {
        "sequence": position.sequence,
        "instance": position.instance,
        "node": position.node,
        "doing": position.doing,
        "checkpoint": position.checkpoint,
        "checkpoint_name": position.checkpoint_name,
        "attempt": position.attempt,
        "seconds": _seconds(position.seconds),
        "live": position.live,
        "source": position.source,
        "source_age_seconds": _seconds(position.age),
    }


def _seconds(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
