"""Lines for a person as a sink, on a terminal or wherever stderr goes: one clear line for each event."""

from __future__ import annotations

from hafta.journal.entry import printable, sentence
from hafta.journal.sink import Sink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from hafta.journal.event import Event
    from hafta.journal.output import Output

#: Priority -> the word for it, and the colour of the word (an SGR parameter).
LEVELS = {
    0: ("emergency", "1;31"),
    1: ("alert", "1;31"),
    2: ("critical", "1;31"),
    3: ("error", "31"),
    4: ("warning", "33"),
}
DEBUG = 7


class TerminalSink(Sink):
    """Writes `NAME: warning: SENTENCE`. What the program says to the person (priority debug) is written as it is."""

    def __init__(self, identifier: str, output: Output, *, colour: bool) -> None:
        self._identifier = printable(identifier)
        self._output = output
        self._colour = colour

    def send(self, event: Event, number: int, repeated: int) -> bool:  # noqa: ARG002  a person does not count entries
        """Write one line; False if it was not taken."""
        return self._output.write(line(self._identifier, event, repeated, colour=self._colour))

    def close(self) -> None:
        """Close what was opened."""
        self._output.close()


def line(identifier: str, event: Event, repeated: int, *, colour: bool = False) -> str:
    """Return the line that reports the event to a person."""
    text = sentence(event, repeated)
    if event.PRIORITY >= DEBUG:
        return text
    if event.PRIORITY not in LEVELS:
        return f"{identifier}: {text}"
    word, sgr = LEVELS[event.PRIORITY]
    return f"{identifier}: \x1b[{sgr}m{word}:\x1b[0m {text}" if colour else f"{identifier}: {word}: {text}"


def wants_colour(environ: Mapping[str, str]) -> bool:
    """Tell whether the person wants colour: NO_COLOR is unset or empty (no-color.org), and TERM is not dumb."""
    return not environ.get("NO_COLOR") and environ.get("TERM", "dumb") != "dumb"
