"""Panic: report at critical priority and end the process at once, so that the overlord starts it again."""

from __future__ import annotations

from hafta import exits
from hafta.engine.words import describe
from hafta.errors import class_of
from hafta.journal.events import Panicked
from hafta.runtime import current, last_words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from hafta.runtime import Runtime


def panic(
    message: object, *, runtime: Runtime | None = None, sequence: str | None = None, node: str | None = None
) -> NoReturn:
    """Report at critical priority and end the process with exit status 70, from any thread.

    Nothing is unwound, no `finally` runs, no buffer is flushed: these may depend on the impossible state.
    """
    if runtime is None:
        runtime = current()
    try:
        runtime.report(Panicked(sequence, node, describe(message), class_of(message)))
        runtime.flush()
    except Exception as error:  # reporting itself is broken: the person on call must still learn about the panic
        last_words(f"panic: {describe(message)} (not in the journal: {describe(error)})")
    finally:
        runtime.end_process(exits.PANIC)
