"""`hafta metrics`: numbers that never fall, in the words of Prometheus, and a file that node_exporter takes."""

import json
import os
import stat
import sys
import time
from unittest.mock import Mock

import click
import pytest
from observe_journals import write
from observe_model import World
from observe_support import BEGIN, SECOND, UNIT, Story, run_of
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as prometheus

from hafta import exits
from hafta.cli import table
from hafta.cli.files import replace
from hafta.cli.group import run_group
from hafta.cli.metrics_text import text_of
from hafta.errors import HaftaError
from hafta.observe import totals
from hafta.observe.closing import close
from hafta.observe.entry import Reading
from hafta.observe.fold import Fold
from hafta.observe.kept import Settled, Strange, back, plain
from hafta.observe.metrics import FAMILIES, MOST, of_unit
from hafta.observe.sources import manager, measuring, systemd
from hafta.observe.sources.counting import Counted
from hafta.observe.sources.journal import Journal
from hafta.observe.tally import Event
from hafta.observe.timeline import Timeline
from hafta.observe.totals import OTHERS, Totals

FIRST = "0 SG r1; 1 SD r1; 5 rolled-back r1 HAFTA_SEQUENCE=s HAFTA_NODE=n HAFTA_ATTEMPT=2 HAFTA_REPEATED=7"
SECOND_PART = """
6 sequence-succeeded r1 HAFTA_SEQUENCE=s; 9 EX r1 killed 9; 9 UF r1 signal; 10 RS r1 1; 11 SG r2
20 SD r2; 21 service-started r2 HAFTA_CRASHES=1; 25 rolled-back r2 HAFTA_SEQUENCE=s HAFTA_NODE=n HAFTA_ATTEMPT=1
"""
BLOCK = """\
Id=a.service
LoadState=loaded
ActiveState=active
SubState=running
InvocationID={run}
MainPID={pid}
ExecMainStartTimestampMonotonic=1000000
StateChangeTimestampMonotonic={changed}
WatchdogUSec=1h
WatchdogTimestampMonotonic={ping}
"""


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A function that writes a journal of this machine, whose story began 100 s ago, and what systemctl answers."""
    from systemd import _reader

    real, begun = _reader._Reader, time.time_ns() // 1000 - 100 * SECOND
    zero = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000 - 100 * SECOND
    program = tmp_path / "bin" / "systemctl"
    program.parent.mkdir()
    block = BLOCK.format(run=run_of("r2"), pid=os.getpid(), changed=zero + 20 * SECOND, ping=zero + 99 * SECOND)
    program.write_text(f"#!/bin/sh\ncat <<END\n{block}END\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    monkeypatch.setattr(systemd, "BOOTED", str(tmp_path))
    monkeypatch.setattr(Journal, "_check", lambda _self: None)
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    directory = str(tmp_path / "j")
    monkeypatch.setattr(_reader, "_Reader", lambda **how: real(**(how or {"flags": 0, "path": directory})))

    def make(text, name="a.journal"):
        raws = [
            raw.replace(
                boot=manager.boot_id(), wall=raw.wall - BEGIN + begun, monotonic=max(raw.wall - BEGIN + zero, 0)
            )
            for raw in Story(text).raws
        ]
        return write(tmp_path / "j", raws, name)

    return make


@pytest.fixture
def samples(capfdbinary):
    """Run `hafta metrics` and return what it prints, parsed: (name, labels) -> value."""

    def run(*more):
        assert run_group(["metrics", *more]) == exits.OK
        text = capfdbinary.readouterr().out.decode()
        families = (openmetrics if "--openmetrics" in more else prometheus)(text)
        return {(one.name, *sorted(one.labels.items())): one.value for family in families for one in family.samples}

    return run


def value(found, name, **labels):
    return found[(name, *sorted({"unit": UNIT, **labels}.items()))]


@pytest.mark.parametrize("form", [[], ["--openmetrics"]])
def test_what_stands_and_what_the_journal_counts_are_read_back_as_they_were(machine, samples, form):
    machine(FIRST + ";" + SECOND_PART)
    found = samples(*form)
    assert value(found, "hafta_service_up") == 1
    assert value(found, "hafta_service_health", health="up") == 1
    assert value(found, "hafta_rollbacks_total", sequence="s", node="n", kind="failure") == 8
    assert value(found, "hafta_sequence_runs_total", sequence="s", outcome="succeeded") == 1
    assert value(found, "hafta_service_failures_total", cause="killed SIGKILL") == 1
    assert value(found, "hafta_service_restarts_total", kind="failure") == 1
    assert value(found, "hafta_service_restoration_seconds_sum") == pytest.approx(11)
    assert value(found, "hafta_service_restoration_seconds_bucket", le="10.0") == 0
    assert value(found, "hafta_service_restoration_seconds_bucket", le="30.0") == 1
    assert value(found, "hafta_service_seconds_total", state="held") == pytest.approx(1)
    assert value(found, "hafta_service_seconds_total", state="down") == pytest.approx(10)
    assert value(found, "hafta_service_seconds_total", state="up") == pytest.approx(88, abs=60)
    assert value(found, "hafta_service_crashes_in_a_row") == 1
    assert value(found, "hafta_service_hold_seconds") == 0
    assert value(found, "hafta_watchdog_timeout_seconds") == 3600
    assert value(found, "hafta_watchdog_ping_time_seconds") == pytest.approx(time.time(), abs=600)
    assert found[("hafta_observe_success", ("source", "journal"))] == 1
    assert found[("hafta_build_info", ("version", measuring.VERSION))] == 1


def test_counting_goes_on_where_it_ended_and_counts_nothing_twice(machine, samples, tmp_path):
    state = str(tmp_path / "state")
    machine(FIRST)
    first = samples("--state", state)
    assert value(first, "hafta_rollbacks_total", sequence="s", node="n", kind="failure") == 7
    assert samples("--state", state).keys() == first.keys()
    machine(SECOND_PART, "b.journal")
    whole, kept = samples(), samples("--state", state)
    for name, number in whole.items():
        if name[0].endswith(("_total", "_bucket", "_sum", "_count")):
            assert kept[name] == pytest.approx(number, abs=60 if "seconds_total" in name[0] else 1e-6), name
    assert value(kept, "hafta_service_crashes_in_a_row") == 1
    assert stat.S_IMODE(os.stat(tmp_path / "state" / measuring.NAME).st_mode) == 0o600


def test_no_number_falls_when_the_journal_forgets_and_that_is_told(machine, tmp_path, capfd):
    state = tmp_path / "state"
    machine(FIRST + ";" + SECOND_PART)
    assert run_group(["metrics", "--state", str(state)]) == exits.OK
    before = published(state)
    (tmp_path / "j" / "a.journal").unlink()
    machine("60 rolled-back r2 HAFTA_SEQUENCE=s HAFTA_NODE=n HAFTA_ATTEMPT=1", "c.journal")
    capfd.readouterr()
    assert run_group(["metrics", "--state", str(state)]) == exits.OK
    assert "reading could not go on where it ended" in capfd.readouterr().err
    after = published(state)
    assert {key: count for key, count in before.items() if after[key] < count} == {}
    machine("70 rolled-back r2 HAFTA_SEQUENCE=s HAFTA_NODE=n HAFTA_ATTEMPT=1", "d.journal")
    assert run_group(["metrics", "--state", str(state)]) == exits.OK
    key = "rollbacks", "s", "n", "failure"
    assert published(state)[key] == before[key] + 1


def published(state):
    rows = json.loads((state / measuring.NAME).read_text())["units"][UNIT]["published"]
    return {tuple(key): count for *key, count in rows}


@pytest.mark.parametrize(
    "text",
    [
        "", "{", '{"version": 2}', "[]", '{"version":1,"user":null,"units":{"a":1},"place":0}', "[" * 100_000,
        '{"version":1,"user":null,"units":{"a":{"settled":[["x",Infinity]],"published":[],"crashes":null}},"place":0}',
    ],
)  # fmt: skip
def test_a_file_that_is_not_understood_is_set_aside_and_said(machine, tmp_path, capfd, text):
    machine(FIRST)
    state = tmp_path / "state"
    state.mkdir(0o700)
    (state / measuring.NAME).write_text(text)
    assert run_group(["metrics", "--state", str(state)]) == exits.OK
    err = capfd.readouterr().err
    assert text == "" or "set aside as" in err
    assert published(state)["rollbacks", "s", "n", "failure"] == 7


def test_totals_outlive_a_version_that_reads_otherwise(machine, tmp_path, capfd):
    machine(FIRST)
    state = tmp_path / "state"
    assert run_group(["metrics", "--state", str(state)]) == exits.OK
    data = json.loads((state / measuring.NAME).read_text())
    data["place"]["folds"][UNIT]["Fold"]["new"] = 1
    (state / measuring.NAME).write_text(json.dumps(data))
    assert run_group(["metrics", "--state", str(state)]) == exits.OK
    assert published(state)["rollbacks", "s", "n", "failure"] == 7
    assert "reading could not go on" in capfd.readouterr().err


def test_two_of_them_do_not_count_into_one_file(machine, tmp_path, capsys):
    machine(FIRST)
    held = measuring.Kept(str(tmp_path / "state"))
    assert run_group(["metrics", "--state", str(tmp_path / "state")]) == exits.IN_USE
    assert "another hafta metrics counts in" in capsys.readouterr().err
    held.close()
    assert run_group(["metrics", "--state", str(tmp_path / "state")]) == exits.OK


@pytest.mark.parametrize("how", ["shared", "link"])
def test_what_others_can_have_written_is_not_read(tmp_path, how):
    state = tmp_path / "state"
    state.mkdir(0o700)
    if how == "shared":
        state.chmod(0o777)
    else:
        (state / measuring.NAME).symlink_to("/etc/passwd")
    with pytest.raises(HaftaError, match="totals cannot be kept"):
        measuring.Kept(str(state)).read()


def test_a_fold_that_was_kept_as_json_goes_on_as_if_it_had_not_been():
    """A hundred random lives, cut at every fifth entry: what comes back says the same as what was never kept."""
    for seed in range(100):
        world = World(seed).run_on(8)
        histories = [fold_of(world, every) for every in (0, 5)]
        assert [(one.spans, spoken(one)) for one in histories[1:]] == [(histories[0].spans, spoken(histories[0]))], seed


def fold_of(world, every):
    timeline = Timeline()
    fold = Fold(UNIT, BEGIN, is_user=world.user is not None)
    Reading(timeline, world.user).last_seen(world.others[0][1])
    for place, raw in enumerate(world.raws):
        if every and place % every == 0:
            fold.tally.events.clear()
            fold.tally.losses.clear()
            fold, timeline = back(json.loads(json.dumps(plain([fold, timeline]))))
        fold.feed(Reading(timeline, world.user).entry(raw))
    return close(fold, BEGIN, BEGIN + world.now * SECOND, world.shown(), timeline.sleeps)


def spoken(history):
    return [(one.at, one.until, one.cause, one.outcome, one.is_failure) for one in history.outages]


def test_what_is_settled_and_what_is_left_is_the_whole():
    text = "".join(
        f"{10 * n} SG r{n}; {10 * n + 1} SD r{n}; {10 * n + 8} EX r{n} killed 9; {10 * n + 9} RS r{n} {n + 1};"
        for n in range(40)
    )
    whole, story = Story(text).history(420), Story(text)
    fold, cut = Fold(UNIT, story.first), Totals()
    for raw in story.raws:
        fold.feed(story.reading.entry(raw))
        settled = Settled(fold, ())
        cut.settle(settled.spans, settled.outages, asked=settled.asked)
    rest = close(fold, story.first, BEGIN + 420 * SECOND, None, ())
    assert sum(cut.settled.values()) > 0
    assert len(rest.outages) == 4
    assert cut.publish(rest.spans, rest.outages) == Totals().publish(whole.spans, whole.outages)


@pytest.mark.parametrize(
    "value", [{"Journal": {}}, {"a": 1, "b": 2}, {"State": "NOWHERE"}, {"Run": {"name": 1}}, 1.5, {"dict": [1]}]
)
def test_only_what_was_kept_comes_back(value):
    with pytest.raises(Strange):
        back(value)


def event(number, node="n"):
    return Event(0, totals.Kind.ROLLED_BACK, f"s{number}", node, "E", 1, 1, None)


def test_a_service_has_at_most_200_series_and_what_is_cut_is_counted_together():
    counted = Totals()
    counted.report([event(number) for number in range(1000)], ())
    assert counted.is_cut
    numbers = counted.publish((), ())
    assert sum(count for (what, *_), count in numbers.items() if what == "rollbacks") == 1000
    assert numbers["rollbacks", OTHERS, OTHERS, "failure"] == 1000 - totals.KEYS
    samples = of_unit(UNIT, None, Counted(numbers, 0, 0, is_cut=True), None)
    text = text_of(samples, {UNIT: numbers}, openmetrics=False).decode()
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert totals.KEYS < len(lines) <= MOST
    assert 'hafta_service_series_cut{unit="a.service"} 1.0' in lines
    again = Totals(dict(counted.settled), dict(numbers))
    again.report([event(1), event(5000)], ())
    assert again.publish((), ())["rollbacks", OTHERS, OTHERS, "failure"] == 1001 - totals.KEYS


HOSTILE = 'x"}\nhafta_service_up{unit="forged"} 0\n\ud800\x1b[31m\\' + "y" * 500


@pytest.mark.parametrize(("form", "parse"), [(False, prometheus), (True, openmetrics)])
def test_no_name_that_a_service_gives_itself_is_more_than_a_label(form, parse):
    counted = Totals()
    counted.report([event(0, HOSTILE)], ())
    numbers = counted.publish((), ())
    samples = of_unit(UNIT, None, Counted(numbers, 0, 0, is_cut=False), None)
    found = [one for family in parse(text_of(samples, {}, openmetrics=form).decode()) for one in family.samples]
    assert {one.labels.get("unit") for one in found} == {UNIT}
    [label] = [one.labels["node"] for one in found if one.name == "hafta_rollbacks_total"]
    assert len(label) == totals.LONGEST
    assert label.isprintable()


def test_no_label_has_a_value_of_its_own_for_each_event():
    assert {name for family in FAMILIES for name in family.labels} == {
        "unit", "health", "state", "cause", "kind", "sequence", "node", "outcome", "instance", "how", "source",
        "version",
    }  # fmt: skip


def test_the_file_is_replaced_in_one_step_readable_for_all_and_never_half_of_it_is_called_prom(tmp_path, monkeypatch):
    seen = []
    rename = os.rename
    monkeypatch.setattr(
        os, "rename", lambda old, new: (seen.append((os.listdir(tmp_path), os.stat(old))), rename(old, new))
    )
    before = os.umask(0o077)
    try:
        replace(str(tmp_path / "hafta.prom"), b"one\n", "x")
        replace(str(tmp_path / "hafta.prom"), b"two\n", "x")
    finally:
        os.umask(before)
    [(first, info), (second, _)] = seen
    assert [name for name in first if name.endswith(".prom")] == []
    assert len(second) == 2
    assert stat.S_IMODE(info.st_mode) == 0o644
    assert (tmp_path / "hafta.prom").read_bytes() == b"two\n"
    assert os.listdir(tmp_path) == ["hafta.prom"]


def test_where_it_cannot_be_written_nothing_is_left_behind(tmp_path):
    (tmp_path / "hafta.prom").mkdir()
    (tmp_path / "hafta.prom" / "x").touch()
    with pytest.raises(HaftaError, match=r"cannot write .*hafta\.prom"):
        replace(str(tmp_path / "hafta.prom"), b"one\n", "x")
    assert os.listdir(tmp_path) == ["hafta.prom"]


@pytest.mark.parametrize("kind", ["pipe", "link"])
def test_what_is_not_a_file_is_not_replaced_by_one(tmp_path, kind):
    """Such as /dev/null, or /dev/stdout: root could rename a file over it."""
    path = tmp_path / "hafta.prom"
    os.mkfifo(path) if kind == "pipe" else path.symlink_to("/proc/self/fd/1")
    before = os.lstat(path)
    with pytest.raises(HaftaError, match=r"cannot write .*hafta\.prom: it is not a regular file"):
        replace(str(path), b"one\n", "x")
    assert os.path.samestat(os.lstat(path), before)
    assert os.listdir(tmp_path) == ["hafta.prom"]


def test_what_could_not_be_seen_is_said_in_printable_text(monkeypatch, capsys):
    found = measuring.Measured((), {}, ("records in /run/\x1b[31m: only root and the service's own user",), True)
    monkeypatch.setattr(measuring, "measure", lambda *_, **__: found)
    assert run_group(["metrics"]) == exits.OK
    assert capsys.readouterr().err == "hafta: records in /run/\\x1b[31m: only root and the service's own user\n"


def test_a_reader_that_has_gone_has_what_it_wanted(machine, monkeypatch):
    machine(FIRST)
    stdout = Mock(write=Mock(side_effect=BrokenPipeError))
    monkeypatch.setattr(click, "get_binary_stream", lambda _name: stdout)
    monkeypatch.setattr(table, "silence", silence := Mock())
    assert run_group(["metrics"]) == exits.OK
    silence.assert_called_once_with(1)


def test_without_the_library_it_says_what_to_install_and_counts_nothing(machine, tmp_path, monkeypatch, capsys):
    machine(FIRST)
    for name in [*sys.modules]:
        if name.startswith("prometheus_client"):
            monkeypatch.setitem(sys.modules, name, None)
    assert run_group(["metrics", "--state", str(tmp_path / "state")]) == exits.SYSTEM
    assert "apt install python3-prometheus-client" in capsys.readouterr().err
    assert not (tmp_path / "state").exists()


def test_the_command_writes_the_file(machine, tmp_path, capsys):
    machine(FIRST)
    assert run_group(["metrics", "--textfile", str(tmp_path / "hafta.prom")]) == exits.OK
    assert capsys.readouterr().out == ""
    assert "hafta_service_up" in (tmp_path / "hafta.prom").read_text()
