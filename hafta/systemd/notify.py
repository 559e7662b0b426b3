"""Notify the overlord, without ever waiting for it (sd_notify(3)).

Rules:

1. `_pending` holds the newest value of each variable until a datagram with it was taken. So READY and STOPPING are not
   lost, and after trouble the newest STATUS is the one that arrives.
2. A datagram that is not taken is counted in `dropped`. It is tried again at the first tick() after RETRY seconds.
3. STATUS alone is sent at most once per STATUS_INTERVAL, and the same text is not sent twice. Everything else is sent
   at once.
4. A ping that could not be sent stays pending, like READY. tick() is only called when the work moves, so the retry
   also means that the work moved.
5. After any error other than a full queue (say, the overlord has made a new socket), the next try connects again.
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
    """The notify socket of $NOTIFY_SOCKET. Without that variable nothing is sent, and that is not an error."""

    def __init__(self, environ: Mapping[str, str], now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._address = environ.get("NOTIFY_SOCKET", "")
        #: Why $NOTIFY_SOCKET is not used; None if nothing is wrong with it.
        self.complaint = _complaint(self._address)
        #: Whether notifications are sent.
        self.enabled = bool(self._address) and self.complaint is None
        #: Datagrams that could not be sent when they were due, and were not reported yet (see recovered()).
        self.dropped = 0
        self._sender: Sender | None = None
        self._pending: dict[str, str] = {}
        self._due = NEVER
        self._status = ""
        self._status_due = 0.0

    def ready(self, status: str = "") -> None:
        """Say that the service is up."""
        self._put("READY", "1", status)

    def stopping(self, status: str = "") -> None:
        """Say that the service is about to end."""
        if "READY" in self._pending:
            self._flush()  # of two states in one datagram the overlord would use only one
        self._put("STOPPING", "1", status)

    def reloading(self) -> None:
        """Say that the service reloads itself. ready() says that this is over."""
        self._pending["MONOTONIC_USEC"] = str(int(self._now() * 1_000_000))
        self._put("RELOADING", "1")

    def watchdog(self) -> None:
        """Ping: the work moved since the last one."""
        self._put("WATCHDOG", "1")

    def trigger(self, status: str = "") -> None:
        """Say that the watchdog need not wait: the work hangs, and the overlord may act at once."""
        self._put("WATCHDOG", "trigger", status)

    def extend_timeout(self, seconds: float) -> None:
        """Ask the overlord to wait for the start or the stop for this many more seconds, from now on."""
        self._put("EXTEND_TIMEOUT_USEC", str(round(seconds * 1_000_000)))

    def status(self, text: str) -> None:
        """Say in one line what the service is doing. Sent at most once a second; the newest text counts."""
        if not self.enabled or text == self._status:
            return
        self._status = text
        self._pending["STATUS"] = _one_line(text)
        if self._due == NEVER:
            self._due = self._status_due
        self.tick()

    def tick(self) -> None:
        """Send what is due. Costs almost nothing if nothing is due."""
        if self._due != NEVER and self._now() >= self._due:
            self._flush()

    @property
    def address(self) -> str:
        """The address of the overlord; empty if there is none."""
        return self._address if self.enabled else ""

    @property
    def due(self) -> float:
        """When tick() next has something to send; infinity: nothing is waiting."""
        return self._due

    def recovered(self) -> int:
        """Return, once, how many datagrams could not be sent at first; 0 as long as something is still pending."""
        if self._pending:
            return 0
        count, self.dropped = self.dropped, 0
        return count

    def close(self) -> None:
        """Close the socket. The next notification opens it again."""
        sender, self._sender = self._sender, None
        if sender is not None:
            sender.discard(None)

    def disable(self) -> None:
        """Send nothing more, not even what is pending."""
        self.enabled = False
        self._pending.clear()
        self._due = NEVER
        self.close()

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
    """Return the text without what spoils a datagram: a newline ends STATUS; with a NUL, systemd ignores it all."""
    return " ".join("".join([char if char.isprintable() else " " for char in text[:STATUS_MAX]]).split())


def _complaint(address: str) -> str | None:
    if address and address[0] not in "/@":
        return f"{address!r} is neither a path nor an abstract socket"
    if len(address.encode(errors="surrogateescape")) > ADDRESS_MAX:
        return f"{address!r} is longer than {ADDRESS_MAX} bytes"
    return None
