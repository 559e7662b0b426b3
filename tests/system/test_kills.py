"""Two hundred random kills and stops of either service in one run."""

import itertools

import pytest
from services import (
    CLIENT,
    IS_WARM,
    SERVER,
    checkpoints,
    configure,
    leftovers,
    said,
    seeded,
    stands_for,
    start,
    stop,
    wait_for_read,
    wait_for_running,
)

from hafta.journal.storm import BURST

KILLS = 200
#: At most 40 starts in 10 s are let through by the units; this stays below half of that for each of them.
LEAST_PAUSE = 0.2

WAYS = (
    ("kill", "--signal=KILL"),
    ("kill", "--signal=TERM"),
    ("kill", "--signal=ABRT"),
    ("kill", "--signal=SEGV"),
    ("restart", "--no-block"),
    ("stop",),
)


@pytest.fixture(scope="module")
def outcome(installed):
    """What is left after all kills: the machine, and the journal from before the first of them."""
    chance = seeded()
    configure(installed, CLIENT, reads=3)
    start(installed, interval=0.02, bad_rate=10)
    cursor = installed.cursor()
    for _ in range(KILLS):
        unit = chance.choice((SERVER, CLIENT))
        way = chance.choice(WAYS)
        installed.run("systemctl", *way, unit, check=False)
        if way == ("stop",):
            installed.run("systemctl", "start", "--no-block", unit)
        installed.sh(f"sleep {LEAST_PAUSE + chance.expovariate(20):.3f}")  # the load, not a wait for something
    yield installed, cursor
    stop(installed)


def test_both_run_again_and_records_are_read(outcome):
    machine, _ = outcome
    wait_for_running(machine, SERVER, CLIENT)
    wait_for_read(machine, machine.cursor())


def test_there_is_one_process_of_each_and_one_pipe(outcome):
    machine, _ = outcome
    roles = (": parent", ": standby", ": worker") if IS_WARM else ("",)
    wanted = sorted(f"{program}{role}" for program in ("hafta-client", "hafta-server") for role in roles)
    names = "ps -e -o args= | grep -o 'hafta-[cs][a-z]*\\(: [a-z]*\\)\\?$' | sort"
    machine.wait_until("there is one of each", lambda: machine.sh(f"{names} || :").splitlines() == wanted)
    assert machine.sh("find /run -type p -path '*hafta*'").split() == ["/run/hafta/pipe"]
    assert set(machine.sh("ls /run/hafta").split()) == {
        "pipe",
        "hafta-server.starts",
        "hafta-server.hafta",
        "hafta-server.board",
    }


def test_no_entry_of_a_client_is_missing(outcome):
    """Entries are numbered in each process; a gap would be a loss, but for one that the process itself tells of.

    A stop may fly through the sending of an entry. Then the process ends, and a kill may come before it has told.
    """
    machine, cursor = outcome
    entries = [e for e in machine.journal(f"_SYSTEMD_UNIT={CLIENT}", since=cursor) if "HAFTA_NUMBER" in e]
    running, first = process(entries[0]), int(entries[0]["HAFTA_NUMBER"])  # the one that had begun before
    for one, group in itertools.groupby(sorted(entries, key=process), process):
        assert untold(group, first if one == running else 1) == 0


def test_each_sequence_has_as_many_rollbacks_in_the_journal_as_failures(outcome):
    """Each sequence that came to its exit tells its failures; each is one rollback, besides those of unwinding."""
    machine, cursor = outcome
    entries = [e for e in machine.journal(f"_SYSTEMD_UNIT={CLIENT}", since=cursor) if "HAFTA_NUMBER" in e]
    compared = 0
    for _, group in itertools.groupby(sorted(entries, key=process), process):
        rollbacks = 0
        for entry in one_by_one(group):
            if entry["HAFTA_EVENT"] == "sequence-succeeded":
                assert rollbacks == int(entry["HAFTA_FAILURES"])
                compared += 1
                rollbacks = 0
            elif "HAFTA_UNWINDING" not in entry:
                rollbacks += 1
    assert compared  # on a loaded machine few processes live long enough


def test_the_journal_has_as_many_rollbacks_as_the_client_counted(outcome):
    """Over the whole life of a process that was stopped in the end: nothing that was summed up is owed any more."""
    machine, _ = outcome
    machine.run("systemctl", "stop", CLIENT)
    before, cursor = counted(machine), machine.cursor()
    machine.run("systemctl", "start", CLIENT)
    told = lambda: said(machine, CLIENT, "rolled-back", cursor)
    machine.wait_until("a storm of rollbacks is summed up", lambda: any("HAFTA_REPEATED" in e for e in told()), 60)
    machine.run("systemctl", "stop", CLIENT)
    # By its name: journald cannot always tell the unit of a process that ends when it has said this.
    machine.wait_for_entry("SYSLOG_IDENTIFIER=hafta-client", "HAFTA_EVENT=service-stopped", since=cursor)
    in_journal = stands_for(told())
    assert in_journal > 10
    # One may be under way when the stop comes; the next process runs it again, and tells it.
    assert counted(machine) - before - in_journal in {0, 1}


def test_nothing_is_left_when_both_are_stopped(outcome):
    """From a steady state: a stop between two automatic restarts makes systemd forget the runtime directory."""
    machine, _ = outcome
    configure(machine, SERVER, interval=0.02, bad_rate=0)
    cursor = machine.cursor()
    machine.run("systemctl", "restart", "hafta.target")
    wait_for_read(machine, cursor)
    stop(machine)
    assert leftovers(machine) == []


def untold(entries, expected):
    """Return how many entries of a process are missing that it has not told of by the time it has sent three more."""
    lost = since = 0
    for entry in entries:
        number = int(entry["HAFTA_NUMBER"])
        lost, expected = lost + number - expected, number + 1
        if entry["HAFTA_EVENT"] == "events-dropped" and int(entry["HAFTA_COUNT"]) >= lost >= 0:
            lost = since = 0
        since += bool(lost)
        if lost < 0 or since > 3:
            return lost
    return 0


def entry_of(number, count=0):
    event = "events-dropped" if count else "said"
    return {"HAFTA_NUMBER": str(number), "HAFTA_EVENT": event, "HAFTA_COUNT": str(count)}


@pytest.mark.parametrize(
    ("entries", "missing"),
    [
        ([entry_of(1), entry_of(2), entry_of(3)], 0),
        ([entry_of(1), entry_of(3), entry_of(4, 1), *map(entry_of, range(5, 9))], 0),
        ([entry_of(2), entry_of(5, 3)], 0),
        ([entry_of(1), entry_of(3)], 0),
        ([entry_of(1), *map(entry_of, range(3, 7))], 1),
        ([entry_of(1), entry_of(4), entry_of(5, 1), *map(entry_of, range(6, 9))], 2),
        ([entry_of(1), entry_of(1)], -1),
    ],
    ids=["whole", "told", "told at once", "its end", "untold", "half told", "twice"],
)
def test_entries_that_are_missing_are_noticed(entries, missing):
    assert untold(entries, 1) == missing


def one_by_one(entries):
    """Give the sequences and rollbacks of a process from its first entry on, as long as none can be summed up."""
    entries = list(entries)
    if entries[0]["HAFTA_NUMBER"] != "1":  # the first process: what it said before the cursor is not known
        return []
    return [entry for entry in entries if entry["HAFTA_EVENT"] in {"sequence-succeeded", "rolled-back"}][:BURST]


def counted(machine):
    """Return what the client has counted in all its lives."""
    return checkpoints(machine)["client"]["kept"]["rollbacks"]


def process(entry):
    """Return its number. journald may miss the invocation of a process that is about to end, but never its number."""
    return int(entry["_PID"])
