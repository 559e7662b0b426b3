"""Mistakes of the program: a misspelt name is retried like any failure, and without a report nobody would see it.

A failure is taken for a mistake of the program if it is

1. a NameError or an ImportError (of any subclass), wherever it was raised; or
2. a TypeError or an AttributeError that was raised in the file of the node's function. What a library raises is more
   often about the data. Frames of HAFTA below the program's own do not count: `run.checkpoint("received")` is a mistake
   of the line that calls it.

Members of an exception group are looked at one by one. Each place (file and line) is reported once for the process, and
at most PLACES of them: code that is made while the program runs must not fill the memory or the journal. The policy
decides what happens next; nothing is decided here.
"""

from __future__ import annotations

from hafta.drivers.observer import Observer
from hafta.engine.words import Kind
from hafta.journal.events import MistakeFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType, TracebackType
    from typing import Any

    from hafta.engine.machine import Machine
    from hafta.runtime import Runtime

    Place = tuple[str, int, str]  # file, line, function

#: The places that are reported in one process; later ones are not.
PLACES = 100

_HERE = __file__.removesuffix("drivers/mistakes.py")
_ANYWHERE = (NameError, ImportError)
_MISTAKES = (*_ANYWHERE, TypeError, AttributeError)
_LOOKED_AT = (*_MISTAKES, BaseExceptionGroup)
_DEEP = 8  # groups within groups, and wrappers around a function, that are looked into


class Mistakes(Observer):
    """Reports mistakes to a runtime. Those of one process share a memory, which its runtimes hold."""

    __slots__ = ("_runtime",)

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def failed(self, machine: Machine) -> None:
        """Look at what has escaped the function that has failed."""
        error = machine.newest_reason
        if isinstance(error, _LOOKED_AT):
            node, normal = machine.node, machine.kind is Kind.NORMAL_FAIL
            self.look_at(node.normal_function if normal else node.rollback_function, error)

    def look_at(self, function: object, error: BaseException) -> None:
        """Report what escaped this function of a node, if it is a mistake in a place that is new. Never raises."""
        if not isinstance(error, _LOOKED_AT):
            return
        try:
            for one in _members(error):
                self._report(function, one)
        except Exception:  # an exception may do anything when it is looked at; the failure goes on
            return

    def _report(self, function: object, error: BaseException) -> None:
        file = _file_of(function)
        place = _place(error.__traceback__, file)
        if place is None or not (isinstance(error, _ANYWHERE) or place[0] == file):
            return
        known = self._runtime.mistakes
        if place[:2] in known or len(known) >= PLACES:
            return
        known.add(place[:2])
        self._runtime.report(MistakeFound(*place, _last_line(error), place, type(error).__name__))


def _members(error: BaseException, deep: int = _DEEP) -> Iterator[BaseException]:
    """Yield the mistakes that this is, or that are in it."""
    if isinstance(error, _MISTAKES):
        yield error
    elif isinstance(error, BaseExceptionGroup) and deep:
        for one in error.exceptions:
            yield from _members(one, deep - 1)


def _file_of(function: Any) -> str | None:
    """Return the file of the function inside of methods, partials and decorators."""
    for _ in range(_DEEP):
        inner = next(
            filter(callable, (getattr(function, name, None) for name in ("__func__", "func", "__wrapped__"))), None
        )
        if inner is None:
            break
        function = inner
    code: CodeType | None = getattr(function, "__code__", None)
    return None if code is None else code.co_filename


def _place(trace: TracebackType | None, file: str | None) -> Place | None:
    """Return where it was raised: the last frame that is the function's file or not ours."""
    place = None
    while trace is not None:
        code = trace.tb_frame.f_code
        if code.co_filename == file or not code.co_filename.startswith(_HERE):
            place = (code.co_filename, trace.tb_lineno, code.co_qualname)
        trace = trace.tb_next
    return place


def _last_line(error: BaseException) -> str:
    """Return the last line of the traceback, as Python prints it."""
    try:
        text = str(error)
    except Exception:
        text = "(its text cannot be shown)"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
