"""Whether a function can be called as a node calls it, checked where it is declared.

Otherwise the first failure would find a rollback function of the wrong shape, which then fails when it is needed.
Functions and bound methods written in Python are checked by their code objects: inspect costs milliseconds of start-up.
Partials, callable objects and functions written in C are not checked: there is no cheap way to know what they take.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: The parameters of each kind of function, as the messages show them.
TAKES = {
    "normal function": ("run",),
    "rollback function": ("run", "checkpoint"),
    "policy": ("run", "event"),
    "orphaned function": ("run", "event"),
}
#: Flags of code objects, as inspect names them.
_VARARGS, _VARKEYWORDS, _COROUTINE, _GENERATORS = 0x04, 0x08, 0x80, 0x20 | 0x200


class _Sample:
    def method(self) -> None: ...


_FUNCTION, _METHOD = type(_Sample.method), type(_Sample().method)


def check(function: object, kind: str, of: str, *, is_method: bool = False) -> None:
    """Raise TypeError if this cannot be the `kind` of function `of` something, such as "node fetch".

    `is_method`: it is declared in a class, and takes `self` first.
    """
    if not callable(function):
        raise TypeError(f"the {kind} of {of} is a function, not {function!r}")
    bound = int(is_method)
    if type(function) is _METHOD:
        bound, function = bound + 1, function.__func__  # type: ignore[attr-defined]
    if type(function) is not _FUNCTION:
        return
    code = function.__code__
    takes = ("self",) * bound + TAKES[kind]
    if not _fits(function, code, len(takes)):
        hint = "; for methods, use hafta.Steps" if not bound and code.co_varnames[:1] == ("self",) else ""
        raise TypeError(f"the {kind} of {of} must look like {_shown(code, takes)}, not {_is(function, code)}{hint}")
    if code.co_flags & _GENERATORS:
        raise TypeError(f"the {kind} of {of} must not yield: {_is(function, code)} is a generator function")


def name_of(function: object) -> str:
    """Return the name that a node gets from its function. Raises ValueError if that has none."""
    name = getattr(function, "__name__", None)
    if not name:
        raise ValueError(f"{function!r} has no name for its node: give it one with name=")
    return str(name)


def is_async(function: object) -> bool:
    """Return whether it is an `async def`, or a method or a chain of policies that begins with one."""
    return bool(_flags(function) & _COROUTINE)


def is_generator(function: object) -> bool:
    """Return whether a call of it would only make a generator."""
    return bool(_flags(function) & _GENERATORS)


def _flags(function: object) -> int:
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    return 0 if code is None else int(code.co_flags)


def _fits(function: Any, code: Any, given: int) -> bool:
    """Return whether it can be called with this many positional arguments."""
    required = code.co_argcount - len(function.__defaults__ or ())
    if given < required or (given > code.co_argcount and not code.co_flags & _VARARGS):
        return False
    return not code.co_kwonlyargcount or not _required_keywords(function, code)


def _required_keywords(function: Any, code: Any) -> list[str]:
    only = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
    return [name for name in only if name not in (function.__kwdefaults__ or ())]


def _shown(code: Any, names: tuple[str, ...]) -> str:
    return f"{code.co_name}({', '.join(names)})"


def _is(function: Any, code: Any) -> str:
    """Return it as it is declared, and where."""
    names = list(code.co_varnames)
    plain = [names.pop(0) for _ in range(code.co_argcount)]
    defaults = len(function.__defaults__ or ())
    shown = plain[: len(plain) - defaults] + [f"{name}=..." for name in plain[len(plain) - defaults :]]
    keywords = [names.pop(0) for _ in range(code.co_kwonlyargcount)]
    if code.co_flags & _VARARGS:
        shown.append(f"*{names.pop(0)}")
    elif keywords:
        shown.append("*")
    required = _required_keywords(function, code)
    shown += [name if name in required else f"{name}=..." for name in keywords]
    if code.co_flags & _VARKEYWORDS:
        shown.append(f"**{names.pop(0)}")
    return f"{_shown(code, tuple(shown))} of {code.co_filename}, line {code.co_firstlineno}"
