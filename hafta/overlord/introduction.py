"""What the overlord says of units before they start: what differs from their files, and what is not honoured."""

from __future__ import annotations

from hafta.journal.overlord_events import DirectivesIgnored, SandboxIgnored

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from hafta.journal.event import Event
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
