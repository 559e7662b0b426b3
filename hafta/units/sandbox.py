"""The sandbox of every unit that this project ships or writes, once. What a unit needs besides, it is given by name.

The shipped units are written by hand, with their reasons; tests/unit/units/test_units_shape.py holds them to this text.
"""

from __future__ import annotations

from hafta.frozen import Frozen

#: Directives of [Service] in their order. A directive that stands twice adds up.
SANDBOX = (
    ("AmbientCapabilities", ""),
    ("CapabilityBoundingSet", ""),
    ("DevicePolicy", "closed"),
    ("IPAddressDeny", "any"),
    ("KeyringMode", "private"),
    ("LockPersonality", "yes"),
    ("MemoryDenyWriteExecute", "yes"),
    ("NoNewPrivileges", "yes"),
    ("PrivateDevices", "yes"),
    ("PrivateNetwork", "yes"),
    ("PrivateTmp", "yes"),
    ("PrivateUsers", "yes"),
    ("ProcSubset", "pid"),
    ("ProtectClock", "yes"),
    ("ProtectControlGroups", "yes"),
    ("ProtectHome", "yes"),
    ("ProtectHostname", "yes"),
    ("ProtectKernelLogs", "yes"),
    ("ProtectKernelModules", "yes"),
    ("ProtectKernelTunables", "yes"),
    ("ProtectProc", "invisible"),
    ("ProtectSystem", "strict"),
    ("RemoveIPC", "yes"),
    ("RestrictAddressFamilies", "AF_UNIX"),
    ("RestrictNamespaces", "yes"),
    ("RestrictRealtime", "yes"),
    ("RestrictSUIDSGID", "yes"),
    ("SystemCallArchitectures", "native"),
    ("SystemCallErrorNumber", "EPERM"),
    ("SystemCallFilter", "@system-service"),
    ("SystemCallFilter", "~@privileged @resources"),
)

#: Where ProtectHome= and PrivateTmp= hide what is there.
HOMES = ("/home", "/root", "/run/user")
TEMPORARY = ("/tmp", "/var/tmp")  # noqa: S108 - named, not used


class Needs(Frozen):
    """What a program needs that the sandbox keeps from it: only what somebody has named."""

    network: bool = False
    jit: bool = False  # memory that is written and executed: Java, Node.js, .NET, LuaJIT
    proc: bool = False  # /proc besides processes: meminfo, cpuinfo, ...
    writes: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()  # the program and its directory

    @property
    def in_home(self) -> bool:
        """Whether something of it is in somebody's home."""
        return any(is_below(path, HOMES) for path in (*self.reads, *self.writes))

    @property
    def in_tmp(self) -> bool:
        """Whether something of it is in the directories that everybody shares."""
        return any(is_below(path, TEMPORARY) for path in (*self.reads, *self.writes))


def is_below(path: str, directories: tuple[str, ...]) -> bool:
    """Tell whether a path is one of these directories, or below one of them."""
    return any(path == directory or path.startswith(f"{directory}/") for directory in directories)


def sandbox(needs: Needs) -> tuple[tuple[str, str], ...]:
    """Return the sandbox, loosened by what is needed and by nothing else."""
    capabilities = " ".join(needs.capabilities)
    # None: the directive is left out.
    other: dict[str, str | None] = {
        **({"IPAddressDeny": None, "PrivateNetwork": None} if needs.network else {}),
        **({"RestrictAddressFamilies": "AF_UNIX AF_INET AF_INET6 AF_NETLINK"} if needs.network else {}),
        **({"MemoryDenyWriteExecute": None} if needs.jit else {}),
        **({"ProcSubset": None} if needs.proc else {}),
        **({"PrivateDevices": None} if needs.devices else {}),
        **({"PrivateTmp": None} if needs.in_tmp else {}),
        **({"ProtectHome": "read-only"} if needs.in_home else {}),
        # Inside of a private user namespace, a capability would open nothing.
        **({"AmbientCapabilities": capabilities, "CapabilityBoundingSet": capabilities} if capabilities else {}),
        **({"PrivateUsers": None} if capabilities else {}),
    }
    kept = ((name, other.get(name, value)) for name, value in SANDBOX)
    added = [("DeviceAllow", f"{path} rw") for path in needs.devices]
    added += [("ReadWritePaths", path) for path in needs.writes]
    return (*((name, value) for name, value in kept if value is not None), *added)
