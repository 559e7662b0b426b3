"""What stands where: the table from what an overlord says to a word, and whose record is whose."""

import json

import pytest
from schema_support import problems, schema

from hafta.durable.position import Position as Recorded
from hafta.durable.position import SequencePosition
from hafta.engine.machine import Phase
from hafta.engine.resume import RUNS, Doing
from hafta.observe import words
from hafta.observe.plain import plain
from hafta.observe.sources.published import Board, Call, Published
from hafta.observe.sources.records import Entry
from hafta.observe.sources.trust import Process
from hafta.observe.state import FOREVER, Now, health_of, next_start, process_of, service_of, watchdog_of
from hafta.stores.protocol import Holder, Saved, Snapshot

NOW = Now(real=1_700_000_000.0, monotonic=1000.0, boottime=1200.0, boot="b", alive={7: Process(1, 0), 9: Process(7, 0)})
UNIT = "feed.service"


def facts(active="active", sub="running", **more):
    return {"Id": UNIT, "LoadState": "loaded", "ActiveState": active, "SubState": sub, "MainPID": 7, **more}


def record(node="work", attempt=0, *, pid=7, unit=UNIT, held=True, directory="/s", host="", function=RUNS, boot="b"):
    one = SequencePosition("feed", "", ("work",), node, function, attempt, 3)
    position = Recorded((one,), NOW.real - 50, NOW.boottime - 40, boot, pid)
    holder = Holder(pid, unit, NOW.real - 60, host)
    seen = Snapshot("feed", "", f"{directory}/x", Saved(1, b"", b""), NOW.real - 2, holder, held, ())
    return Entry(seen, position)


def published(pid=7, unit=UNIT, board=True, records="", attempt=0):
    call = Call("feed", "work", "normal", 3, "RECEIVED", attempt, attempt, 999_000_000)
    seen = Board(999_500_000, pid, (call,)) if board else None
    return Published("/run/feed/feed.hafta", "feed", unit, "", pid, ("feed",), records, board=seen)


@pytest.mark.parametrize(
    ("active", "sub", "more", "health", "why"),
    [
        ("active", "running", {}, "up", ()),
        ("active", "exited", {}, "up", ()),
        ("reloading", "reload-notify", {}, "up", ()),
        ("activating", "start", {}, "starting", ()),
        ("activating", "start-pre", {}, "starting", ()),
        ("activating", "start", {"StatusText": "held back 0.4 s: 8 crashes in a row"}, "held",
         ("held back 0.4 s: 8 crashes in a row",)),
        ("active", "running", {"StatusText": "held back 0.4 s: 8 crashes in a row [8 replaced]"}, "held",
         ("held back 0.4 s: 8 crashes in a row [8 replaced]",)),
        ("active", "running", {"StatusText": "feed: node held back"}, "up", ()),
        ("activating", "auto-restart", {"ExecMainCode": 2, "ExecMainStatus": 9, "Result": "signal"}, "down",
         ("killed by SIGKILL",)),
        ("activating", "auto-restart-queued", {"ExecMainCode": 1, "ExecMainStatus": 24, "Result": "exit-code"}, "down",
         ("exit 24 NO_SPACE: no space is left, for the pipe or for checkpoints",)),
        ("activating", "auto-restart", {"ExecMainCode": 1, "ExecMainStatus": 3, "Result": "exit-code"}, "down",
         ("exit 3",)),
        ("activating", "auto-restart", {"ExecMainCode": 3, "ExecMainStatus": 6, "Result": "watchdog"}, "down",
         ("hang, killed by SIGABRT, core dumped",)),
        ("deactivating", "stop-sigterm", {}, "stopping", ()),
        ("deactivating", "stop-watchdog", {}, "hung", ("missed its watchdog",)),
        ("failed", "failed", {"ExecMainCode": 2, "ExecMainStatus": 40, "Result": "signal"}, "failed",
         ("killed by signal 40",)),
        ("failed", "failed", {"ExecMainCode": 1, "ExecMainStatus": 0, "Result": "start-limit-hit"}, "failed",
         ("start-limit-hit, last exit 0",)),
        ("failed", "failed", {"ExecMainCode": 0, "ExecMainStatus": 0, "Result": "timeout"}, "failed", ("timeout",)),
        ("inactive", "dead", {"Result": "success"}, "stopped", ()),
        ("maintenance", "", {}, "failed", ()),
        ("", "", {}, "stopped", ()),
    ],
)  # fmt: skip
def test_what_an_overlord_says_becomes_a_word(active, sub, more, health, why):
    assert health_of(facts(active, sub, **more), (), None) == (health, why)


@pytest.mark.parametrize(
    ("left", "attempt", "live", "health"),
    [
        (3.0, 0, True, "up"),
        (1.3, 0, True, "up"),
        (1.2, 0, True, "degraded"),
        (-1.0, 0, True, "degraded"),
        (3.0, 1, True, "up"),
        (3.0, 2, True, "degraded"),
        (3.0, 2, False, "up"),
    ],
)
def test_a_unit_is_degraded_while_its_work_does_not_get_on(left, attempt, live, health):
    ping = int((NOW.monotonic - 5 + left) * 1e6)
    entry = record(attempt=attempt, held=live)
    found = service_of(
        facts(WatchdogUSec=5_000_000, WatchdogTimestampMonotonic=ping), "systemd", (), [entry], NOW
    )  # fmt: skip
    assert (found.health, bool(found.why)) == (health, health == "degraded")


@pytest.mark.parametrize(
    ("period", "ping", "active", "left"),
    [
        (0, 1, "active", None),
        (FOREVER, 1, "active", None),
        (None, 1, "active", None),
        (5_000_000, 998_000_000, "active", 3.0),
    ],
)  # fmt: skip
def test_the_watchdog_in_force_and_what_is_left_of_it(period, ping, active, left):
    found = watchdog_of(facts(active, WatchdogUSec=period, WatchdogTimestampMonotonic=ping), NOW)
    assert (found and found.left) == left


def test_before_ready_the_last_ping_is_that_of_another_run():
    seen = facts("activating", "start", WatchdogUSec=5_000_000, WatchdogTimestampMonotonic=998_000_000)
    assert watchdog_of(seen, NOW).left is None


@pytest.mark.parametrize(
    ("sub", "more", "seconds"),
    [
        ("auto-restart", {"RestartUSec": 2_000_000}, 1.0),
        ("auto-restart", {"RestartUSec": 2_000_000, "RestartUSecNext": 9_000_000}, 8.0),
        ("auto-restart", {"RestartUSec": 0}, 0.0),
        ("auto-restart", {"RestartUSec": FOREVER}, None),
        ("auto-restart", {}, None),
        ("running", {"RestartUSec": 2_000_000}, None),
    ],
)
def test_the_next_start(sub, more, seconds):
    assert next_start(facts("activating", sub, StateChangeTimestampMonotonic=999_000_000, **more), NOW) == seconds


@pytest.mark.parametrize(
    ("entry", "says", "is_its"),
    [
        (record(), (), True),
        (record(held=False), (), True),
        (record(unit="other.service", pid=8), (), False),
        (record(unit="", held=True), (), True),
        (record(unit="", held=True, pid=8), (), False),
        (record(unit="", held=False), (), False),
        (record(unit="docker-1.scope", held=False, directory="/s"), (published(board=False, records="/s"),), True),
        (record(unit="docker-1.scope", held=False, directory="/t"), (published(board=False, records="/s"),), False),
        (record(unit="other.service", pid=8, directory="/s"), (published(board=False, records="/s"),), False),
        (record(host="elsewhere"), (), False),
    ],
)
def test_whose_record_it_is(entry, says, is_its):
    found = service_of(facts(), "systemd", says, [entry], NOW)
    assert [each.source for each in found.sequences] == (["record"] if is_its else [])


def test_a_record_says_where_it_is_and_a_board_of_the_same_place_the_name_of_the_checkpoint():
    [found] = service_of(facts(), "systemd", (published(),), [record(attempt=2)], NOW).sequences
    assert (found.node, found.checkpoint, found.checkpoint_name, found.attempt) == ("work", 3, "RECEIVED", 2)
    assert (found.doing, found.seconds, found.source, found.age, found.live) == ("normal", 40.0, "record", 2.0, True)
    [other] = service_of(facts(), "systemd", (), [record(boot="")], NOW).sequences
    assert (other.seconds, other.checkpoint_name) == (50.0, None)


def test_without_a_record_the_board_says_it_with_its_age():
    [found] = service_of(facts(), "systemd", (published(attempt=2),), [], NOW).sequences
    assert (found.node, found.seconds, found.source, found.age, found.live) == ("work", 1.0, "board", 0.5, True)
    [dead] = service_of(facts(MainPID=0), "systemd", (published(pid=8),), [], NOW).sequences
    assert not dead.live


def test_a_sequence_that_has_ended_is_at_no_node():
    [found] = service_of(facts(), "systemd", (), [record(function=Doing(Phase.DONE, begun=True))], NOW).sequences
    assert (found.node, found.doing, found.seconds) == (None, "ended", None)


@pytest.mark.parametrize(("pid", "attempt", "health"), [(7, 0, "up"), (7, 2, "degraded"), (8, 0, "stopped")])
def test_a_process_that_no_overlord_runs(pid, attempt, health):
    found = process_of(pid, "", (), [record(attempt=attempt, unit="", pid=pid, held=pid == 7)], NOW, is_alive=pid == 7)
    assert (found.unit, found.overlord, found.health) == (f"process {pid}", None, health)


SERVICES = [
    service_of(facts(), "systemd", (published(),), [record(attempt=2)], NOW),
    service_of({}, "embedded", (), [], NOW),
    service_of(facts("activating", "start", StatusText="held back 1 s: x"), "systemd", (), [], NOW),
    service_of(
        facts("activating", "auto-restart", StateChangeTimestampMonotonic=1, RestartUSec=7), "systemd", (), [], NOW
    ),
    process_of(7, "", (published(unit=""),), [], NOW, is_alive=True),
]  # fmt: skip


@pytest.mark.parametrize("missing", [(), ("records in /x: only root",)])
def test_json_has_every_key_whatever_is_known(missing):
    answer = json.loads(json.dumps(plain(SERVICES, missing, NOW), allow_nan=False))
    assert problems(answer, schema("status")) == []
    assert (answer["complete"], answer["missing"], answer["at"]) == (
        not missing,
        [*missing],
        "2023-11-14T22:13:20.000000Z",
    )


def test_the_validator_sees_what_is_wrong():
    answer = plain(SERVICES, (), NOW)
    del answer["at"]
    answer["services"][0].update(health="fine", new=1, main_pid=True)
    assert sorted(problems(answer, schema("status"))) == [
        f"$.services[0].health: 'fine' is none of {[*words.ORDER]}",
        "$.services[0].main_pid: True is no integer or null",
        "$.services[0]: new is unknown",
        "$: at is missing",
    ]  # fmt: skip
