"""hafta-client as a whole, in a process of its own, with real servers that die."""

import os
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import Child, JournalChild, Restarted, fed, in_time, open_writer

from hafta import exits
from hafta.server.source import BAD, GOOD

CLIENT = ["-m", "hafta.client"]
UNDER_SYSTEMD = "import sys; from hafta.client import main; sys.exit(main())"
OPEN_FAILED = "Open failed! Perhaps the server died?"


@pytest.fixture
def pipe(tmp_path: Path) -> str:
    os.mkfifo(tmp_path / "pipe", 0o600)
    return str(tmp_path / "pipe")


def server(pipe: str, *options: str) -> Child:
    return Child(["-m", "hafta.server"], "--pipe", pipe, *options, out=subprocess.DEVNULL, err=subprocess.DEVNULL)


def client(pipe: str, *options: str, **environ: str) -> Child:
    return Child(CLIENT, "--pipe", pipe, *options, **environ)


def said(child: Child) -> str:
    """Return the next line of the client, but for those about a server that is slow to come."""
    while (line := child.wait_line()).startswith("Waiting for a server on "):
        pass
    return line


def test_once_reads_25_records_and_says_what_the_tutorials_says(pipe: str):
    with client(pipe, "--once") as child, fed(pipe) as fd:
        for number in range(1, 26):
            os.write(fd, GOOD)
            child.wait_line(f"{number} successful read(s)")
        status, out, err = child.finish()
        assert (status, out, err) == (exits.OK, "Sequence was: client succeeded\n", "")
        assert child.told[0] == "READY=1"
        assert "STOPPING=1" in child.told


def test_bad_data_is_told_by_its_first_character_and_read_on(pipe: str):
    with client(pipe, "--once", "--reads", "2") as child, fed(pipe, GOOD) as fd:
        child.wait_line("1 successful read(s)")
        os.write(fd, BAD + GOOD * 2)
        status, out, err = child.finish()
    assert status == 0
    assert out.splitlines() == [
        "policy_data = T", "Some bad data", "policy_data = o", "Some bad data",
        "2 successful read(s)", "Sequence was: client succeeded after 2 failures",
    ]  # fmt: skip
    *rolled_back, recovered = err.splitlines()
    assert [line.startswith("hafta-client: warning: Sequence client rolled back") for line in rolled_back] == [True] * 2
    assert recovered == "hafta-client: Sequence client has recovered at node get_work, after 2 failures in a row"
    assert "rolled back node get_work from checkpoint RECEIVED (1), attempt 2, next node get_work: BadData" in err


def test_a_killed_server_that_comes_back_is_read_again(pipe: str):
    with client(pipe, "--reads", "5") as child:
        for _ in range(2):
            with server(pipe, "--interval", "0.002", "--bad-rate", "0") as feeder:
                child.wait_line("Sequence was: client succeeded")
                child.wait_line("5 successful read(s)")
                feeder.process.kill()
                feeder.process.wait()
            child.wait_line(OPEN_FAILED)
        assert child.process.poll() is None
        assert child.stop()[0] == 0


def test_at_full_speed_nothing_is_wrong(pipe: str):
    with server(pipe, "--interval", "0", "--bad-rate", "0"), client(pipe, "--reads", "200000", "--once") as child:
        status, out, err = child.finish()
    assert (status, err) == (0, "")
    assert out.splitlines()[-2:] == ["200000 successful read(s)", "Sequence was: client succeeded"]


@pytest.mark.parametrize("there", [True, False], ids=["no server", "no pipe"])
def test_while_it_waits_the_watchdog_is_fed_and_it_stops_at_once(pipe: str, there: bool):
    if not there:
        os.unlink(pipe)

    def attempt() -> tuple[int, float]:
        with client(pipe, WATCHDOG_USEC="200000") as child:
            child.wait_told("READY=1")
            child.wait_told("WATCHDOG=1", times=4)
            child.wait_told("STATUS=waiting for a server on" if there else "STATUS=")
            return child.stop()

    in_time(attempt)


def test_a_server_that_stalls_is_waited_for(pipe: str):
    with client(pipe, "--once", "--reads", "2", WATCHDOG_USEC="100000") as child, fed(pipe, GOOD[:9]) as fd:
        child.wait_told("WATCHDOG=1", times=6)
        os.write(fd, GOOD[9:] + GOOD)
        assert child.finish()[0] == 0


def test_under_systemd_the_journal_has_the_fields_of_each_rollback(pipe: str):
    os.unlink(pipe)
    with JournalChild(UNDER_SYSTEMD, "--pipe", pipe) as child:
        assert child.wait_entry("said")["MESSAGE"] == OPEN_FAILED
        os.mkfifo(pipe, 0o600)
        entry = child.wait_entry("rolled-back")
        assert (entry["HAFTA_NODE"], entry["HAFTA_TO_NODE"]) == ("open_pipe", "open_pipe")
        assert entry["HAFTA_REASON"].endswith(f"there is no pipe at {pipe}")
        assert (entry["SYSLOG_IDENTIFIER"], entry["CODE_FUNC"]) == ("hafta-client", "open_pipe")
        fd = open_writer(pipe)
        os.write(fd, BAD)
        entry = child.wait_entry("rolled-back")
        assert (entry["HAFTA_CHECKPOINT_NAME"], entry["HAFTA_SEQUENCE"]) == ("RECEIVED", "client")
        os.write(fd, GOOD * 25)
        assert child.wait_entry("sequence-succeeded")["HAFTA_FAILURES"] == "3"
        os.close(fd)


@pytest.fixture
def overlord(request: pytest.FixtureRequest, tmp_path: Path, build_classic_server) -> Iterator[Restarted]:
    """One that runs the classic server; the test's parameter is its rate of bad data."""
    with Restarted(build_classic_server(str(tmp_path / "pipe"), pause=300, rate=request.param, seed=3)) as overlord:
        yield overlord


@pytest.mark.parametrize("overlord", [1], indirect=True)
def test_bad_data_only_goes_back_to_the_pipe_after_five_failures_for_ever(tmp_path: Path, overlord: Restarted):
    with client(str(tmp_path / "pipe"), WATCHDOG_USEC="500000") as child:
        lines = [said(child) for _ in range(22)]
        assert child.stop()[0] == 0
    five = ["policy_data = T", "Some bad data", "policy_data = o", "Some bad data"] * 2
    five += ["policy_data = T", "Some bad data", OPEN_FAILED]
    assert lines == five * 2
    assert overlord.starts >= 2, "each time, the server ended for want of a reader"


@pytest.mark.parametrize("overlord", [25], indirect=True)
def test_it_reads_the_tutorials_own_server(tmp_path: Path, overlord: Restarted):
    """In C, restarted by an overlord: it is killed once, and dies of SIGPIPE when five bad reads close the pipe."""
    lines: Counter[str] = Counter()
    with client(str(tmp_path / "pipe"), "--reads", "10", WATCHDOG_USEC="2000000") as child:
        while lines["10 successful read(s)"] < 30 or not lines[OPEN_FAILED]:
            lines[said(child)] += 1
            if lines["10 successful read(s)"] == 10 and overlord.starts == 1:
                overlord.process.kill()
        assert child.stop()[0] == 0
    assert overlord.starts >= 2
    bad = lines.pop("Some bad data")
    assert 0 <= lines.pop("policy_data = T") + lines.pop("policy_data = o") - bad <= 1
    assert lines.pop(OPEN_FAILED) >= 1
    assert not [
        line for line in lines if not re.fullmatch(r"\d+ successful read\(s\)|Sequence was: client succ.*", line)
    ]
