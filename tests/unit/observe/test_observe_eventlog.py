"""What an event log of the embedded overlord says of a unit, by the fold of the journal, whatever the log holds."""

import json
import os
import random
from pathlib import Path

import pytest
from eventlog_histories import (
    UNIT,
    exited,
    history,
    own,
    ready,
    restarting,
    run_of,
    seconds,
    stamp,
    started,
    starting,
    stopped,
    up,
    write,
)  # fmt: skip

from hafta.eventlog.format import EVENTS, NATIVE, OUTPUT, STDOUT, TRANSPORT, encode, file_name
from hafta.eventlog.place import logs_in
from hafta.journal import overlord_events as events
from hafta.journal.entry import entry
from hafta.journal.events import EventsDropped, RolledBack
from hafta.observe.embedded import OverlordReading
from hafta.observe.entry import Trust
from hafta.observe.sources.eventlog import EventLog
from hafta.observe.timeline import Timeline

CRASHES = [
    started(0), *up(1, 1),
    exited(11, 1), restarting(11, 1, 1, 0.5), *up(12, 2),
    exited(22, 2), restarting(22, 2, 2, 0.5), *up(23, 3),
]  # fmt: skip
STOP = [
    own(30, events.UnitStopping(UNIT, 3), run_of(3), JOB_TYPE="stop"),
    exited(30, 3, 0, JOB_TYPE="stop"),
    own(30, events.UnitStopped(UNIT), run_of(3), JOB_TYPE="stop", JOB_RESULT="done"),
    stopped(31),
]


def causes(found):
    return [each.cause for each in found.outages]


def test_crashes_are_failures_with_their_seconds_and_the_wait_for_a_restart_is_held(tmp_path):
    write(tmp_path, [*CRASHES, *STOP])
    found = history(tmp_path)
    assert seconds(found) == {"up": 27.0, "down": 1.0, "held": 1.0, "stopped": 1.0, "unknown": 1.0}
    assert causes(found) == ["exit 3", "exit 3"]
    assert all(each.is_failure and each.outcome == "restored" for each in found.outages)


def test_a_clean_exit_that_is_restarted_is_a_failure_and_one_that_is_not_ends_by_itself(tmp_path):
    again = [started(0), *up(1, 1), exited(5, 1, 0), restarting(5, 1, 1, 1.0, "success"), *up(7, 2)]
    write(
        tmp_path, [*again, exited(9, 2, 0), own(9, events.UnitStopped(UNIT), run_of(2), JOB_RESULT="done"), stopped(10)]
    )
    found = history(tmp_path)
    assert causes(found) == ["clean exit"]
    assert seconds(found) == {"up": 6.0, "down": 1.0, "held": 1.0, "stopped": 1.0, "unknown": 1.0}


def test_a_start_that_fails_before_its_main_process_is_no_time_of_being_up(tmp_path):
    pre = own(3, events.CommandFailed(UNIT, "ExecStartPre=", 7, status=1), run_of(2), COMMAND="ExecStartPre")
    failed = restarting(3, 2, 2, 0.5, JOB_RESULT="failed")
    write(tmp_path, [started(0), *up(1, 1), exited(2, 1), restarting(2, 1, 1), pre, failed, *up(4, 3), stopped(5)])
    found = history(tmp_path)
    assert (causes(found), found.outages[0].failed_starts) == (["exit 3"], 1)
    assert seconds(found)["up"] == 2.0
    assert seconds(found)["unknown"] == 1.0


def test_a_hang_is_down_from_the_watchdog_on(tmp_path):
    hung = own(5, events.UnitHung(UNIT, 1, 1_000_000), run_of(1))
    end = own(7, events.UnitExited(UNIT, 1, signal=6), run_of(1), COMMAND="ExecStart", UNIT_RESULT="watchdog")
    write(tmp_path, [started(0), *up(1, 1), hung, end, restarting(7, 1, 1, result="watchdog"), *up(8, 2), stopped(9)])
    found = history(tmp_path)
    assert causes(found) == ["hang"]
    assert seconds(found) == {"up": 5.0, "down": 3.0, "unknown": 1.0}


def test_the_start_limit_is_down_for_good(tmp_path):
    limit = own(13, events.UnitFailed(UNIT, "too often"), run_of(9), UNIT_RESULT="start-limit-hit", JOB_RESULT="failed")
    write(tmp_path, [started(0), *up(1, 1), exited(11, 1), restarting(11, 1, 1, 1.0), limit, stopped(14)])
    (outage,) = history(tmp_path).outages
    assert (outage.cause, outage.given_up, outage.until) == ("exit 3", "start limit", None)


def test_a_stop_in_a_start_and_one_in_the_wait_for_a_restart_are_stops(tmp_path):
    canceled = [
        starting(1, 1),
        own(2, events.UnitStopping(UNIT, 1), run_of(1), JOB_TYPE="stop", JOB_RESULT="canceled"),
        exited(2, 1, 0, JOB_TYPE="stop", JOB_RESULT="canceled"),
        own(2, events.UnitStopped(UNIT), run_of(1), JOB_TYPE="stop"),
    ]
    waits = [
        *up(3, 2),
        exited(4, 2),
        restarting(4, 2, 1, 60),
        own(5, events.UnitStopped(UNIT), run_of(2), JOB_TYPE="stop"),
    ]
    write(tmp_path, [started(0), *canceled, *waits, stopped(6)])
    found = history(tmp_path, until=8)
    assert seconds(found) == {"up": 1.0, "held": 1.0, "stopped": 4.0, "unknown": 2.0}
    assert [each.outcome for each in found.outages] == ["stopped"]


def test_a_restart_by_hand_is_asked_for_and_no_failure(tmp_path):
    stop = [
        own(5, events.UnitStopping(UNIT, 1), run_of(1), JOB_TYPE="stop"),
        exited(5, 1, 0, JOB_TYPE="restart"),
        own(5, events.UnitStopped(UNIT), run_of(1), JOB_TYPE="restart"),
    ]
    write(tmp_path, [started(0), *up(1, 1), *stop, *up(6, 2), stopped(9)])
    found = history(tmp_path)
    assert (len(found.tally.asked), found.outages) == (1, [])
    assert seconds(found) == {"up": 7.0, "stopped": 1.0, "unknown": 1.0}


def test_where_an_overlord_was_killed_nothing_is_known_from_its_last_sign_of_life_until_the_next_began(tmp_path):
    alive = json.dumps(stamp(8))
    again = own(20, events.OverlordStarted(1), HAFTA_LAST=alive)
    write(tmp_path, [started(0), *up(1, 1), again, *up(21, 2), stopped(25)])
    found = history(tmp_path)
    assert seconds(found) == {"up": 11.0, "unknown": 13.0, "machine": 1.0}
    assert [span.part for span in found.spans if span.what.value == "unknown"][1] == "the overlord was killed"
    assert found.outages == []


def test_an_overlord_beside_it_that_dies_says_nothing_of_its_units(tmp_path):
    write(tmp_path, [started(0), *up(1, 1), stopped(30)])
    write(tmp_path, [started(2), started(9), stopped(12)], slot=1)
    assert seconds(history(tmp_path)) == {"up": 29.0, "unknown": 1.0}


@pytest.mark.parametrize("lost", [b'{"__REALTIME_TIMEST\n', b"\x00\xff\n", encode(own(12, EventsDropped(4)))])
def test_what_is_damaged_or_missing_is_unknown_until_the_next_start_and_counts_as_nothing(tmp_path, lost):
    write(
        tmp_path,
        [started(0), *up(1, 1), exited(11, 1), restarting(11, 1, 1), *up(12, 2), lost, *up(30, 3), stopped(40)],
    )
    found = history(tmp_path)
    assert len(found.outages) == 1
    assert seconds(found) == {"up": 20.0, "down": 1.0, "unknown": 19.0}


def sound(found, whole):
    """Where a history says anything but unknown, the whole one says the same, but for how being down is divided."""
    for span in found.spans:
        if span.what.value == "unknown":
            continue
        for moment in (span.begin, (span.begin + span.end) // 2, span.end - 1):
            (truth,) = [each for each in whole.spans if each.begin <= moment < each.end] or [None]
            assert truth is None or {span.what.value, truth.what.value} <= {"down", "held"} or span.what is truth.what


def test_a_log_that_is_cut_at_any_byte_is_read_and_never_says_what_was_not_so(tmp_path):
    path = write(tmp_path, [*CRASHES[:7], *STOP[-1:]])
    whole, data = history(tmp_path), Path(path).read_bytes()
    for cut in range(len(data)):
        Path(path).write_bytes(data[:cut])
        found = history(tmp_path)
        assert len(found.outages) <= 2
        sound(found, whole)


def test_a_log_from_which_any_line_is_torn_and_goes_on_never_says_what_was_not_so(tmp_path):
    entries = [encode(one) for one in (*CRASHES, *STOP)]
    write(tmp_path, entries)
    whole = history(tmp_path)
    for at, line in enumerate(entries):
        for share in (0.1, 0.5, 0.99):
            torn = line[: int(len(line) * share)] + b"\n"
            write(tmp_path, [*entries[:at], torn, *entries[at + 1 :]])
            sound(history(tmp_path), whole)


NASTY = [
    b"", b"\n", b"null\n", b"[]\n", b"{}\n", b'"x"\n', b"1e999\n", b"[" * 100_000 + b"\n", b"{" * 1000 + b"\n",
    b'{"__REALTIME_TIMESTAMP":"9999999999999999999","__MONOTONIC_TIMESTAMP":"1","_BOOT_ID":"b"}\n',
    b'{"__REALTIME_TIMESTAMP":"-1","__MONOTONIC_TIMESTAMP":"1","_BOOT_ID":"b"}\n',
    b'{"__REALTIME_TIMESTAMP":1,"__MONOTONIC_TIMESTAMP":1,"_BOOT_ID":1}\n', b"\xff\xfe\n", b"x" * 3_000_000 + b"\n",
    encode({**stamp(4), TRANSPORT: "driver", "MESSAGE_ID": "damaged", "UNIT": UNIT}),
    encode({**stamp(4), "_BOOT_ID": "", TRANSPORT: "driver", "UNIT": UNIT, "MESSAGE": [255, 0]}),
    (
        b'{"__REALTIME_TIMESTAMP":"1","__MONOTONIC_TIMESTAMP":"1","_BOOT_ID":"b","_TRANSPORT":"driver",'
        b'"UNIT":"a.service","MESSAGE":"\\ud800","MESSAGE_ID":["x",["y"]],"INVOCATION_ID":null,'
        b'"\\udfff":"x","HAFTA_NUMBER":"\xc2\xb2"}\n'
    ),
]  # fmt: skip


@pytest.mark.parametrize("seed", range(60))
def test_whatever_a_log_holds_it_is_read_without_an_error(tmp_path, seed):
    chance = random.Random(seed)
    entries = [encode(one) for one in (*CRASHES, *STOP)]
    for _ in range(chance.randrange(1, 6)):
        entries.insert(chance.randrange(len(entries)), chance.choice(NASTY))
    data = bytearray(b"".join(entries))
    for _ in range(chance.randrange(40)):
        data[chance.randrange(len(data))] = chance.randrange(256)
    path = write(tmp_path, [bytes(data)])
    write(tmp_path, [bytes(chance.randbytes(chance.randrange(3000)))], row=OUTPUT)
    with open(os.path.join(os.path.dirname(path), "alive"), "wb") as file:
        file.write(chance.choice(NASTY)[:5000])
    history(tmp_path)
    log = EventLog(logs_in(str(tmp_path)))
    reading = OverlordReading(Timeline())
    for raw in log.read([UNIT], everything=True, debug=True):
        reading.entry(raw)
    assert log.units() == sorted(log.units())
    log.has(UNIT)


def claim(at, event, **fields):
    """Return an entry as a service's datagram makes it: its claims, and what the overlord has added."""
    return {**stamp(at), TRANSPORT: NATIVE, "_PID": "77", "_UID": "1", **entry(event, 1, 1, "x"), **fields}


def test_forged_entries_are_shown_and_not_counted(tmp_path):
    other = {"_SYSTEMD_UNIT": "evil.service", "_SYSTEMD_INVOCATION_ID": "e" * 32}
    end = events.UnitExited(UNIT, 1, status=9)
    forged = [
        claim(3, end, COMMAND="ExecStart", INVOCATION_ID=run_of(1), UNIT=UNIT, **other),
        claim(4, end, COMMAND="ExecStart", INVOCATION_ID=run_of(1), UNIT=UNIT),
        claim(5, end, COMMAND="ExecStart", INVOCATION_ID=run_of(1), UNIT=UNIT, _PID="1"),
        {**claim(6, EventsDropped(3)), **other},
        {**claim(6.5, events.OverlordStarted(1)), **other},
        {**stamp(7), TRANSPORT: STDOUT, "MESSAGE": "Started", "UNIT": UNIT, **other},
    ]
    write(tmp_path, [started(0), *up(1, 1), *forged, stopped(11)])
    assert seconds(history(tmp_path)) == {"up": 10.0, "unknown": 1.0}
    reading = OverlordReading(Timeline())
    shown = [reading.entry(raw) for raw in EventLog(logs_in(str(tmp_path))).read([UNIT], everything=True)]
    assert [each.trust for each in shown if each.fields.get("_PID") in {"77", "1"}] == [Trust.UNVERIFIED] * 3


def test_what_a_service_reports_of_itself_is_counted(tmp_path):
    rolled = RolledBack("seq", "work", 0, "reason", 1, "work", 5)
    mine = {"_SYSTEMD_UNIT": UNIT, "_SYSTEMD_INVOCATION_ID": run_of(1)}
    write(tmp_path, [started(0), *up(1, 1), claim(3, rolled, **mine), claim(4, rolled, **mine), stopped(9)])
    assert sum(each.stands_for for each in history(tmp_path).tally.events) == 2


def test_several_files_are_read_in_their_order_and_one_that_is_missing_between_is_damage(tmp_path):
    entries = [*CRASHES, *STOP]
    write(tmp_path, entries[:5], number=4)
    write(tmp_path, entries[5:7], number=5)
    gone = write(tmp_path, entries[7:9], number=6)
    write(tmp_path, entries[9:], number=7)
    whole = history(tmp_path)
    assert seconds(whole)["up"] == 27.0
    os.unlink(gone)
    sound(history(tmp_path), whole)
    assert file_name(EVENTS, 6) not in os.listdir(os.path.dirname(gone))


def test_a_ready_of_a_unit_of_which_nothing_is_known_yet_counts(tmp_path):
    write(tmp_path, [ready(5, 7), stopped(9)])
    assert seconds(history(tmp_path)) == {"up": 4.0, "unknown": 5.0}
