"""What a worker says to its overlord, and what of that the parent passes on. Pure.

1. READY is the parent's to say, once, and after a reload.
2. STATUS is passed on, with what the parent adds to it.
3. EXTEND_TIMEOUT_USEC moves the limit of the worker's start or stop. It is passed on while the overlord waits, too.
4. STOPPING is passed on only while the service stops. A failing worker says it as well: systemd would take the whole
   unit for stopping, and kill it.
5. Descriptors (FDSTORE, FDSTOREREMOVE) are kept by the parent for the next worker, and passed on (shelf.py).
6. WATCHDOG, MAINPID and everything else are dropped: the parent feeds the watchdog, and is the main process.
"""

from __future__ import annotations

from hafta.frozen import Frozen
from hafta.systemd.descriptors import is_name


class Said(Frozen):
    """What a datagram of the worker comes to."""

    ready: bool = False
    status: str | None = None
    extend: float | None = None  # seconds
    stopping: bool = False
    store: str = ""  # the name of descriptors that came with it
    drop: str = ""  # the name of descriptors that are no longer needed
    watch: bool = True  # whether the overlord drops those whose other end is gone


def said(datagram: bytes) -> Said:
    """Read a datagram. The newest value of a variable counts, as with systemd; what is malformed is dropped."""
    variables: dict[str, str] = {}
    for line in datagram.decode(errors="replace").split("\n"):
        name, equals, value = line.partition("=")
        if equals:
            variables[name] = value
    usec = variables.get("EXTEND_TIMEOUT_USEC", "")
    extend = int(usec) / 1e6 if usec.isascii() and usec.isdigit() and len(usec) <= 18 else None
    name = variables.get("FDNAME", "")
    name = name if is_name(name) else "stored"  # as systemd does
    return Said(
        ready=variables.get("READY") == "1",
        status=variables.get("STATUS"),
        extend=extend,
        stopping=variables.get("STOPPING") == "1",
        store=name if variables.get("FDSTORE") == "1" else "",
        drop=name if variables.get("FDSTOREREMOVE") == "1" else "",
        watch=variables.get("FDPOLL") != "0",
    )


def status(text: str, pid: int, replaced: int, last: str) -> str:
    """Return the STATUS line: the worker's, and who that is."""
    worker = f"[worker {pid}" if pid else "[no worker"
    if replaced:
        worker += f", {replaced} replaced, the last one {last}"
    return f"{text} {worker}]".strip()
