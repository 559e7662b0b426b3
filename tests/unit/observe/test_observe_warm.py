"""A warm service: its workers die and are replaced, of which systemd says nothing."""

import pytest
from observe_support import BEGIN, SECOND, Story, failures, run_of, spoken

from hafta.observe.figures import Window, report
from hafta.observe.lines import told
from hafta.observe.outages import cause_of_worker
from hafta.observe.shown import Shown

UP = "1 SG r1; 2 service-started r1; 2 SD r1;"


def replaced(at, reason="was killed by SIGKILL", *more):
    """Return the line of a worker that has died; a space of the reason is written as `_`."""
    return " ".join([f"{at} worker-replaced r1 HAFTA_REASON={reason.replace(' ', '_')}", *more]) + ";"


def story(text):
    made = Story(text)
    made.raws = [
        raw.replace(fields={**raw.fields, "HAFTA_REASON": raw.fields["HAFTA_REASON"].replace("_", " ")})
        if "HAFTA_REASON" in raw.fields else raw
        for raw in made.raws
    ]  # fmt: skip
    return made


HUNG = "10 worker-hung r1 HAFTA_REASON=hung;"
LATE = "20 worker-hung r1 HAFTA_REASON=hung:_not_ready_within_10_s;"
NEVER, DOWN = "HAFTA_READY=0", "HAFTA_DOWN_USEC=500000"
HELD = "10 service-held-back r1;"
#: What happens: the entries, the spans from second 0 to 100, and the outages.
ROWS = {
    "a worker is killed": (f"{UP} {replaced(10)}", "0 unknown, 2 up", ["killed SIGKILL -> restored"]),
    "a worker hangs": (
        f"{UP} {HUNG} {replaced(12, 'hung in work: no sign of life')}", "0 unknown, 2 up, 10 down, 12 up",
        ["hang -> restored"],
    ),
    "a crash that is held back": (
        f"{UP} {replaced(5, 'ended with status 3')} {HELD} {replaced(18)}", "0 unknown, 2 up, 10 held, 18 up",
        ["exit 3 -> restored", "killed SIGKILL -> restored"],
    ),
    "a worker is killed, and the next one needs half a second": (
        f"{UP} {replaced(10.5, 'was killed by SIGKILL', 'HAFTA_DOWN_USEC=500000')}",
        "0 unknown, 2 up, 10 down, 10.5 up", ["killed SIGKILL -> restored"],
    ),
    "the same, told late by an entry that could have stood for several": (
        f"{UP} {replaced(17, 'was killed by SIGKILL', 'HAFTA_DOWN_USEC=500000', 'HAFTA_FIRST_USEC=6500000')}",
        "0 unknown, 2 up, 10 down, 10.5 up", ["killed SIGKILL -> restored"],
    ),
    "a worker hangs, and the next one needs a second": (
        f"{UP} {HUNG} {replaced(12, 'hung in work: no sign of life', 'HAFTA_DOWN_USEC=2000000')}",
        "0 unknown, 2 up, 10 down, 12 up", ["hang -> restored"],
    ),
    "the replacement does not become ready": (
        (f"{UP} {replaced(20, 'was killed by SIGKILL', NEVER, 'HAFTA_DOWN_USEC=10000000')} {LATE} "
         f"{replaced(23, 'hung: not ready within 10 s', 'HAFTA_DOWN_USEC=13000000')}"),
        "0 unknown, 2 up, 10 down, 23 up", ["killed SIGKILL -> restored"],
    ),
    "the replacement dies before it is ready, and the parent ends": (
        (f"{UP} {replaced(11, 'was killed by SIGKILL', NEVER, 'HAFTA_DOWN_USEC=1000000')} "
         "12 EX r1 killed 9; 12 UF r1 signal; 13 RS r1 1; 14 SG r2; 15 SD r2"),
        "0 unknown, 2 up, 10 down, 12 held, 13 down, 15 up", ["killed SIGKILL -> restored"],
    ),
    "a reload whose new worker dies before it is ready": (
        (f"{UP} {replaced(11, 'ended with status 0', NEVER, 'HAFTA_DOWN_USEC=1000000')} "
         f"{replaced(12, 'ended with status 3', 'HAFTA_DOWN_USEC=2000000')}"),
        "0 unknown, 2 up, 10 down, 12 up", ["start -> restored"],
    ),
    "a reload": (f"{UP} {replaced(10, 'ended with status 0')}", "0 unknown, 2 up", []),
    "a rule": (f"{UP} {replaced(10, 'broke a rule: 900 MiB')}", "0 unknown, 2 up", []),
    "the parent ends after a hang": (
        f"{UP} {HUNG} 12 EX r1 killed 6; 12 UF r1 signal; 13 RS r1 1; 14 SG r2; 15 SD r2",
        "0 unknown, 2 up, 10 down, 12 held, 13 down, 15 up", ["hang -> restored"],
    ),
    "a stop while it is held back": (
        f"{UP} {replaced(5)} {HELD} 15 SP r1 stop; 16 ST r1 stop",
        "0 unknown, 2 up, 10 held, 15 stopped", ["killed SIGKILL -> restored", "failed -> stopped"],
    ),
    "the journal begins with a replacement": (
        replaced(10), "0 unknown, 10 up", ["killed SIGKILL (start) -> restored"],
    ),
    "Type=simple, held back at its start": ("2 SD r1; 3 service-held-back r1", "0 unknown, 2 up", []),
}  # fmt: skip


@pytest.mark.parametrize("name", ROWS)
def test_each_row_is_what_the_service_was(name):
    text, spans, outages = ROWS[name]
    history = story(text).history(100)
    assert (spoken(history), failures(history)) == (spans, outages)


def test_a_report_counts_what_systemd_does_not_see():
    history = story(ROWS["a crash that is held back"][0]).history(100)
    found = report(history, Window(BEGIN + 2 * SECOND, BEGIN + 100 * SECOND), lambda at: at / 1e6)
    assert found["failures"]["causes"] == {"exit 3": 1, "killed SIGKILL": 1}
    assert (found["seconds"]["down"], found["seconds"]["held"]) == (0, 8)
    assert (found["mttr"]["value"], found["mttr"]["n"]) == (4, 2)


def test_how_long_a_repair_took_is_right_to_the_microsecond():
    lines = [
        replaced(at, "was killed by SIGKILL", f"HAFTA_DOWN_USEC={usec}") for at, usec in ((10, 4_321), (20, 7_654))
    ]
    history = story(f"{UP} {' '.join(lines)}").history(100)
    found = report(history, Window(BEGIN + 2 * SECOND, BEGIN + 100 * SECOND), lambda at: at / 1e6)
    assert found["seconds"]["down"] == 0.011975
    assert (found["mttr"]["value"], found["mttr"]["n"]) == (pytest.approx(0.0059875, abs=1e-6), 2)


def test_one_entry_of_a_storm_stands_for_ends_of_which_nothing_else_is_known():
    history = story(f"{UP} {replaced(10, 'was killed by SIGKILL', 'HAFTA_REPEATED=7', DOWN)}").history(20)
    assert spoken(history) == "0 unknown, 2 up"
    assert (len(history.outages), len(history.tally.uncertain)) == (1, 6)


def test_what_others_say_of_the_workers_changes_nothing():
    made = story(f"{UP} {HUNG} {replaced(12)}")
    fields = {"_SYSTEMD_UNIT": "other.service", "UNIT": "a.service"}
    made.raws[-2:] = [raw.replace(fields={**raw.fields, **fields}) for raw in made.raws[-2:]]
    assert spoken(made.history(100)) == "0 unknown, 2 up"


def test_a_run_is_one_run_however_many_workers_it_has():
    (one,) = told(story(f"{UP} {HUNG} {replaced(12)} 30 SP r1 stop; 31 ST r1 stop").history(100))
    assert (one.run, one.how, (one.end - one.begin) // SECOND) == (run_of("r1"), "stopped", 28)


def test_systemd_does_not_know_that_it_is_held_back():
    shown = Shown("active", run_of("r1"), BEGIN + 2 * SECOND)
    history = story(f"{UP} {replaced(5)} {HELD}").history(20, shown)
    assert spoken(history) == "0 unknown, 2 up, 10 held"


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        ("hung in work: 5 s", "hang"), ("took too long in work: 5 s", "hang"),
        ("was killed by SIGSEGV in work", "killed SIGSEGV"),
        ("was killed by signal 60", "killed signal 60"), ("was killed by the kernel: out of memory", "oom"),
        ("panicked in work", "exit 70"), ("ended with status 24", "exit 24"), ("ended with status 0", ""),
        ("?", "failed"),
    ],
)  # fmt: skip
def test_the_cause_is_a_word(reason, cause):
    assert cause_of_worker(reason) == cause
