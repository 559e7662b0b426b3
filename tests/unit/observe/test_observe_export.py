"""`hafta log`: of one sequence or node, with another unit, and whole entries for another journal."""

import json
import subprocess
from datetime import datetime

import pytest
from observe_journals import REMOTE, export, write
from observe_support import BEGIN, Story

from hafta import exits
from hafta.cli.group import run_group

TWO = """
1 SG aa1; 2 SD aa1; 3 rolled-back aa1 HAFTA_SEQUENCE=s HAFTA_NODE=n; 4 rolled-back aa1 HAFTA_SEQUENCE=t HAFTA_NODE=n
5 rolled-back aa1 HAFTA_SEQUENCE=s HAFTA_NODE=m; 9 EX aa1 killed 9; 20 SG aa2; 21 SD aa2
22 rolled-back aa2 HAFTA_SEQUENCE=s HAFTA_NODE=n
"""


@pytest.fixture
def two(tmp_path, capsys):
    """Return status, stdout and stderr of `hafta log a` on a journal that has a unit b, too."""
    raws = [*Story(TWO).raws, *Story("0.5 SD bb1; 4.5 rolled-back bb1; 30 SP bb1", unit="b.service").raws]
    raws = [raw.replace(boot="1" * 32) for raw in sorted(raws, key=lambda raw: raw.wall)]
    directory = str(write(tmp_path / "two", raws))

    def run(*more):
        status = run_group(["log", "a", "--directory", directory, *more])
        return status, *capsys.readouterr()

    return run


@pytest.mark.parametrize(
    ("more", "times"),
    [
        (("-s", "s"), [3, 5, 22]), (("-s", "t"), [4]), (("--node", "n"), [3, 4, 22]), (("--node", "m"), [5]),
        (("-s", "s", "--node", "n"), [3, 22]), (("-s", "s", "-s", "t", "--node", "n"), [3, 4, 22]),
        (("-s", "s", "-n", "1"), [22]), (("-s", "s", "--run", "-1"), [3, 5]),
    ],
)  # fmt: skip
def test_events_of_one_sequence_or_node_are_shown_alone(two, more, times):
    status, out, _ = two(*more, "--json")
    assert status == exits.OK
    assert [at_of(line) for line in out.splitlines()] == times


def at_of(line):
    """Return the seconds of a line of JSON since the story began."""
    clock = json.loads(line)["clock"]
    return datetime.fromisoformat(clock).timestamp() - BEGIN / 1e6


def test_no_event_of_a_node_is_status_1(two):
    assert two("--node", "nobody")[0] == exits.FAILED


def test_another_unit_is_shown_with_a_run_from_its_first_entry_to_its_last(two):
    found = [json.loads(line) for line in two("--with", "b", "--run", "-1", "--json")[1].splitlines()]
    assert [(one["unit"], one["kind"]) for one in found if one["unit"] == "b.service"] == [("b.service", "rolled-back")]
    assert len(found) == 7
    assert len(two("--with", "b", "--json")[1].splitlines()) == 12
    filtered = [json.loads(line)["unit"] for line in two("--with", "b", "-s", "t", "--json")[1].splitlines()]
    assert filtered == ["b.service", "a.service", "b.service", "b.service"]


def test_that_unit_must_be_in_the_journal(two):
    status, _, err = two("--with", "c")
    assert (status, "there is no entry of c.service" in err) == (exits.NOT_FOUND, True)


@pytest.mark.parametrize("other", ["--json", "--runs", "--explain"])
def test_an_export_is_nothing_else_at_once(two, other):
    status, _, err = two("--export", other)
    assert (status, f"--export prints entries, and {other} something else" in err) == (exits.USAGE, True)


def test_an_export_is_whole_entries_that_a_journal_takes_again(tmp_path, capfdbinary):
    """Bytes that are not UTF-8, ends of lines, and fields that stand twice come back as they were."""
    source, again = tmp_path / "odd", tmp_path / "again"
    source.mkdir()
    again.mkdir()
    [raw] = Story("3 rolled-back aa1 HAFTA_NODE=n").raws
    data = export([raw.replace(boot="1" * 32)])[:-1] + b"TWICE=1\nTWICE=2\n"
    for name, value in (("LINES", b"a\nb\n"), ("BYTES", b"\xff\xfe\x00\x01"), ("TEXT", "é".encode())):
        data += name.encode() + b"\n" + len(value).to_bytes(8, "little") + value + b"\n"
    imported(source, data + b"\n")
    assert run_group(["log", "a", "--directory", str(source), "--export"]) == exits.OK
    out = capfdbinary.readouterr().out
    assert out.startswith(b"__CURSOR=s=")
    imported(again, out)
    assert entry_in(again) == entry_in(source)
    assert entry_in(again)["BYTES"] == b"\xff\xfe\x00\x01"
    assert sorted(entry_in(again)["TWICE"]) == [b"1", b"2"]


def imported(directory, data):
    (directory / "x").write_bytes(data)
    command = [REMOTE, f"--output={directory / 'a.journal'}", str(directory / "x")]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0


def entry_in(directory):
    """Return the fields of the only entry of a journal, as bytes, and when it was written."""
    from systemd import _reader

    reader = _reader._Reader(flags=0, files=[str(directory / "a.journal")])
    assert reader._next()
    found = dict(reader._get_all())
    if isinstance(found.get("TWICE"), list):
        found["TWICE"] = sorted(found["TWICE"])
    return {**found, "at": (reader._get_realtime(), reader._get_monotonic()[0])}


def test_the_name_of_a_file_that_cannot_be_read_is_printed_as_text(tmp_path, capsys):
    """Such as in the directory of a journal that somebody has sent."""
    write(tmp_path / "j", Story(TWO).raws)
    (tmp_path / "j" / "x\x1b[31m.journal").write_bytes(b"no journal")
    run_group(["log", "a", "--directory", str(tmp_path / "j")])
    err = capsys.readouterr().err
    assert "x\\x1b[31m.journal: " in err
    assert "\x1b" not in err
