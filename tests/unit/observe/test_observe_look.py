"""`hafta status` looks: what systemd is asked for, whom it believes, and that nothing of strangers breaks it."""

import json
import os

import pytest
from test_observe_state import facts, published, record

from hafta import exits
from hafta.cli.group import run_group
from hafta.observe.sources import systemd, trust
from hafta.observe.sources.services import services_of
from hafta.observe.sources.trust import Process
from hafta.service.published import board

GOOD = {"version": 1, "program": "feed", "unit": "feed.service", "invocation": "", "pid": 1, "sequences": ["feed"]}
MINE, OTHER = 1234, 65534
BLOCK = "Id={unit}\nLoadState=loaded\nActiveState=active\nSubState=running\nMainPID=0\nStatusText={text}\n"


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A machine with a systemctl that answers with a file, and notes what it was asked for; a runtime directory."""
    program = tmp_path / "bin" / "systemctl"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >>{tmp_path}/asked\ncat {tmp_path}/answer\n')
    program.chmod(0o755)
    (tmp_path / "run" / "feed").mkdir(parents=True)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    monkeypatch.setenv("HAFTA_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setattr(systemd, "BOOTED", str(tmp_path))
    return tmp_path


def answer(here, *units, text=""):
    (here / "answer").write_text("\n".join(BLOCK.format(unit=unit, text=text) for unit in units))


def asked(here):
    return (here / "asked").read_text().partition("--\n")[2].split()


def put(here, name, description, line=b""):
    (here / "run" / "feed" / f"{name}.hafta").write_bytes(description)
    (here / "run" / "feed" / f"{name}.board").write_bytes(line)


STRANGE = ["a\0.service", "\ud800.service", "*.service", "-x.service", "a/b.service", "a b.service", "é.service", "a"]
STRANGE += ["a" * 256 + ".service", "[ab].service", "a.nothing"]


@pytest.mark.parametrize("unit", STRANGE)
def test_systemd_is_not_asked_for_what_is_no_name_of_a_unit(here, capsys, unit):
    answer(here, "good.service")
    put(here, "evil", json.dumps({**GOOD, "unit": unit}).encode())
    put(here, "good", json.dumps({**GOOD, "unit": "good.service"}).encode())
    assert run_group(["status", "good", "--json"]) == exits.OK
    assert [each["unit"] for each in json.loads(capsys.readouterr().out)["services"]] == ["good.service"]
    assert asked(here) == ["good.service"]


@pytest.mark.parametrize("unit", STRANGE)
def test_nor_for_what_a_record_calls_its_unit(here, capsys, monkeypatch, unit):
    answer(here, "good.service")
    left = [recorded_by(0, pid=10**9, unit=unit, held=True)]
    monkeypatch.setattr("hafta.observe.sources.records.find_here", lambda _: (left, []))
    assert run_group(["status", "good", "--json"]) == exits.OK
    assert "good.service" in {each["unit"] for each in json.loads(capsys.readouterr().out)["services"]}
    assert asked(here) == ["good.service"]
    run_group(["status", "--json"])
    assert f"process {10**9}" in {each["unit"] for each in json.loads(capsys.readouterr().out)["services"]}


HUGE = "9" * 400


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"pid": int(HUGE)}, f"12\t1\nfeed\twork\tnormal\t3\tR\t0\t0\t{HUGE}"),
        ({}, f"{HUGE}\t1\nfeed\twork\tnormal\t3\tR\t0\t0\t1"),
        ({}, f"12\t{HUGE}\nfeed\twork\tnormal\t3\tR\t0\t0\t1"),
        ({}, f"12\t1\nfeed\twork\tnormal\t3\tR\t{HUGE}\t0\t1"),
        ({}, "12\t1\nfeed\twork\tnormal\t3\tR\t0\t0\t" + "9" * 18),
        (
            {"program": "\ud800", "records": "\0", "instance": "\ud800", "hafta": "\x1b[31m"},
            "12\t1\n\0\t\0\tx\t-3\t\t0\t0\t1",
        ),
    ],
)
@pytest.mark.parametrize("words", [["--json"], ["-v", "--all"]])
def test_no_number_and_no_text_of_a_stranger_breaks_the_look(here, capsys, more, text, words):
    answer(here, "feed.service")
    put(here, "feed", json.dumps({**GOOD, **more}).encode(), board(text))
    assert run_group(["status", "feed", *words]) == exits.OK
    out, err = capsys.readouterr()
    assert "feed" in out
    assert "Traceback" not in err


def seen(said=(), entries=(), alive=None, **more):
    """Return how the unit stands whose process 7 a user runs, to what has been found."""
    given = {"feed.service": ("systemd", facts(**{"MainPID": 7, **more}))}
    alive = {7: Process(1, MINE), 1: Process(0, 0)} if alive is None else alive
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trust, "processes", lambda _: alive)
        return services_of(given, said, entries, {}, of_user=False)[0]


def said_by(owner, pid=7, board_pid=7):
    one = published(pid=pid, attempt=99)
    return one.replace(owner=owner, board=one.board.replace(pid=board_pid))


def recorded_by(owner, **more):
    entry = record(attempt=99, **more)
    return entry.replace(snapshot=entry.snapshot.replace(owner=owner))


@pytest.mark.parametrize(("owner", "health"), [(OTHER, "up"), (MINE, "degraded"), (0, "degraded")])
@pytest.mark.parametrize("source", ["board", "record"])
def test_a_unit_is_what_root_and_its_own_user_say(source, owner, health):
    found = seen([said_by(owner)]) if source == "board" else seen((), [recorded_by(owner)])
    assert [(each.unit, each.health, len(each.sequences)) for each in found] == [
        ("feed.service", health, int(health != "up"))
    ]


@pytest.mark.parametrize(("pid", "live"), [(7, True), (9, True), (10, True), (1, False), (8, False)])
def test_a_board_is_alive_while_its_process_is_one_of_the_unit(pid, live):
    family = {7: Process(1, MINE), 9: Process(7, MINE), 10: Process(9, MINE), 1: Process(0, 0), 8: Process(1, MINE)}
    [found] = seen([said_by(MINE, board_pid=pid)], alive=family)
    assert ([each.live for each in found.sequences], found.health) == ([live], "degraded" if live else "up")


def test_what_nobody_can_tell_of_a_main_process_leaves_only_root():
    assert [len(seen([said_by(owner)], alive={})[0].sequences) for owner in (MINE, 0)] == [0, 1]


@pytest.mark.parametrize(
    ("more", "owner", "count"),
    [
        ({}, 0, 1), ({}, OTHER, 0), ({"User": str(MINE)}, MINE, 1), ({"User": str(MINE)}, OTHER, 0),
        ({"User": "root"}, OTHER, 0), ({"User": "no-such-user-here"}, OTHER, 0), ({"User": "9" * 40}, OTHER, 0),
        ({"DynamicUser": True, "User": "feed"}, OTHER, 0),
    ],
)  # fmt: skip
def test_of_a_unit_that_has_stopped_root_and_its_user_speak(more, owner, count):
    more = {"MainPID": 0, "active": "inactive", "sub": "dead", **more}
    assert [len(each.sequences) for each in seen((), [recorded_by(owner, held=False)], {}, **more)] == [count]


def test_of_a_dynamic_user_that_has_stopped_the_owner_of_its_state_speaks(tmp_path, monkeypatch):
    monkeypatch.setattr(trust, "PRIVATE", str(tmp_path))
    (tmp_path / "feed").mkdir()
    unit = {"DynamicUser": True, "StateDirectory": ["feed", "none"]}
    assert trust.speakers(unit, {}, 0, {}) == {0, os.geteuid()}


@pytest.mark.parametrize(("owner", "names"), [(MINE, ["x.service"]), (0, ["x.service"]), (OTHER, [])])
def test_of_a_process_that_nobody_runs_its_owner_and_root_speak(owner, names):
    alive = {7: Process(1, 0), 8: Process(1, MINE)}
    stranger = said_by(owner, pid=8, board_pid=8).replace(unit="x.service")
    assert [each.unit for each in seen([stranger], alive=alive) if each.facts.get("MainPID") == 8] == names


@pytest.mark.parametrize(
    ("held", "owner", "name"),
    [
        (False, OTHER, "x.service"),
        (True, OTHER, "process 8"),
        (True, 0, "x.service"),
    ],
)
def test_what_claims_to_be_alive_names_no_unit_if_its_process_cannot_be_seen(held, owner, name):
    found = seen((), [recorded_by(owner, pid=8, unit="x.service", held=held)])
    assert [each.unit for each in found if each.unit != "feed.service"] == [name]


def test_processes_are_seen_with_those_above_them():
    found = trust.processes([os.getpid(), 0, -1, 10**17])
    assert found[os.getpid()] == Process(os.getppid(), os.geteuid())
    assert os.getppid() in found
    assert 10**17 not in found


def test_a_text_of_a_service_forges_no_property(here, capsys):
    answer(here, "feed.service", text="x\u2028MainPID=1\u0085ActiveState=failed")
    assert run_group(["status", "feed", "--json"]) == exits.OK
    [found] = json.loads(capsys.readouterr().out)["services"]
    assert (found["health"], found["main_pid"]) == ("up", None)
    assert found["status_text"] == "x\u2028MainPID=1\u0085ActiveState=failed"


@pytest.mark.parametrize(
    ("name", "question", "unit"),
    [
        ("sshd", "sshd.service", "ssh.service"),
        ("sshd.service", "sshd.service", "ssh.service"),
        ("ssh.socket", "ssh.socket", "ssh.socket"),
        ("multi-user.target", "multi-user.target", "multi-user.target"),
    ],
)
def test_any_unit_may_be_named_also_by_an_alias(here, capsys, name, question, unit):
    answer(here, unit)
    assert run_group(["status", name, "--json"]) == exits.OK
    assert [each["unit"] for each in json.loads(capsys.readouterr().out)["services"]] == [unit]
    assert asked(here) == [question]


def test_very_many_files_of_a_stranger_hide_only_his_own(here, capsys, monkeypatch):
    answer(here, "good.service")
    good, *many = [published(unit=f"{name}.service") for name in ("good", *(f"{'x' * 200}{at}" for at in range(9000)))]
    files = [*(each.replace(owner=OTHER) for each in many), good]
    monkeypatch.setattr("hafta.observe.sources.published.find", lambda _: files)
    run_group(["status", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert [each["unit"] for each in found["services"]] == ["good.service"]
    assert f"descriptions of user {OTHER}: 9000, of which 256 are looked at" in found["missing"]
    assert "good.service" in asked(here)


def test_very_many_units_are_asked_for_in_several_questions(here, capsys, monkeypatch):
    answer(here)
    files = [published(unit=f"{'x' * 200}{at}.service") for at in range(1200)]
    monkeypatch.setattr("hafta.observe.sources.published.find", lambda _: files)
    run_group(["status", "--json"])
    assert json.loads(capsys.readouterr().out)["missing"] == []
    assert len([word for word in (here / "asked").read_text().split() if word == "--"]) == 3
