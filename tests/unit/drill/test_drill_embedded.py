"""`hafta drill` under a real overlord, on a real service."""

import json
import os
import resource
import signal
import subprocess

import pytest
from drill_support import NO_LIMIT, PYTHON, begin, drilled, environ, events, hafta
from processes import below, is_alive, state_of, wait_until


@pytest.mark.parametrize(
    ("words", "times", "causes"),
    [
        (["kill", "term"], 2, ["killed SIGKILL", "clean exit"]),
        (["stop", "kill"], 1, ["hang", "killed SIGKILL"]),  # the watchdog is that of a busy machine: a round takes it
    ],
)
def test_a_service_that_is_ended_or_hangs_is_back_and_each_part_of_that_is_measured(feed, drill, words, times, causes):
    """READY and what the service reports are read from two sockets: which of them was read first, nobody promises."""
    overlord = feed("WatchdogSec=10")
    first = overlord.main("feed.service")
    status, answer, _ = drill(*words, "--times", str(times))
    assert (status, answer["ok"], answer["overlord"]) == (0, True, "embedded")
    assert [one["drill"] for one in answer["drills"]] == words
    for one in answer["drills"]:
        assert (one["verdict"], one["restarts"], one["lost"], len(one["rounds"])) == ("ok", times, 0, times)
        for each in one["rounds"]:
            assert 0 <= each["noticed_seconds"] < min(each["ready_again_seconds"], each["first_good_seconds"])
            assert (each["resumed"]["node"], each["resumed"]["checkpoint"]) == ("work", 3)
        assert one["noticed"]["longest_seconds"] <= one["ready_again"]["longest_seconds"]
    assert [one["rounds"][0]["cause"] for one in answer["drills"]] == causes
    assert len(overlord.pids("feed.service")) == 1 + 2 * times
    assert not is_alive(first)


def test_the_table_has_a_line_for_each_drill(feed, place):
    feed()
    status, out, err = hafta(place, "drill", "feed", "kill", "--times", "1", "--yes")
    head, line = out.splitlines()
    assert status == 0, err
    assert head.split("  ")[0] == "drill"
    assert line.startswith("kill")
    assert "work checkpoint(3)" in line
    assert line.endswith("ok")


def test_without_yes_the_plan_is_shown_and_nothing_is_done(feed, place):
    overlord = feed()
    status, out, err = hafta(place, "drill", "feed")
    assert (status, out.count("undone:")) == (2, 3)
    assert err == "hafta: error: nothing was done: --yes is missing\nhafta: read the plan; to carry it out, add --yes\n"
    status, answer, _ = drilled(place, "feed", "--plan")
    assert (status, answer["ok"], answer["drills"], len(answer["plan"])) == (0, None, [], 3)
    assert len(overlord.pids("feed.service")) == 1
    assert events(place, "feed", "drill-started") == []


@pytest.mark.parametrize(("name", "restart"), [("term", "on-failure"), ("kill", "on-success"), ("kill", "no")])
def test_a_drill_after_which_nobody_starts_the_unit_is_left_out_because_the_overlord_may_end_then(place, name, restart):
    place.service("plain", "/bin/sleep 1000", f"Restart={restart}", unit=NO_LIMIT)
    overlord = place.start("plain.service", until="plain.service is ready")
    status, answer, _ = drilled(place, "plain", name, "--yes")
    assert (status, answer["drills"][0]["left_out"]) == (0, True)
    assert f"nobody starts it again (Restart={restart})" in answer["drills"][0]["verdict"]
    assert len(overlord.pids("plain.service")) == 1


def test_a_hang_that_nobody_would_notice_is_left_out(place):
    place.service("plain", "/bin/sleep 1000", "Restart=always")
    place.start("plain.service", until="plain.service is ready")
    status, answer, _ = drilled(place, "plain", "stop", "--yes")
    assert (status, answer["drills"][0]["left_out"]) == (0, True)
    assert "WatchdogSec" in answer["drills"][0]["verdict"]


def test_the_log_has_the_begin_and_the_end_of_each_drill(feed, drill, place):
    feed()
    drill("kill", "term", "--times", "1")
    assert [one["fields"]["HAFTA_DRILL"] for one in events(place, "feed", "drill-started")] == ["kill", "term"]
    assert [one["fields"]["HAFTA_DRILL"] for one in events(place, "feed", "drill-ended")] == ["kill", "term"]


def test_what_a_drill_did_is_no_failure_in_the_report_and_is_marked_in_the_log_and_in_the_status(feed, drill, place):
    feed()
    drill("kill", "--times", "2")
    report = json.loads(hafta(place, "report", "feed", "--json", "--overlord")[1])["units"][0]
    assert (report["failures"]["n"], report["mttr"]["n"], report["drills"]["outages"]) == (0, 0, 2)
    assert (report["seconds"]["down"], report["seconds"]["held"]) == (0, 0)
    assert report["drills"]["seconds"] > 0
    lines = hafta(place, "log", "feed", "--overlord", "-n", "1000")[1]
    assert lines.count("(drill) main process ended: killed SIGKILL") == 2
    runs = [json.loads(line) for line in hafta(place, "log", "feed", "--overlord", "--runs", "--json")[1].splitlines()]
    assert [one["ended"] for one in runs] == ["killed SIGKILL (drill)", "killed SIGKILL (drill)", "running"]
    status = json.loads(hafta(place, "status", "feed", "--json")[1])["services"][0]
    assert (status["drill"], status["restarts"]["killed"], status["restarts"]["drilled"]) == (None, 0, 2)


def soft_limit(pid):
    return resource.prlimit(pid, resource.RLIMIT_NOFILE)[0]


def test_a_service_without_descriptors_and_beside_loops_is_up_at_the_end_with_its_limit_and_without_loops(
    place, feed, drill
):  # fmt: skip
    overlord = feed("WatchdogSec=60")
    before = soft_limit(overlord.main("feed.service"))
    status, answer, _ = drill("loop", "no-descriptors")
    assert (status, answer["ok"]) == (0, True)
    assert [(one["drill"], len(one["rounds"])) for one in answer["drills"]] == [("loop", 1), ("no-descriptors", 1)]
    assert answer["drills"][0]["verdict"] == "ok: not disturbed"
    assert soft_limit(overlord.pids("feed.service")[-1]) == before


@pytest.mark.parametrize("name", ["no-descriptors", "loop"])
def test_a_drill_that_lasts_and_is_killed_leaves_neither_a_limit_nor_a_loop(place, feed, name):
    overlord = feed("WatchdogSec=60")
    main = overlord.main("feed.service")
    before = soft_limit(main)
    with begin(place, "drill", "feed", name, "--yes") as drill:
        children = wait_until(lambda: len(found := below(drill.pid)) == (9 if name == "loop" else 1) and found)
        if name == "no-descriptors":
            wait_until(lambda: soft_limit(main) < before, "it is limited")
        drill.kill()
        drill.communicate()
    wait_until(lambda: soft_limit(main) == before, "the limit of before")
    wait_until(lambda: not any(map(is_alive, children)), "loops and holder end")


@pytest.mark.parametrize("name", ["starved", "journald-stuck"])
def test_what_only_systemd_can_do_is_left_out(place, feed, drill, name):
    feed()
    status, answer, _ = drill(name)
    assert (status, answer["drills"][0]["verdict"]) == (0, "left out: only under systemd")


def test_an_expectation_that_is_missed_is_told_and_is_status_1(feed, place, drill):
    feed()
    expected = place.file("drill.toml")
    with open(expected, "w") as file:
        file.write('[all]\nlost = 0\n[kill]\nready-again = "1us"\nresumed = "elsewhere"\nrestarts = 1\n')
    status, answer, _ = drill("kill", "--times", "1", "--expect", expected)
    assert (status, answer["ok"]) == (1, False)
    assert [line.split(":")[0] for line in answer["drills"][0]["missed"]] == ["ready-again", "resumed"]
    assert answer["drills"][0]["missed"][1] == "resumed: work, expected elsewhere"


@pytest.mark.parametrize(
    ("by", "are_both"),  # the drill alone, or also its holder
    [
        (signal.SIGKILL, False),
        *((by, are_both) for by in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP) for are_both in (False, True)),
    ],
)
def test_a_drill_that_is_ended_in_the_middle_undoes_all_of_it(place, plain, by, are_both):
    """The watchdog is long: the unit stays stopped by SIGSTOP until somebody lets it go on."""
    overlord, main = plain, plain.main("plain.service")
    with begin(place, "drill", "plain", "stop", "--times", "1", "--yes") as drill:
        wait_until(lambda: state_of(main) == "T", "it is stopped")
        holder = below(drill.pid)
        for pid in (*(holder if are_both else ()), drill.pid):
            os.kill(pid, by)
        _, err = drill.communicate()  # it is over when the holder, too, has ended
    assert drill.returncode != 0
    assert "Traceback" not in err
    assert (by == signal.SIGINT) or "all that it had changed is undone" in err
    wait_until(lambda: state_of(main) not in "tT", "it goes on")
    wait_until(lambda: not any(is_alive(pid) for pid in holder), "the holder ends")
    assert overlord.pids("plain.service") == [main]
    assert len(events(place, "plain", "drill-ended")) == 1


def test_a_drill_whose_terminal_hangs_up_undoes_all_of_it(place, plain):
    main = plain.main("plain.service")
    ours, theirs = os.openpty()
    command = ["setsid", "--ctty", PYTHON, "-m", "hafta.cli", "drill", "plain", "stop", "--yes"]
    with subprocess.Popen(command, env=environ(place), stdin=theirs, stdout=theirs, stderr=theirs) as drill:
        os.close(theirs)
        wait_until(lambda: state_of(main) == "T", "it is stopped")
        holder = below(drill.pid)
        os.close(ours)
    assert drill.returncode == -signal.SIGHUP
    wait_until(lambda: state_of(main) not in "tT", "it goes on")
    wait_until(lambda: not any(map(is_alive, holder)), "the holder ends")
    assert plain.pids("plain.service") == [main]
    assert len(events(place, "plain", "drill-ended")) == 1


def test_while_a_drill_goes_on_the_status_says_so_and_not_any_more_when_it_has_ended(place, plain):
    main = plain.main("plain.service")
    with begin(place, "drill", "plain", "stop", "--yes") as drill:
        wait_until(lambda: state_of(main) == "T", "it is stopped")
        during, text = hafta(place, "status", "plain", "--json")[1], hafta(place, "status", "plain")[1]
        drill.kill()
        drill.communicate()
    assert json.loads(during)["services"][0]["drill"] == "stop"
    assert "(drill) stop" in text
    wait_until(lambda: events(place, "plain", "drill-ended"), "its end is noted")
    assert json.loads(hafta(place, "status", "plain", "--json")[1])["services"][0]["drill"] is None
    assert "(drill) stop" not in hafta(place, "status", "plain")[1]


def test_a_unit_that_takes_its_time_to_end_counts_as_drilled_also_if_the_drill_is_killed_meanwhile(place):
    """Until it has ended it only seems to be up: the holder neither leaves it alone nor notes the end of the drill."""
    asked, may = place.file("asked"), place.file("may")
    command = place.script(
        "slow.py",
        "import os, signal, sys, time\n"
        f"def end(*_):\n    open({asked!r}, 'w').close()\n"
        f"    while not os.path.exists({may!r}): time.sleep(0.01)\n    sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, end)\nwhile True: time.sleep(1000)\n",
    )
    place.service("plain", command, "Restart=always", "RestartSec=0", unit=NO_LIMIT)
    overlord = place.start("plain.service", until="plain.service is ready")
    wait_until(lambda: catches(overlord.main("plain.service"), signal.SIGTERM), "it can be asked")
    with begin(place, "drill", "plain", "term", "--times", "1", "--yes") as drill:
        wait_until(lambda: os.path.exists(asked), "it is asked to end")
        drill.kill()
        open(may, "w").close()
        drill.communicate()
    overlord.wait_for("plain.service is ready", 2)
    report = json.loads(hafta(place, "report", "plain", "--json", "--overlord")[1])["units"][0]
    assert (report["failures"]["n"], report["drills"]["outages"], report["drills"]["drills"]) == (0, 1, ["term"])


def catches(pid, signum):
    """Tell whether a process has a handler for a signal."""
    with open(f"/proc/{pid}/status") as file:
        mask = next(line for line in file if line.startswith("SigCgt:")).split()[1]
    return bool(int(mask, 16) >> (signum - 1) & 1)


def test_a_drill_that_is_killed_while_the_unit_is_down_has_it_started(place):
    place.service("plain", "/bin/sleep 1000", "Restart=always", "RestartSec=3")
    overlord = place.start("plain.service", until="plain.service is ready")
    main = overlord.main("plain.service")
    with begin(place, "drill", "plain", "kill", "--yes") as drill:
        wait_until(lambda: not is_alive(main), "it is killed")
        drill.kill()
        overlord.wait_for("plain.service is ready", 2)
        drill.communicate()
    found = json.loads(hafta(place, "status", "plain", "--json")[1])["services"][0]
    assert (found["health"], len(events(place, "plain", "drill-ended"))) == ("up", 1)


def test_a_drill_whose_holder_dies_undoes_all_itself_and_says_so(place, feed):
    overlord = feed()
    with begin(place, "drill", "feed", "kill", "--times", "50", "--yes") as drill:
        overlord.wait_for("feed.service is ready", 2)
        (holder,) = below(drill.pid)
        os.kill(holder, signal.SIGKILL)
        _, err = drill.communicate()
    assert drill.returncode == 1
    assert "the process that undoes what the drill changes has died" in err
    assert len(events(place, "feed", "drill-ended")) == 1


def test_only_one_drill_of_a_unit_runs_at_a_time(place, plain):
    main = plain.main("plain.service")
    with begin(place, "drill", "plain", "stop", "--yes") as first:
        wait_until(lambda: state_of(main) == "T", "it is stopped")
        holder = below(first.pid)
        status, out, err = hafta(place, "drill", "plain", "--yes")
        first.kill()
        first.communicate()
    assert (status, out) == (2, "")
    assert "another drill of plain.service runs" in err
    wait_until(lambda: not any(map(is_alive, holder)), "the holder ends")
    assert drilled(place, "plain", "kill", "--times", "1", "--yes")[0] == 0


@pytest.mark.parametrize("how", ["Requires", "BindsTo"])
def test_a_unit_that_others_require_is_refused(place, feed, how):
    place.service("above", "/bin/sleep 1000", unit=(f"{how}=feed.service", "After=feed.service"))
    feed(others=("above.service",))
    status, _, err = hafta(place, "drill", "feed", "--yes")
    assert status == 2
    assert err.splitlines()[0] == (
        "hafta: error: feed.service is required by above.service, which would go down with it"
    )
    assert len(err.splitlines()) == 2


def test_a_unit_without_a_restart_left_is_refused(place, feed):
    overlord = feed(unit=("StartLimitIntervalSec=1h", "StartLimitBurst=2"))
    status, _, err = hafta(place, "drill", "feed", "--yes")
    assert status == 2
    assert "has no restart left: its start limit allows 2 starts in 3600 s" in err
    assert len(overlord.pids("feed.service")) == 1


def test_a_drill_waits_so_that_a_start_is_always_left(place, feed, drill):
    overlord = feed(unit=("StartLimitIntervalSec=5", "StartLimitBurst=3"))
    status, answer, _ = drill("kill", "--times", "5")
    assert (status, answer["drills"][0]["restarts"]) == (0, 5)
    assert overlord.find("too often|start-limit") == []


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["feed", "flood"], 2, "there is no drill 'flood'"),
        (["feed", "--times", "0"], 2, "a number of rounds from 1 to 100"),
        ([], 2, "name a unit"),
        (["nothing"], 4, "there is no unit nothing.service that runs here"),
        (["feed", "--expect", "/nonexistent"], 2, "/nonexistent"),
    ],
)
def test_what_cannot_be_done_is_a_line_and_a_status(place, feed, words, status, said):
    feed()
    found, out, err = hafta(place, "drill", *words, "--yes")
    assert (found, out) == (status, "")
    assert said in err


def test_a_unit_that_is_stopped_is_refused(place, feed):
    feed()
    assert hafta(place, "ctl", "stop", "feed")[0] == 0
    status, _, err = hafta(place, "drill", "feed", "--yes")
    assert status == 2
    assert "feed.service is not up: it is inactive" in err
