"""What one entry of the journal says: the sentence, and the fields of the event with those that every entry has."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hafta.journal.event import Event

#: Characters that make journalctl show "[N blob data]" and a terminal do as it is told; tab and newline may stay.
_HIDDEN = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\t\n"}
#: What "surrogateescape" makes of a byte that is no text.
_HIDDEN |= {0xDC00 + byte: f"\\x{byte:02x}" for byte in range(0x80, 0x100)}


def entry(event: Event, number: int, repeated: int, identifier: str) -> dict[str, str]:
    """Return all fields of an entry that stands for `repeated` events."""
    fields = {
        "MESSAGE": sentence(event, repeated),
        "MESSAGE_ID": event.MESSAGE_ID,
        "PRIORITY": str(event.PRIORITY),
        "SYSLOG_IDENTIFIER": identifier,
        "HAFTA_EVENT": event.NAME,
        "HAFTA_NUMBER": str(number),
        **event.fields(),
    }
    if repeated > 1:
        fields["HAFTA_REPEATED"] = str(repeated)
    return fields


def sentence(event: Event, repeated: int) -> str:
    """Return the event's message, and how many it stands for."""
    text = printable(event.message())
    return f"{text} (the last of {repeated} alike)" if repeated > 1 else text


def printable(text: str) -> str:
    r"""Return the text with control characters and undecoded bytes as \xNN, other lone surrogates as \uNNNN."""
    if text.isprintable():
        return text
    return text.translate(_HIDDEN).encode(errors="backslashreplace").decode()
