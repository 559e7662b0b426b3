"""`hafta status` and the journal: the last day by cause, in the time that it has, or what could not be seen."""

import json
import time

import pytest
from observe_journals import write
from observe_support import BEGIN, UNIT, Story, run_of
from schema_support import problems, schema

from hafta import exits
from hafta.cli.group import run_group
from hafta.observe.recent import Recent
from hafta.observe.sources import day, manager, systemd
from hafta.observe.sources.journal import Journal

FACTS = {"ActiveState": "active", "InvocationID": run_of("r2"), "StateChangeTimestampMonotonic": 0}
UP = "0 SG r1; 1 SD r1; "
AGAIN = "SG r2; 20 SD r2; "


@pytest.fixture
def tell(tmp_path, monkeypatch):
    """A function that makes the journal of this machine: the story began some seconds before now."""
    from systemd import _reader

    real = _reader._Reader

    def make(text, ago=100.0):
        by_wall = time.time_ns() // 1000 - round(ago * 10**6) - BEGIN
        zero = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000 - round(ago * 10**6)
        raws = [
            raw.replace(boot=manager.boot_id(), wall=raw.wall + by_wall, monotonic=max(raw.wall - BEGIN + zero, 0))
            for raw in Story(text).raws
        ]
        directory = str(write(tmp_path / "j", raws))
        monkeypatch.setattr(_reader, "_Reader", lambda **how: real(**(how or {"flags": 0, "path": directory})))
        monkeypatch.setattr(Journal, "_check", lambda _self: None)

    return make


def days(**more):
    return day.read({UNIT: {**FACTS, **more}}, of_user=False)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (UP, Recent(0, 0, 0, 0, 0)),
        (f"{UP}9 EX r1 killed 9; 9 UF r1 signal; 10 RS r1 1; 11 {AGAIN}", Recent(1, 0, 0, 0, 0)),
        (f"{UP}9 EX r1 dumped 11; 9 UF r1 core-dump; 10 RS r1 1; 11 {AGAIN}", Recent(1, 0, 0, 0, 0)),
        (f"{UP}8 hung r1; 9 EX r1 dumped 6; 9 UF r1 watchdog; 10 RS r1 1; 11 {AGAIN}", Recent(0, 1, 0, 0, 0)),
        (f"{UP}9 EX r1 exited 3; 9 UF r1 exit-code; 10 RS r1 1; 11 {AGAIN}", Recent(0, 0, 1, 0, 0)),
        (f"{UP}9 EX r1 exited 3; 9 UF r1 exit-code; 10 RS r1 1", Recent(0, 0, 1, 0, 0)),
        (f"{UP}9 EX r1 exited 3; 9 UF r1 exit-code", Recent(0, 0, 1, 0, 0)),
        (f"{UP}9 DE r1; 10 RS r1 1; 11 {AGAIN}", Recent(0, 0, 1, 0, 0)),
        (f"{UP}9 SP r1; 10 ST r1 restart; 11 {AGAIN}", Recent(0, 0, 0, 1, 0)),
        (f"{UP}9 SP r1; 10 ST r1 stop", Recent(0, 0, 0, 0, 0)),
        (f"{UP}9 EX r1 exited 3; 9 UF r1 exit-code; 10 RS r1 1; 11 limit r1; 11 FS r1 failed", Recent(0, 0, 0, 0, 0)),
        ((f"{UP}9 EX r1 killed 9; 10 RS r1 1; 11 SG r2; 12 EX r2 exited 3; 12 UF r2 exit-code; 12 FS r2 failed; "
         "13 RS r2 2; 14 SG r3; 15 SD r3"), Recent(1, 0, 0, 0, 0)),
        (f"{UP}9 EX r1 killed 9; 10 RS r1 1; 11 SG r2; 12 SD r2; 13 EX r2 killed 9; 14 RS r2 4; 15 SG r5; 16 SD r5",
         Recent(None, None, None, 0, 0)),
        ("10 RS r1 1; 11 " + AGAIN, Recent(None, None, None, 0, 0)),
    ],
)  # fmt: skip
def test_restarts_by_what_they_were_for(tell, text, found):
    tell(text)
    ends = {"SD": "active", "stop": "inactive", "failed": "failed"}
    now, run = ends.get(text.split()[-1], ends.get(text.split()[-2], "activating")), text.rstrip("; ").split()[-1]
    assert days(ActiveState=now, InvocationID=run_of(run)) == ({UNIT: found}, [])


ROLLED = "rolled-back r1 HAFTA_NODE=work HAFTA_ATTEMPT=2 HAFTA_REASON=bad"


def test_rollbacks_are_counted_and_the_newest_is_told(tell):
    tell(f"{UP}5 {ROLLED}; 6 {ROLLED} HAFTA_REPEATED=7; 9 rollback-failed r1 HAFTA_NODE=end HAFTA_ERROR=BadData")
    found, missing = days(InvocationID=run_of("r1"))
    assert (found[UNIT].rollbacks, missing) == (9, [])
    last = found[UNIT].last
    assert (last.node, last.error, last.reason, last.attempt) == ("end", "BadData", "", 0)
    assert 90 < time.time() - last.at < 99


def test_where_events_are_lost_their_number_is_not_known(tell):
    tell(f"{UP}5 {ROLLED} HAFTA_NUMBER=1; 6 {ROLLED} HAFTA_NUMBER=5")
    found = days(InvocationID=run_of("r1"))[0][UNIT]
    assert (found.rollbacks, found.last.node, found.killed) == (None, "work", 0)


def test_what_is_older_than_a_day_does_not_count(tell):
    tell(f"{UP}5 {ROLLED}; 9 EX r1 killed 9; 10 RS r1 1; 11 {AGAIN} 90000 {ROLLED.replace('r1', 'r2')}", ago=90010.0)
    found = days()[0][UNIT]
    assert (found.killed, found.rollbacks) == (0, 1)


def test_rollbacks_of_other_units_are_theirs(tell):
    tell(UP + f"5 {ROLLED}")
    found = day.read({"b.service": FACTS, UNIT: FACTS}, of_user=False)[0]
    assert (found["b.service"].rollbacks, found[UNIT].rollbacks) == (0, 1)


def test_a_journal_that_takes_too_long_is_not_waited_for(tell, monkeypatch):
    tell(UP)
    monkeypatch.setattr(day, "PATIENCE", -1.0)
    assert days() == ({}, ["journal: its last day takes more than -1 s to read; hafta report takes its time"])


def test_a_journal_with_something_missing_says_nothing(tell, monkeypatch):
    tell(UP)
    monkeypatch.setattr(Journal, "_check", lambda self: self._miss("not seen: the journal of the system; root can"))
    assert days() == ({}, ["journal: the journal of the system; root can"])


@pytest.fixture
def systemctl(tmp_path, monkeypatch):
    """A manager that says of the unit that it is up."""
    program = tmp_path / "bin" / "systemctl"
    program.parent.mkdir()
    facts = {"Id": UNIT, "LoadState": "loaded", "SubState": "running", "NRestarts": "1", **FACTS}
    text = "\n".join(f"{name}={value}" for name, value in facts.items())
    program.write_text(f"#!/bin/sh\necho '{text}'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    monkeypatch.setattr(systemd, "BOOTED", str(tmp_path))


STORY = f"{UP}5 {ROLLED}; 9 EX r1 killed 9; 10 RS r1 1; 11 {AGAIN}"


@pytest.mark.usefixtures("systemctl")
def test_status_has_the_last_day(tell, capsys):
    tell(STORY)
    assert run_group(["status", "a", "--json"]) == exits.OK
    answer = json.loads(capsys.readouterr().out)
    assert problems(answer, schema("status")) == []
    [found] = answer["services"]
    assert found["restarts"] == {"total": 1, "killed": 1, "hung": 0, "exit": 0, "asked": 0, "drilled": 0}
    assert found["last_rollback"].pop("at").endswith("Z")
    assert found["last_rollback"] == {"node": "work", "error": None, "reason": "bad", "attempt": 2}
    assert (found["rollbacks_24h"], answer["missing"]) == (1, [])
    assert run_group(["status", "a"]) == exits.OK
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["restarts", "1", "·", "in", "a", "day", "1", "killed"]
    assert lines[2].strip().startswith("last rollback ")
    assert lines[2].endswith(" ago: work · 1 in a day")


@pytest.mark.usefixtures("systemctl")
@pytest.mark.parametrize(("words", "is_complete"), [([], False), (["--no-log"], True)])
def test_without_a_journal_it_says_so_unless_it_is_not_to_look(capsys, monkeypatch, words, is_complete):
    monkeypatch.setattr("hafta.observe.sources.journal.PLACES", ())
    monkeypatch.setattr(Journal, "_open", lambda _self: Nothing())
    assert run_group(["status", "a", "--json", *words]) == exits.OK
    answer = json.loads(capsys.readouterr().out)
    assert answer["missing"] == ([] if is_complete else [NONE])
    [found] = answer["services"]
    assert found["restarts"] == {"total": 1, "killed": None, "hung": None, "exit": None, "asked": None, "drilled": None}
    assert (found["last_rollback"], found["rollbacks_24h"]) == (None, None)


NONE = "journal: this machine has no journal; name one with --directory, or start systemd-journald"


class Nothing:
    """A reader of a machine without a journal."""

    def has_persistent_files(self):
        return False

    has_runtime_files = has_persistent_files
