"""Python's logging as a sink, if the program has set it up; otherwise lines on stderr.

logging is never imported here. The import costs more than starting Python, and a program that has not imported logging
has not set it up either. Each event looks again, so it does not matter when a program sets logging up:

1. If the logger `hafta` or one above it has a handler, events go to that logger, and nowhere else. This is also true if
   stderr is a terminal: a line there would often be the second one for the same event. A record's attribute `hafta`
   holds the journal's fields, so that a handler or a filter finds HAFTA_NODE and the like.
2. Otherwise they are lines on stderr. If the program has set a level for the logger `hafta`, events below it are left
   out.

A handler may take its time: that is the choice of the program that installed it.
"""

from __future__ import annotations

import sys

from hafta.journal.entry import NOTHING, entry, printable
from hafta.journal.sink import Sink

TYPE_CHECKING = False
if TYPE_CHECKING:
    import logging
    from collections.abc import Mapping

    from hafta.journal.event import Event

LOGGER = "hafta"
#: Priority -> level; logging has nothing for notice (5), and what is above critical is critical.
LEVELS = {0: 50, 1: 50, 2: 50, 3: 40, 4: 30, 5: 20, 6: 20, 7: 10}


class LogSink(Sink):
    """Hands entries to logging where it is set up, and to a sink of lines where it is not."""

    def __init__(self, identifier: str, lines: Sink, about: Mapping[str, str] = NOTHING) -> None:
        self._about = about
        self._identifier = printable(identifier)
        self._lines = lines

    def send(self, event: Event, number: int, repeated: int) -> bool:
        """Log one entry; False if the line was not taken. An entry that a level or a filter removes counts as taken."""
        logger, level = _logger(), LEVELS[event.PRIORITY]
        if logger is None or not logger.hasHandlers():
            is_wanted = logger is None or not logger.level or level >= logger.level
            return not is_wanted or self._lines.send(event, number, repeated)
        fields = entry(event, number, repeated, self._identifier, self._about)
        logger.log(level, "%s", fields["MESSAGE"], extra={"hafta": fields})
        return True

    def close(self) -> None:
        """Close what was opened for stderr."""
        self._lines.close()


def is_set_up() -> bool:
    """Tell whether the program has set logging up for what HAFTA reports."""
    logger = _logger()
    return logger is not None and logger.hasHandlers()


def _logger() -> logging.Logger | None:
    """Return the logger, if the program may have set it up. Never creates it: dictConfig() would then disable it."""
    root = getattr(sys.modules.get("logging"), "root", None)  # None also if a signal comes during the import
    if root is None or not (root.handlers or LOGGER in root.manager.loggerDict):
        return None
    logger: logging.Logger = sys.modules["logging"].getLogger(LOGGER)
    return logger
