"""What every event is: a frozen record that becomes one sentence and one set of journal fields."""

from __future__ import annotations

from hafta.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar

NAME_MAX = 64 - len("HAFTA_")  # characters of a field's name in the journal, its prefix aside
REASON_MAX = 300  # characters of a reason that a sentence shows; the field has all of it


class Event(Record):
    """One thing that happened. Subclasses say what, and are listed in hafta.journal.events.

    A field that is None does not appear. `code`, where a subclass has it, is (file, line, function) of what ran.
    """

    MESSAGE_ID: ClassVar[str] = ""  # 32 hex digits, also in units/hafta.catalog
    NAME: ClassVar[str] = ""  # what HAFTA_EVENT says
    PRIORITY: ClassVar[int] = 6  # syslog: 0 emergency, 2 critical, 3 error, 4 warning, 6 informational, 7 debug
    VARYING: ClassVar[tuple[str, ...]] = ()  # fields that differ among events that are otherwise alike
    _alike: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls) -> None:
        """Work out once which fields make two events of this kind alike."""
        super().__init_subclass__()
        for name in cls._fields:
            if len(name) > NAME_MAX or not name.isascii():  # journald would leave it out without a word
                raise TypeError(f"{cls.__name__}.{name}: the journal takes {NAME_MAX} ASCII characters as a name")
        cls._alike = tuple(name for name in cls._fields if name not in cls.VARYING)

    def message(self) -> str:
        """Return one plain sentence that tells it without the fields."""
        raise NotImplementedError

    def key(self) -> tuple[Any, ...]:
        """Return what alike events have in common: a storm of them is summed up."""
        return (self.NAME, *[getattr(self, name) for name in self._alike])

    def fields(self) -> dict[str, str]:
        """Return the journal's fields of this kind of event (see hafta.journal.entry for those that all have)."""
        found: dict[str, str] = {}
        for name in self._fields:
            value = getattr(self, name)
            if value is not None:
                _add(found, name, value)
        return found


def _add(found: dict[str, str], name: str, value: Any) -> None:
    if name == "code":
        found["CODE_FILE"], found["CODE_LINE"], found["CODE_FUNC"] = map(str, value)
    elif isinstance(value, int):  # an IntEnum and a bool are numbers here
        found[f"HAFTA_{name.upper()}"] = str(int(value))
        if label := getattr(value, "name", None):
            found[f"HAFTA_{name.upper()}_NAME"] = str(label)
    else:
        found[f"HAFTA_{name.upper()}"] = str(value)


def show_checkpoint(checkpoint: int) -> str:
    """Return `RECEIVED (1)` for a member of an IntEnum, `1` for a bare number."""
    label = getattr(checkpoint, "name", None)
    return f"{label} ({int(checkpoint)})" if label else str(int(checkpoint))


def show_reason(reason: str) -> str:
    """Return the reason on one line, cut to REASON_MAX characters."""
    line = " ".join(reason.split())
    return line if len(line) <= REASON_MAX else f"{line[: REASON_MAX - 3]}..."


def show_duration(usec: int) -> str:
    """Return microseconds as a person would say them: `800 us`, `12 ms`, `2.5 s`, `3 min 20 s`."""
    if usec < 1_000:
        return f"{usec} us"
    if usec < 1_000_000:
        return f"{usec // 1_000} ms"
    if usec < 120_000_000:
        return f"{usec / 1_000_000:.1f} s"
    return f"{usec // 60_000_000} min {usec // 1_000_000 % 60} s"


def show_count(count: int, noun: str) -> str:
    """Return `1 failure`, `2 failures`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
