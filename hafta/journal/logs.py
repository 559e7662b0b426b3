"""Python's logging as a sink, for a program that has set it up; a line on stderr for one that has not.

logging is never imported here: that costs more than starting Python, and a program that has not imported it has set
nothing up. Entries go to the logger `hafta`; a record's attribute `hafta` holds the journal's fields, so that a handler
or a filter finds HAFTA_NODE and the like. How long a handler takes is up to the program that chose it.
"""

from __future__ import annotations

import sys

from hafta.journal.entry import entry, printable
from hafta.journal.sink import Sink
from hafta.journal.terminal import line

TYPE_CHECKING = False
if TYPE_CHECKING:
    import logging

    from hafta.journal.event import Event
    from hafta.journal.output import Output

LOGGER = "hafta"
#: Priority -> level; logging has nothing for notice (5), and what is above critical is critical.
LEVELS = {0: 50, 1: 50, 2: 50, 3: 40, 4: 30, 5: 20, 6: 20, 7: 10}


class LogSink(Sink):
    """Hands entries to logging where it is set up, and writes lines where it is not."""

    def __init__(self, identifier: str, output: Output) -> None:
        self._identifier = printable(identifier)
        self._output = output

    def send(self, event: Event, number: int, repeated: int) -> bool:
        """Log one entry; False if the line was not taken. An entry that a level or a filter stops counts as taken."""
        logger = _logger()
        if logger is None:
            return self._output.write(line(self._identifier, event, repeated))
        fields = entry(event, number, repeated, self._identifier)
        logger.log(LEVELS[event.PRIORITY], "%s", fields["MESSAGE"], extra={"hafta": fields})
        return True

    def close(self) -> None:
        """Let go of stderr."""
        self._output.close()


def _logger() -> logging.Logger | None:
    module = sys.modules.get("logging")
    if module is None:
        return None
    logger: logging.Logger = module.getLogger(LOGGER)
    return logger if logger.hasHandlers() else None
