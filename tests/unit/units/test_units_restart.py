"""Restart=, exit statuses and the start limit, as systemd.service(5) has them."""

import os
import signal
import sys

import pytest

from hafta.units.restart import Limit, Outcome, Policy, Statuses, judge, shall_restart

RESULTS = ("success", "exit-code", "signal", "core-dump", "timeout", "watchdog", "protocol", "resources")
#: The table of Restart= in systemd.service(5), with protocol and resources as systemd's source has them.
TABLE = {
    "no": "........",
    "always": "XXXXXXXX",
    "on-success": "X.......",
    "on-failure": ".XXXXXXX",
    "on-abnormal": "..XXXXXX",
    "on-abort": "..XX....",
    "on-watchdog": ".....X..",
}


@pytest.mark.parametrize("restart", TABLE)
def test_restart_is_as_systemds_table_has_it(restart):
    answers = [shall_restart(result, Outcome(1), Policy(restart=restart)) for result in RESULTS]
    assert "".join("X" if answer else "." for answer in answers) == TABLE[restart]


def test_prevent_wins_over_force_and_force_over_restart():
    two = Statuses(frozenset((2,)), frozenset((9,)))
    assert not shall_restart("exit-code", Outcome(2), Policy(restart="always", prevent=two, force=two))
    assert not shall_restart("signal", Outcome(0, 9), Policy(restart="always", prevent=two))
    assert shall_restart("exit-code", Outcome(2), Policy(restart="no", force=two))
    assert not shall_restart("resources", None, Policy(restart="no", prevent=two, force=two))


@pytest.mark.parametrize(
    ("outcome", "policy", "expected"),
    [
        (Outcome(0), Policy(), "success"),
        (Outcome(1), Policy(), "exit-code"),
        (Outcome(0, signal.SIGTERM), Policy(), "success"),
        (Outcome(0, signal.SIGHUP), Policy(), "success"),
        (Outcome(0, signal.SIGTERM), Policy(type="oneshot"), "signal"),
        (Outcome(0, signal.SIGKILL), Policy(), "signal"),
        (Outcome(0, signal.SIGABRT, True), Policy(), "core-dump"),
        (Outcome(75), Policy(success=Statuses(frozenset((75,)))), "success"),
        (Outcome(0, signal.SIGKILL), Policy(success=Statuses(signals=frozenset((9,)))), "success"),
    ],
)
def test_an_end_is_judged_as_systemd_does(outcome, policy, expected):
    assert judge(outcome, policy, ready=True) == expected
    assert judge(outcome, policy, ready=True, forgiven=True) == "success"


def test_an_outcome_is_read_from_what_waitpid_gives():
    def status_of(program):
        pid = os.posix_spawn(sys.executable, [sys.executable, "-c", program], os.environ)
        return os.waitpid(pid, 0)[1]

    assert Outcome.of(status_of("raise SystemExit(7)")) == Outcome(7)
    assert Outcome.of(status_of("import os; os.kill(os.getpid(), 9)")) == Outcome(0, 9)
    assert Outcome.of(6 | 0x80) == Outcome(0, 6, dumped=True)


def test_the_limit_admits_a_burst_in_a_window_that_the_first_start_opens():
    limit = Limit(10.0, 3)
    assert [limit.admits(now) for now in (0, 1, 9.9, 10)] == [True, True, True, False]
    assert [limit.admits(now) for now in (10.1, 10.2, 10.3, 10.4)] == [True, True, True, False]


@pytest.mark.parametrize(("interval", "burst"), [(0, 5), (10, 0)])
def test_a_limit_of_nothing_is_no_limit(interval, burst):
    limit = Limit(interval, burst)
    assert all(limit.admits(0.0) for _ in range(100))
