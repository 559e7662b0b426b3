"""`hafta ctl` asks a real overlord: output and exit statuses are those that scripts know from systemctl."""

import json
import os
import subprocess
import sys

import pytest
from control_support import path_of
from overlord_harness import DEADLINE, ROOT, wait_until

from hafta.control.options import PROGRAM
from hafta.settings import help_text

MANY = os.geteuid() == 0


class Answer:
    """What a command printed, and its status."""

    def __init__(self, done):
        self.status = done.returncode
        self.out = done.stdout
        self.err = done.stderr

    def __iter__(self):
        return iter((self.status, self.out))


def ctl(place, *words, module="hafta.control", overlord=True, **environ):
    """Run `hafta ctl`, told where this place is."""
    where = {"HAFTA_CONTROL": path_of(place)} if overlord else {}
    measured = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": ROOT, "TZ": "UTC", **measured, **where, **environ}
    command = [sys.executable, "-m", *module.split(), *words]
    return Answer(
        subprocess.run(command, check=False, capture_output=True, text=True, env=environment, timeout=DEADLINE, cwd="/")
    )


@pytest.fixture
def running(place):
    """Three units: one is up, one has failed, one has ended well."""
    place.service("good", "/bin/sleep 1000", unit=("Description=A good one",))
    place.service("bad", "/bin/false", "Type=oneshot")
    place.service("once", "/bin/true", "Type=oneshot")
    overlord = place.start("good", "bad", "once", until="bad.service failed")
    overlord.wait_for("once.service is stopped")
    overlord.wait_for("good.service is ready")
    return place


def test_list_units_has_the_columns_that_scripts_read(running):
    listed = ctl(running, "list-units", "--plain", "--no-legend", "--all", "--type", "service")
    assert listed.status == 0
    assert listed.out.splitlines() == [
        "bad.service  loaded failed   failed  bad.service",
        "good.service loaded active   running A good one",
        "once.service loaded inactive dead    once.service",
    ]
    shown = ctl(running).out
    assert shown.startswith(
        "  UNIT         LOAD   ACTIVE SUB     DESCRIPTION\n● bad.service  loaded failed failed  bad"
    )
    assert "2 loaded units listed. --all shows those at rest, too." in shown
    assert ctl(running, "list-units", "--failed", "--plain", "--no-legend").out.split()[0] == "bad.service"
    assert ctl(running, "list-units", "g*", "--no-legend").out == "  good.service loaded active running A good one\n"
    assert ctl(running, "list-units", "--type=target", "--no-legend").out == ""
    assert json.loads(ctl(running, "list-units", "--json").out)[1] == {
        "unit": "good.service",
        "load": "loaded",
        "active": "active",
        "sub": "running",
        "description": "A good one",
    }


@pytest.mark.parametrize(
    ("words", "status", "out"),
    [
        ("is-active good bad", 0, "active\nfailed\n"),
        ("is-active bad", 3, "failed\n"),
        ("is-active once", 3, "inactive\n"),
        ("is-active nosuch", 4, "inactive\n"),
        ("is-active -q good", 0, ""),
        ("is-active g?od", 0, "active\n"),
        ("is-failed good bad", 0, "active\nfailed\n"),
        ("is-failed good", 1, "active\n"),
        ("is-failed", 0, "degraded\n"),
        ("is-enabled good", 0, "static\n"),
        ("is-enabled nosuch", 4, "not-found\n"),
        ("is-system-running", 1, "degraded\n"),
        ("show -p ActiveState,SubState --value good", 0, "active\nrunning\n"),
        ("show -pSubState -p Id good bad", 0, "Id=good.service\nSubState=running\n\nId=bad.service\nSubState=failed\n"),
        ("show -P Result bad", 0, "exit-code\n"),
        ("show -p Nonsense good", 0, ""),
        ("show -p ActiveState,MainPID nosuch", 0, "MainPID=0\nActiveState=inactive\n"),
        ("show --property=RestartUSec,TimeoutStartUSec good", 0, "RestartUSec=100ms\nTimeoutStartUSec=1min 30s\n"),
        ("show -p SystemState", 0, "SystemState=degraded\n"),
    ],
)  # fmt: skip
def test_what_scripts_ask(running, words, status, out):
    assert tuple(ctl(running, *words.split())) == (status, out)


def test_an_answer_that_cannot_be_written_is_said_once_and_with_a_documented_status(running):
    command = [sys.executable, "-m", "hafta.control", "status"]
    environment = {**os.environ, "PYTHONPATH": ROOT, "HAFTA_CONTROL": path_of(running)}
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, check=False, stdout=full, stderr=subprocess.PIPE, text=True, env=environment)
    assert (done.returncode, done.stderr.splitlines()) == (1, [
        "hafta: error: cannot write the answer: No space left on device",
        "hafta: free some space, or write it to another place",
    ])  # fmt: skip


def test_status_says_why_a_unit_has_failed(place):
    place.service("pre", "/bin/sleep 1000", "ExecStartPre=/bin/false")
    place.service("often", "/bin/false", "Restart=always", "RestartSec=0")
    place.service("up", "/bin/sleep 1000")
    overlord = place.start("pre", "often", "up")
    for name in ("pre", "often"):
        overlord.wait_for(f"{name}.service failed")
    assert "\n     Reason: a command of ExecStartPre= failed\n" in ctl(place, "status", "pre").out
    assert "\n     Reason: started more than 5 times in 10 s (StartLimitBurst=)\n" in ctl(place, "status", "often").out
    assert "Reason" not in ctl(place, "status", "up").out
    assert ctl(place, "show", "-P", "HaftaReason", "pre").out == "a command of ExecStartPre= failed\n"


def test_status_is_for_people_and_its_exit_status_for_scripts(running):
    good = ctl(running, "status", "good")
    pid = running.overlords[0].pids("good.service")[0]
    assert good.status == 0
    assert good.out.startswith(
        f"● good.service - A good one\n     Loaded: loaded ({running.units}/good.service; static)\n"
    )
    assert f"\n   Main PID: {pid} (sleep)\n" in good.out
    assert "\n     Active: active (running) since " in good.out
    bad = ctl(running, "status", "bad")
    assert bad.status == 3
    assert "     Active: failed (Result: exit-code) since " in bad.out
    assert "(code=exited, status=1/FAILURE)" in bad.out
    missing = ctl(running, "status", "nosuch")
    assert (missing.status, missing.out, missing.err) == (4, "", "Unit nosuch.service could not be found.\n")
    assert [each["Id"] for each in json.loads(ctl(running, "status", "--json").out)] == [
        *("bad.service", "good.service", "once.service"),
    ]


def test_cat_shows_the_file_and_its_drop_ins_and_nothing_that_a_terminal_obeys(running):
    running.unit("good.service.d/x.conf", "# \x1b[2J\n[Service]\nRestart=no\n")
    files = ctl(running, "cat", "good")
    assert files.out.startswith(f"# {running.units}/good.service\n[Unit]\nDescription=A good one\n")
    assert ctl(running, "cat", "nosuch").err == "No files found for nosuch.service.\n"


def test_a_wrong_word_gets_one_line_and_a_hint(running):
    for words, problem in (
        (("frob",), "unknown verb frob"),
        (("is-active",), "is-active: which unit?"),
        (("--frob",), "unknown option --frob"),
        (("-p",), "-p needs a value"),
    ):
        answer = ctl(running, *words)
        assert (answer.status, answer.out) == (2, "")
        first, second = answer.err.splitlines()
        assert first.startswith(f"hafta: error: {problem}") or problem.startswith("-p")
        assert second.startswith("hafta: ")


def test_it_finds_the_overlord_by_itself_and_names_them_if_there_are_two(place):
    place.service("a", "/bin/sleep 1000")
    place.service("b", "/bin/sleep 1000")
    place.start("a").wait_for("is ready")
    where = {"HAFTA_RUNTIME_DIR": place.runtime}
    assert tuple(ctl(place, "is-active", "a", overlord=False, **where)) == (0, "active\n")
    place.start("b", until="is ready")
    both = ctl(place, "is-active", "a", overlord=False, **where)
    assert both.status == 1
    assert "2 overlords run here: process " in both.err
    assert "choose one with --overlord or HAFTA_CONTROL" in both.err
    for overlord, unit in zip(place.overlords, "ab", strict=True):
        found = ctl(place, "is-active", "a", "b", "--overlord", str(overlord.pid), overlord=False, **where)
        assert found.out.split() == ["active" if unit == each else "inactive" for each in "ab"]


def test_without_an_overlord_it_says_so(place):
    answer = ctl(place, "is-active", "a", overlord=False, HAFTA_RUNTIME_DIR=place.runtime, XDG_RUNTIME_DIR=place.path)
    assert (answer.status, answer.out) == (1, "")
    assert answer.err.startswith("hafta: error: no overlord of this user runs here\nhafta: start one with hafta run")


def test_a_killed_overlord_is_not_found(place):
    overlord = place.up("a", "/bin/sleep 1000")
    path = path_of(place)
    overlord.destroy()
    wait_until(lambda: not os.path.exists(path))
    assert ctl(place, "is-active", "a", overlord=False, HAFTA_CONTROL=path).status == 1


def test_the_command_is_the_same_with_and_without_click(running):
    for module in ("hafta.cli ctl", "hafta.control"):
        assert tuple(ctl(running, "is-active", "good", module=module)) == (0, "active\n")
    assert ctl(running, "--help").out == help_text(PROGRAM) + "\n"
