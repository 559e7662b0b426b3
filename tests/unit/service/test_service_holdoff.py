"""The restart hold-off: what a crash in a row costs, and that it never stops a service for good."""

import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from processes import PATIENCE, Child, JournalChild, body

from hafta.service.holdoff import CAP, FREE, STABLE, UNCOUNTED, Holdoff, Row, delay, next_row

UNIT = Path(__file__).parents[3] / "units" / "hafta-server.service"


def limit(name: str) -> int:
    return int(re.findall(rf"^{name}=(\d+)$", UNIT.read_text(), re.MULTILINE)[0])


def starts(runs: Iterator[float]) -> Iterator[float]:
    """Yield when each start happens, of a service that crashes after such runs, restarted at once."""
    now, row = 1000.0, None
    for run in runs:
        yield now
        row = next_row(row, now)
        if held := delay(row.crashes):
            now += held
            row = Row(row.crashes, now)
        now += run


def test_the_delays_are_the_ones_of_the_unit():
    assert pytest.approx([0] * 6 + [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5, 5]) == [delay(n) for n in range(14)]
    assert (delay(5), delay(6), delay(10**9)) == (0, 0.1, CAP)
    first = list(starts(iter([0.0] * 16)))
    expected = [0, 0, 0, 0, 0, 0, 0, 0.1, 0.3, 0.7, 1.5, 3.1, 6.3, 11.3]
    assert pytest.approx(expected) == [at - 1000 for at in first[:14]]
    assert sum(at < 1010 for at in first) == 13


@given(st.lists(st.floats(0, 2 * STABLE), min_size=60, max_size=120))
def test_no_row_of_crashes_ever_meets_the_start_limit(runs: list[float]):
    interval, burst = limit("StartLimitIntervalSec"), limit("StartLimitBurst")
    times = list(starts(iter(runs)))
    for first, last in zip(times, times[burst:], strict=False):
        assert last - first > interval, f"{burst + 1} starts in {last - first} s"


@given(st.floats(0, STABLE * 0.99))
def test_a_crash_every_so_often_goes_on_for_ever_at_one_start_in_at_most_the_cap_and_itself(every: float):
    times = list(starts(iter([every] * 200)))
    gaps = [after - before for before, after in pairwise(times)]
    assert max(gaps) <= CAP + every + 1e-6
    assert min(gaps[FREE + 10 :]) >= CAP + every - 1e-6, "settled"


def test_a_stable_run_ends_the_row_and_a_clock_that_went_back_does_too():
    assert next_row(Row(9, 100.0), 100.0 + STABLE) == Row(0, 100.0 + STABLE)
    assert next_row(Row(9, 100.0), 99.0) == Row(0, 99.0)
    assert next_row(Row(9, 100.0), 101.0) == Row(10, 101.0)
    assert next_row(None, 5.0) == Row(0, 5.0)


def test_a_crash_every_second_is_restarted_for_ever():
    times = list(starts(iter([1.0] * 10_000)))
    assert (len(times), times[-1] - times[-2]) == (10_000, pytest.approx(6))


def holdoff(directory: Path | str, name: str = "probe") -> Holdoff:
    return Holdoff(name, {"RUNTIME_DIRECTORY": str(directory)})


def test_crashes_are_counted_from_start_to_start_in_the_first_directory(tmp_path: Path):
    first = f"{tmp_path}:{tmp_path}/missing"
    assert [(n, delay(n)) for n in range(9)] == [holdoff(first).begin(100.0 + n) for n in range(9)]
    assert holdoff(tmp_path, "another service").begin(109.0) == (0, 0.0)
    holdoff(tmp_path).end()
    assert holdoff(tmp_path).begin(110.0) == (0, 0.0)
    assert stat.S_IMODE((tmp_path / "probe.starts").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("held", "at", "begun", "found"),
    [
        (3, 109.0, 110.5, (4, 0.0)),  # being held back is not running
        (2**32, 100.0, 101.0, (2**32, CAP)),  # a number that does not fit
        (9, float("nan"), 101.0, (0, 0.0)),  # a time that is none
    ],
)
def test_who_was_held_back_goes_on_with_its_row(tmp_path: Path, held: int, at: float, begun: float, found):
    holdoff(tmp_path).begin(100.0)
    holdoff(tmp_path).held(held, at)
    assert holdoff(tmp_path).begin(begun) == found


@pytest.mark.parametrize("environ", [{}, {"RUNTIME_DIRECTORY": ""}])
def test_without_a_runtime_directory_nothing_is_counted(environ):
    service = Holdoff("probe", environ)
    assert {service.begin(float(n)) for n in range(20)} == {(0, 0.0)}
    service.held(3, 1.0)
    service.end()


@pytest.mark.parametrize(
    "content", [b"", b"short", b"haftaho1", bytes(range(200, 220)), b"x" * 500, b"haftaho2" + bytes(12)]
)
def test_garbage_tells_nothing_and_is_replaced(tmp_path: Path, content: bytes):
    (tmp_path / "probe.starts").write_bytes(content)
    assert holdoff(tmp_path).begin(100.0) == (0, 0.0)
    assert holdoff(tmp_path).begin(101.0)[0] == 1


def test_a_link_is_not_followed_and_a_start_that_cannot_be_counted_waits_a_second(tmp_path: Path):
    (tmp_path / "precious").write_bytes(b"precious")
    (tmp_path / "probe.starts").symlink_to("precious")
    assert holdoff(tmp_path).begin(100.0) == (0, UNCOUNTED)
    assert (tmp_path / "precious").read_bytes() == b"precious"


def full_disk(path: Path) -> None:
    if os.geteuid():
        pytest.skip("a device file needs root")
    os.mknod(path, stat.S_IFCHR | 0o600, os.stat("/dev/full").st_rdev)


@pytest.mark.parametrize("make", [lambda path: path.parent.rmdir(), os.mkdir, os.mkfifo, full_disk])
def test_what_is_not_a_file_and_a_full_disk_wait_a_second_at_each_start(tmp_path: Path, make):
    place = tmp_path / "place"
    place.mkdir()
    make(place / "probe.starts")
    for n in range(3):
        assert holdoff(place).begin(100.0 + n) == (0, UNCOUNTED)
    holdoff(place).end()


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_service_that_is_held_back_says_so_asks_for_time_and_can_be_stopped(tmp_path: Path, name: str):
    import signal
    import time

    holdoff(tmp_path).held(30, time.monotonic())
    with JournalChild(body("service.ready()"), RUNTIME_DIRECTORY=str(tmp_path)) as child:
        assert child.wait_told("EXTEND_TIMEOUT_USEC=") == f"EXTEND_TIMEOUT_USEC={10_000_000}"
        child.wait_told("STATUS=held back 5 s: 31 crashes in a row")
        entry = child.wait_entry("service-held-back")
        assert (entry["HAFTA_CRASHES"], entry["HAFTA_DELAY_USEC"]) == ("31", "5000000")
        status, _ = child.stop(getattr(signal, name))
        assert status == 0
        assert "READY=1" not in child.drain()
    assert holdoff(tmp_path).begin(time.monotonic()) == (0, 0.0), "a clean stop ends the row"


def test_a_start_that_cannot_be_counted_says_what_could_not_be_written_and_why(tmp_path: Path):
    path = str(tmp_path / "missing/probe.starts")
    with JournalChild(body("service.ready()"), RUNTIME_DIRECTORY=os.path.dirname(path)) as child:
        entry = child.wait_entry("start-not-counted")
        child.wait_told(f"STATUS=held back 1 s: {path} cannot be written: No such file or directory")
        child.wait_told("READY=1")
    assert entry["HAFTA_PATH"] == path
    assert entry["MESSAGE"] == (
        f"Service probe cannot count its starts in {path}: No such file or directory. It waits 1.0 s."
        " Look at RuntimeDirectory= of its unit, or at $RUNTIME_DIRECTORY"
    )


def test_a_real_service_that_crashes_is_held_back_the_seventh_time_and_then_runs(tmp_path: Path):
    environ = {"RUNTIME_DIRECTORY": str(tmp_path)}
    for _ in range(FREE + 1):
        with Child(body("service.ready()\nos.kill(os.getpid(), 9)"), **environ) as child:
            assert child.process.wait(PATIENCE) == -9
            assert "EXTEND_TIMEOUT_USEC" not in "".join(child.drain())
    with Child(body("service.ready()"), **environ) as child:
        assert child.finish()[0] == 0
        assert child.told[0].startswith("EXTEND_TIMEOUT_USEC=51")
    with Child(body("service.ready()"), **environ) as child:
        assert child.finish()[0] == 0
        assert child.told[0] == "READY=1", "a clean end ends the row"


def test_an_error_counts_and_a_wrong_setting_does_not(tmp_path: Path):
    program = body("raise OSError")
    environ = {**os.environ, "RUNTIME_DIRECTORY": str(tmp_path)}
    for options, count in ((["--size", "x"], None), ([], 0), (["--size", "x"], 0), ([], 1)):
        subprocess.run([sys.executable, "-c", program, *options], env=environ, capture_output=True, check=False)
        row = holdoff(tmp_path)._load()
        assert (row and row.crashes) == count
