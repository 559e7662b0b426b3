"""One entry of the journal: the sentence, the fields of the event, and the fields that every entry has."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from hafta.journal.event import Event

#: What a process says about itself in each entry, if it says nothing.
NOTHING: Mapping[str, str] = {}

#: Control characters: journalctl shows "[N blob data]" for them, and a terminal obeys them. Tab and newline may stay.
_HIDDEN = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\t\n"}
#: What "surrogateescape" makes from a byte that is not text.
_HIDDEN |= {0xDC00 + byte: f"\\x{byte:02x}" for byte in range(0x80, 0x100)}


def entry(
    event: Event, number: int, repeated: int, identifier: str, about: Mapping[str, str] = NOTHING
) -> dict[str, str]:
    """Return all fields of an entry that stands for `repeated` events. `about` are those of all entries of a process.

    The number 0 is none: the entry is not counted (reporter.py, rule 1).
    """
    fields = {
        "MESSAGE": sentence(event, repeated),
        "MESSAGE_ID": event.MESSAGE_ID,
        "PRIORITY": str(event.PRIORITY),
        "SYSLOG_IDENTIFIER": identifier,
        "HAFTA_EVENT": event.NAME,
        **about,
        **event.fields(),
    }
    if number:
        fields["HAFTA_NUMBER"] = str(number)
    if event.first_usec is not None:
        fields["HAFTA_FIRST_USEC"] = str(event.first_usec)
    if repeated > 1:
        fields["HAFTA_REPEATED"] = str(repeated)
    return fields


def sentence(event: Event, repeated: int) -> str:
    """Return the event's message, and how many events it stands for."""
    text = printable(event.message())
    return f"{text} (the last of {repeated} alike)" if repeated > 1 else text


def printable(text: str) -> str:
    r"""Return the text with control characters and undecoded bytes as \xNN, other lone surrogates as \uNNNN."""
    if text.isprintable():
        return text
    return text.translate(_HIDDEN).encode(errors="backslashreplace").decode()
