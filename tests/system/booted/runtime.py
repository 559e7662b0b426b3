"""The container runtime: which one works here, how it is called, and why not if it cannot be."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

NEEDED = ("podman", "runc", "mmdebstrap", "util-linux")
COMMANDS = ("podman", "mmdebstrap", "nsenter", "runc")
NEED = Path(__file__).parents[3] / "packaging" / "need"

#: podman's own limits need CAP_SYS_RESOURCE, which a machine for tests often lacks.
CONTAINERS_CONF = '[containers]\ndefault_ulimits = ["nofile=1024:20000", "nproc=1000:1000"]\n'

#: Without these systemd skips the sandbox silently, and DynamicUser= fails.
CAPABILITIES = "SYS_ADMIN,NET_ADMIN,SYS_PTRACE"

#: systemd sets this at boot, but not in a container, where the kernel's own 10 would stay: then a journald that gets no
#: processor for a tenth of a second loses entries that no real machine loses.
JOURNAL_QUEUE = 512


class PodmanError(Exception):
    """podman failed; the text has its words."""


@cache
def why_not() -> str:
    """Return why no machine can be booted here, or an empty text. As root it installs what is missing."""
    if os.geteuid() != 0:
        return "booting machines needs root"
    if missing := [command for command in COMMANDS if not shutil.which(command)]:
        done = subprocess.run([str(NEED), *NEEDED], check=False, capture_output=True, text=True)
        if done.returncode:
            return f"missing: {', '.join(missing)}; {done.stderr.strip()[-400:]}"
    return ""


def runtime() -> str:
    """Return the OCI runtime: crun refuses hybrid cgroups, so there it is runc."""
    is_unified = Path("/sys/fs/cgroup/cgroup.controllers").exists()
    return "crun" if is_unified and shutil.which("crun") else "runc"


@cache
def environment() -> dict[str, str]:
    """Return the environment in which podman is called."""
    conf = Path(tempfile.gettempdir()) / f"hafta-containers-{os.getpid()}.conf"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    conf.unlink(missing_ok=True)
    with os.fdopen(os.open(conf, flags, 0o600), "w") as file:
        file.write(CONTAINERS_CONF)
    import atexit

    atexit.register(conf.unlink, missing_ok=True)
    return {**os.environ, "CONTAINERS_CONF": str(conf)}


def podman(*words: str, check: bool = True, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    """Run podman. Raises PodmanError if it fails."""
    command = ["podman", "--runtime", runtime(), *words]
    done = subprocess.run(command, env=environment(), check=False, capture_output=True, text=True, timeout=timeout)
    if check and done.returncode:
        raise PodmanError(f"{' '.join(command)}: status {done.returncode}: {done.stderr.strip()}")
    return done


def boot_id() -> str:
    """Return the mark of this boot of the kernel."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def owner_of(pid: int) -> str:
    """Return a mark of a running process that no later one has: its boot, its id, its start."""
    started = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    return f"{boot_id()}.{pid}.{started}"


def is_gone(owner: str) -> bool:
    """Tell whether the process of this mark ran in this boot and has ended."""
    boot, pid, _ = owner.split(".")
    try:
        return boot == boot_id() and owner_of(int(pid)) != owner
    except (OSError, ValueError):
        return True


def remove_leftovers() -> list[str]:
    """Remove the machines of test runs that were killed. Return their names."""
    shape = '{{.Names}} {{index .Labels "hafta.owner"}}'
    lines = podman("ps", "--all", "--filter", "label=hafta.owner", "--format", shape).stdout.split("\n")
    gone = [line.split()[0] for line in lines if line and is_gone(line.split()[1])]
    for name in gone:
        podman("rm", "--force", "--time", "0", name, check=False)
    return gone


@contextlib.contextmanager
def lock(path: Path) -> Iterator[None]:
    """Let nobody else in who asks for the same lock."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)
