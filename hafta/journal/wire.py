"""The journal's native protocol: one entry as one datagram.

https://systemd.io/JOURNAL_NATIVE_PROTOCOL/: fields one after the other, each `NAME=value` and a newline; a value that
has a newline in it is sent as NAME, newline, its length in bytes as a little-endian 64-bit number, the value, newline.
Names are A-Z, 0-9 and underscore, begin with neither a digit nor an underscore, and are at most 64 characters long
(hafta.journal.event refuses others); the journal silently leaves out a field that breaks this.
"""

from __future__ import annotations

from hafta.journal.entry import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

VALUE_MAX = 32_768  # characters; what is longer is cut, and says so


def encode(fields: Mapping[str, str]) -> bytes:
    """Return the datagram."""
    return b"".join([_field(name.encode(), printable(_cut(value)).encode()) for name, value in fields.items()])


def _field(name: bytes, value: bytes) -> bytes:
    if b"\n" in value:
        return b"%b\n%b%b\n" % (name, len(value).to_bytes(8, "little"), value)
    return b"%b=%b\n" % (name, value)


def _cut(value: str) -> str:
    if len(value) <= VALUE_MAX:
        return value
    return f"{value[:VALUE_MAX]}... ({len(value) - VALUE_MAX} characters cut)"
