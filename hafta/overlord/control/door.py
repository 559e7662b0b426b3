"""The control socket of an overlord, open or not: what the overlord itself has to do with it."""

from __future__ import annotations

import os

from hafta.overlord.control.clients import ControlSocket
from hafta.overlord.notifications import PATH_MAX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hafta.overlord.control.clients import Client
    from hafta.overlord.control.desk import Desk
    from hafta.overlord.control.methods import Methods
    from hafta.process.loop import Loop


class Door:
    """Opens, renews and closes the control socket at a path, and has the desk answer."""

    def __init__(self, path: str, desk: Desk, loop: Loop, note: Callable[[str], None]) -> None:
        self.desk = desk
        self._path = path
        self._loop = loop
        self._note = note
        self._socket: ControlSocket | None = None
        self._methods: Methods | None = None

    def open(self) -> None:
        """Listen. Without a control socket the overlord runs all the same."""
        if len(os.fsencode(self._path)) > PATH_MAX:
            self._note(f"no control socket: {self._path} is longer than the {PATH_MAX} bytes of a socket's path")
            return
        try:
            self._socket = ControlSocket(self._path, self._loop, self.answer, self._note)
        except OSError as error:
            self._note(f"no control socket {self._path}: {error.strerror}")

    @property
    def is_whole(self) -> bool:
        """Whether nobody has swept the socket away."""
        return self._socket is None or self._socket.is_whole

    def renew(self) -> None:
        """Listen again where the socket was swept away. Raises OSError."""
        if self._socket:
            self._socket.renew()

    def close(self) -> None:
        """Send all clients away."""
        if self._socket:
            self._socket.close()

    def answer(self, client: Client, message: bytes) -> Iterator[bytes]:
        """Answer a message. Raises ValueError for one that is not a request."""
        if self._methods is None:
            from hafta.overlord.control.methods import Methods  # with json: only once somebody asks

            self._methods = Methods(self.desk)
        return self._methods.answer(client, message)
