"""Telling the overlord how we are, without ever waiting for it (sd_notify(3)).

Rules:

1. What is to be said stands in `_pending`, the newest value of each variable, until a datagram with it was taken. So
   READY and STOPPING are not lost, and after trouble the newest STATUS is the one that arrives.
2. A datagram that is not taken is counted in `dropped` and tried again after RETRY seconds, at the next tick().
3. STATUS by itself goes out at most once in STATUS_INTERVAL; the same text is not sent twice. All else goes at once.
4. A ping that could not be sent stays pending as READY does: tick() is only called when the work moves, so the retry,
   too, means that the work moved.
5. An error other than a full queue (the overlord's socket was made anew) makes a new connection for the next try.
"""

from __future__ import annotations

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hafta.systemd.sender import Sender

RETRY = 0.1  # seconds
STATUS_INTERVAL = 1.0  # seconds
STATUS_MAX = 1_000  # characters: systemd takes datagrams of 4,096 bytes, and a character has at most four
ADDRESS_MAX = 107  # bytes of the address of a Unix socket
NEVER = float("inf")


class Notifier:
    """The notify socket of $NOTIFY_SOCKET; without one, nothing is sent and all is well."""

    def __init__(self, environ: Mapping[str, str], now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._address = environ.get("NOTIFY_SOCKET", "")
        #: Why $NOTIFY_SOCKET is not used; None if nothing is wrong with it.
        self.complaint = _complaint(self._address)
        #: Whether there is somebody to tell.
        self.enabled = bool(self._address) and self.complaint is None
        #: Datagrams that could not be sent when they were due, and have not been told of (see recovered()).
        self.dropped = 0
        self._sender: Sender | None = None
        self._pending: dict[str, str] = {}
        self._due = NEVER
        self._status = ""
        self._status_due = 0.0

    def ready(self, status: str = "") -> None:
        """Tell that the service is up."""
        self._put("READY", "1", status)

    def stopping(self, status: str = "") -> None:
        """Tell that the service is about to end."""
        if "READY" in self._pending:
            self._flush()  # of the two in one datagram the overlord would take only one
        self._put("STOPPING", "1", status)

    def watchdog(self) -> None:
        """Ping: the work moved since the last one."""
        self._put("WATCHDOG", "1")

    def extend_timeout(self, seconds: float) -> None:
        """Ask the overlord to wait so many seconds more for the start or the stop, from now on."""
        self._put("EXTEND_TIMEOUT_USEC", str(round(seconds * 1_000_000)))

    def status(self, text: str) -> None:
        """Tell in one line what the service is doing; at most once a second, the newest counts."""
        if not self.enabled or text == self._status:
            return
        self._status = text
        self._pending["STATUS"] = _one_line(text)
        if self._due == NEVER:
            self._due = self._status_due
        self.tick()

    def tick(self) -> None:
        """Send what is due. Next to free if nothing is."""
        if self._due != NEVER and self._now() >= self._due:
            self._flush()

    def recovered(self) -> int:
        """Return, once, how many datagrams had not been sent, if all that was pending has been by now; else 0."""
        if self._pending:
            return 0
        count, self.dropped = self.dropped, 0
        return count

    def close(self) -> None:
        """Let go of the socket. Telling more opens it again."""
        sender, self._sender = self._sender, None
        if sender is not None:
            sender.discard(None)

    def _put(self, variable: str, value: str, status: str = "") -> None:
        if not self.enabled:
            return
        self._pending[variable] = value
        if status:
            self._status = status
            self._status_due = 0.0
            self._pending["STATUS"] = _one_line(status)
        self._flush()

    def _flush(self) -> None:
        now = self._now()
        said = dict(self._pending)
        if now < self._status_due:
            said.pop("STATUS", None)
        if not self._sent("\n".join([f"{variable}={value}" for variable, value in said.items()])):
            self.dropped += 1
            self._due = now + RETRY
            return
        if "STATUS" in said:
            self._status_due = now + STATUS_INTERVAL
        for variable in said:
            del self._pending[variable]
        self._due = self._status_due if self._pending else NEVER

    def _sent(self, text: str) -> bool:
        try:
            if self._sender is None:
                from hafta.systemd.sender import Sender

                self._sender = Sender(self._address)
            self._sender.send(text)
        except BlockingIOError:
            return False
        except OSError as error:
            self._forget(error)
            return False
        return True

    def _forget(self, error: OSError) -> None:
        sender, self._sender = self._sender, None
        if sender is not None:
            sender.discard(error)


def _one_line(text: str) -> str:
    """Return the text without what spoils a datagram: a newline ends STATUS, for a NUL systemd ignores all of it."""
    return " ".join("".join([char if char.isprintable() else " " for char in text[:STATUS_MAX]]).split())


def _complaint(address: str) -> str | None:
    if address and address[0] not in "/@":
        return f"{address!r} is neither a path nor an abstract socket"
    if len(address.encode(errors="surrogateescape")) > ADDRESS_MAX:
        return f"{address!r} is longer than {ADDRESS_MAX} bytes"
    return None
