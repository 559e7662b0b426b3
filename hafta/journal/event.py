"""What every event is: a frozen record that becomes one sentence and one set of journal fields."""

from __future__ import annotations

from operator import itemgetter  # enum has loaded it

from hafta.frozen import Frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar

NAME_MAX = 64 - len("HAFTA_")  # characters of a field's name in the journal, without its prefix
REASON_MAX = 300  # characters of a reason that a sentence shows; the field has all of it


class Event(Frozen):
    """One thing that happened. Subclasses say what, and are listed in hafta.journal.events.

    A field that is None does not appear. `code`, where a subclass has it, is (file, line, function) of what ran.
    """

    MESSAGE_ID: ClassVar[str] = ""  # 32 hex digits, also in units/hafta.catalog
    NAME: ClassVar[str] = ""  # what HAFTA_EVENT says
    PRIORITY: ClassVar[int] = 6  # syslog: 0 emergency, 2 critical, 3 error, 4 warning, 6 informational, 7 debug
    VARYING: ClassVar[tuple[str, ...]] = ()  # fields that differ among events that are otherwise alike
    _likeness: ClassVar[Any] = staticmethod(lambda _values: ())

    def __init_subclass__(cls) -> None:
        """Find out, once, which fields make two events of this kind alike."""
        super().__init_subclass__()
        for name in cls._fields:
            if len(name) > NAME_MAX or not name.isascii():  # journald would silently leave it out
                raise TypeError(f"{cls.__name__}.{name}: the journal takes {NAME_MAX} ASCII characters as a name")
        alike = [at for at, name in enumerate(cls._fields) if name not in cls.VARYING]
        if alike:
            cls._likeness = staticmethod(itemgetter(*alike))

    def message(self) -> str:
        """Return one plain sentence that is clear without the fields."""
        raise NotImplementedError

    def key(self) -> tuple[Any, ...]:
        """Return what is equal in all events that are alike: a storm of them is summed up."""
        return self.NAME, self._likeness(self._values)

    def sums_up(self, seconds: float) -> None:
        """Note that the entry of this event stands for earlier ones, too, and how long ago the first of them was.

        That is not one of the fields by which events are compared.
        """
        self.__dict__["_first_usec"] = round(seconds * 1_000_000)

    @property
    def first_usec(self) -> int | None:
        """Microseconds since the first event for which the entry of this one stands; None: it stands for itself."""
        return self.__dict__.get("_first_usec")

    def fields(self) -> dict[str, str]:
        """Return the journal fields of this kind of event. hafta.journal.entry adds those that every entry has."""
        found: dict[str, str] = {}
        for name, value in zip(self._fields, self._values, strict=True):
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
    """Return microseconds in readable form: `800 us`, `12 ms`, `2.5 s`, `3 min 20 s`."""
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
