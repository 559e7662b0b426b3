"""A connection to the control socket of an overlord."""

from __future__ import annotations

import os
import socket
import struct
from contextlib import suppress

from hafta import exits
from hafta.control import wire
from hafta.control.places import sockets
from hafta.errors import HaftaError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any, Self

PATIENCE = 60.0  # seconds for an answer that waits for nothing
REPLY = 64 << 20  # bytes of a reply
_CREDENTIALS = struct.Struct("3i")


class Refused(HaftaError):
    """The overlord has answered with an error: `name` is that of the interface, `message` its words."""

    status = exits.FAILED

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


class Asking:
    """Asks one overlord, one thing after the other."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX)
        self._inbox = wire.Inbox(REPLY)
        try:
            self._socket.connect(path)
        except OSError:
            self._socket.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_details: object) -> None:
        self.close()

    def __str__(self) -> str:
        return f"process {self.pid} ({self.path})"

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    @property
    def pid(self) -> int:
        """The process at the other end."""
        return self._peer()[0]

    @property
    def uid(self) -> int:
        """Its user."""
        return self._peer()[1]

    def _peer(self) -> tuple[int, int]:
        data = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        pid, uid, _ = _CREDENTIALS.unpack(data)
        return pid, uid

    def ask(self, method: str, parameters: Mapping[str, Any], *, patience: float | None = PATIENCE) -> dict[str, Any]:
        """Return the parameters of the one reply. Raises Refused, or HaftaError if there is none."""
        return next(self._replies(method, parameters, patience))

    def each(self, method: str, parameters: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Give the parameters of each reply."""
        return self._replies(method, parameters, PATIENCE, more=True)

    def _replies(
        self, method: str, parameters: Mapping[str, Any], patience: float | None, *, more: bool = False
    ) -> Iterator[dict[str, Any]]:
        self._socket.settimeout(patience)
        request = {"method": f"{wire.INTERFACE}.{method}", "parameters": parameters}
        with suppress(BrokenPipeError, ConnectionResetError):  # it has said why before it hung up
            self._socket.sendall(wire.encode({**request, "more": True} if more else request))
        continues = True
        while continues:
            message = self._receive()
            continues = message.get("continues") is True
            found = message.get("parameters") or {}
            if "error" in message:
                raise _refused(message["error"], found)
            yield found

    def _receive(self) -> dict[str, Any]:
        try:
            while (data := self._inbox.take()) is None:
                more = self._socket.recv(65536)
                if not more:
                    raise _gone(self.path)
                self._inbox.add(more)
            return wire.decode(data)
        except TimeoutError:
            hint = f"see what holds process {self.pid} up"
            problem = f"the overlord does not answer within {PATIENCE:g} s"
            raise HaftaError(problem, hint, status=exits.FAILED) from None
        except ConnectionResetError:
            raise _gone(self.path) from None


def _gone(path: str) -> HaftaError:
    return HaftaError(f"the overlord at {path} has ended", "see what it has written last", status=exits.FAILED)


def _refused(name: object, parameters: Mapping[str, Any]) -> Refused:
    words = {
        wire.DENIED: "the overlord answers only root and its own user",
        wire.BUSY: "the overlord serves as many clients as it can: try again",
    }
    return Refused(str(name), str(parameters.get("message") or words.get(str(name), name)))


def connect(given: str, environ: Mapping[str, str]) -> Asking:
    """Connect to the overlord that is meant: by the path of its socket, by its process, or the only one there is.

    Raises HaftaError if there is none, or more than one.
    """
    if given and not given.isdigit():
        try:
            return Asking(os.path.join(given, "control") if os.path.isdir(given) else given)
        except OSError as error:
            hint = "name the control socket of a running overlord, or its process"
            raise HaftaError(f"cannot reach the overlord at {given}: {error.strerror}", hint, status=1) from None
    found = [asking for path in sockets(environ) if (asking := _try(path))]
    chosen = [asking for asking in found if not given or asking.pid == int(given)]
    trouble = _not_one(given, chosen)
    for asking in found:
        if trouble or asking is not chosen[0]:
            asking.close()
    if trouble:
        raise trouble
    return chosen[0]


def _try(path: str) -> Asking | None:
    """Connect to a socket that was found; None if nobody listens, or somebody else than root and ourselves."""
    try:
        asking = Asking(path)
    except OSError:
        return None
    if asking.uid in {0, os.geteuid()}:
        return asking
    asking.close()
    return None


def _not_one(given: str, found: list[Asking]) -> HaftaError | None:
    """Return what is wrong if there is not exactly one."""
    if len(found) == 1:
        return None
    if found:
        hint = "choose one with --overlord or HAFTA_CONTROL: its process, or the path of its control socket"
        return HaftaError(f"{len(found)} overlords run here: {', '.join(map(str, found))}", hint, status=exits.FAILED)
    what = f"no overlord of this user runs as process {given}" if given else "no overlord of this user runs here"
    hint = "start one with hafta run, or name its control socket with --overlord or HAFTA_CONTROL"
    return HaftaError(what, hint, status=exits.FAILED)
