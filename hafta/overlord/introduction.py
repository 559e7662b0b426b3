"""What the overlord says of units before they start: what differs from their files, and what is not honoured."""

from __future__ import annotations

from hafta.journal.overlord_events import DirectivesIgnored, SandboxIgnored

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from hafta.journal.event import Event
    from hafta.overlord.runner import Runner
    from hafta.units.unit import Unit


def introduce(
    units: Collection[Unit], notes: Iterable[str], report: Callable[[Event], None], note: Callable[[str], None]
) -> None:
    """Say it."""
    for text in notes:
        note(text)
    open_ones = [unit for unit in units if unit.sandbox]
    if directives := sorted({f"{name}=" for unit in open_ones for name in unit.sandbox}):
        report(SandboxIgnored(", ".join(unit.name for unit in open_ones), " ".join(directives)))
    for unit in units:
        for text in unit.notes:
            note(f"{unit.name}: {text}")
        if unit.unheeded:
            report(DirectivesIgnored(unit.name, ", ".join(map(str, unit.unheeded))))


def states(runners: Iterable[Runner]) -> Iterator[str]:
    """Yield where each unit stands, a sentence each."""
    for runner in runners:
        parts = (runner.state.value, f"process {runner.main}" if runner.main else "", runner.status)
        yield f"{runner.name}: {', '.join(filter(None, parts))}"
