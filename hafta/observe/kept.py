"""Where the reading of a journal stands, as plain values that JSON has: counting goes on there, reading nothing twice.

Only the classes that are named here come back, and only with their own attributes. What does not look so raises
Strange: then nothing of it is used.
"""

from __future__ import annotations

from hafta.observe.drills import Drills, without
from hafta.observe.fold import Fold
from hafta.observe.intervals import Class, Track, overlay
from hafta.observe.machine import Machine
from hafta.observe.outages import Outage, Run, Worker
from hafta.observe.standing import State
from hafta.observe.tally import Tally
from hafta.observe.timeline import Timeline

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from hafta.observe.intervals import Span
    from hafta.observe.tally import Event, Loss

MARKS, OUTAGES, NAMES = 32, 4, 64  # of the past, that later entries may still correct
_CLASSES = {one.__name__: one for one in (Fold, Track, Run, Worker, Outage, Tally, Machine, Drills, Timeline)}
_ENUMS = {"Class": Class, "State": State}


class Strange(ValueError):
    """What was not written by plain(), or by that of another version."""


class Settled:
    """What of a fold no later entry changes, and which is taken out of it."""

    def __init__(self, fold: Fold, sleeps: Sequence[tuple[int, int]]) -> None:
        tally = fold.tally
        spans = overlay(fold.track.settle(MARKS), sleeps, Class.MACHINE, "sleep")
        self.spans: list[Span] = without(spans, fold.outages, fold.seen)
        self.outages: list[Outage] = [one for one in fold.outages[:-OUTAGES] if not one.drill]
        self.events: list[Event] = tally.events[:]
        self.losses: list[Loss] = tally.losses[:]
        self.asked = len(tally.asked)
        fold.outages[:-OUTAGES] = [one for one in fold.outages[:-OUTAGES] if one.drill][-MARKS:]
        for some in (tally.events, tally.losses, tally.asked, tally.uncertain):
            some.clear()
        _forget(fold.ended)
        tally.forget(NAMES)


def _forget(some: dict[str, int]) -> None:
    for name in list(some)[:-NAMES]:
        del some[name]


def plain(value: Any) -> Any:
    """Return a fold, or what it consists of, as values that JSON has."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, (Class, State)):
        return {type(value).__name__: value.name}
    if isinstance(value, list):
        return [plain(one) for one in value]
    if isinstance(value, tuple):
        return {"tuple": [plain(one) for one in value]}
    if isinstance(value, dict):
        return {"dict": [[plain(key), plain(one)] for key, one in value.items()]}
    return {type(value).__name__: {name: plain(getattr(value, name)) for name in _attributes(value)}}


def back(value: Any) -> Any:
    """Return what plain() was given. Raises Strange."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, list):
        return [back(one) for one in value]
    if not isinstance(value, dict) or len(value) != 1:
        raise Strange(value)
    [(name, inner)] = value.items()
    try:
        if name in _ENUMS:
            return _ENUMS[name][inner]
        if name == "tuple":
            return tuple(back(one) for one in inner)
        if name == "dict":
            return {back(key): back(one) for key, one in inner}
        return _object(_CLASSES[name], {key: back(one) for key, one in inner.items()})
    except (KeyError, TypeError, AttributeError) as error:
        raise Strange(value) from error


def _object(kind: type, values: dict[str, Any]) -> Any:
    made = _new(kind)
    if set(_attributes(made)) != set(values):
        raise Strange(kind.__name__)
    for name, value in values.items():
        old = getattr(made, name)
        is_alike = type(value) is type(old) or old is None or (value is None and isinstance(old, int))
        if not is_alike:
            raise Strange(f"{kind.__name__}.{name}")
        setattr(made, name, value)
    return made


def _new(kind: type) -> Any:
    """Return an object whose attributes have the types that they always have."""
    if kind in (Track, Run):
        return Run("", 0) if kind is Run else Track(0)
    if kind is Outage:
        return Outage(0, "", "", is_failure=False)
    return Fold("", 0) if kind is Fold else kind()


def _attributes(value: object) -> Sequence[str]:
    return getattr(type(value), "__slots__", None) or list(vars(value))
