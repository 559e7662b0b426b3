"""`hafta log`: lines of entries, runs, gaps, following; and what it says when there is nothing."""

import json
import signal
import subprocess
import sys
import time

import pytest
from observe_journals import REMOTE, export, write
from observe_support import BEGIN, SECOND, Story, run_of
from schema_support import problems, schema

from hafta import exits
from hafta.cli.group import run_group
from hafta.cli.past import Past
from hafta.observe.lines import lines, runs_of, told
from hafta.settings import Values

STORY = """
1 SG aa1; 2 SD aa1; 3 rolled-back aa1 HAFTA_NODE=n HAFTA_NUMBER=1
4 rolled-back aa1 HAFTA_NODE=n HAFTA_NUMBER=2 HAFTA_REPEATED=7
5 rolled-back aa1 HAFTA_NODE=m HAFTA_NUMBER=3; 6 rolled-back aa1 HAFTA_NODE=m HAFTA_NUMBER=9
10 EX aa1 killed 9; 10 UF aa1 signal; 11 RS aa1 1; 12 SG bb2; 13 SD bb2; 30 SP bb2 stop; 31 ST bb2 stop
"""  # fmt: skip


@pytest.fixture
def journal(tmp_path):
    raws = [raw.replace(boot="1" * 32) for raw in Story(STORY).raws]
    return write(tmp_path / "j", raws)


@pytest.fixture
def hafta(journal, capsys):
    """Return status, stdout and stderr of `hafta log a` with more arguments."""

    def run(*more):
        status = run_group(["log", "a", "--directory", str(journal), *more])
        return status, *capsys.readouterr()

    return run


def entries_of(text, **more):
    story = Story(text, **more)
    return [story.reading.entry(raw) for raw in story.raws]


def test_repeats_are_one_line_with_what_they_stand_for_and_holes_are_lines():
    said = [(line.text, line.count, line.is_gap) for line in lines(entries_of(STORY))]
    assert said[2:6] == [
        ("rolled-back", 8, False), ("rolled-back", 1, False),
        ("5 events are not in the journal (holes in their numbers)", 1, True), ("rolled-back", 1, False),
    ]  # fmt: skip
    assert said[6][0] == "main process ended: killed SIGKILL"


def test_what_stands_between_entries_is_told():
    story = Story("1 SG aa1; 2 SD aa1; 3 rolled-back aa1; 20 boot 1; 21 JOURNAL; 22 SG bb2")
    story.raws[2] = story.raws[2].replace(wall=story.raws[2].wall - 3600 * SECOND)
    gaps = [line.text for line in lines(map(story.reading.entry, story.raws)) if line.is_gap]
    assert gaps == ["the clock was set by -3600.0 s", "the machine was booted"]


def test_what_others_claim_is_marked(journal, hafta):
    forged = Story("40 SP cc3 stop").raws[0]
    forged = forged.replace(boot="1" * 32, fields={**forged.fields, "_PID": "4711", "_SYSTEMD_UNIT": "x.service"})
    write(journal, [forged], "b.journal")
    _, out, _ = hafta("-n", "1")
    assert out.splitlines()[-1].endswith("(unverified, pid 4711) a.service: stopping")
    assert json.loads(hafta("-n", "1", "--json")[1])["trust"] == "unverified"


def test_what_journald_read_too_late_is_marked_and_is_the_units_whose_run_it_names(journal, hafta):
    late = Story("10.5 service-failed aa1; 10.6 service-failed ee9").raws
    for place, raw in enumerate(late):
        fields = {**raw.fields, "HAFTA_INVOCATION": raw.fields["_SYSTEMD_INVOCATION_ID"]}
        del fields["_SYSTEMD_INVOCATION_ID"], fields["_SYSTEMD_UNIT"]
        late[place] = raw.replace(boot="1" * 32, fields=fields)
    write(journal, late, "b.journal")
    _, out, _ = hafta("-e", "service-failed", "--json")
    assert [(one["trust"], one["unit"]) for one in map(json.loads, out.splitlines())] == [("late", "a.service")]
    assert hafta("-e", "service-failed")[1].splitlines()[-1].endswith("(late) service-failed")


def test_runs_are_those_that_were_up_and_say_how_they_ended(hafta):
    history = Story(STORY).history(40)
    assert [(one.run, one.how, one.end and (one.end - BEGIN) // SECOND) for one in told(history)] == [
        (run_of("aa1"), "killed SIGKILL", 10), (run_of("bb2"), "stopped", 30),
    ]  # fmt: skip
    status, out, err = hafta("--runs")
    assert (status, err) == (exits.OK, "")
    assert [line.split()[-1] for line in out.splitlines()] == ["ENDED", "SIGKILL", "stopped"]
    found = [json.loads(line) for line in hafta("--runs", "--json")[1].splitlines()]
    assert [wrong for one in found for wrong in problems(one, schema("runs"))] == []
    assert [(one["run"], one["seconds"]) for one in found] == [(run_of("aa1"), 8), (run_of("bb2"), 17)]


@pytest.mark.parametrize(
    ("name", "run"), [("0", "bb2"), ("-1", "aa1"), (run_of("aa1")[:6], "aa1"), (run_of("bb2"), "bb2")]
)
def test_one_run_is_shown_by_its_place_or_its_id(hafta, name, run):
    status, out, _ = hafta("--run", name, "--json")
    assert status == exits.OK
    assert {json.loads(line)["run"] for line in out.splitlines()} == {run_of(run)}


@pytest.mark.parametrize(
    ("more", "status", "said"),
    [
        (("--run", "-7"), exits.NOT_FOUND, "a.service has no run -7 in the journal"),
        (("--run", "ffff"), exits.NOT_FOUND, "a.service has no run ffff in the journal"),
        (("--run", "x"), exits.USAGE, "--run: 'x' is not 0 (the newest run)"),
        (("b",), exits.NOT_FOUND, "there is no entry of b.service in the journal"),
        (("b", "--since", "@0"), exits.NOT_FOUND, "there is no entry of b.service in the journal"),
        (("b", "--run", "0"), exits.USAGE, "--run needs one unit"),
        (("--run", "-123"), exits.NOT_FOUND, "a.service has no run -123 in the journal"),
        (("--run", "-1234"), exits.NOT_FOUND, "a.service has no run -1234 in the journal"),
        (("-f", "--run", "0"), exits.USAGE, "--follow goes on, and --run has an end"),
        (("-f", "--runs"), exits.USAGE, "--follow goes on, and --runs has an end"),
        (("-f", "--until", "now"), exits.USAGE, "--follow goes on, and --until has an end"),
        (("-n", "x"), exits.USAGE, "--lines: 'x' is not a whole number"),
    ],
)
def test_what_is_not_there_is_one_line_and_a_status(hafta, more, status, said):
    found, out, err = hafta(*more)
    assert (found, out, len(err.splitlines())) == (status, "", 2)
    assert err.startswith(f"hafta: error: {said}")


def test_one_event_of_some_time_and_some_lines(hafta):
    kinds = lambda *more: [json.loads(line)["kind"] for line in hafta("--json", *more)[1].splitlines()]
    assert kinds("-e", "rolled-back", "-e", "stopped") == ["rolled-back"] * 4 + ["stopped"]
    assert kinds("--since", "2s") == ["stopping", "stopped"]
    assert kinds("-n", "1") == ["stopped"]
    assert len(kinds("--until", "2026-11-18T11:06:42Z")) == 2  # BEGIN is 11:06:40
    assert hafta("-e", "no-such")[0] == exits.FAILED


def test_what_the_service_prints_is_its_own(tmp_path, capsys):
    raws = [raw.replace(boot="1" * 32) for raw in Story("1 SG aa1; 2 SD aa1; 3 rolled-back aa1").raws]
    printed = {
        "_SYSTEMD_UNIT": "a.service",
        "_SYSTEMD_INVOCATION_ID": run_of("aa1"),
        "MESSAGE": "hello",
        "PRIORITY": "6",
    }
    raws[2] = raws[2].replace(fields=printed)
    assert run_group(["log", "a", "--directory", str(write(tmp_path / "j", raws))]) == exits.OK
    assert capsys.readouterr().out.splitlines()[-1].split()[2:] == ["hello"]


def test_lines_of_priority_debug_are_shown_on_request(tmp_path, capsys):
    raws = Story("1 SG aa1; 2 said aa1; 3 said aa1").raws
    raws = [raw.replace(boot="1" * 32) for raw in raws]
    raws[1] = raws[1].replace(fields={**raws[1].fields, "PRIORITY": "7"})
    raws[2] = raws[2].replace(fields={**raws[2].fields, "PRIORITY": "6"})
    write(tmp_path / "j", raws)
    shown = []
    for more in ((), ("--all",)):
        assert run_group(["log", "a", "--json", "--directory", str(tmp_path / "j"), *more]) == exits.OK
        shown.append([json.loads(line)["priority"] for line in capsys.readouterr().out.splitlines()])
    assert shown == [[6, 6], [6, 7, 6]]


def test_a_line_fits_its_terminal_and_says_nothing_that_moves_it(tmp_path, capsys):
    raws = Story("1 SG aa1; 2 rolled-back aa1").raws
    raws = [raw.replace(boot="1" * 32, fields={**raw.fields, "MESSAGE": "\x1b[31mred\u202e\nx"}) for raw in raws]
    assert run_group(["log", "a", "--directory", str(write(tmp_path / "j", raws))]) == exits.OK
    out = capsys.readouterr().out
    assert "\\x1b[31mred\\u202e\\nx" in out
    assert len(out.splitlines()) == 3


def test_each_event_is_explained_once(hafta):
    _, out, _ = hafta("--explain")
    assert out.count("Subject: A start job for unit a.service has finished successfully") == 1


def test_several_units_are_named(tmp_path, capsys):
    raws = [*Story("1 SG aa1; 3 rolled-back aa1").raws, *Story("2 SG bb2; 4 rolled-back bb2", unit="b.service").raws]
    raws = sorted((raw.replace(boot="1" * 32) for raw in raws), key=lambda raw: raw.wall)
    assert run_group(["log", "--directory", str(write(tmp_path / "j", raws))]) == exits.OK
    heads = [line.split()[2] for line in capsys.readouterr().out.splitlines() if line.startswith("run ")]
    assert heads == ["a.service", "b.service", "a.service", "b.service"]


def test_the_newest_run_is_named_by_those_who_can_be_believed():
    entries = entries_of(STORY)
    assert runs_of(entries, "a.service") == [run_of("aa1"), run_of("bb2")]
    assert runs_of(entries, "b.service") == []


def followed(journal, *more):
    """Begin `hafta log a -f`."""
    command = [sys.executable, "-c", "from hafta.cli import main; raise SystemExit(main())", "log", "a", "-f", *more]
    return subprocess.Popen(
        [*command, "--directory", str(journal)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1
    )


def append(journal, text):
    (journal / "more").write_bytes(export([raw.replace(boot="1" * 32) for raw in Story(text).raws]))
    command = [REMOTE, f"--output={journal}/a.journal", str(journal / "more")]
    subprocess.run(command, check=True, capture_output=True)


def test_what_comes_is_followed(journal):
    """A writer appends to the journal while `hafta log -f` reads it."""
    with followed(journal, "-n", "1") as process:
        try:
            assert process.stdout.readline().startswith("run ")
            assert "stopped" in process.stdout.readline()
            append(journal, "49 JOURNAL; 50 SG cc3; 51 SD cc3")
            began = time.monotonic()
            found = [process.stdout.readline() for _ in range(4)]
            assert [line.split()[-1] for line in found if not line.startswith("run ")] == ["JOURNAL", "starting", "A."]
            assert time.monotonic() - began < 20
        finally:
            process.kill()


def test_what_is_lost_between_two_looks_is_a_line_and_the_end_explains(journal):
    with followed(journal, "-n", "0", "--explain") as process:
        try:
            time.sleep(1)  # so that it follows by then
            append(journal, "49 rolled-back aa1 HAFTA_NODE=n HAFTA_NUMBER=12; 50 SD aa1")
            assert "2 events are not in the journal" in [process.stdout.readline() for _ in range(2)][-1]
            assert "rolled-back" in process.stdout.readline()
            assert process.stdout.readline().endswith("Started A.\n")
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=20)
            assert (process.returncode, err) == (exits.OK, "")
            assert out.startswith("\nSubject: A start job for unit a.service has finished")
        finally:
            process.kill()


def test_following_ends_when_nobody_reads(journal):
    with followed(journal) as process:
        try:
            assert process.stdout.readline().startswith("run ")
            process.stdout.close()
            assert process.wait(timeout=20) == exits.OK
            assert process.stderr.read() == ""
        finally:
            process.kill()


def test_an_event_that_is_asked_for_makes_no_holes_and_hides_none(hafta):
    _, out, _ = hafta("-e", "started", "-e", "rolled-back", "--since", "@0")
    assert [line.split("  ")[-1].strip() for line in out.splitlines() if "┊" in line] == [
        "5 events are not in the journal (holes in their numbers)"
    ]
    status, out, _ = hafta("-e", "no-such")
    assert (status, out.count("holes in their numbers")) == (exits.FAILED, 1)


BOOTS = "1 JOURNAL; 2 SG aa1; 3 SD aa1; 100 boot 1; 101 JOURNAL; 102 SG bb2; 103 SD bb2; 200 boot 2; 201 JOURNAL"
ASLEEP = 8 * 3600 * SECOND


def sleeping():
    """Return entries before and after eight hours of sleep, in which the monotonic clock stood still."""
    raws = Story("1 JOURNAL; 2 SG aa1; 3 SD aa1; 10 SLEEP; 11 AWAKE; 20 rolled-back aa1; 21 SP aa1 stop").raws
    return [raw.replace(wall=raw.wall + ASLEEP * (place > 3)) for place, raw in enumerate(raws)]


def kinds_of(directory, capsys, *more):
    status = run_group(["log", "a", "--json", "--directory", str(directory), *more])
    return status, [json.loads(line)["kind"] for line in capsys.readouterr().out.splitlines()]


def test_every_boot_between_the_first_and_this_one_is_shown(tmp_path, capsys):
    write(tmp_path / "j", Story(f"{BOOTS}; 202 SG cc3; 203 SD cc3").raws)
    everything = ["journal started", "starting", "started"]
    lost = ["last entry of anybody", *everything]
    assert kinds_of(tmp_path / "j", capsys) == (exits.OK, everything + lost * 2)
    assert kinds_of(tmp_path / "j", capsys, "--run", "-1") == (exits.OK, ["starting", "started"])
    assert kinds_of(tmp_path / "j", capsys, "--since", "102s", "-e", "started") == (exits.OK, ["started"] * 2)
    assert run_group(["log", "a", "--directory", str(tmp_path / "j")]) == exits.OK
    assert capsys.readouterr().out.count("the machine was booted") == 2


@pytest.mark.parametrize(
    ("more", "count"), [((), 7), (("--since", "1min"), 3), (("--since", "9h"), 7), (("--until", "1min"), 4)]
)
def test_what_came_after_a_sleep_is_shown(tmp_path, capsys, more, count):
    assert len(kinds_of(write(tmp_path / "j", sleeping()), capsys, *more)[1]) == count


def test_a_run_that_slept_is_one_run_from_its_begin(tmp_path, capsys):
    write(tmp_path / "j", sleeping())
    assert run_group(["log", "a", "--runs", "--json", "--directory", str(tmp_path / "j")]) == exits.OK
    (one,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (one["run"], one["seconds"]) == (run_of("aa1"), 18 + ASLEEP // SECOND)


def test_a_sleep_counts_once_however_often_the_journal_is_read(tmp_path):
    past = Past(["a"], Values({"directory": str(write(tmp_path / "j", sleeping())), "user": False}))
    times = {past.entries(newest=count)[-1].at - past.begin for count in (7, 7)}
    assert times == {past.entries()[-1].at - past.begin} == {20 * SECOND + ASLEEP}
