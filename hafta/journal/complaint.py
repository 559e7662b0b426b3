"""How a program says on stderr what is wrong: one line that says what, and one that says what to do."""

from __future__ import annotations

import sys

from hafta import exits
from hafta.descriptors import silence
from hafta.errors import HaftaError
from hafta.journal.entry import printable


def complain(
    error: HaftaError | OSError, *, debug: bool = False, otherwise: str = "run it with --debug to see where"
) -> int:
    """Say what is wrong on stderr and return the exit status. `otherwise`: the hint for what the system said."""
    if debug:
        import traceback

        traceback.print_exception(error)
    hint = error.hint if isinstance(error, HaftaError) else otherwise
    status = error.status if isinstance(error, HaftaError) else exits.SYSTEM
    shown = [printable(text).replace("\n", "\\x0a") for text in (str(error), hint)]
    tell(f"hafta: error: {shown[0]}", f"hafta: {shown[1]}")
    return status


def tell(*lines: str) -> None:
    """Say something on stderr. Where that cannot be written to, the exit status has to do."""
    try:
        print(*lines, sep="\n", file=sys.stderr, flush=True)
    except OSError:
        silence(2)
