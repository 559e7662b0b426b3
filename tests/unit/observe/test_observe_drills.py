"""What goes down in a drill is shown as that, and counts nowhere; nobody but who could stop the unit can say so."""

import pytest
from eventlog_histories import exited, history, restarting, started, up, write
from eventlog_histories import own as own_entry
from observe_support import BEGIN, SECOND, UNIT, Story, failures, spoken

from hafta.cli.report_text import lines as report_lines
from hafta.journal.drill_events import DrillEnded, DrillStarted
from hafta.observe.figures import Window, report
from hafta.observe.kept import Settled, back, plain
from hafta.observe.lines import lines, told
from hafta.observe.recent import recent
from hafta.observe.totals import Totals

UP = "1 SG r1; 2 SD r1;"
BY_ROOT = "_UID=0 _SYSTEMD_UNIT=ssh.service"
BEGUN = f"drill-started - UNIT={UNIT} HAFTA_DRILL=kill HAFTA_LIMIT_USEC=30000000 {BY_ROOT}"
OVER = f"drill-ended - UNIT={UNIT} HAFTA_DRILL=kill {BY_ROOT}"
KILLED = "10 EX r1 killed 9; 10 UF r1 signal; 11 RS r1 1; 12 SG r2; 13 SD r2;"
AGAIN = "50 EX r2 killed 9; 50 UF r2 signal; 51 RS r2 2; 52 SG r3; 53 SD r3;"
DRILLED = f"{UP} 9 {BEGUN}; {KILLED} 14 {OVER}; {AGAIN}"
DOWN_FOR_REAL = "50 held, 51 down, 53 up"


def report_of(found):
    return report(found, Window(BEGIN, BEGIN + 100 * SECOND), lambda at: at / SECOND)


def test_what_went_down_in_a_drill_was_stopped_and_is_neither_a_failure_nor_down():
    found = Story(DRILLED).history(100)
    assert spoken(found, parts=True) == (
        "0 unknown (nothing is known before), 2 up, 10 stopped (drill), 13 up,"
        " 50 held (wait), 51 down (begin), 52 down (start), 53 up"
    )
    assert failures(found) == ["killed SIGKILL -> restored"]
    figures = report_of(found)
    assert (figures["failures"]["n"], figures["mttr"]["n"], figures["seconds"]["stopped"]) == (1, 1, 3.0)
    assert figures["drills"] == {"outages": 1, "seconds": 3.0, "drills": ["kill"]}
    assert "(drill)          1 x down for 3 s, not counted: kill" in list(report_lines(figures))


def test_without_drills_the_report_says_nothing_of_them():
    figures = report_of(Story(f"{UP} {KILLED}").history(100))
    assert figures["drills"] == {"outages": 0, "seconds": 0.0, "drills": []}
    assert not any("drill" in line for line in report_lines(figures))


@pytest.mark.parametrize(
    "begun",
    [
        f"drill-started - UNIT={UNIT} HAFTA_LIMIT_USEC=30000000 _UID=998 _SYSTEMD_UNIT=ssh.service",  # another user
        f"drill-started - UNIT={UNIT} HAFTA_LIMIT_USEC=30000000 _UID=998",  # the service itself
        f"drill-started - UNIT=b.service HAFTA_LIMIT_USEC=30000000 {BY_ROOT}",  # another unit
        f"drill-started - UNIT={UNIT} HAFTA_LIMIT_USEC=400000 {BY_ROOT}",  # it was over by then
        f"drill-started - UNIT={UNIT} HAFTA_LIMIT_USEC=many {BY_ROOT}",
    ],
)
def test_what_somebody_else_says_of_a_drill_and_one_that_is_over_hide_nothing(begun):
    found = Story(f"{UP} 9 {begun}; {KILLED}").history(100)
    assert spoken(found) == "0 unknown, 2 up, 10 held, 11 down, 13 up"
    assert failures(found) == ["killed SIGKILL -> restored"]


def test_a_drill_whose_end_nobody_has_told_ends_by_itself():
    found = Story(f"{UP} 9 {BEGUN}; {KILLED} {AGAIN}").history(100)
    assert spoken(found) == f"0 unknown, 2 up, 10 stopped, 13 up, {DOWN_FOR_REAL}"


def test_a_user_drills_units_of_a_manager_of_that_user_and_nobody_else_does():
    for uid, stopped in ((1000, True), (0, False), (1001, False)):
        begun = BEGUN.replace("_UID=0", f"_UID={uid}")
        found = Story(f"{UP} 9 {begun}; {KILLED}", user=1000).history(100)
        assert ("10 stopped" in spoken(found)) == stopped


def test_a_unit_that_is_still_down_when_the_drill_ends_is_down_because_of_it():
    found = Story(f"{UP} 9 {BEGUN}; 10 EX r1 killed 9; 10 UF r1 signal; 14 {OVER}; 20 RS r1 1; 21 SG r2; 22 SD r2")
    assert spoken(found.history(100)) == "0 unknown, 2 up, 10 stopped, 22 up"


def test_the_status_counts_it_apart_and_says_which_is_going_on():
    found = recent(Story(DRILLED).history(100), BEGIN, None)
    assert (found.killed, found.drilled, found.drill) == (1, 1, "")
    assert recent(Story(f"{UP} 9 {BEGUN}").history(20), BEGIN, None).drill == "kill"
    assert recent(Story(f"{UP} 9 {BEGUN}").history(60), BEGIN, None).drill == ""


def test_the_log_marks_what_the_manager_says_in_a_drill_and_how_runs_ended_by_it():
    story = Story(DRILLED)
    shown = {line.text for line in lines(map(story.reading.entry, story.raws))}
    assert "(drill) main process ended: killed SIGKILL" in shown
    assert "main process ended: killed SIGKILL" in shown
    assert [one.how for one in told(Story(DRILLED).history(100))] == [
        "killed SIGKILL (drill)", "killed SIGKILL", "running",
    ]  # fmt: skip


def test_the_log_marks_nothing_any_more_when_a_drill_whose_end_nobody_has_told_must_be_over():
    story = Story(f"{UP} 9 {BEGUN}; {KILLED} {AGAIN}")
    shown = [line.text for line in lines(map(story.reading.entry, story.raws)) if "killed SIGKILL" in line.text]
    assert shown == ["(drill) main process ended: killed SIGKILL", "main process ended: killed SIGKILL"]


def test_metrics_do_not_count_it_also_when_it_is_counted_long_after():
    story, totals, number = Story(DRILLED), Totals(), 3
    rounds = []
    for at in range(100, 1000, 20):
        rounds.append(f"{at} EX r{number} killed 9; {at} UF r{number} signal; {at + 1} RS r{number} {number};"
                      f" {at + 2} SG r{number + 1}; {at + 3} SD r{number + 1}")  # fmt: skip
        number += 1
    from hafta.observe.fold import Fold

    story = Story(f"{DRILLED} {';'.join(rounds)}")
    fold = Fold(UNIT, BEGIN)
    for raw in story.raws:
        fold.feed(story.reading.entry(raw))
        fold = back(plain(fold))
        settled = Settled(fold, ())
        totals.settle(settled.spans, settled.outages)
    from hafta.observe.closing import close

    found = close(fold, fold.track.begin, BEGIN + 1000 * SECOND)
    numbers = totals.publish(found.spans, found.outages)
    assert numbers["failures", "killed SIGKILL"] == 1 + len(rounds)
    assert numbers["seconds", "stopped"] == 3 * SECOND
    assert numbers["seconds", "held"] + numbers["seconds", "down"] == 3 * SECOND * (1 + len(rounds))


def test_in_an_event_log_the_overlord_notes_it(tmp_path):
    drill = [
        own_entry(10, DrillStarted("a.service", "kill", 30_000_000)),
        own_entry(13, DrillEnded("a.service", "kill")),
    ]
    down = [exited(11, 1), restarting(11, 1, 1, 0.5), *up(12, 2)]
    write(tmp_path, [started(0), *up(1, 1), drill[0], *down, drill[1], exited(22, 2), restarting(22, 2, 2), *up(23, 3)])
    found = history(tmp_path)
    assert [one.cause for one in found.outages] == ["exit 3"]
    assert [one.drill for one in found.drilled] == ["kill"]
