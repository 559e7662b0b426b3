"""What the manager says of now, and what a report makes of it: with a systemctl that says what the test wants."""

import json
import time

import pytest
from observe_journals import write
from observe_support import Story, run_of

from hafta import exits
from hafta.cli import past
from hafta.cli.group import run_group
from hafta.observe.sources import manager

BLOCK = "Id={unit}\nLoadState={load}\nActiveState={active}\nInvocationID={run}\nStateChangeTimestampMonotonic={since}\n"


@pytest.fixture
def systemctl(tmp_path, monkeypatch):
    """Make a systemctl that prints a text and ends with a status."""

    def make(text, status=0):
        program = tmp_path / "bin" / "systemctl"
        program.parent.mkdir(exist_ok=True)
        (tmp_path / "answer").write_text(text)
        program.write_text(f"#!/bin/sh\ncat {tmp_path}/answer\nexit {status}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
        monkeypatch.setattr(manager, "BOOTED", str(tmp_path))

    return make


def block(unit="a.service", load="loaded", active="active", run="r1", since=5):
    return BLOCK.format(unit=unit, load=load, active=active, run=run_of(run), since=since)


def test_the_answers_are_those_of_the_units_in_their_order(systemctl):
    systemctl(f"{block()}\n{block('b.service', 'not-found', 'inactive', '-', 0)}")
    assert manager.ask(["a.service", "b.service"]) == {
        "a.service": manager.Said("active", run_of("r1"), 5),
        "b.service": manager.Said("inactive", "", 0, is_loaded=False),
    }


@pytest.mark.parametrize(("text", "status"), [("", 1), ("", 0), (block(), 1), ("nonsense", 0)])
def test_no_answer_is_none(systemctl, text, status):
    systemctl(text, status)
    assert manager.ask(["a.service", "b.service"]) is None


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Make the journal of this machine that of a unit which has just begun, by this machine's clock and boot."""
    from systemd import _reader

    now = time.time_ns() // 1000, time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    raws = [
        raw.replace(boot=manager.boot_id(), wall=now[0] - (9 - at) * 10**6, monotonic=now[1] - (9 - at) * 10**6)
        for at, raw in enumerate(Story("1 SG r1; 2 SD r1; 3 rolled-back r1").raws)
    ]
    directory, real = str(write(tmp_path / "j", raws)), _reader._Reader
    monkeypatch.setattr(_reader, "_Reader", lambda **how: real(**(how or {"flags": 0, "path": directory})))
    monkeypatch.setattr("hafta.observe.sources.journal.Journal._check", lambda _self: None)


@pytest.mark.parametrize(
    ("answer", "status", "what", "said"),
    [
        (block(), 0, "up", ""),
        (block(active="failed"), 0, "down", ""),
        ("", 1, "up", "hafta: not seen: how units stand now: systemctl does not answer\n"),
    ],
)
@pytest.mark.usefixtures("here")
def test_a_report_of_this_machine_ends_as_the_manager_says(systemctl, capsys, answer, status, what, said):
    systemctl(answer, status)
    assert run_group(["report", "a", "--json", "--since", "5s"]) == exits.OK
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert (err, found["complete"]) == (said, not said)
    assert found["units"][0]["intervals"][-1]["class"] == what


@pytest.mark.usefixtures("here")
def test_an_answer_that_is_older_than_the_journal_is_not_believed(monkeypatch, capsys):
    """The unit was failed when the manager was asked, and is up by what was written while the journal was read."""
    early = past.Now(wall=0, monotonic=past._now().monotonic - 60 * 10**6, boot=manager.boot_id())
    answers = iter([early])
    real = past._now
    monkeypatch.setattr(past, "_now", lambda: next(answers, None) or real())
    monkeypatch.setattr(manager, "ask", lambda units, **_: {units[0]: manager.Said("failed", run_of("r0"), 1)})
    assert run_group(["report", "a", "--json", "--since", "5s"]) == exits.OK
    assert [one["class"] for one in json.loads(capsys.readouterr().out)["units"][0]["intervals"]] == ["up"]


@pytest.mark.parametrize("name", ["dev-sda.device", "a.socket", "a.automount"])
def test_a_name_with_a_suffix_is_whole(name):
    assert past.unit_of(name) == name
    assert past.unit_of("a.b") == "a.b.service"
