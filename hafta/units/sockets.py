"""What the overlord knows of a .socket unit once its files have been read. Nothing is opened here."""

from __future__ import annotations

import socket

from hafta.frozen import Frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FIFO = 0


class Listen(Frozen):
    """One address. `kind` is socket.SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET, or FIFO."""

    kind: int
    family: int  # AF_UNIX also for a FIFO
    host: str  # a path, an abstract name with its @, or a numeric address; empty is any address
    port: int = 0
    device: str = ""  # the interface of an IPv6 address

    @property
    def path(self) -> str:
        """The path in the file system; empty if it has none."""
        return self.host if self.host.startswith("/") else ""

    @property
    def accepts(self) -> bool:
        """Whether connections can be accepted from it."""
        return self.kind in {socket.SOCK_STREAM, socket.SOCK_SEQPACKET}

    @property
    def text(self) -> str:
        """The address as a person writes it."""
        if self.family == socket.AF_UNIX:
            return self.host
        if not self.host:
            return f"port {self.port}"
        host = f"[{self.host}]" if self.family == socket.AF_INET6 else self.host
        return f"{host}:{self.port}" + (f"%{self.device}" if self.device else "")


class Files(Frozen):
    """Of a .socket unit: what it leaves in the file system."""

    mode: int = 0o666
    user: str = ""
    group: str = ""
    directory_mode: int = 0o755
    remove_on_stop: bool = False
    symlinks: tuple[str, ...] = ()


class Limits(Frozen):
    """Of a .socket unit: how much of it may be used."""

    interval: float = 2.0
    burst: int = 20
    connections: int = 64
    per_source: int = 0  # 0: as many as all


class Socket(Frozen):
    """What a .socket unit says. Times in seconds."""

    listen: tuple[Listen, ...] = ()
    accept: bool = False
    service: str = ""  # with Accept=no, which service it starts
    template: Any = None  # with Accept=yes, the Template of which each connection gets an instance
    files: Files = Files()
    options: tuple[tuple[str, int | str], ...] = ()  # by the name of the directive: what setsockopt(2) is told
    backlog: int = 4096
    fd_name: str = ""
    flush_pending: bool = False
    limits: Limits = Limits()
