"""What a drill decides without touching anything: refusals, pauses, verdicts, expectations."""

import os
import signal

import pytest

from hafta.drill import expect
from hafta.drill.drills import DRILLS, choose, ends, lasts, rounds, why_not
from hafta.drill.managers import Systemd, find, own_line
from hafta.drill.outcome import Outcome, outcome
from hafta.drill.refusals import pause, refuse, refuse_without_budget
from hafta.drill.rounds import Resumed, Round
from hafta.drill.subject import subject_of
from hafta.errors import UsageError

FACTS = {
    "Id": "feed.service", "Names": "feed.service food.service", "ActiveState": "active", "MainPID": "12",
    "Restart": "always", "WatchdogUSec": "5s", "TimeoutStartUSec": "1min 30s", "TimeoutAbortUSec": "infinity",
    "RestartUSec": "100ms", "StartLimitIntervalUSec": "10s", "StartLimitBurst": "5", "RequiredBy": "", "ConsistsOf": "",
}  # fmt: skip


def subject(**more):
    return subject_of({**FACTS, **more})


def test_a_unit_is_the_same_from_what_systemctl_prints_and_from_what_an_overlord_says():
    said = {
        **FACTS, "Names": ["feed.service", "food.service"], "MainPID": 12, "WatchdogUSec": 5_000_000,
        "TimeoutStartUSec": 90_000_000, "TimeoutAbortUSec": (1 << 64) - 1, "RestartUSec": 100_000,
        "StartLimitIntervalUSec": 10_000_000, "StartLimitBurst": 5, "RequiredBy": [], "ConsistsOf": [],
    }  # fmt: skip
    assert subject() == subject_of(said)
    assert (subject().watchdog, subject().interval, subject().patience) == (5.0, 10.0, 10 + 90 + 120 + 0.1)


def test_a_unit_that_is_up_and_that_nobody_requires_is_not_refused():
    refuse(subject(), {"other.service"}, {1, 11})


@pytest.mark.parametrize(
    ("more", "own", "said"),
    [
        ({"Id": "feed.socket"}, "", "feed.socket is not a service"),
        ({"Id": "systemd-journald.service"}, "", "the machine needs it"),
        ({"Id": "ssh.service", "Names": "ssh.service"}, "", "the machine needs it"),
        ({"Names": "feed.service dbus.service"}, "", "the machine needs it"),
        ({"Id": "user@1000.service"}, "", "the machine needs it"),
        ({"MainPID": "1"}, "", "the machine needs it"),
        ({}, "feed.service", "the drill itself runs in feed.service"),
        ({}, "outer.service feed.service inner.service", "the drill itself runs in feed.service"),
        ({"MainPID": "77"}, "", "the drill itself runs in feed.service"),
        ({"Id": "console-getty.service"}, "", "the machine needs it"),
        ({"RequiredBy": "a.service b.target"}, "", "is required by a.service, b.target"),
        ({"BoundBy": "a.service"}, "", "is required by a.service"),
        ({"ConsistsOf": "a.service"}, "", "is required by a.service"),
        ({"RequisiteOf": "a.service"}, "", "is required by a.service"),
        ({"UpheldBy": "a.service"}, "", "is required by a.service"),
        ({"ActiveState": "failed", "MainPID": "0"}, "", "is not up: it is failed"),
        ({"MainPID": "0"}, "", "is not up"),
    ],
)
def test_what_must_not_be_drilled_is_refused_with_what_to_do(more, own, said):
    with pytest.raises(UsageError) as refused:
        refuse(subject(**more), own.split(), {1, 77, 78})
    assert said in refused.value.message
    assert refused.value.hint


@pytest.mark.parametrize(
    ("burst", "interval", "ago", "seconds"),
    [
        ("0", "10s", [1], 0),  # there is no limit
        ("5", "0", [1, 1, 1, 1, 1], 0),
        ("5", "10s", [], 0),
        ("5", "10s", [1, 2, 3], 0),  # one more is the fourth: the fifth stays unused
        ("5", "10s", [1, 2, 3, 4], 6),
        ("5", "10s", [11, 2, 3, 4], 0),
        ("3", "10s", [1, 2, 3, 4], 8),
        ("1", "10s", [], float("inf")),
        ("3", "infinity", [1, 2], float("inf")),
    ],
)
def test_a_round_waits_until_it_leaves_a_start_of_the_start_limit_unused(burst, interval, ago, seconds):
    now = 1_000_000_000
    one = subject(StartLimitBurst=burst, StartLimitIntervalUSec=interval)
    assert pause(one, [now - each * 1_000_000 for each in ago], now) == pytest.approx(seconds)


def test_who_would_have_to_wait_for_long_is_refused():
    now, one = 10**12, subject(StartLimitBurst="3", StartLimitIntervalUSec="1h")
    refuse_without_budget(one, [now - 1], now)
    with pytest.raises(UsageError, match="no restart left: its start limit allows 3 starts in 3600 s"):
        refuse_without_budget(one, [now - 2, now - 1], now)


@pytest.mark.parametrize(("interval", "ends", "is_refused"), [("1h", 2, False), ("1h", 3, True), ("infinity", 3, True),
                                                             ("1min", 50, False)])  # fmt: skip
def test_so_many_rounds_that_one_of_them_would_have_to_wait_for_long_are_refused(interval, ends, is_refused):
    now, one = 10**12, subject(StartLimitBurst="4", StartLimitIntervalUSec=interval)
    if not is_refused:
        refuse_without_budget(one, [now - 1], now, ends)
        return
    with pytest.raises(UsageError, match="has 2 restarts left for 3 rounds: its start limit allows 4 starts in"):
        refuse_without_budget(one, [now - 1], now, ends)


def test_how_often_drills_end_a_unit_is_known_before():
    chosen = [*choose([]), DRILLS["loop"]]
    assert ends(chosen, subject(), 5, Systemd()) == 15
    assert ends(chosen, subject(Restart="on-failure"), 5, Systemd()) == 10  # `term` leaves it stopped
    assert ends(chosen, subject(WatchdogUSec="0"), 5, Systemd()) == 10  # `stop` is left out


def test_a_pattern_is_not_the_name_of_a_unit():
    for name in ("f*", "fee?", "[f]eed.service"):
        with pytest.raises(UsageError, match="is a pattern"):
            find(name, {}, of_user=True)


def test_a_drill_knows_the_processes_from_which_it_descends():
    assert {os.getpid(), os.getppid()} <= own_line()


def test_drills_are_chosen_by_name_each_once():
    assert [one.name for one in choose([])] == ["kill", "stop", "term"]
    assert [one.name for one in choose(["stop", "kill", "stop"])] == ["stop", "kill"]
    with pytest.raises(UsageError, match="there is no drill 'x'"):
        choose(["kill", "x"])


def test_how_long_and_how_often():
    assert [lasts(subject(WatchdogUSec=each)) for each in ("0", "1s", "5s", "1min")] == [3, 3, 10, 20]
    assert rounds(DRILLS["kill"], subject(), 5) == 5
    assert rounds(DRILLS["term"], subject(Restart="on-failure"), 5) == 1


@pytest.mark.parametrize(
    "restart", ["no", "on-success", "on-failure", "on-abnormal", "on-watchdog", "on-abort", "always"]
)
def test_an_overlord_is_not_left_without_its_unit(restart):
    """As systemd.service(5) has the table of Restart=."""
    again = {
        "kill": restart in {"always", "on-failure", "on-abnormal", "on-abort"},
        "stop": restart in {"always", "on-failure", "on-abnormal", "on-watchdog"},
        "term": restart in {"always", "on-success"},
    }
    one = subject(Restart=restart)
    assert {name: not why_not(DRILLS[name], one, "embedded", of_user=False) for name in again} == again
    assert not any(why_not(DRILLS[name], one, "systemd", of_user=False) for name in again)


BACK = Round(1.0, 2_000, 160_000, 200_000, Resumed("feed", "work", 1, "RECEIVED"), "killed SIGKILL", "", 1, 0, "active")


@pytest.mark.parametrize(
    ("name", "restart", "last", "ok", "verdict"),
    [
        ("kill", "always", BACK, True, "ok"),
        ("kill", "no", Round(1.0, 2_000, at_end="failed"), False, "not started again (Restart=no)"),
        ("kill", "always", Round(1.0, 2_000, given_up="start limit", at_end="failed"), False, "given up: start limit"),
        ("kill", "always", Round(1.0, 2_000, at_end="activating"), False, "not ready again within 220 s"),
        ("stop", "always", Round(1.0, at_end="active"), False, "not noticed within 225 s"),
        ("term", "on-failure", Round(1.0, at_end="inactive"), True, "ok: it stays stopped (Restart=on-failure)"),
        ("term", "always", Round(1.0, at_end="inactive"), False, "not started again (Restart=always)"),
    ],
)
def test_a_verdict_says_what_came_of_it(name, restart, last, ok, verdict):
    found = outcome(DRILLS[name], subject(Restart=restart), [BACK, last])
    assert (found.ok, found.verdict) == (ok, verdict)


def test_figures_are_medians_and_the_longest_of_the_rounds_in_which_it_happened():
    found = Outcome("kill", True, "ok", (BACK, BACK.replace(ready=90_000, lost=2), Round(1.0, restarts=1), BACK))
    assert (found.median("ready"), found.longest("ready"), found.count("ready")) == (160_000, 160_000, 3)
    assert (found.lost, found.restarts, str(found.resumed)) == (2, 4, "work RECEIVED(1)")
    assert Outcome("kill", True, "ok").median("ready") is None


def expected(tmp_path, text):
    file = tmp_path / "drill.toml"
    file.write_text(text)
    return expect.read(str(file))


@pytest.mark.parametrize(
    ("text", "missed"),
    [
        ("", []),
        ('[kill]\nnoticed = "2ms"\nready-again = "160ms"\nfirst-good = "1s"\nresumed = "work"\nlost = 0\n', []),
        ('[kill]\nnoticed = "1ms"\n', ["noticed: 2 ms, expected at most 1 ms"]),
        ('[all]\nready-again = "0.1s"\n', ["ready-again: 0.16 s, expected at most 0.1 s"]),
        ('[all]\nready-again = "1ms"\n[kill]\nready-again = "1s"\n', []),
        ('[stop]\nready-again = "1ms"\n', []),
        ('[kill]\nresumed = "other"\n', ["resumed: work, expected other"]),
        ("[kill]\nrestarts = 1\n", ["restarts: 2, expected at most 1"]),
    ],
)
def test_an_expectation_counts_for_its_drill_and_that_of_all_where_it_has_none(tmp_path, text, missed):
    assert list(expect.missed(expected(tmp_path, text), Outcome("kill", True, "ok", (BACK, BACK)))) == missed


def test_a_figure_that_is_not_there_misses_its_expectation_and_a_drill_that_is_left_out_misses_none(tmp_path):
    wanted = expected(tmp_path, '[kill]\nfirst-good = "1s"\nresumed = "work"\n')
    bare = BACK.replace(first_good=None, resumed=None)
    assert list(expect.missed(wanted, Outcome("kill", True, "ok", (BACK, bare)))) == [
        "first-good: it did not happen in each round", "resumed: nowhere, expected work",
    ]  # fmt: skip
    assert expect.missed(wanted, Outcome("kill", True, "left out", is_skipped=True)) == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[kill", "drill.toml"),
        ("kill = 1", "[kill]"),
        ("[flood]\n", "there is no drill 'flood'"),
        ("[kill]\nnoticed = 5\n", "noticed = 5 is not a span of time"),
        ('[kill]\nnoticed = "soon"\n', "noticed = 'soon' is not a span of time"),
        ("[kill]\nlost = -1\n", "lost = -1 is not a number"),
        ("[kill]\nlost = true\n", "lost = True is not a number"),
        ("[kill]\nresumed = 1\n", "resumed = 1 is not the name of a node"),
        ("[kill]\nspeed = 1\n", "[kill] speed: unknown"),
        ("\udcff", "drill.toml"),
    ],
)
def test_a_file_that_is_wrong_is_told_with_its_place(tmp_path, text, said):
    file = tmp_path / "drill.toml"
    file.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(UsageError) as error:
        expect.read(str(file))
    assert said in error.value.message
    assert error.value.hint


def test_every_drill_that_ends_a_unit_has_its_signal():
    assert {one.name: one.signum for one in choose([])} == {
        "kill": signal.SIGKILL, "stop": signal.SIGSTOP, "term": signal.SIGTERM,
    }  # fmt: skip
