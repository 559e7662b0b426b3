"""Panic: say so at critical level and end the process at once, so that the overlord starts it anew."""

from __future__ import annotations

from hafta import exits
from hafta.engine.words import describe
from hafta.journal.events import Panicked
from hafta.runtime import current, last_words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from hafta.runtime import Runtime


def panic(
    message: object, *, runtime: Runtime | None = None, sequence: str | None = None, node: str | None = None
) -> NoReturn:
    """Report at critical level and end the process with exit status 70, from any thread.

    Nothing is unwound, no `finally` runs, no buffer is flushed: whatever made the state impossible may be in those.
    """
    if runtime is None:
        runtime = current()
    try:
        runtime.report(Panicked(sequence, node, describe(message)))
        runtime.flush()
    except Exception as error:  # reporting itself is broken: whoever is on call must learn of it all the same
        last_words(f"panic: {describe(message)} (not in the journal: {describe(error)})")
    finally:
        runtime.end_process(exits.PANIC)
