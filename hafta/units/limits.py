"""Readers of Limit*=: text in, what setrlimit(2) takes out, ValueError saying what was expected."""

from __future__ import annotations

import resource

from hafta.units import amounts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hafta.units.specifiers import Specifiers

_SIZES = frozenset(("AS", "CORE", "DATA", "FSIZE", "MEMLOCK", "MSGQUEUE", "RSS", "STACK"))
_LOCKS = 10  # RLIMIT_LOCKS, which the resource module does not name


def limit(name: str) -> Callable[[str, Specifiers], tuple[int, int, int]]:
    """Make a reader of LimitNAME=: soft:hard or one amount for both."""
    others = {"CPU": _whole_seconds, "RTTIME": _microseconds, "NICE": _niceness}
    amount = others.get(name, amounts.size if name in _SIZES else _count)

    def one(text: str) -> int:
        return resource.RLIM_INFINITY if text == "infinity" and name != "NICE" else amount(text)

    def read(value: str, _: Specifiers) -> tuple[int, int, int]:
        soft, colon, hard = value.partition(":")
        found = (one(soft), one(hard)) if colon else (one(value),) * 2
        if found[0] % (1 << 64) > found[1] % (1 << 64):  # infinity is -1
            raise ValueError("a soft limit that is at most the hard one")
        return getattr(resource, f"RLIMIT_{name}", _LOCKS), *found

    return read


def _count(text: str) -> int:
    return amounts.whole_number(text, amounts.INFINITY)


def _whole_seconds(text: str) -> int:
    """Read a time span as whole seconds, which is all that the kernel can limit: rounded up, as in systemd."""
    found = amounts.microseconds(text)
    return resource.RLIM_INFINITY if found == amounts.INFINITY else -(-found // 1_000_000)


def _microseconds(text: str) -> int:
    found = amounts.microseconds(text, unit=1)
    return resource.RLIM_INFINITY if found == amounts.INFINITY else found


def _niceness(text: str) -> int:
    """Read a nice level with its sign, -20 to +19; or, without a sign, the limit that it means: 20 less the level."""
    try:
        if text[:1] == "+":
            return 20 - amounts.whole_number(text[1:], 20)
        return 20 + amounts.whole_number(text[1:], 21) if text[:1] == "-" else amounts.whole_number(text, 41)
    except ValueError:
        raise ValueError("a nice level from -20 to +19, or the limit as a number from 0 to 40 without a sign") from None
