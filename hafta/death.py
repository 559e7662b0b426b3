"""How a process ended, for the next one: what a supervisor saw, and the sentence for it.

A warm parent hands it to the worker that replaces the dead one (hafta/service/warm/). What the dead process had
recorded is resumed with it: `Interrupted.cause` is the Death of the process that the record names, and None where
nobody saw it. The record keeps it as long as the process that was told runs, for `hafta checkpoints`.

After a cold restart only the overlord can tell, in systemd's words: `$SERVICE_RESULT:$EXIT_CODE:$EXIT_STATUS`. The
embedded one puts them into LAST_END of the next process. With systemd, ExecStopPost= of the unit leaves a link to them
in the runtime directory (docs/warm.md); the next start reads and removes it. They name no pid, and need none: they are
of one unit, and what a unit resumes is what its last process has left.
"""

from __future__ import annotations

from hafta import exits
from hafta.frozen import Frozen

#: The variable in which the embedded overlord says how the last process of the unit ended.
LAST_END = "HAFTA_LAST_END"
#: Why a supervisor ended a process itself.
HANG, TIMEOUT, RULE = "hang", "timeout", "rule"
#: Why the kernel did: no memory was left, or none below the limit of its control group.
OOM, MEMORY = "oom", "memory-limit"
#: The program ended itself: run.panic(), or the verdict PANIC.
PANIC = "panic"
#: The machine ended, or another one has taken over from it.
HOST = "host-lost"

_WITHOUT_DETAIL = {
    OOM: "was killed by the kernel{}: out of memory",
    MEMORY: "was killed by the kernel{}: over the memory limit of its unit",
    PANIC: "panicked{}",
    HOST: "was lost{} with its host",
}
_WITH_DETAIL = {HANG: "hung{}: {}", TIMEOUT: "took too long{}: {}", RULE: "broke a rule{}: {}", HOST: "was lost{}: {}"}


class Death(Frozen):
    """The end of one process. Nothing in it is more than the supervisor knows."""

    pid: int
    signal: int = 0  # that ended it; 0: it ended by itself
    status: int = 0  # its exit status, if it ended by itself
    why: str = ""  # one of the words above; empty: it died by itself, or somebody else killed it
    sequence: str = ""  # where it was, as far as it said so
    node: str = ""
    detail: str = ""  # what the supervisor measured
    host: str = ""  # that was lost, where hosts share the store
    token: int = 0  # of its claim

    def __str__(self) -> str:
        where = f" in {self.node}" if self.node else ""
        if self.why in _WITH_DETAIL and (self.detail or self.why not in _WITHOUT_DETAIL):
            return _WITH_DETAIL[self.why].format(where, self.detail)
        if self.why in _WITHOUT_DETAIL:
            return _WITHOUT_DETAIL[self.why].format(where)
        if self.signal:
            return f"was killed by {signal_name(self.signal)}{where}"
        return f"ended with status {self.status}{where}"

    @property
    def word(self) -> str:
        """The same as one word, for a table: `hang`, `SIGSEGV`, `status=20`."""
        return self.why or (signal_name(self.signal).replace(" ", "-") if self.signal else f"status={self.status}")

    def as_bytes(self) -> bytes:
        """Return it as a message to another process, for from_bytes()."""
        return "\0".join(str(value).replace("\0", "") for value in self.values()).encode(errors="replace")


def from_bytes(text: bytes) -> Death:
    """Read what as_bytes() has made. Raises ValueError for anything else."""
    pid, signum, status, why, sequence, node, detail, host, token = text.decode(errors="replace").split("\0")
    return Death(int(pid), int(signum), int(status), why, sequence, node, detail, host, int(token))


def ended(pid: int, status: int) -> Death:
    """Return the end of a process that has ended by itself, with this status."""
    return Death(pid, status=status, why=PANIC if status == exits.PANIC else "")


def signal_name(number: int) -> str:
    """Return `SIGKILL` for 9, `signal 60` for a number without a name."""
    import signal

    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


_known: dict[int, Death] = {}  # by pid: at most one, the newest


def remember(death: Death | None) -> None:
    """Keep this as the end of the process before this one; None: nothing is known about it."""
    _known.clear()
    if death is not None:
        _known[death.pid] = death


def of(pid: int) -> Death | None:
    """Return how this process ended, if somebody has seen it."""
    return _known.get(pid) or _known.get(0)


def from_overlord(text: str) -> Death | None:
    """Read `signal:killed:KILL`, as systemd's variables have it; None for a clean end, and for anything else."""
    result, _, rest = text.partition(":")
    code, _, status = rest.partition(":")
    why = {"watchdog": HANG, "oom-kill": OOM}.get(result, "")
    detail = "the watchdog of its overlord ran out" if why == HANG else ""
    if code == "exited" and status.isascii() and status.isdigit() and int(status) < 256:
        if result == "success":
            return None
        return Death(0, status=int(status), why=why, detail=detail) if why else ended(0, int(status))
    number = _signal_number(status) if code in {"killed", "dumped"} else 0
    return Death(0, number, why=why, detail=detail) if number else None


def _signal_number(name: str) -> int:
    import signal

    return int(getattr(signal, f"SIG{name}", 0)) if name.isalnum() and name.isupper() else 0
