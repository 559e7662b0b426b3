"""`hafta status` for people: two or three lines for each service, the worst first."""

from __future__ import annotations

from hafta.cli.table import say, shown
from hafta.observe import words
from hafta.observe.times import lasting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from hafta.observe.sources.look import Seen
    from hafta.observe.state import Now, Position, Service

_RESTARTS = {"killed": "killed", "hung": "hung", "exit": "ended", "asked": "by hand"}


def print_services(seen: Seen, *, verbose: bool) -> None:
    """Print all that was seen."""
    for line, health in rows(seen, verbose=verbose):
        say([line], words.COLOURS.get(health))


def rows(seen: Seen, *, verbose: bool) -> Iterator[tuple[str, str]]:
    """Give the lines, each with the health of its service where it is the line that says that, else empty."""
    names = [shown(each.unit.removesuffix(".service")) for each in seen.services]
    width = max(map(len, names), default=0)
    for name, service in zip(names, seen.services, strict=True):
        first, *rest = _lines(service, seen.now, verbose=verbose)
        yield f"{name.ljust(width)}  {service.health.ljust(8)}  {shown(first)}".rstrip(), service.health
        for line in rest:
            yield f"{' ' * (width + 2)}{shown(line)}", ""


def _lines(service: Service, now: Now, *, verbose: bool) -> Iterator[str]:
    """Give the lines behind the name: since when and why, where it is, its overlord's counts, what to do."""
    drill = f"(drill) {service.recent.drill}" if service.recent and service.recent.drill else ""
    yield "  ".join(filter(None, (drill, _since(service), " · ".join(service.why))))
    yield from map(_where, service.sequences)
    counts = " · ".join(filter(None, _counts(service)))
    if counts:
        yield counts
    if rolled := _rolled_back(service, now):
        yield rolled
    if advice := _advice(service):
        yield f"→ {advice}"
    if verbose:
        yield from _more(service)


def _since(service: Service) -> str:
    if service.up is not None:
        return f"up {lasting(service.up)}"
    if service.since is None:
        return "" if service.overlord else "nobody restarts it"
    return f"for {lasting(service.since)}"


def _where(position: Position) -> str:
    name = f"{position.sequence}@{position.instance}" if position.instance else position.sequence
    if position.node is None:
        return f"{name} · between two calls"
    at = f" {position.checkpoint_name or 'checkpoint'}({position.checkpoint})" if position.checkpoint else ""
    doing = {"rollback": " (undo)", "unwind": " (undo)", "next": " (next)"}.get(position.doing, "")
    parts = [name, f"{position.node}{doing}{at}"]
    if position.attempt:
        parts.append(f"{position.attempt} failed")
    if position.seconds is not None:
        parts.append(f"for {lasting(position.seconds)}")
    if not position.live:
        parts.append("interrupted" if position.source == "record" else "the process has ended")
    if position.source == "board" and position.age is not None:
        parts.append(f"seen {lasting(position.age)} ago")
    return " · ".join(parts)


def _counts(service: Service) -> Iterator[str]:
    restarts = service.facts.get("NRestarts")
    if restarts:
        yield f"restarts {restarts}"
    if service.recent:
        day = {name: getattr(service.recent, name) for name in ("killed", "hung", "exit", "asked")}
        causes = ", ".join(f"{count} {_RESTARTS[name]}" for name, count in day.items() if count)
        if causes:
            yield f"in a day {causes}"
        if service.recent.drilled:
            yield f"in a day {service.recent.drilled} more (drill)"
    if service.next_start is not None:
        yield f"next start in {lasting(service.next_start)}"
    if service.watchdog and service.watchdog.left is not None:
        yield f"watchdog {max(0.0, service.watchdog.left):.1f} of {service.watchdog.period:g} s left"


def _rolled_back(service: Service, now: Now) -> str:
    recent = service.recent
    if recent is None or recent.last is None:
        return ""
    last = recent.last
    what = (
        f"last rollback {lasting(max(0.0, now.real - last.at))} ago: {', '.join(filter(None, (last.node, last.error)))}"
    )
    return what if recent.rollbacks is None else f"{what} · {recent.rollbacks} in a day"


def _advice(service: Service) -> str:
    if service.health not in words.BAD:
        return ""
    if service.overlord is None:
        return "see what it has written"
    facts = service.facts
    is_systemd = service.overlord == words.SYSTEMD
    cure = words.cure(facts.get("ExecMainCode"), facts.get("ExecMainStatus"))
    steps = [cure] if cure and service.health in {words.FAILED, words.DOWN} else []
    steps.append(f"see why: journalctl -u {service.unit} -n 20" if is_systemd else "see why in the overlord's output")
    if service.health == words.FAILED:
        steps.append(f"then {'systemctl' if is_systemd else 'hafta ctl'} restart {service.unit}")
    return "; ".join(steps)


def _more(service: Service) -> Iterator[str]:
    """Give what only --verbose shows."""
    facts = service.facts
    yield f"unit {service.unit} · {service.overlord or 'no overlord'} · process {facts.get('MainPID') or 'none'}"
    if facts.get("InvocationID"):
        yield f"run {facts['InvocationID']}"
    if facts.get("StatusText"):
        yield f"status {facts['StatusText']}"
    if facts.get("FragmentPath"):
        stale = " · changed on disk: systemctl daemon-reload" if facts.get("NeedDaemonReload") else ""
        yield f"file {' '.join([facts['FragmentPath'], *(facts.get('DropInPaths') or ())])}{stale}"
    if facts.get("MemoryCurrent"):
        yield f"memory {facts['MemoryCurrent'] / 2**20:.1f} MiB"
    for position in service.sequences:
        if position.age is not None:
            yield f"{position.sequence}: from its {position.source}, {lasting(position.age)} old"
    for each in service.published:
        yield f"HAFTA {each.hafta} · {each.path}" + (f" · records in {each.records}" if each.records else "")
