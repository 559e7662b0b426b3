"""Three hosts: network namespaces on one bridge, each with a name, a member of an etcd cluster and a counting service.

They reach each other only over that bridge, and nothing else. Root only. A host "dies" when all of its processes are
killed at once; its disk stays.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
NAMES = "abc"
PATIENCE = 60
#: A program runs under the name of its host: in a UTS namespace, where `hostname` says it.
NAMED = ("unshare", "--uts", "sh", "-euc", 'hostname "$0"; exec "$@"')


def ip(*words):
    subprocess.run(["ip", *words], check=True, capture_output=True)


class Host:
    """One of them."""

    def __init__(self, cluster, name):
        self.cluster, self.name = cluster, name
        self.space = f"hafta-{os.getpid()}-{name}"
        self.address = f"10.77.0.{NAMES.index(name) + 1}"
        self.etcd = self.service = None
        self.rests = False  # whether nothing is to run on it
        self.starts = 0

    def connect(self, switch):
        ip("netns", "add", self.space)
        ip("-n", switch, "link", "add", f"to-{self.name}", "type", "veth", "peer", "name", "net", "netns", self.space)
        ip("-n", switch, "link", "set", f"to-{self.name}", "master", "switch", "up")
        ip("-n", self.space, "address", "add", f"{self.address}/24", "dev", "net")
        for link in ("lo", "net"):
            ip("-n", self.space, "link", "set", link, "up")

    def run(self, words, log, **environ):
        whole = {**os.environ, "PYTHONPATH": str(HERE.parents[1]), **environ}
        with (self.cluster.folder / log).open("ab") as out:
            return subprocess.Popen(
                ["ip", "netns", "exec", self.space, *NAMED, self.name, *words],
                stdout=out,
                stderr=out,
                stdin=subprocess.DEVNULL,
                env=whole,
            )

    def start_etcd(self):
        here = f"http://{self.address}"
        members = ",".join(f"{host.name}=http://{host.address}:2380" for host in self.cluster.hosts)
        self.etcd = self.run(
            [
                *("etcd", "--name", self.name, "--data-dir", str(self.cluster.folder / self.name)),
                *("--listen-client-urls", f"{here}:2379", "--advertise-client-urls", f"{here}:2379"),
                *("--listen-peer-urls", f"{here}:2380", "--initial-advertise-peer-urls", f"{here}:2380"),
                *("--initial-cluster", members, "--heartbeat-interval", "100", "--election-timeout", "1000"),
            ],
            f"etcd-{self.name}.log",
        )

    def store(self):
        """Return the URL of the store, as this host has it: its own etcd first."""
        return "etcd://" + ",".join(f"{host.address}:2379" for host in self.cluster.turned(self))

    def start_service(self):
        self.starts += 1
        self.service = self.run(
            [sys.executable, str(HERE / "counter.py")],
            f"service-{self.name}.log",
            HAFTA_STORE=self.store(),
            HAFTA_TTL=str(self.cluster.ttl),
            HAFTA_WORLD=str(self.cluster.folder),
            CONTROL=self.cluster.control,
        )

    def keep_up(self):
        """Do what an overlord does."""
        if self.rests:
            return
        if self.etcd is None or self.etcd.poll() is not None:
            self.start_etcd()
        if self.service is None or self.service.poll() is not None:
            self.start_service()

    def processes(self):
        return [one for one in (self.etcd, self.service) if one is not None and one.poll() is None]

    def send(self, signum, which):
        process = getattr(self, which)
        if process is not None and process.poll() is None:
            process.send_signal(signum)

    def kill(self):
        for process in self.processes():
            process.kill()
        for process in self.processes():
            process.wait()


class Cluster:
    """The three, as a context manager."""

    def __init__(self, folder, *, ttl=3, control=""):
        self.folder, self.ttl, self.control = folder, ttl, control
        self.switch = f"hafta-{os.getpid()}-switch"
        self.hosts = [Host(self, name) for name in NAMES]

    def turned(self, first):
        """Return the hosts, beginning with this one: a service asks the etcd of its own host first."""
        at = self.hosts.index(first)
        return self.hosts[at:] + self.hosts[:at]

    def __enter__(self):
        ip("netns", "add", self.switch)
        try:
            ip("-n", self.switch, "link", "add", "switch", "type", "bridge")
            ip("-n", self.switch, "link", "set", "switch", "up")
            for host in self.hosts:
                host.connect(self.switch)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_error):
        for host in self.hosts:
            host.send(signal.SIGCONT, "etcd")
            host.send(signal.SIGCONT, "service")
            host.kill()
        for space in (self.switch, *(host.space for host in self.hosts)):
            subprocess.run(["ip", "netns", "delete", space], check=False, capture_output=True)

    def live(self, seconds):
        """Let time pass, as overlords do: what has died begins again."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for host in self.hosts:
                host.keep_up()
            time.sleep(0.05)

    def wait_for(self, is_so, what):
        end = time.monotonic() + PATIENCE
        while not is_so():
            assert time.monotonic() < end, f"{what}: not after {PATIENCE} s; {self.last_lines()}"
            self.live(0.1)

    def last_lines(self):
        logs = sorted(self.folder.glob("*.log"))
        return {log.name: log.read_text(errors="replace").splitlines()[-2:] for log in logs}


@contextlib.contextmanager
def dropped(space, *chains):
    """Drop all packets of a host, in one direction or both."""
    where = {"INPUT": "-i", "OUTPUT": "-o"}
    inside = ["ip", "netns", "exec", space, "iptables"]
    rule = lambda how, chain: subprocess.run(
        [*inside, how, chain, "!", where[chain], "lo", "-j", "DROP"], check=True, capture_output=True
    )
    for chain in chains:
        rule("-A", chain)
    yield
    for chain in chains:
        rule("-D", chain)
