"""What systemd writes, row by row, and what a unit was by that."""

import pytest
from observe_support import BEGIN, SECOND, Story, failures, run_of, spoken

from hafta.observe.intervals import Class, sums
from hafta.observe.shown import Shown

UP = "1 SG r1; 2 SD r1;"
KILLED = f"{UP} 10 EX r1 killed 9; 10 UF r1 signal; 11 RS r1 1;"

#: What happens: the entries, the spans from second 0 to 100, and the outages.
ROWS = {
    "start, ready": (UP, "0 unknown, 2 up", []),
    "Type=simple": ("2 SD r1", "0 unknown, 2 up", []),
    "stop by hand": (f"{UP} 10 SP r1 stop; 11 DE r1; 12 ST r1 stop", "0 unknown, 2 up, 10 stopped", []),
    "restart by hand": (
        f"{UP} 10 SP r1 stop; 11 DE r1; 12 ST r1 restart; 13 SG r2; 14 SD r2",
        "0 unknown, 2 up, 10 stopped, 14 up", [],
    ),
    "SIGKILL, 257": (
        f"{KILLED} 12 SG r2; 13 SD r2", "0 unknown, 2 up, 10 held, 11 down, 13 up", ["killed SIGKILL -> restored"],
    ),
    "SIGKILL, 252": (
        f"{KILLED} 11 ST r1 restart; 12 SG r2; 13 SD r2",
        "0 unknown, 2 up, 10 held, 11 down, 13 up", ["killed SIGKILL -> restored"],
    ),
    "systemctl kill": (
        f"{UP} 10 kill r1; 10 kill r1; 10 EX r1 killed 9; 10 UF r1 signal; 11 RS r1 1; 12 SG r2; 13 SD r2",
        "0 unknown, 2 up, 10 held, 11 down, 13 up", ["killed by hand -> restored"],
    ),
    "core dump": (
        f"{UP} 10 EX r1 dumped 11; 10 UF r1 core-dump; 11 RS r1 1; 12 SG r2; 13 SD r2",
        "0 unknown, 2 up, 10 held, 11 down, 13 up", ["core -> restored"],
    ),
    "exit 3": (
        f"{UP} 10 EX r1 exited 3; 10 UF r1 exit-code; 11 RS r1 1; 12 SG r2; 13 SD r2",
        "0 unknown, 2 up, 10 held, 11 down, 13 up", ["exit 3 -> restored"],
    ),
    "clean exit, Restart=always": (
        f"{UP} 10 DE r1; 11 RS r1 1; 12 SG r2; 13 SD r2",
        "0 unknown, 2 up, 10 held, 11 down, 13 up", ["clean exit -> restored"],
    ),
    "clean exit, not restarted": (f"{UP} 10 DE r1", "0 unknown, 2 up, 10 stopped", []),
    "clean exit, started again by hand": (
        f"{UP} 10 DE r1; 20 SG r2; 21 SD r2", "0 unknown, 2 up, 10 stopped, 21 up", [],
    ),
    "watchdog": (
        f"{UP} 9 hung r1; 10 EX r1 killed 6; 10 UF r1 watchdog; 11 RS r1 1; 12 SG r2; 13 SD r2",
        "0 unknown, 2 up, 9 down, 10 held, 11 down, 13 up", ["hang -> restored"],
    ),
    "start time-out": (
        f"{UP} 5 SP r1 stop; 6 ST r1 stop; 10 SG r2; 15 UF r2 timeout; 15 FS r2 failed; 16 RS r2 1; 17 SG r3; 18 SD r3",
        "0 unknown, 2 up, 5 stopped, 15 held, 16 down, 18 up", ["timeout (start) -> restored"],
    ),
    "exit before READY": (
        f"{KILLED} 12 SG r2; 13 EX r2 exited 1; 13 UF r2 exit-code; 13 FS r2 failed; 15 RS r2 2; 16 SG r3; 17 SD r3",
        "0 unknown, 2 up, 10 held, 11 down, 13 held, 15 down, 17 up", ["killed SIGKILL -> restored"],
    ),
    "ExecStartPre fails": (
        f"{UP} 5 SP r1 stop; 6 ST r1 stop; 7 SG r2; 8 EX r2 exited 1 ExecStartPre; 9 UF r2 exit-code; 9 FS r2 failed",
        "0 unknown, 2 up, 5 stopped, 9 down", ["failed (start) -> open"],
    ),
    "out of memory": (
        f"{UP} 10 OO r1; 10 EX r1 killed 9; 10 UF r1 oom-kill; 11 RS r1 1; 12 SG r2; 13 SD r2",
        "0 unknown, 2 up, 10 held, 11 down, 13 up", ["oom -> restored"],
    ),
    "start limit": (
        f"{KILLED} 11 ST r1 restart; 11 limit r1; 11 UF r1 signal; 11 FS r1 failed",
        "0 unknown, 2 up, 10 held, 11 down", ["killed SIGKILL -> start limit"],
    ),
    "dependency fails": (
        f"{UP} 10 SP r1 stop; 11 ST r1 stop; 20 FS r1 dependency",
        "0 unknown, 2 up, 10 stopped, 20 down", ["dependency (start) -> dependency"],
    ),
    "condition not met": (
        f"{UP} 10 SP r1 stop; 11 ST r1 stop; 20 SD r1; 30 SD -", "0 unknown, 2 up, 10 stopped", [],
    ),
    "condition not met, nothing known": ("20 SD r1 A was skipped because of an unmet condition", "0 unknown", []),
    "assertion fails": (
        f"{UP} 10 SP r1 stop; 11 ST r1 stop; 20 FS - assert",
        "0 unknown, 2 up, 10 stopped, 20 down", ["assert (start) -> assert"],
    ),
    "stop while it starts": (f"{KILLED} 12 SG r2; 13 DE r2; 14 ST r2 stop",
        "0 unknown, 2 up, 10 held, 11 down, 13 stopped", ["killed SIGKILL -> stopped"]),
    "stop in the wait for a restart": (
        f"{KILLED} 15 ST r1 stop", "0 unknown, 2 up, 10 held, 11 down, 15 stopped", ["killed SIGKILL -> stopped"],
    ),
    "stop takes too long": (
        f"{UP} 10 SP r1 stop; 20 EX r1 killed 9; 20 UF r1 timeout; 20 ST r1 stop", "0 unknown, 2 up, 10 stopped", [],
    ),
    "ExecReload fails": (f"{UP} 10 EX r1 exited 1 ExecReload", "0 unknown, 2 up", []),
    "ExecStopPost fails": (
        f"{UP} 10 SP r1 stop; 11 EX r1 exited 1 ExecStopPost; 11 UF r1 exit-code; 11 ST r1 stop",
        "0 unknown, 2 up, 10 stopped", [],
    ),
    "LogLevelMax=notice": (
        f"{UP} 10 EX r1 killed 9; 10 UF r1 signal; 50 EX r2 killed 9; 50 UF r2 signal",
        "0 unknown, 2 up, 10 unknown, 50 down", ["killed SIGKILL -> unknown", "killed SIGKILL (start) -> open"],
    ),
    "LogLevelMax=warning": (f"{UP} 10 UF r1 exit-code", "0 unknown, 2 up, 10 down", ["failed -> open"]),
    "shutdown": (
        f"{UP} 10 SHUTDOWN; 11 SP r1 stop; 12 ST r1 stop; 13 NOJOURNAL; 20 boot 1; 21 JOURNAL; 22 SG r2; 23 SD r2",
        "0 unknown, 2 up, 11 machine, 23 up", [],
    ),
    "shutdown while it is down": (
        f"{KILLED} 13 SHUTDOWN; 14 NOJOURNAL; 20 boot 1; 21 JOURNAL; 22 SG r2; 23 SD r2",
        "0 unknown, 2 up, 10 held, 11 down, 14 machine, 23 up", ["killed SIGKILL -> machine"],
    ),
    "a shutdown that does not come": (
        f"{UP} 10 SHUTDOWN; 11 SP r1 stop; 12 ST r1 stop; 20 SG r2; 21 SD r2",
        "0 unknown, 2 up, 11 stopped, 21 up", [],
    ),
    "machine killed": (
        f"{UP} 10 rolled-back r1; 20 boot 1; 21 JOURNAL; 22 SG r2; 23 SD r2",
        "0 unknown, 2 up, 10 unknown, 20 machine, 23 up", [],
    ),
    "machine killed, and the record tells more": (
        f"{UP} 10 rolled-back r1; 20 boot 1; 21 JOURNAL; 22 SG r2; 23 SD r2; 25 resumed r2 HAFTA_AGE_USEC=8000000",
        "0 unknown, 2 up, 17 unknown, 20 machine, 23 up", [],
    ),
    "container killed": (
        f"{UP} 10 rolled-back r1; 20 JOURNAL; 22 SG r2; 23 SD r2",
        "0 unknown, 2 up, 10 unknown, 20 machine, 23 up", [],
    ),
    "stopped when the machine dies": (
        f"{UP} 10 SP r1 stop; 11 ST r1 stop; 20 boot 1; 21 JOURNAL; 30 SG r2; 31 SD r2",
        "0 unknown, 2 up, 10 stopped, 31 up", [],
    ),
    "journald restarted": (f"{UP} 10 NOJOURNAL; 11 JOURNAL; 20 rolled-back r1", "0 unknown, 2 up", []),
    "journald killed": (f"{KILLED} 11 JOURNAL; 12 SG r2; 13 SD r2; 20 JOURNAL",
        "0 unknown, 2 up, 10 held, 11 down, 13 up", ["killed SIGKILL -> restored"]),
    "not started before this boot": ("5 JOURNAL; 10 boot 1; 11 JOURNAL; 20 SG r1; 21 SD r1",
        "0 unknown, 10 stopped, 21 up", []),
    "held back": (
        f"{KILLED} 12 SG r2; 13 service-held-back r2; 18 SD r2",
        "0 unknown, 2 up, 10 held, 11 down, 13 held, 18 up", ["killed SIGKILL -> restored"],
    ),
    "a oneshot": ("1 SG r1; 5 DE r1; 5 SD r1 Finished A.", "0 unknown, 5 stopped", []),
}  # fmt: skip
#: The same for what a source begins with in the middle, or has lost.
MISSING = {
    "an end is the first": (
        "10 EX r1 killed 9; 10 UF r1 signal; 11 RS r1 4; 12 SG r2; 13 SD r2",
        "0 up, 10 held, 11 down, 13 up", ["killed SIGKILL -> restored"],
    ),
    "the end of a start is the first": (
        "10 EX r1 exited 1; 10 UF r1 exit-code; 10 FS r1 failed; 11 RS r1 4; 12 SG r2; 13 SD r2",
        "0 unknown, 10 held, 11 down, 13 up", ["exit 1 (start) -> restored"],
    ),
    "a stop is the first": ("10 SP r1 stop; 11 ST r1 stop", "0 up, 10 stopped", []),
    "a restart is the first": (
        "10 RS r1 3; 11 SG r2; 12 SD r2", "0 unknown, 10 down, 12 up", ["failed (start) -> restored"],
    ),
    "no end": (f"{UP} 7 rolled-back r1; 12 SG r2; 13 SD r2", "0 unknown, 2 up, 7 unknown, 13 up", []),
    "no end but a restart": (
        f"{UP} 7 rolled-back r1; 11 RS r1 1; 12 SG r2; 13 SD r2",
        "0 unknown, 2 up, 7 unknown, 11 down, 13 up", ["clean exit -> restored"],
    ),
    "no start, and an end": (
        f"{KILLED} 12 SG r2; 30 EX r2 killed 9; 30 UF r2 signal; 31 RS r2 2; 32 SG r3; 33 SD r3",
        "0 unknown, 2 up, 10 held, 11 down, 12 unknown, 30 held, 31 down, 33 up", ["killed SIGKILL -> restored"],
    ),
    "the stop of a run that was never seen": (
        f"{UP} 10 SP r1 stop; 11 ST r1 stop; 20 SP r2 stop; 21 ST r2 stop",
        "0 unknown, 2 up, 10 stopped, 11 unknown, 20 stopped", [],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", [*ROWS, *MISSING])
def test_each_row_is_what_the_unit_was(name):
    text, spans, outages = {**ROWS, **MISSING}[name]
    history = Story(text).history(100)
    assert (spoken(history), failures(history)) == (spans, outages)
    assert sum(sums(history.spans).values()) == 100 * SECOND


def test_the_parts_of_a_restoration_add_up():
    history = Story(f"{KILLED} 12 SG r2; 13 service-held-back r2; 18 SD r2").history(20)
    assert spoken(history, parts=True).endswith(
        "10 held (wait), 11 down (begin), 12 down (start), 13 held (hold), 18 up"
    )


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        (f"{UP} 10 service-stopped r1; 11 RS r1 1; 12 SG r2; 13 SD r2", "0 unknown, 2 up, 10 held, 11 down, 13 up"),
        (f"{UP} 10 service-stopped r1", "0 unknown, 2 up, 10 stopped"),
        (f"{UP} 10 SP r1 stop; 10.5 service-stopped r1; 11 ST r1 stop", "0 unknown, 2 up, 10 stopped"),
    ],
)
def test_a_clean_exit_under_a_users_manager_is_told_by_the_service(text, spans):
    assert spoken(Story(text, user=1000).history(20)) == spans


def test_a_sleep_is_the_machines_and_a_clock_that_is_set_is_nothing():
    """The monotonic clock stands still in a sleep; a step of the clock is no time."""
    story = Story(f"{UP} 10 SLEEP; 11 AWAKE; 20 SP r1 stop; 30 rolled-back r1")
    moved = [0, 0, 0, 50, 50, 50 - 3600]  # what the wall clock is ahead: a sleep of 50 s, then an hour back
    story.raws = [raw.replace(wall=raw.wall + by * SECOND) for raw, by in zip(story.raws, moved, strict=True)]
    history = story.history(100)
    assert spoken(history) == "0 unknown, 2 up, 10 machine, 61 up, 70 stopped"
    assert [by // SECOND for _, by in story.timeline.steps] == [-3600]


def test_what_others_claim_of_a_unit_changes_nothing():
    story = Story(f"{UP} 10 EX r1 killed 9; 20 SP r1 stop; 30 NOJOURNAL; 31 JOURNAL")
    forged = [{"_PID": "4711", "_SYSTEMD_UNIT": "other.service"}] * 4
    fields = [{}, {}, *forged]
    story.raws = [raw.replace(fields={**raw.fields, **by}) for raw, by in zip(story.raws, fields, strict=True)]
    assert spoken(story.history(100)) == "0 unknown, 2 up"


def test_a_process_of_a_user_is_not_his_manager():
    story = Story(f"{UP} 10 EX r1 killed 9", user=1000)
    last = story.raws[-1]
    story.raws[-1] = last.replace(fields={**last.fields, "_SYSTEMD_USER_UNIT": "evil.service"})
    assert spoken(story.history(100)) == "0 unknown, 2 up"


SEEN = f"{UP} 5 rolled-back r1;"
#: State by the entries; what the manager shows; the spans.
CLOSES = {
    "agree, up": (UP, ("active", "r1", 2), "0 unknown, 2 up"),
    "up since before the journal": ("", ("active", "r1", -50), "0 up"),
    "up since then": ("", ("active", "r1", 40), "0 unknown, 40 up"),
    "another run": (SEEN, ("active", "r2", 40), "0 unknown, 2 up, 5 unknown, 40 up"),
    "reset after the start limit": (
        f"{KILLED} 11 UF r1 signal; 11.5 FS r1 failed", ("inactive", "", None),
        "0 unknown, 2 up, 10 held, 11 down, 11.5 unknown",
    ),
    "stopped, and nothing said so": (SEEN, ("inactive", "", 60), "0 unknown, 2 up, 5 unknown, 60 stopped"),
    "failed, and nothing said so": (SEEN, ("failed", "", 60), "0 unknown, 2 up, 5 unknown, 60 down"),
    "not started at boot": (
        f"{SEEN} 10 boot 1; 11 JOURNAL", ("inactive", "", None),
        "0 unknown, 2 up, 5 unknown, 10 stopped",
    ),
    "nothing known at all": ("", ("inactive", "", None), "0 unknown"),
}  # fmt: skip


@pytest.mark.parametrize("name", CLOSES)
def test_what_the_manager_says_of_now_is_so(name):
    text, (active, run, since), spans = CLOSES[name]
    shown = Shown(active, run_of(run or "-"), None if since is None else BEGIN + since * SECOND)
    history = Story(text).history(100, shown)
    assert spoken(history) == spans


def test_entries_of_a_process_that_had_died_count_if_the_manager_has_named_its_run():
    base = f"{UP} 3 rolled-back r1 HAFTA_NUMBER=1; 10 EX r1 killed 9;"
    story = Story(
        f"{base} 11 rolled-back r1 HAFTA_NUMBER=2; 12 rolled-back rX HAFTA_NUMBER=3; 30 rolled-back r1 HAFTA_NUMBER=4"
    )
    for place in (-3, -2, -1):
        fields = dict(story.raws[place].fields)
        fields["HAFTA_INVOCATION"] = fields.pop("_SYSTEMD_INVOCATION_ID")
        del fields["_SYSTEMD_UNIT"]
        story.raws[place] = story.raws[place].replace(fields=fields)
    tally = story.history(100).tally
    assert (tally.late_entries, [round((event.at - BEGIN) / SECOND) for event in tally.events]) == (1, [3, 11])


def test_all_six_classes_are_distinguished():
    assert [one.value for one in Class] == ["up", "down", "held", "stopped", "machine", "unknown"]
