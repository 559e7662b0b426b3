"""Nobody who reads a service's output, its journal or its notifications can delay it, end it, or confuse it."""

import os
import socket

import pytest
from service_support import PATIENCE, Child, JournalChild, body, fill, sequence

TALKS = body(
    "service.ready()\nfor n in range(3000): service.say('a line that is fairly long, so that pipes fill ' * 3)"
)
FAILS = body("raise hafta.ServiceError('the pipe is gone', 'make it', status=20)")
RETRIES = sequence("run.data.append(1)\nraise OSError(f'not yet {len(run.data)} ' * 30)", ", []").replace(
    "@feed.node\n", "@feed.node(policy=hafta.policies.Attempts(300))\n"
)
TAKES_ALL = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
while True: os.open("/dev/null", os.O_RDONLY)
"""
TOO_MANY = "[Errno 24] Too many open files: '/dev/null'"
CLOSED = ["<&-", ">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"]


def unread_pipe() -> tuple[int, int]:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(writer, True)
    return reader, writer


def broken_pipe() -> tuple[int, int]:
    reader, writer = os.pipe()
    os.close(reader)
    return -1, writer


def full_device() -> tuple[int, int]:
    return -1, os.open("/dev/full", os.O_WRONLY)


def unread_socket() -> tuple[int, int]:
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    try:
        while True:
            theirs.send(b"x" * 4096)
    except BlockingIOError:
        theirs.setblocking(True)
    return ours.detach(), theirs.detach()


def unread_terminal() -> tuple[int, int]:
    ours, theirs = os.openpty()
    return ours, theirs


def end(program: str, out: int, err: int, *options: str) -> int:
    """Run the program with these descriptors; how it ends. It would hang here if it waited for a reader."""
    with Child([*(["-c", program] if "\n" in program else program.split())], *options, out=out, err=err) as child:
        return child.process.wait(PATIENCE)


@pytest.mark.parametrize("program", [TALKS, FAILS, RETRIES])
@pytest.mark.parametrize("place", [unread_pipe, broken_pipe, full_device, unread_socket, unread_terminal])
def test_output_that_nobody_takes_changes_nothing(place, program: str):
    reader, writer = place()
    options = ["--once"] if program is RETRIES else []
    try:
        assert end(program, writer, writer, *options) == (20 if program is FAILS else 1 if program is RETRIES else 0)
    finally:
        os.close(writer)
        if reader >= 0:
            os.close(reader)


@pytest.mark.parametrize("place", [unread_pipe, broken_pipe, full_device])
def test_a_traceback_that_nobody_takes_changes_nothing(place):
    reader, writer = place()
    try:
        assert end(FAILS, writer, writer, "--debug") == 20
    finally:
        os.close(writer)
        if reader >= 0:
            os.close(reader)


@pytest.mark.parametrize("redirect", CLOSED)
def test_closed_standard_descriptors_are_not_given_to_the_pipe(redirect: str, tmp_path):
    """If they were, what the service says would stand between the records."""
    os.mkfifo(tmp_path / "pipe", 0o600)
    fd = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    options = ["--pipe", str(tmp_path / "pipe"), "--count", "20", "--interval", "0", "--bad-rate", "0"]
    with Child(["-m", "hafta.server"], *options, redirect=redirect) as child:
        child.wait_told("READY=1")
        assert child.process.wait(PATIENCE) == 0
    assert os.read(fd, 9999) == b"ABCDEFGHIJKLMNOPQRSTUVWXYZ" * 20
    os.close(fd)


@pytest.mark.parametrize("redirect", CLOSED)
def test_closed_standard_descriptors_change_no_status(redirect: str):
    with Child(FAILS, redirect=redirect) as child:
        status, _, err = child.finish()
    assert status == 20
    assert err == ("" if "2>" in redirect else "probe: error: the pipe is gone\nprobe: make it\n")


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("option", ["--help", "--version"])
@pytest.mark.parametrize(
    ("place", "status", "said"),
    [(broken_pipe, 0, ""), (full_device, 111, "probe: error: OSError: [Errno 28] No space left on device")],
)
def test_help_that_cannot_be_printed(option: str, place, status: int, said: str, unbuffered: str):
    """A reader that has seen enough is no error; a full disk is one line and a status."""
    _, writer = place()
    with Child(TALKS, option, out=writer, PYTHONUNBUFFERED=unbuffered) as child:
        ended, _, err = child.finish()
    os.close(writer)
    assert (ended, err.split("\n")[0]) == (status, said)
    assert "Traceback" not in err
    assert "Exception ignored" not in err


def test_control_characters_never_reach_the_terminal():
    with Child(
        body(r"service.say('policy_data = \x1b[2J\x9b')" + "\n" + r"raise OSError('\x1b]0;owned\x07\nline two')")
    ) as child:
        status, out, err = child.finish()
    assert (status, out) == (111, "policy_data = \\x1b[2J\\x9b\n")
    assert err.splitlines() == [
        r"probe: error: OSError: \x1b]0;owned\x07 line two",
        "probe: run it with --debug to see where",
    ]


def test_a_journal_that_does_not_read_changes_nothing():
    with JournalChild(TALKS, taking=False) as child:
        child.wait_told("READY=1")
        assert child.process.wait(PATIENCE) == 0
    with JournalChild(FAILS, taking=False) as child:
        assert child.process.wait(PATIENCE) == 20


def test_a_journal_that_is_gone_changes_nothing():
    with JournalChild(
        TALKS.replace("service.ready()", "os.unlink(journald.JournaldSink.__init__.__defaults__[0])")
    ) as child:
        assert child.process.wait(PATIENCE) == 0


def test_an_overlord_that_does_not_read_changes_nothing(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as stuck:
        stuck.bind(str(tmp_path / "n"))
        fill(str(tmp_path / "n"))
        with Child(TALKS, NOTIFY_SOCKET=str(tmp_path / "n"), WATCHDOG_USEC="1000") as child:
            assert child.process.wait(PATIENCE) == 0


def test_what_was_dropped_is_told_when_the_overlord_reads_again(tmp_path):
    """The body waits for the test to make room, and goes on working until it has been told."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as stuck:
        stuck.bind(str(tmp_path / "n"))
        fill(str(tmp_path / "n"))
        program = body("service.ready('up')\nservice.say('sent')\nwhile True: service.sleep(0.01)")
        with JournalChild(program, NOTIFY_SOCKET=str(tmp_path / "n"), WATCHDOG_USEC="40000") as child:
            child.wait_entry("said")
            while stuck.recv(4096) == b"x":
                pass
            entry = child.wait_entry("notifications-dropped")
            assert int(entry["HAFTA_COUNT"]) >= 1


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        ("NOTIFY_SOCKET", "relative", "'relative' is neither a path nor an abstract socket"),
        ("WATCHDOG_USEC", "soon", "'soon' is not a whole number from 1 to "),
        ("WATCHDOG_PID", "-1", "'-1' is not a whole number from 1 to "),
    ],
)
def test_a_malformed_variable_is_said_once_and_used_not_at_all(variable: str, value: str, reason: str):
    environ = {"WATCHDOG_USEC": "100000", variable: value}
    with Child(body("service.ready()\nservice.sleep(0.2)"), **environ) as child:
        status, _, err = child.finish()
    assert status == 0
    assert [f"probe: warning: Environment variable {variable} is ignored: {reason}"] == [
        line[: len(line) - (len(line.split(reason)[1]) if reason in line else 0)] for line in err.splitlines()
    ]
    assert not [line for line in child.told if "WATCHDOG" in line]


def test_under_systemd_lines_become_entries_and_errors_one_entry():
    with JournalChild(body("service.say('one read')\nraise hafta.ServiceError('gone', 'make it', status=20)")) as child:
        assert child.process.wait(PATIENCE) == 20
        said, failed = child.entries()
    assert (said["HAFTA_EVENT"], said["MESSAGE"], said["PRIORITY"]) == ("said", "one read", "7")
    assert said["SYSLOG_IDENTIFIER"] == "probe"
    assert failed["MESSAGE"] == "Service probe failed with exit status 20: gone; make it"
    assert (failed["HAFTA_HINT"], failed["HAFTA_STATUS"]) == ("make it", "20")


def test_an_error_that_was_made_of_another_is_an_entry_too():
    with JournalChild(body("raise hafta.ServiceError(OSError(2, 'no pipe'), status=20)")) as child:
        assert child.process.wait(PATIENCE) == 20
        [failed] = child.entries()
    assert failed["MESSAGE"] == "Service probe failed with exit status 20: [Errno 2] no pipe"


@pytest.mark.parametrize("debug", ["no", "yes"])
def test_an_error_is_told_also_where_no_descriptor_is_left(debug: str):
    program = body(f"service.ready()\n{TAKES_ALL}")
    with JournalChild(program, f"--debug={debug}") as child:
        assert child.process.wait(PATIENCE) == 111
        [failed] = child.entries()
        assert child.drain()[-1] == f"STATUS=failed: OSError: {TOO_MANY}"
    assert (failed["HAFTA_EVENT"], failed["HAFTA_REASON"]) == ("service-failed", f"OSError: {TOO_MANY}")
    with Child(program) as child:
        status, _, err = child.finish()
    assert (status, err.splitlines()[0]) == (111, f"probe: error: OSError: {TOO_MANY}")


def test_rollbacks_are_told_also_where_no_descriptor_is_left():
    with JournalChild(sequence(TAKES_ALL), "--once") as child:
        assert child.process.wait(PATIENCE) == 1
        told = [(entry["HAFTA_EVENT"], entry["HAFTA_REASON"]) for entry in child.entries()]
    assert told == [("rolled-back", TOO_MANY)] * 5 + [("sequence-failed", TOO_MANY)]


@pytest.mark.parametrize(("text", "why"), [("pass", "its work is done"), ("os.kill(os.getpid(), 15)", "SIGTERM")])
def test_under_systemd_a_good_end_is_an_entry(text: str, why: str):
    with JournalChild(body(text)) as child:
        assert child.process.wait(PATIENCE) == 0
        [entry] = child.entries()
    assert entry["MESSAGE"] == f"Service probe stopped: {why}"


def test_by_hand_a_good_end_is_silent():
    with Child(body("pass")) as child:
        assert child.finish() == (0, "", "")


FROM_THREADS = """
import threading, hafta.policies
from hafta.journal import storm

storm.BURST = 2  # the socket in journald's place holds ten entries
inner = hafta.Sequence("inner")

@inner.node(policy=hafta.policies.Attempts(6, then=hafta.FAIL_SEQUENCE))
def deep(run):
    return run.fail("no")

thread = threading.Thread(target=inner.call)
thread.start()
thread.join()
{last}
"""


def test_threads_report_to_the_same_journal_and_their_panic_takes_along_what_was_counted():
    panic = "thread = threading.Thread(target=hafta.panic, args=('no way on',))\nthread.start()\ntime.sleep(600)"
    with JournalChild(body(FROM_THREADS.format(last=panic))) as child:
        assert child.process.wait(PATIENCE) == 70
        entries = child.entries()
    assert {entry["SYSLOG_IDENTIFIER"] for entry in entries} == {"probe"}
    assert [int(entry["HAFTA_NUMBER"]) for entry in entries] == list(range(1, len(entries) + 1))
    rolled_back = [entry for entry in entries if entry["HAFTA_EVENT"] == "rolled-back"]
    assert len(rolled_back) == 4
    assert sum(int(entry.get("HAFTA_REPEATED", 1)) for entry in rolled_back) == 6
    assert entries[-1]["HAFTA_EVENT"] == "panicked"


def test_what_is_no_text_is_said_as_print_would():
    program = sequence("run.say(5); run.status(7); return hafta.EXIT")
    with Child(program, "--once") as child:
        assert child.finish()[1].splitlines()[0] == "5"
    with JournalChild(program, "--once") as child:
        assert child.process.wait(PATIENCE) == 0
        assert [entry["MESSAGE"] for entry in child.entries() if entry["HAFTA_EVENT"] == "said"] == ["5"]
