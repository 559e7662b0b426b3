"""What services report to the overlord's event log: who said it is the kernel's word, and nothing holds anybody up."""

import json
import os
import socket
from unittest.mock import MagicMock

from overlord_harness import ROOT
from test_overlord_eventlog import hafta, read

from hafta.eventlog.format import OUTPUT
from hafta.overlord.recording import Recording
from hafta.overlord.reports import Reports

#: What a program needs to report: `path` is where; `say` sends what cannot be refused.
BEGIN = """
import array, fcntl, os, socket, struct, sys, time
path = os.environ["HAFTA_JOURNAL"].partition(":/")[2]
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.connect("/" + path)
def say(**fields):
    s.send("".join(f"{name}={value}\\n" for name, value in fields.items()).encode())
"""


def program(place, text, name="tell.py"):
    return place.script(name, BEGIN + text)


def said(place, word):
    """Return the entries whose message begins so."""
    return [one for one in read(place) if one and one["MESSAGE"].startswith(word) and one["_TRANSPORT"] == "journal"]


def test_an_entry_has_the_unit_and_the_run_of_its_sender_and_nothing_that_he_claims(place):
    text = """
say(MESSAGE="claim", _PID=1, _UID=12345, _SYSTEMD_UNIT="b.service", _TRANSPORT="driver", UNIT="b.service")
if os.fork() == 0:
    say(MESSAGE="claim of a child")
else:
    os.wait()
"""
    place.service("a", program(place, text))
    overlord = place.start("a")
    assert overlord.wait() == 0
    entries = said(place, "claim")
    run = next(one["INVOCATION_ID"] for one in read(place) if one.get("HAFTA_EVENT") == "unit-ready")
    assert len(entries) == 2
    assert {(one["_SYSTEMD_UNIT"], one["_SYSTEMD_INVOCATION_ID"]) for one in entries} == {("a.service", run)}
    assert {one["_UID"] for one in entries} == {str(os.geteuid())}
    assert entries[0]["_PID"] == str(overlord.pids("a.service")[0])


def test_the_last_words_of_a_process_that_is_dead_are_those_of_its_run(place):
    place.service("a", program(place, "for n in range(50): say(MESSAGE='last', N=n)\nos._exit(3)"))
    assert place.start("a").wait() == 1
    entries = said(place, "last")
    assert len(entries) == 50
    assert {one.get("_SYSTEMD_UNIT") for one in entries} == {"a.service"}
    assert len({one["_SYSTEMD_INVOCATION_ID"] for one in entries}) == 1


def test_a_forged_end_is_shown_and_not_counted(place):
    forged = "d4d8375f1f4b471b9f0c918417189868"  # unit-exited
    place.service("b", "/bin/sleep 1000")
    place.service("a", program(place, f"""
say(MESSAGE="forged", MESSAGE_ID="{forged}", UNIT="b.service", COMMAND="ExecStart", EXIT_CODE="exited", EXIT_STATUS=9)
print("done", flush=True)
time.sleep(1000)
"""))  # fmt: skip
    overlord = place.start("a", "b")
    overlord.wait_for("a +[|] done")
    overlord.wait_for("b.service is ready")
    assert overlord.stop() == 0
    (unit,) = json.loads(hafta(place, "report", "b", "--json", "--directory", place.state)[0])["units"]
    assert unit["failures"]["n"] == 0
    assert "(unverified, pid" in hafta(place, "log", "b", "--directory", place.state)[0]


def test_ten_thousand_events_block_neither_the_service_nor_the_overlord(place):
    flood = """
s.setblocking(False)
dropped = 0
begun = time.monotonic()
for n in range(10_000):
    try:
        say(MESSAGE="flood", N=n)
    except BlockingIOError:
        dropped += 1
print("dropped", dropped, flush=True)
time.sleep(1000)
"""
    place.service("a", program(place, flood))
    place.service("calm", "/bin/sh -c 'while :; do echo tick; sleep 0.01; done'")
    overlord = place.start("a", "calm")
    ((dropped,),) = [overlord.wait_for(r"a +[|] dropped (\d+)")]
    ticks = len(overlord.find("calm +[|] tick"))
    overlord.wait_for("calm +[|] tick", ticks + 5)
    assert overlord.stop() == 0
    assert len(said(place, "flood")) + int(dropped) == 10_000


def test_a_large_entry_comes_as_a_sealed_file_and_one_that_is_not_sealed_or_something_else_is_not_taken(place):
    text = """
def hand(fd, data=b""):
    s.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))])

def file(size, seal):
    fd = os.memfd_create("x", os.MFD_ALLOW_SEALING)
    os.write(fd, b"MESSAGE=large " + b"x" * size + b"\\n")
    if seal:
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE)
    return fd

hand(file(300_000, True))
hand(file(10, False))
hand(file(900_000, True))
hand(os.open("/dev/null", os.O_RDONLY))
hand(os.pipe()[0], b"MESSAGE=large and more")
say(MESSAGE="large end")
"""
    place.service("a", program(place, text))
    assert place.start("a").wait() == 0
    assert [len(one["MESSAGE"]) for one in said(place, "large")] == [300_006, len("large end")]


def test_what_a_service_of_hafta_reports_is_a_line_as_ever_and_one_entry_with_its_fields(place):
    service = """
import hafta, hafta.service, sys
seq = hafta.Sequence("seq")
seen = []

@seq.node
def work(run):
    seen.append(1)
    if len(seen) < 3:
        raise ValueError("odd")
    run.sleep(0.1)
    return hafta.EXIT

sys.exit(hafta.service.run(seq))
"""
    command = place.script("s.py", service).replace("-SE ", "-S ")
    place.service("a", command, "Type=notify", f"Environment=PYTHONPATH={ROOT}")
    overlord = place.start("a")
    overlord.wait_for("a +[|] Sequence was: seq succeeded")
    assert overlord.stop() == 0
    assert len(overlord.find("a +[|] seq: warning: Sequence seq rolled back")) == 2
    entries = [one for one in read(place) if one and one.get("HAFTA_EVENT") == "rolled-back"]
    assert [(one["HAFTA_NODE"], one["HAFTA_ERROR"], one["_SYSTEMD_UNIT"]) for one in entries] == [
        ("work", "ValueError", "a.service"),
    ] * 2
    assert [one for one in read(place, OUTPUT) if one and "rolled back" in one["MESSAGE"]] == []
    (unit,) = json.loads(hafta(place, "report", "a", "--json", "--directory", place.state)[0])["units"]
    assert json.dumps(unit).count('"ValueError"') >= 1


def test_who_writes_elsewhere_does_not_report_to_the_overlord(place):
    show = """
import os, sys
stream, info = os.environ["HAFTA_JOURNAL"].partition(":/")[0], os.fstat(2)
sys.stderr.write(str(stream == f"{info.st_dev}:{info.st_ino}"))
"""
    place.service("a", place.script("s.py", show), f"StandardError=file:{place.file('err')}")
    place.service("b", place.script("s.py", show))
    overlord = place.start("a", "b")
    assert overlord.wait() == 0
    assert place.read("err") == "False"
    overlord.wait_for("b +[|] True")


def test_without_an_event_log_services_are_told_of_none(place):
    place.service("a", "/bin/sh -c 'echo [$HAFTA_JOURNAL]'")
    overlord = place.start("a", "--no-event-log")
    assert overlord.wait() == 0
    overlord.wait_for(r"a +[|] \[\]")


def test_what_takes_its_time_is_taken_one_by_one_so_that_others_have_their_turn(tmp_path):
    taken = []
    reports = Reports(str(tmp_path / "s"), 0o700, lambda _: "a", lambda _: "", lambda *what: taken.append(what))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.connect(reports.path)
        for _ in range(3):
            sender.send(b"MESSAGE=x\n")
    reports.take(seconds=0.0)
    assert len(taken) == 1
    reports.take(seconds=1000.0)
    assert len(taken) == 3
    reports.close()


def test_a_flood_of_events_is_not_taken_again_for_each_line_of_a_turn(tmp_path):
    manager, asked = MagicMock(), []
    manager.history.of.return_value.invocation = ""
    recording = Recording(manager, print)
    recording.open(str(tmp_path / "state"))
    recording._reports = MagicMock(take=lambda *_: asked.append(1))
    recording._left = 0.0  # the time of this turn is over
    line = MagicMock(text="a: b", priority=6, continues=False)
    runner = MagicMock(uid=0)
    runner.name = "a.service"
    recording.line(runner, line)
    assert not asked
    recording.settled()
    recording.line(runner, line)
    assert asked
    recording.close()
