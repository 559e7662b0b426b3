"""The protocol of the control socket: varlink, in which a message is a JSON object and a NUL byte (docs/control.md).

Both sides use this file. Nothing in it does I/O. What has come is checked here once: afterwards a request has a method
and parameters of the right kinds.
"""

from __future__ import annotations

import json

from hafta.frozen import Frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

SERVICE = "org.varlink.service"
INTERFACE = "hafta.Overlord"
MOST = 64 * 1024  # bytes of a request
END = b"\0"

#: Errors of the interface; the parameters say which unit, and why.
NO_SUCH_UNIT = f"{INTERFACE}.NoSuchUnit"
NOT_LOADED = f"{INTERFACE}.NotLoaded"
MASKED = f"{INTERFACE}.Masked"
BAD_SETTING = f"{INTERFACE}.BadSetting"
NOT_APPLICABLE = f"{INTERFACE}.NotApplicable"
INACTIVE = f"{INTERFACE}.Inactive"
FAILED = f"{INTERFACE}.Failed"
BUSY = f"{INTERFACE}.Busy"
DENIED = f"{INTERFACE}.PermissionDenied"
#: Errors that every varlink service may answer.
METHOD_NOT_FOUND = f"{SERVICE}.MethodNotFound"
INVALID_PARAMETER = f"{SERVICE}.InvalidParameter"


class Request(Frozen):
    """What a client asks. With `more` it takes any number of replies, with `oneway` none."""

    method: str
    parameters: Mapping[str, Any]
    more: bool = False
    oneway: bool = False


class Fault(Exception):
    """An answer that is an error."""

    def __init__(self, name: str, **parameters: Any) -> None:
        super().__init__(name)
        self.name = name
        self.parameters = parameters


def encode(message: Mapping[str, Any]) -> bytes:
    """Return a message as bytes. Text that is not UTF-8 travels as lone surrogates, which JSON can escape."""
    return json.dumps(message, separators=(",", ":"), allow_nan=False).encode("ascii") + END


def decode(data: bytes) -> dict[str, Any]:
    """Return the object that a message is, without its NUL byte. Raises ValueError for anything else."""
    try:
        found = json.loads(data, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(found, dict):
        raise ValueError("not an object")  # noqa: TRY004 - to whom it comes, it is a wrong value
    return found


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is not JSON")


def request(data: bytes) -> Request:
    """Return the request that a message is. Raises ValueError for anything else."""
    found = decode(data)
    method, parameters = found.get("method"), found.get("parameters") or {}
    if not isinstance(method, str) or not isinstance(parameters, dict):
        raise ValueError("not a method with parameters")  # noqa: TRY004 - as above
    return Request(method, parameters, more=found.get("more") is True, oneway=found.get("oneway") is True)


def reply(parameters: Mapping[str, Any], *, continues: bool = False) -> bytes:
    """Return an answer as bytes; `continues`: another one follows."""
    return encode({"parameters": parameters, "continues": True} if continues else {"parameters": parameters})


def error(fault: Fault) -> bytes:
    """Return an error as bytes."""
    return encode({"error": fault.name, "parameters": fault.parameters})


class Inbox:
    """What has come so far, as whole messages. Raises ValueError once a message is too long."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._data = bytearray()

    def add(self, data: bytes) -> None:
        """Take what has come. Raises ValueError when more is waiting than one message may have."""
        self._data += data
        if len(self._data) > self._most:
            raise ValueError(f"longer than {self._most} bytes")

    def take(self) -> bytes | None:
        """Return the next message, without its NUL byte; None if none is whole."""
        at = self._data.find(END)
        if at < 0:
            return None
        message = bytes(self._data[:at])
        del self._data[: at + 1]
        return message
