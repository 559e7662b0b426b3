"""The figures of a window, and what a person reads of them."""

import json

import pytest
from observe_journals import write
from observe_support import BEGIN, SECOND, Story, run_of
from schema_support import problems, schema

from hafta import exits
from hafta.cli import report_text
from hafta.cli.group import run_group
from hafta.cli.times import moment
from hafta.observe.figures import Window, report
from hafta.observe.times import iso, lasting

#: Up 2-10, held 10-11, down 11-13, up 13-30, stopped 30-40, up 40-50, hung 50-52, held 52-53, down 53-55, up 55-100.
STORY = """
1 SG r1; 2 SD r1; 3 sequence-succeeded r1 HAFTA_SEQUENCE=s; 4 rolled-back r1 HAFTA_NODE=n HAFTA_ERROR=E HAFTA_ATTEMPT=1
5 rolled-back r1 HAFTA_NODE=n HAFTA_ERROR=E HAFTA_ATTEMPT=2 HAFTA_REPEATED=7 HAFTA_DURATION_USEC=250000
6 rolled-back r1 HAFTA_NODE=m HAFTA_ATTEMPT=0; 7 sequence-failed r1 HAFTA_SEQUENCE=s
10 EX r1 killed 9; 10 UF r1 signal; 11 RS r1 1; 12 SG r2; 13 SD r2; 14 resumed r2; 15 recovered r2
30 SP r2 stop; 31 ST r2 restart; 39 SG r3; 40 SD r3
50 hung r3; 52 EX r3 killed 6; 52 UF r3 watchdog; 53 RS r3 1; 54 SG r4; 55 SD r4
"""


def made(text=STORY, begin=2, end=100, **more):
    window = Window(BEGIN + begin * SECOND, BEGIN + end * SECOND, **more)
    return report(Story(text).history(end), window, lambda at: at / 1e6)


def test_the_figures_are_those_of_the_definitions():
    found = made(slo=0.9)
    assert found["seconds"] == {"up": 80, "down": 6, "held": 2, "stopped": 10, "machine": 0, "unknown": 0}
    assert found["availability"] == {"value": 80 / 88, "low": 80 / 88, "high": 80 / 88, "n": None, "reason": None}
    assert (found["mtbf"]["value"], found["mtbf"]["n"]) == (40, 2)
    assert (found["mttr"]["value"], found["mttr_without_hold"]["value"]) == (4, 3)
    assert {name: part["value"] for name, part in found["parts"].items()} == {
        "abort": 1, "wait": 1, "begin": 1, "hold": 0, "start": 1, "resume": 1, "first_good": 2,
    }  # fmt: skip
    assert found["restoration"]["p50"]["value"] == 3
    assert found["restoration"]["longest"]["seconds"] == 5
    assert found["failures"]["causes"] == {"hang": 1, "killed SIGKILL": 1}
    assert found["restarts"]["asked"] == 1
    assert found["budget"]["met"] is True
    assert found["sequences"]["success"]["value"] == 0.5


def test_rollbacks_are_counted_by_node_and_class_and_those_for_others_apart():
    nodes = made()["rollbacks"]["nodes"]
    assert [(one["node"], one["count"], one["back"], one["errors"]) for one in nodes] == [
        ("n", 8, 0, {"E": 8}), ("m", 0, 1, {}),
    ]  # fmt: skip
    assert nodes[0]["undone"] == {"median_seconds": 0.25, "longest_seconds": 0.25}


@pytest.mark.parametrize(
    ("more", "value"),
    [({}, 80 / 88), ({"counts_stops": True}, 80 / 98), ({"begin": 10, "end": 13}, 0), ({"begin": 20, "end": 30}, 1)],
)
def test_a_window_takes_its_part_of_every_span(more, value):
    assert made(**more)["availability"]["value"] == value


def test_a_restoration_counts_where_it_ends_and_a_failure_where_it_begins():
    found = made(begin=12, end=51)
    assert (found["failures"]["n"], found["mttr"]["n"]) == (1, 1)
    assert [span["class"] for span in found["intervals"]] == ["down", "up", "stopped", "up", "down"]


def test_what_is_unknown_makes_a_range_and_can_miss_a_promise():
    text = "1 SG r1; 2 SD r1; 10 rolled-back r1; 30 boot 1; 31 JOURNAL; 32 SG r2; 33 SD r2"
    found = made(text, slo=0.9)
    assert found["seconds"]["unknown"] == 20
    assert found["availability"] == {"value": 1, "low": 75 / 95, "high": 1, "n": None, "reason": None}
    assert found["budget"]["met"] is False
    assert (found["mtbf"]["value"], found["mtbf"]["reason"]) == (None, "no failure")
    lines = [*report_text.lines(found)]
    assert "(79 % if all that is unknown was down)" in lines[1]
    assert "what is unknown could take it all: missed" in "".join(lines)
    assert "20 s from" in "".join(lines)


@pytest.mark.parametrize(
    ("value", "is_whole", "text"),
    [
        (1, True, "100 %"), (1, False, "no outage seen"), (0.99982, False, "99.982 %"), (0.9, False, "90.0 %"),
        (0.5, False, "50 %"), (0.0, False, "0 %"), (0.99999999, False, "99.9999990 %"), (0.999, False, "99.90 %"),
    ],
)  # fmt: skip
def test_a_share_has_two_digits_of_what_is_missing_and_is_never_rounded_to_all(value, is_whole, text):
    assert report_text.percent(value, is_whole=is_whole) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"), (0.00021, "0.21 ms"), (0.06, "60 ms"), (13.5, "13.5 s"), (108, "1 min 48 s"), (250, "4 min 10 s"),
        (3600, "1 h"), (600_660, "6 d 22 h 51 min"), (-5, "-5 s"),
    ],
)  # fmt: skip
def test_durations_are_short(seconds, text):
    assert lasting(seconds) == text


NOW, BOOT = 1_795_000_000.0, 1_794_990_000.0


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2h", NOW - 7200), ("1h30min", NOW - 5400), ("2h ago", NOW - 7200), ("now", NOW), ("boot", BOOT),
        ("@12.5", 12.5),
        ("2026-11-18T00:00:00Z", 1_794_960_000.0), ("2026-11-18T01:00+01:00", 1_794_960_000.0),
    ],
)  # fmt: skip
def test_moments_are_read_as_people_write_them(text, at):
    assert moment(text)(NOW, BOOT) == at


def test_days_and_clocks_are_local(monkeypatch):
    import time

    monkeypatch.setenv("TZ", "UTC-1")  # an hour ahead
    time.tzset()
    try:
        assert moment("today")(NOW, BOOT) - moment("yesterday")(NOW, BOOT) == 86_400
        assert moment("09:30")(NOW, BOOT) - moment("today")(NOW, BOOT) == 34_200
        assert moment("2026-11-18 01:00")(NOW, BOOT) == 1_794_960_000.0
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("text", ["", "soon", "2x", "25:00", "2h later", "2026-13-01", "@", "1e5s", "-2h"])
def test_what_is_no_moment_is_refused_with_what_was_expected(text):
    with pytest.raises(ValueError, match="a time: 2h"):
        moment(text)


def test_a_time_that_no_calendar_has_is_a_number():
    assert (iso(0.5), iso(1e17)) == ("1970-01-01T00:00:00.500000Z", "@100000000000000000.000000")


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ((), 0),
        (("--slo", "50", "--since", "53s"), 0),
        (("--slo", "50"), 1),
        (("--slo", "99.9", "--since", "53s"), 1),
        (("--strict",), 1),
        (("--strict", "--since", "30s"), 0),
    ],
)
def test_the_status_is_for_scripts(tmp_path, capsys, more, status):
    write(tmp_path / "j", [raw.replace(boot="1" * 32) for raw in Story(STORY).raws])
    assert run_group(["report", "a", "--directory", str(tmp_path / "j"), *more]) == status
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith("a.service   1")
    assert max(len(line) for line in out if "→" not in line) < 140
    assert [line.split("→ ")[1] for line in out if "→" in line] in (
        [f"hafta log --directory {tmp_path}/j a.service --run {run_of(run)[:8]}"] for run in ("r1", "r3")
    ) or "30s" in more


def test_time_before_the_journal_is_unknown(tmp_path, capsys):
    found = made("10 SG r1; 11 SD r1", begin=-100, slo=0.99)
    assert (found["asked_seconds"], found["covered_seconds"], found["known_seconds"]) == (200, 100, 89)
    assert (found["seconds"]["unknown"], sum(found["seconds"].values())) == (111, 200)
    assert [(one["part"], one["seconds"]) for one in found["unknown"]] == [
        ("before the journal", 100), ("nothing is known before", 11),
    ]  # fmt: skip
    assert (found["availability"]["low"], found["budget"]["met"]) == (89 / 200, False)
    write(tmp_path / "j", [raw.replace(boot="1" * 32) for raw in Story(STORY).raws])
    assert run_group(["report", "a", "--directory", str(tmp_path / "j"), "--json"]) == exits.OK
    found = json.loads(capsys.readouterr().out)
    assert (found["complete"], len(found["missing"])) == (False, 1)
    assert found["missing"][0].startswith("not seen: what was before 2026-11-18T11:06:41")


def test_a_promise_of_no_unit_is_not_kept(tmp_path, capsys):
    write(tmp_path / "j", [raw.replace(boot="1" * 32) for raw in Story("1 SG r1; 2 SD r1").raws])
    for more, status in (((), exits.OK), (("--slo", "99"), exits.FAILED), (("--strict",), exits.FAILED)):
        assert run_group(["report", "--directory", str(tmp_path / "j"), *more]) == status
        assert "no unit has reported" in capsys.readouterr().err


def test_what_is_counted_and_what_is_not_is_said():
    said = lambda text, **more: "\n".join(report_text.lines(made(text, **more), **more))
    assert "10 s, not counted as down without --count-stops" in said(STORY)
    assert "10 s, counted as down\n" in said(STORY, counts_stops=True)
    lost = "1 SG r1; 2 SD r1; 9 rolled-back r1; 20 EX r2 killed 9; 20 UF r2 signal; 21 RS r2 1; 22 SG r3; 23 SD r3"
    assert "0 failures · 1 more end, of which it is not known whether it was up" in said(lost)


def test_the_json_says_the_same_with_all_its_keys(tmp_path, capsys):
    write(tmp_path / "j", [raw.replace(boot="1" * 32) for raw in Story(STORY).raws])
    assert run_group(["report", "a", "--directory", str(tmp_path / "j"), "--since", "53s", "--json"]) == exits.OK
    found = json.loads(capsys.readouterr().out)
    assert (found["version"], found["complete"], found["missing"]) == (1, True, [])
    assert problems(found, schema("report")) == []
    unit = found["units"][0]
    assert sum(unit["seconds"].values()) == unit["asked_seconds"] == 53
    assert sum(round(span["seconds"] * 1e6) for span in unit["intervals"]) == 53_000_000
    assert set(unit) == set(made())
    assert unit["from"].endswith("Z")


def test_the_definitions_name_every_line_of_a_report(capsys):
    assert run_group(["report", "--definitions"]) == exits.OK
    out = capsys.readouterr().out
    words = (
        "availability",
        "MTBF",
        "MTTR",
        "its parts",
        "restarts",
        "rollbacks",
        "budget",
        "unknown",
        "held",
        "machine",
    )
    assert [word for word in words if word not in out] == []
