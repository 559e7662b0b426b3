"""Several machines that reach each other by a bridge, and nothing else: each has a name and an address."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from booted.machine import Machine
from booted.rootfs import PACKAGES, SUITES
from booted.runtime import podman

if TYPE_CHECKING:
    from typing import Self

    from booted.rootfs import Suite

#: A host as in docs/hosts.md after `apt install`, with the database of examples/ha, which does not start by itself.
HOSTS = SUITES["trixie"].with_packages(
    "hosts",
    (*PACKAGES, "etcd-server", "python3-urllib3", "python3-psycopg", "postgresql"),
    ('chroot "$1" systemctl disable postgresql.service',),
)


def ip(*words: str) -> None:
    """Run ip(8)."""
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


class Host(Machine):
    """A machine of a network. It dies and comes back with the disk that it had."""

    def __init__(self, suite: Suite, network: Network, name: str, *options: str) -> None:
        super().__init__(suite, "--hostname", name, *network.known, *options)
        self.network, self.host = network, name

    def connect(self) -> None:
        """Give it its link and its address."""
        self.network.connect(self)

    def die(self) -> None:
        """End all of its processes at once, as a power cut does; its link is gone, too."""
        podman("kill", "--signal", "KILL", self.name)
        self._wait_for_exit()

    def come_back(self) -> None:
        """Boot the same disk again."""
        podman("start", self.name)
        self._wait_for_boot()

    def alone(self, *words: str) -> None:
        """Run a program of this machine in the network of the host: what configures it need not be installed there."""
        subprocess.run(["nsenter", "--target", str(self.pid), "--net", *words], check=True, capture_output=True)


class Network:
    """The bridge, and the names that it has. A context manager; machines must be removed before."""

    def __init__(self, *names: str) -> None:
        self.space = f"hafta-test-{os.getpid()}-bridge"
        self.addresses = {name: f"10.78.0.{number}" for number, name in enumerate(names, 1)}
        self.known = [f"--add-host={name}:{address}" for name, address in self.addresses.items()]

    def __enter__(self) -> Self:
        ip("netns", "add", self.space)
        ip("-n", self.space, "link", "add", "switch", "type", "bridge")
        ip("-n", self.space, "link", "set", "switch", "up")
        return self

    def __exit__(self, *_details: object) -> None:
        ip("netns", "delete", self.space)

    def connect(self, host: Host) -> None:
        """Give a machine that has just booted its link and its address."""
        port = f"to-{host.host}"
        peer = ("peer", "name", "net", "netns", str(host.pid))
        subprocess.run(["ip", "-n", self.space, "link", "delete", port], check=False, capture_output=True)
        ip("-n", self.space, "link", "add", port, "type", "veth", *peer)
        ip("-n", self.space, "link", "set", port, "master", "switch", "up")
        host.alone("ip", "address", "add", f"{self.addresses[host.host]}/24", "dev", "net")
        host.alone("ip", "link", "set", "net", "up")
