"""Every event reads as a sentence, and its fields say the same to programs."""

import enum
import re

import pytest
from journal_support import KINDS

from hafta.journal import drill_events, durable_events, events, guard_events, overlord_events, warm_events
from hafta.journal.event import REASON_MAX, Event, show_checkpoint, show_duration, show_reason


class CP(enum.IntEnum):
    CLEAR = 0
    RECEIVED = 1


class Signal(enum.IntEnum):
    SIGKILL = 9


CODE = ("client.py", 12, "get_work")
SENTENCES = [
    (events.RolledBack("reader", "read", CP.RECEIVED, "bad data: 'T'", 3, to_node="read"),
     "Sequence reader rolled back node read from checkpoint RECEIVED (1), attempt 3, next node read: bad data: 'T'"),
    (events.RolledBack("reader", "g", 7, "end", 5, unwinding=True),
     "Sequence reader rolled back node g from checkpoint 7, attempt 5, on the way back to the previous node: end"),
    (events.RolledBack("reader", "g", 7, "end", 5, to_node="open", unwinding=True),
     "Sequence reader rolled back node g from checkpoint 7, attempt 5, next node open: end"),
    (events.RolledBack("reader", "g", 7, "end", 5, to_node="done", unwinding=True),
     "Sequence reader rolled back node g from checkpoint 7, attempt 5, and the sequence ends: end"),
    (events.RollbackFailed("reader", "g", 7, "end", 5, to_node="failed", unwinding=True),
     "Sequence reader could not roll back node g from checkpoint 7, attempt 5, and the sequence fails: end"),
    (events.RolledBack("reader", "open", 0, "the server has gone", 0, to_node="open"),
     "Sequence reader rolled back node open from checkpoint 0, next node open: the server has gone"),
    (events.RollbackFailed("reader", "open", 0, "no permission", 0),
     "Sequence reader could not roll back node open from checkpoint 0: no permission"),
    (events.RollbackFailed("reader", "get_work", CP.CLEAR, "no permission", 2),
     "Sequence reader could not roll back node get_work from checkpoint CLEAR (0), attempt 2: no permission"),
    (events.SequenceSucceeded("reader", 0, 900), "Sequence reader succeeded in 900 us"),
    (events.SequenceSucceeded("reader", 1, 25_300_000),
     "Sequence reader succeeded in 25.3 s, after 1 failure of its nodes"),
    (events.SequenceFailed("reader", "open_pipe", "no such file", 5),
     "Sequence reader failed at node open_pipe, attempt 5: no such file"),
    (events.MistakeFound("client.py", 12, "get_work", "NameError: name 'read' is not defined", code=CODE),
     "Mistake in the program: NameError: name 'read' is not defined (client.py, line 12, in get_work)"),
    (events.SequenceFailed("reader", "open", "refused", 0), "Sequence reader failed at node open: refused"),
    (durable_events.Resumed("o", "move", CP.RECEIVED, 1, "m", 1_500_000, begun=True, stopped=False),
     "Sequence o resumes instance m: a process died in node move at checkpoint RECEIVED (1), attempt 1, 1.5 s ago"),
    (durable_events.Resumed("o", "move", 1, 1, "", 9, begun=True, stopped=False, cause="was killed by SIGKILL"),
     "Sequence o resumes: a process died in node move at checkpoint 1, attempt 1, 9 us ago: it was killed by SIGKILL"),
    (durable_events.Resumed("o", "move", 1, 0, "", 1_500_000, begun=True, stopped=True),
     "Sequence o resumes: a process was stopped in node move at checkpoint 1, attempt 0, 1.5 s ago"),
    (durable_events.Resumed("o", "move", 0, 0, "", 1_500_000, begun=False, stopped=False),
     "Sequence o resumes: a process died between two nodes, before move, 1.5 s ago"),
    (durable_events.OrphanDecided("o", "main", "c", "1", "c", "sequence o cannot resume: no node c", "proceed to d"),
     ("Sequence o, instance main, found a record of another version of the program. Its orphaned function"
     " decided: proceed to d; sequence o cannot resume: no node c")),
    (durable_events.StandingBy("orders", "main", "etcd", "pid 7 on a, since 9"),
     "Sequence orders instance main waits as standby: held by pid 7 on a, since 9"),
    (durable_events.TakenOver("orders", "", "etcd", "b", "pid 7 on a, since 9", 11, 12, 4_500_000, 200_000),
     ("Host b has sequence orders now, with token 12, after 4.5 s as standby. Before that: pid 7 on a, since 9,"
      " token 11, whose lease had ended; nobody had it for 200 ms")),
    (durable_events.TakenOver("orders", "m", "etcd", "b", "pid 7 on a, since 9", 11, 12, 0),
     ("Host b has sequence orders instance m now, with token 12. Before that: pid 7 on a, since 9,"
      " token 11, whose lease had ended; for how long nobody had it is not known")),
    (durable_events.HandedOver("orders", "", "etcd", "b", "pid 7 on a, since 9", 11, 12, 0, 200_000),
     ("Host b has sequence orders now, with token 12. Before that: pid 7 on a, since 9,"
      " token 11, who gave it up; nobody had it for 200 ms")),
    (durable_events.MoveAsked("orders", "m", "etcd"),
     "Sequence orders instance m is to go to another host: this service stops at a recorded place"),
    (durable_events.TakeOverRefused("orders", "", "etcd", "b", "append", "a"),
     ("Host b does not take over sequence orders: node append needs what is on the disk of host a."
      " It looks again until that host is back, or the record is discarded")),
    (durable_events.StoreTrouble("orders", "main", "/var/lib/x", "disk full", "the sequence fails"),
     "Store /var/lib/x of sequence orders, instance main: disk full; the sequence fails"),
    (durable_events.StoreTrouble("orders", "", "/var/lib/x", "disk full", "the sequence fails"),
     "Store /var/lib/x of sequence orders: disk full; the sequence fails"),
    (events.Panicked("reader", "get_work", "invalid checkpoint 9"),
     "Panic in node get_work of sequence reader: invalid checkpoint 9"),
    (events.Panicked(None, None, "out of luck"), "Panic: out of luck"),
    (events.Said("3 successful read(s)"), "3 successful read(s)"),
    (events.ServiceFailed("hafta-server", "reader gone", "start one", 20),
     "Service hafta-server failed with exit status 20: reader gone; start one"),
    (events.ServiceFailed("s", "lost", "", 111), "Service s failed with exit status 111: lost"),
    (events.ServiceStarted("s", "1.0", 90_000, 0, 120_000), "Service s is ready after 120 ms"),
    (events.ServiceStarted("s", "1.0", 90_000), "Service s is ready after 90 ms"),
    (events.ServiceStarted("s", "1.0", 90_000, 2, 120_000),
     "Service s is ready after 120 ms, crashes in a row before that: 2"),
    (events.Recovered("reader", "read", 3, 2_500_000),
     "Sequence reader has recovered at node read, after 3 failures in a row"),
    (events.Recovered("reader", "read", 0, 900),
     "Sequence reader has recovered at node read, after it had resumed"),
    (events.ServiceHeldBack("s", 7, 200_000), "Service s crashed 7 times in a row and waits 200 ms before it starts"),
    (events.StartNotCounted("s", "/run/s", "No space left", 1_000_000),
     ("Service s cannot count its starts in /run/s: No space left. It waits 1.0 s."
     " Look at RuntimeDirectory= of its unit, or at $RUNTIME_DIRECTORY")),
    (events.ServiceStopped("s", "SIGTERM"), "Service s stopped: SIGTERM"),
    (events.EventsDropped(1), "1 event could not be sent to the journal and was lost"),
    (events.EventsDropped(12), "12 events could not be sent to the journal and were lost"),
    (events.NotificationsDropped(2), "2 notifications to the overlord could not be sent at the first try"),
    (events.VariableIgnored("WATCHDOG_USEC", "'x' is no number"),
     "Environment variable WATCHDOG_USEC is ignored: 'x' is no number"),
    (guard_events.GuardStarted("shop", 12), "Guard started shop as process 12"),
    (guard_events.GuardReady("shop", 12, 43_000), "Program shop passes its probes after 43 ms"),
    (guard_events.GuardNotReady("shop", 12, "process: gone", 2_000_000),
     "Program shop has not passed its probes within 2.0 s: process: gone; ending it"),
    (guard_events.GuardFailed("shop", 12, 3, "process: gone", watchdog=True),
     "Program shop failed its probes 3 times in a row: process: gone; its watchdog is triggered"),
    (guard_events.GuardFailed("shop", 12, 1, "process: gone", watchdog=False),
     "Program shop failed its probes 1 time in a row: process: gone; ending it"),
    (guard_events.GuardRecovered("shop", 12), "Program shop passes its probes again"),
    (guard_events.GuardEnded("shop", 12, 3), "Program shop: process 12 exited with status 3"),
    (guard_events.GuardEnded("shop", 12, None, Signal.SIGKILL), "Program shop: process 12 was killed by SIGKILL"),
    (guard_events.GuardEnded("shop", 12, None, 40), "Program shop: process 12 was killed by signal 40"),
    (overlord_events.OverlordStarted(2), "Overlord started with 2 units"),
    (overlord_events.OverlordStopped("SIGINT"), "Overlord stopped: SIGINT"),
    (overlord_events.UnitStarting("a.service", 12), "Unit a.service is starting as process 12"),
    (overlord_events.UnitListening("a.socket", "/run/a, 0.0.0.0:80"), "Unit a.socket listens on /run/a, 0.0.0.0:80"),
    (overlord_events.UnitReady("a.service", 12, 43_000), "Unit a.service is ready after 43 ms, process 12"),
    (overlord_events.UnitReady("a.service", 0, 43_000), "Unit a.service is ready after 43 ms"),
    (overlord_events.UnitExited("a.service", 12, status=3), "Unit a.service: process 12 exited with status 3"),
    (overlord_events.UnitExited("a.service", 12, signal=Signal.SIGKILL, reason="watchdog"),
     "Unit a.service: process 12 was killed by signal 9 (SIGKILL): watchdog"),
    (overlord_events.UnitExited("a.service", 12, signal=35), "Unit a.service: process 12 was killed by signal 35"),
    (overlord_events.UnitRestarting("a.service", 3, 0), "Unit a.service restarts at once, restart 3"),
    (overlord_events.UnitHung("a.service", 12, 10_000_000),
     "Unit a.service: process 12 missed its watchdog: no ping for 10.0 s; killing it"),
    (overlord_events.UnitStopping("a.service", 12), "Unit a.service is stopping, process 12"),
    (overlord_events.UnitStopped("a.service"), "Unit a.service is stopped"),
    (overlord_events.UnitSkipped("a.service", "ExecCondition= says so"),
     "Unit a.service is skipped: ExecCondition= says so"),
    (overlord_events.CommandFailed("a.service", "ExecStop=", 12, status=3),
     "Unit a.service: ExecStop= process 12 exited with status 3"),
    (overlord_events.CommandFailed("a.service", "ExecStartPre=", 12, signal=Signal.SIGKILL, reason="x"),
     "Unit a.service: ExecStartPre= process 12 was killed by signal 9 (SIGKILL): x"),
    (overlord_events.UnitReloaded("a.service"), "Unit a.service is reloaded"),
    (overlord_events.UnitReloadFailed("a.service", "ExecReload= failed"),
     "Unit a.service was not reloaded: ExecReload= failed"),
    (overlord_events.UnitFailed("a.service", "start limit"), "Unit a.service failed: start limit"),
    (overlord_events.SandboxIgnored("a.service, b.service", "A= B= C= D= E="),
     "No sandbox for a.service, b.service: the embedded overlord does not honour A= B= C= and 2 more"),
    (overlord_events.SandboxIgnored("a.service", "PrivateTmp="),
     "No sandbox for a.service: the embedded overlord does not honour PrivateTmp="),
    (overlord_events.RelationFollowed("b.service", "starts", "OnFailure", "a.service"),
     "Unit b.service starts: OnFailure=, because of a.service"),
    (overlord_events.UnitSkipped("a.service", "ConditionPathExists=/x is not met"),
     "Unit a.service is skipped: ConditionPathExists=/x is not met"),
    (overlord_events.DirectivesIgnored("a.service", "Nice= (line 7), CPUQuota= (line 9)"),
     "Unit a.service: the embedded overlord does not honour Nice= (line 7), CPUQuota= (line 9)"),
    (overlord_events.OrphansKilled(1), "Killed 1 process that the units had left behind"),
    (overlord_events.OrphansKilled(3), "Killed 3 processes that the units had left behind"),
    (drill_events.DrillStarted("a.service", "kill", 260_000_000),
     "Drill kill of a.service begins: it lasts 4 min 20 s at most"),
    (drill_events.DrillEnded("a.service", "kill"),
     "Drill kill of a.service has ended, and what it had changed is undone"),
    (warm_events.WorkerHung("s", 12, "hung in work: no progress for 1.0 s (allowed 1 s), state S"),
     "Worker 12 of service s hung in work: no progress for 1.0 s (allowed 1 s), state S. It is ended"),
    (warm_events.WorkerReplaced("s", 12, 13, "was killed by SIGKILL", 1, 1),
     "Worker 12 of service s was killed by SIGKILL. Worker 13 replaces it after 0 us (1 replacement)"),
    (warm_events.WorkerReplaced("s", 12, 13, "died in 3", 4, 2, "feed", "work", 5_400),
     "Worker 12 of service s died in 3. Worker 13 replaces it after 5 ms (4 replacements, 2 crashes in a row)"),
    (warm_events.WorkerReplaced("s", 12, 13, "was killed by SIGKILL", 1, 1, None, None, 5_400, False),
     "Worker 12 of service s was killed by SIGKILL. Worker 13 replaced it, but never became ready (1 replacement)"),
    (warm_events.RuleBroken("s", 12, "memory: 310 MiB (limit 300 MiB)"),
     "Worker 12 of service s is to be replaced: memory: 310 MiB (limit 300 MiB)"),
    (warm_events.ReloadRefused("s", "the check of the new program ended with status 1"),
     "Service s did not reload, and works on as it was: the check of the new program ended with status 1"),
    (warm_events.WarmGivenUp("s", 11, "was killed by SIGSEGV"),
     ("Service s ends, so that its overlord restarts it from the beginning: 11 crashes in a row."
     " The last worker was killed by SIGSEGV")),
]  # fmt: skip


@pytest.mark.parametrize(("event", "sentence"), SENTENCES)
def test_an_event_reads_as_one_sentence(event, sentence):
    assert sentence == event.message()


def test_every_kind_has_a_sentence_above():
    assert set(KINDS) == {type(event) for event, _ in SENTENCES}


def test_message_ids_are_128_bits_and_each_is_used_once_and_so_are_names():
    with pytest.raises(NotImplementedError):
        Event().message()
    ids = [kind.MESSAGE_ID for kind in KINDS]
    assert len(ids) == len(set(ids)) == len({kind.NAME for kind in KINDS})
    assert [one for one in ids if not re.fullmatch("[0-9a-f]{32}", one)] == []
    assert {kind.PRIORITY for kind in KINDS} <= set(range(8))
    assert [kind for kind in KINDS if not set(kind.VARYING) <= set(kind._fields)] == []


def test_fields_carry_every_value_that_is_not_none():
    event = events.RolledBack(
        "reader", "get_work", CP.RECEIVED, "bad\ndata", 3, duration_usec=12, unwinding=True, code=CODE
    )
    assert event.fields() == {
        "HAFTA_SEQUENCE": "reader",
        "HAFTA_NODE": "get_work",
        "HAFTA_CHECKPOINT": "1",
        "HAFTA_CHECKPOINT_NAME": "RECEIVED",
        "HAFTA_REASON": "bad\ndata",
        "HAFTA_ATTEMPT": "3",
        "HAFTA_DURATION_USEC": "12",
        "HAFTA_UNWINDING": "1",
        "CODE_FILE": "client.py",
        "CODE_LINE": "12",
        "CODE_FUNC": "get_work",
    }


def test_a_bare_number_as_checkpoint_has_no_name_field():
    fields = events.RolledBack("s", "n", 4, "r", 1).fields()
    assert (fields["HAFTA_CHECKPOINT"], "HAFTA_CHECKPOINT_NAME" in fields) == ("4", False)


def test_events_that_differ_only_in_what_varies_are_alike_and_those_of_two_kinds_never():
    one = events.RolledBack("s", "n", 1, "r", 1, duration_usec=5, code=CODE)
    assert one.key() == one.replace(attempt=2, duration_usec=9, code=None).key()
    for change in ({"reason": "other"}, {"node": "m"}, {"checkpoint": 2}, {"to_node": "x"}, {"unwinding": True}):
        assert one.key() != one.replace(**change).key()
    values = ("s", "n", 1, "r", 1)
    assert events.RolledBack(*values).key() != events.RollbackFailed(*values).key()


@pytest.mark.parametrize("name", ["x" * 59, "größe"])
def test_a_field_that_the_journal_would_leave_out_is_refused_at_once(name):
    with pytest.raises(TypeError, match=f"Odd.{name}: the journal takes 58 ASCII characters as a name"):
        type("Odd", (Event,), {"__annotations__": {name: "str"}})
    kind = type("Long", (Event,), {"__annotations__": {"x" * 58: "str"}})
    assert [f"HAFTA_{'X' * 58}"] == list(kind("v").fields())


def test_the_sentence_has_the_reason_on_one_line_and_cut():
    assert show_reason("two\n  lines") == "two lines"
    assert show_reason("x" * REASON_MAX) == "x" * REASON_MAX
    cut = show_reason("x" * (REASON_MAX + 1))
    assert (len(cut), cut[-4:]) == (REASON_MAX, "x...")


@pytest.mark.parametrize(("checkpoint", "shown"), [(CP.RECEIVED, "RECEIVED (1)"), (0, "0"), (True, "1")])
def test_a_checkpoint_shows_its_name_if_it_has_one(checkpoint, shown):
    assert shown == show_checkpoint(checkpoint)


DURATIONS = {
    0: "0 us", 999: "999 us", 1_000: "1 ms", 999_999: "999 ms", 1_000_000: "1.0 s", 119_900_000: "119.9 s",
    120_000_000: "2 min 0 s", 3_725_000_000: "62 min 5 s",
}  # fmt: skip


def test_durations_are_shown_in_a_fitting_unit():
    assert {usec: show_duration(usec) for usec in DURATIONS} == DURATIONS


@pytest.mark.parametrize(
    ("event", "run", "fields"),
    [
        (overlord_events.UnitStarting("a.service", 12), "", {}),
        (overlord_events.UnitStarting("a.service", 12), "f" * 32, {"INVOCATION_ID": "f" * 32}),
        (overlord_events.UnitExited("a.service", 12, status=3), "", {"EXIT_CODE": "exited", "EXIT_STATUS": "3"}),
        (overlord_events.UnitExited("a.service", 12, signal=Signal.SIGKILL), "",
         {"EXIT_CODE": "killed", "EXIT_STATUS": "9"}),
        (overlord_events.UnitExited("a.service", 12, signal=6, dumped=True), "",
         {"EXIT_CODE": "dumped", "EXIT_STATUS": "6"}),
    ],
)  # fmt: skip
def test_an_event_of_a_unit_has_the_fields_that_systemd_s_own_have(event, run, fields):
    key = event.key()
    found = event.of_run(run).fields()
    assert {name: value for name, value in found.items() if not name.startswith("HAFTA_")} == {
        "UNIT": "a.service", **fields,
    }  # fmt: skip
    assert event.key() == key, "a unit that restarts again and again is a storm"
