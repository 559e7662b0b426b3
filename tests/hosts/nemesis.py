"""Faults, chosen by a seed: each is done to one host or more, lasts, and is mended."""

import signal
import sys

from cluster import dropped

TBF = ("tbf", "rate", "64kbit", "burst", "8kbit", "latency", "500ms")  # a slow link


class Nemesis:
    """Does one fault after the other, half of them to the owner. `chance` is seeded; `owner` returns its host."""

    def __init__(self, cluster, chance, owner):
        self.cluster, self.chance, self.owner = cluster, chance, owner
        self.done = []
        self.moves = []  # how each `hafta move` ended

    def strike(self):
        """Do one fault, and mend it."""
        fault = self.chance.choice(FAULTS)
        host = self.chance.choice([*self.cluster.hosts, *[self.owner()] * 3])
        self.done.append(f"{fault.__name__} {host.name}")
        fault(self, host)
        self.cluster.live(self.chance.uniform(0.2, 2))

    def lasting(self, least=0.5):
        """Return how long a fault lasts: shorter or longer than a lease."""
        return self.chance.uniform(least, 2 * self.cluster.ttl)


def service_killed(nemesis, host):
    host.send(signal.SIGKILL, "service")
    nemesis.cluster.live(0.5)


def owner_killed(nemesis, host):
    for one in nemesis.cluster.hosts:
        one.send(signal.SIGKILL, "service")
        nemesis.cluster.live(nemesis.chance.uniform(0, 0.3))
    del host


def service_stopped(nemesis, host):
    host.send(signal.SIGSTOP, "service")
    nemesis.cluster.live(nemesis.lasting())
    host.send(signal.SIGCONT, "service")


def all_services_stopped(nemesis, host):
    for one in nemesis.cluster.hosts:
        one.send(signal.SIGSTOP, "service")
    nemesis.cluster.live(nemesis.lasting())
    for one in nemesis.cluster.turned(host):
        one.send(signal.SIGCONT, "service")
        nemesis.cluster.live(nemesis.chance.uniform(0, 0.5))


def etcd_killed(nemesis, host):
    host.send(signal.SIGKILL, "etcd")
    nemesis.cluster.live(1)


def etcd_stopped(nemesis, host):
    host.send(signal.SIGSTOP, "etcd")
    nemesis.cluster.live(nemesis.lasting())
    host.send(signal.SIGCONT, "etcd")


def machine_killed(nemesis, host):
    host.rests = True
    host.kill()
    nemesis.cluster.live(nemesis.lasting())
    host.rests = False


def everything_killed(nemesis, host):
    for one in nemesis.cluster.turned(host):
        one.kill()
    nemesis.cluster.live(1)


def cut_off(nemesis, host):
    with dropped(host.space, "INPUT", "OUTPUT"):
        nemesis.cluster.live(nemesis.lasting())


def deaf(nemesis, host):
    with dropped(host.space, "INPUT"):
        nemesis.cluster.live(nemesis.lasting())


def mute(nemesis, host):
    with dropped(host.space, "OUTPUT"):
        nemesis.cluster.live(nemesis.lasting())


def moved(nemesis, host):
    """Have the owner hand over to this host, or to any other; where that cannot be, it is refused, or taken back."""
    to = ["--to", host.name] if nemesis.chance.random() < 0.5 else []
    command = start_move(host, *to)
    nemesis.moves.append(end_of(nemesis, command))


def moved_and_killed(nemesis, host):
    """Kill all owners in the middle of a move."""
    command = start_move(host)
    nemesis.cluster.live(nemesis.chance.uniform(0.1, 1.5))
    for one in nemesis.cluster.hosts:
        one.send(signal.SIGKILL, "service")
    end_of(nemesis, command)


def start_move(host, *more):
    words = (sys.executable, "-m", "hafta.cli", "move", "count", "--store", host.store(), "--within", "5", *more)
    return host.run(words, "moves.log")


def end_of(nemesis, command):
    while command.poll() is None:
        nemesis.cluster.live(0.05)
    return command.returncode


def slow(nemesis, host):
    import subprocess

    discipline = ["ip", "netns", "exec", host.space, "tc", "qdisc"]
    subprocess.run([*discipline, "add", "dev", "net", "root", *TBF], check=True, capture_output=True)
    nemesis.cluster.live(nemesis.lasting())
    subprocess.run([*discipline, "delete", "dev", "net", "root"], check=True, capture_output=True)


FAULTS = (
    service_killed, owner_killed, service_stopped, all_services_stopped, etcd_killed, etcd_stopped, machine_killed,
    everything_killed, cut_off, deaf, mute, slow, moved, moved_and_killed,
)  # fmt: skip
