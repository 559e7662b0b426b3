"""examples/ha on machines, as its README says: a killed host, a clean stop, a move; and each row is there once."""

import itertools
import json
import re

import pytest
from three_hosts import PLACE, ROOT, run, steps, three_hosts

BLOCKS = re.findall(r"```sh\n(.*?)```", (ROOT / "examples" / "ha" / "README.md").read_text(), re.DOTALL)
PREPARE, INSTALL, LOOK = BLOCKS
STORE = "etcd://a,b,c"
SHARED = "/srv/ingest"
DATABASE = """
cd /etc/postgresql/*/main
echo "listen_addresses = '*'" >> postgresql.conf
echo 'host all all 10.78.0.0/24 trust' >> pg_hba.conf
systemctl start postgresql
runuser -u postgres -- createuser ingest
runuser -u postgres -- createdb --owner ingest ingest
"""
_numbers = itertools.count()


@pytest.fixture(scope="module")
def hosts(packages, tmp_path_factory):
    """a and b run both services, from one disk; c has the database, too."""
    disk = tmp_path_factory.mktemp("disk")
    with three_hosts(packages, f"--volume={disk}:{SHARED}", "--add-host=db:10.78.0.3") as hosts:
        for whose, command, _ in itertools.islice(steps(), 3):  # up to the etcd that runs
            run(hosts, whose, command)
        hosts["c"].sh(DATABASE)
        for name in "ab":
            hosts[name].sh(f"cd {PLACE}/examples/ha\n{PREPARE}\n{INSTALL}")
        yield hosts


def holder(machine, sequence):
    """Return the host that has it now; empty: nobody has."""
    found = json.loads(machine.run("hafta", "checkpoints", "--store", STORE, "--json", check=False).stdout or "[]")
    return next((one["holder"]["host"] for one in found if one["sequence"] == sequence and one["held"]), "")


def wait_for_holder(machine, sequence, name):
    machine.wait_until(f"{name} has {sequence}", lambda: holder(machine, sequence) == name, 180)


def put(machine, count=20):
    """Put files in, hidden and then renamed. Return their names."""
    names = [f"file-{next(_numbers):03}" for _ in range(count)]
    for name in names:
        rows = "".join(f"{name},{row},{row}.5\\n" for row in range(50))
        machine.sh(f"cd {SHARED}/incoming; printf '{rows}' > .{name}; mv .{name} {name}")
    return names


def rows(hosts):
    """Return how many rows of each file the ledger has."""
    text = hosts["c"].sh("psql -h db -U ingest -tA -F ' ' -c 'SELECT file, count(*) FROM ledger GROUP BY file' ingest")
    return {name: int(count) for name, count in (line.split() for line in text.splitlines())}


def wait_until_done(hosts, machine, names):
    done = lambda: set(names) <= set(machine.sh(f"ls {SHARED}/done").split())
    machine.wait_until("all files are done", done, 180)
    assert {name: rows(hosts).get(name) for name in names} == dict.fromkeys(names, 50)


def other(name):
    return "b" if name == "a" else "a"


def waits(machine, sequence, name):
    """Wait until a service on this host waits for the record: it can be moved there, then."""
    script = (
        "from hafta.stores.leased.url import store_of\n"
        f"seen = store_of('{STORE}', 12).peek('{sequence}')\n"
        f"print(seen is not None and '{name}' in seen.waiting)"
    )
    machine.wait_until(
        f"{name} waits for {sequence}", lambda: "True" in machine.run("python3", "-c", script).stdout, 180
    )


def test_one_host_works_and_the_other_one_waits(hosts):
    a = hosts["a"]
    for sequence in ("client", "ingest"):
        name = a.wait_until(f"somebody has {sequence}", lambda s=sequence: holder(a, s), 180)
        waits(a, sequence, other(name))
    wait_until_done(hosts, a, put(a))


def test_a_host_that_is_killed_loses_no_row_and_doubles_none(hosts):
    name = holder(hosts["c"], "ingest")
    there = hosts[other(name)]
    names = put(there)
    hosts[name].die()
    names += put(there)
    for sequence in ("client", "ingest"):
        wait_for_holder(there, sequence, other(name))
    wait_until_done(hosts, there, names)
    (taken,) = there.journal("_SYSTEMD_UNIT=ingest.service", "HAFTA_EVENT=taken-over")
    assert f" on {name}, since" in taken["HAFTA_HOLDER"]
    hosts[name].come_back()
    for sequence in ("client", "ingest"):
        waits(there, sequence, name)


@pytest.mark.parametrize("sequence", ["client", "ingest"])
def test_a_clean_stop_hands_over_and_counts_nothing(hosts, sequence):
    unit = {"client": "hafta-client.service"}.get(sequence, "ingest.service")
    name = holder(hosts["c"], sequence)
    there = hosts[other(name)]
    cursor = there.cursor()
    hosts[name].run("systemctl", "stop", unit)
    entry = there.wait_for_entry(f"_SYSTEMD_UNIT={unit}", "HAFTA_EVENT=handed-over", since=cursor)
    assert entry["HAFTA_HOST"] == other(name)
    assert not there.journal(f"_SYSTEMD_UNIT={unit}", "HAFTA_EVENT=taken-over", since=cursor)
    hosts[name].run("systemctl", "start", unit)
    waits(there, sequence, name)


@pytest.mark.parametrize("sequence", ["client", "ingest"])
def test_it_is_moved_while_it_works(hosts, sequence):
    name = holder(hosts["c"], sequence)
    names = put(hosts["a"])
    move = f"hafta move --store {STORE} {sequence} --to {other(name)}"
    assert hosts["c"].sh(move).startswith(f"{sequence}: from {name} to {other(name)}, token ")
    assert holder(hosts["c"], sequence) == other(name)
    wait_until_done(hosts, hosts["a"], names)
    waits(hosts["a"], sequence, name)  # its overlord has started it again
