"""Nobody who reads a service's output, its journal or its notifications can delay it, end it, or confuse it."""

import os
import socket
from contextlib import suppress

import pytest
from processes import PATIENCE, Child, JournalChild, body, fill, sequence

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


STREAMS = ("pipe", "broken pipe", "full disk", "socket", "terminal")
UNREAD = {
    "talks": (TALKS, [], 0),
    "fails": (FAILS, [], 20),
    "fails, and shows where": (FAILS, ["--debug"], 20),
    "retries": (RETRIES, ["--once"], 1),
}


@pytest.fixture
def stream(request):
    """The end for writing of what nobody reads: each is full, but for the terminal."""
    kind = request.param
    if kind == "full disk":
        ends = [os.open("/dev/full", os.O_WRONLY)]
    elif kind == "socket":
        ends = [end.detach() for end in socket.socketpair()]
    else:
        ends = [*(os.openpty() if kind == "terminal" else os.pipe())]
    if kind == "broken pipe":
        os.close(ends.pop(0))
    if kind in {"pipe", "socket"}:
        os.set_blocking(ends[1], False)
        with suppress(BlockingIOError):
            while os.write(ends[1], b"x" * 4096):
                pass
        os.set_blocking(ends[1], True)
    yield ends[-1]
    for end in ends:
        os.close(end)


@pytest.mark.parametrize("how", UNREAD)
@pytest.mark.parametrize("stream", STREAMS, indirect=True)
def test_output_that_nobody_takes_changes_nothing(stream: int, how: str):
    """It would hang here if it waited for a reader."""
    program, options, status = UNREAD[how]
    with Child(program, *options, out=stream, err=stream) as child:
        assert child.process.wait(PATIENCE) == status


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
    ("stream", "status", "said"),
    [("broken pipe", 0, ""), ("full disk", 111, "probe: error: OSError: [Errno 28] No space left on device")],
    indirect=["stream"],
)
def test_help_that_cannot_be_printed(option: str, stream: int, status: int, said: str, unbuffered: str):
    """A reader that has seen enough is no error; a full disk is one line and a status."""
    with Child(TALKS, option, out=stream, PYTHONUNBUFFERED=unbuffered) as child:
        ended, _, err = child.finish()
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


GONE = TALKS.replace("service.ready()", "os.unlink(journald.JournaldSink.__init__.__defaults__[0])")


@pytest.mark.parametrize(("program", "taking", "status"), [(TALKS, False, 0), (FAILS, False, 20), (GONE, True, 0)])
def test_a_journal_that_does_not_read_or_is_gone_changes_nothing(program: str, taking: bool, status: int):
    with JournalChild(program, taking=taking) as child:
        assert child.process.wait(PATIENCE) == status
        assert ("READY=1" in child.drain()) == (program is TALKS)


@pytest.fixture
def stuck(tmp_path):
    """An overlord that does not read."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as stuck:
        stuck.bind(str(tmp_path / "n"))
        fill(str(tmp_path / "n"))
        yield stuck


def test_an_overlord_that_does_not_read_changes_nothing(stuck):
    with Child(TALKS, NOTIFY_SOCKET=stuck.getsockname(), WATCHDOG_USEC="1000") as child:
        assert child.process.wait(PATIENCE) == 0


def test_what_was_dropped_is_told_when_the_overlord_reads_again(stuck):
    """The body waits for the test to make room, and goes on working until it has been told."""
    program = body("service.ready('up')\nservice.say('sent')\nwhile True: service.sleep(0.01)")
    with JournalChild(program, NOTIFY_SOCKET=stuck.getsockname(), WATCHDOG_USEC="40000") as child:
        child.wait_entry("said")
        while stuck.recv(4096) == b"x":
            pass
        assert int(child.wait_entry("notifications-dropped")["HAFTA_COUNT"]) >= 1


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


@pytest.mark.parametrize(
    ("text", "status", "message", "hint"),
    [
        (
            "hafta.ServiceError('gone', 'go on', status=20)",
            20,
            "failed with exit status 20: gone; go on",
            "go on",
        ),
        ("hafta.ServiceError(OSError(2, 'no'), status=20)", 20, "failed with exit status 20: [Errno 2] no", ""),
        ("", 0, "stopped: its work is done", ""),
        ("hafta.service.Stop(15)", 0, "stopped: SIGTERM", ""),
    ],
)
def test_under_systemd_lines_become_entries_and_the_end_is_one_entry(text: str, status: int, message: str, hint: str):
    with JournalChild(body(f"service.say('one read')\n{'raise ' if text else 'pass'}{text}")) as child:
        assert child.process.wait(PATIENCE) == status
        said, end = child.entries()
    names = ("HAFTA_EVENT", "MESSAGE", "PRIORITY", "SYSLOG_IDENTIFIER")
    assert [said[name] for name in names] == ["said", "one read", "7", "probe"]
    assert (end["MESSAGE"], end.get("HAFTA_HINT", "")) == (f"Service probe {message}", hint)
    assert end.get("HAFTA_STATUS", "0") == str(status)


@pytest.mark.parametrize("debug", ["no", "yes"])
def test_an_error_is_told_also_where_no_descriptor_is_left(debug: str):
    program = body(f"service.ready()\n{TAKES_ALL}")
    with JournalChild(program, f"--debug={debug}") as child:
        assert child.process.wait(PATIENCE) == 111
        started, failed = child.entries()
        assert child.drain()[-1] == f"STATUS=failed: OSError: {TOO_MANY}"
    assert started["HAFTA_EVENT"] == "service-started"
    assert (failed["HAFTA_EVENT"], failed["HAFTA_REASON"]) == ("service-failed", f"OSError: {TOO_MANY}")
    with Child(program) as child:
        status, _, err = child.finish()
    assert (status, err.splitlines()[0]) == (111, f"probe: error: OSError: {TOO_MANY}")


def test_rollbacks_are_told_also_where_no_descriptor_is_left():
    with JournalChild(sequence(TAKES_ALL), "--once") as child:
        assert child.process.wait(PATIENCE) == 1
        started, *rest = child.entries()
        told = [(entry["HAFTA_EVENT"], entry["HAFTA_REASON"]) for entry in rest]
    assert started["HAFTA_EVENT"] == "service-started"
    assert told == [("rolled-back", TOO_MANY)] * 5 + [("sequence-failed", TOO_MANY)]


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
