"""What the units promise in numbers, held against the code that keeps the promises."""

import re

import pytest
from unit_files import SERVICES, UNITS, comments, read, seconds

from hafta import exits
from hafta.service import holdoff
from hafta.service.service import Service

SERVER = "hafta-server.service"


def starts_of_a_server_that_dies_at_once(until):
    """Return when systemd starts it, by the service's own hold-off."""
    starts, now, row = [], 0.0, None
    while now < until:
        starts.append(round(now, 3))
        row = holdoff.next_row(row, now)
        now += holdoff.delay(row.crashes)
        row = holdoff.Row(row.crashes, now)
    return starts


def limit(name):
    unit = read(name)
    return seconds(unit, "Unit", "StartLimitIntervalSec"), seconds(unit, "Unit", "StartLimitBurst")


def most_in_a_window(starts, span):
    return max(sum(begin <= start < begin + span for start in starts) for begin in starts)


@pytest.mark.parametrize("name", SERVICES)
def test_crashing_for_ever_never_meets_the_start_limit(name):
    """Not even with as many restarts by hand in the same ten seconds."""
    span, burst = limit(name)
    assert 2 * most_in_a_window(starts_of_a_server_that_dies_at_once(300), span) < burst


@pytest.mark.parametrize("name", SERVICES)
def test_dying_before_it_can_count_meets_the_start_limit(name):
    """Python alone starts in 10 to 20 ms and systemd needs as much again; ten times that is still caught."""
    span, burst = limit(name)
    assert span / burst >= 0.25


def test_the_starts_in_the_comment_are_those_of_the_hold_off():
    text = comments(SERVER)
    shown = re.search(r"at most at (.*?) s \.\.\. += (\d+) starts in the first 10 s, then 1 in (\d+) s", text)
    told = [float(word) for word in shown[1].split() if word != "|"]
    starts = starts_of_a_server_that_dies_at_once(12)
    assert told == starts
    assert int(shown[2]) == sum(start < 10 for start in starts)
    assert float(shown[3]) == holdoff.CAP


def test_the_hold_off_in_the_comment_is_that_of_the_code():
    shown = re.search(
        r"waits 0 s for n <= (\d+), then ([\d.]+) s doubling up to (\d+) s,.* A run of (\d+) s", comments(SERVER)
    )
    assert [float(word) for word in shown.groups()] == [holdoff.FREE, holdoff.FIRST, holdoff.CAP, holdoff.STABLE]


def test_the_limit_in_the_comment_is_that_of_the_unit():
    span, burst = limit(SERVER)
    own, broken = re.search(r"Between (\d+) and (\d+) stands the limit", comments(SERVER)).groups()
    assert int(own) < burst < int(broken)
    assert f"{span:g} s / {burst:g} = {span / burst:g} s" in comments(SERVER)


def test_the_watchdog_in_the_comment_is_that_of_the_code():
    unit = read(SERVER)
    period = seconds(unit, "Service", "WatchdogSec")
    service = Service("hafta-server", {"WATCHDOG_USEC": f"{period * 1_000_000:.0f}"})
    assert service.watchdog.due(0.0)
    pause, wait = service.watchdog.next, service.slice
    slack = period - pause - wait
    text = comments(SERVER)
    assert f"at most one in {pause:g} s, and no wait is longer than {wait:g} s" in text
    assert f"{period:g} - {pause:g} - {wait:g} = {slack:g} s to spare" in text
    assert f"killed {slack:g} to {period:g} s after" in text
    assert f"SIGKILL {seconds(unit, 'Service', 'TimeoutAbortSec'):g} s later" in text


def test_the_page_says_when_a_hang_is_killed():
    page = (UNITS.parent / "packaging/man/hafta-server.service.8.in").read_text()
    assert re.search(r"killed ([\d.]+ to [\d.]+) s after", comments(SERVER))[1] + " seconds" in page


@pytest.mark.parametrize("name", SERVICES)
def test_a_watchdog_kill_ends_within_two_seconds_if_sigabrt_is_ignored(name):
    unit = read(name)
    assert seconds(unit, "Service", "TimeoutAbortSec") < 2
    assert ("Service", "WatchdogSignal") not in unit  # SIGABRT: it prints where the service hung


@pytest.mark.parametrize("name", SERVICES)
def test_the_hold_off_fits_into_the_start(name):
    """It asks for more time, but would not even need it."""
    assert seconds(read(name), "Service", "TimeoutStartSec") > holdoff.CAP


@pytest.mark.parametrize("name", SERVICES)
def test_the_first_restarts_are_at_once_and_only_a_wrong_setting_ends_them(name):
    unit = read(name)
    assert unit["Service", "Restart"] == ["always"]
    assert seconds(unit, "Service", "RestartSec") == 0
    assert unit["Service", "RestartPreventExitStatus"] == [str(exits.USAGE)]


def test_a_reader_that_went_away_is_no_failure_of_the_server():
    assert read(SERVER)["Service", "SuccessExitStatus"] == [str(exits.READER_GONE)]


@pytest.mark.parametrize("name", SERVICES)
def test_what_counts_crashes_outlives_a_restart(name):
    assert read(name)["Service", "RuntimeDirectoryPreserve"] == ["restart"]
