"""`hafta checkpoints` believes nothing: files of others, notes that make no sense, very many files."""

import json
import os
import struct
import time
from zlib import crc32

import pytest

from hafta import exits
from hafta.cli.group import run_group
from hafta.durable import codec
from hafta.durable.position import Position, SequencePosition
from hafta.engine.resume import RUNS
from hafta.observe.sources import records
from hafta.stores.file import layout, lock
from hafta.stores.file.files import FileStore
from hafta.units.roots import Roots


def put(directory, name="good", **state):
    """Write a record as a call does."""
    one = SequencePosition("s", "", ("a",), "a", RUNS)
    position = Position((one,), time.time(), 0.0, "", os.getpid())
    with FileStore(str(directory)).claim(name) as claim:
        claim.enter(codec.frame(position))
        claim.write(codec.body(1, state, claim.capacity), sync=False)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A place where services keep records, with a record in it."""
    (tmp_path / "hafta").mkdir(0o755)
    monkeypatch.setattr(records, "SYSTEM", (str(tmp_path),))
    monkeypatch.setattr(records, "roots", lambda *_: Roots(*[str(tmp_path / "none")] * 5))
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "hafta"))
    put(tmp_path / "hafta")
    return tmp_path


NOTES = [b"x", b"1", b"x 1 u", b"1 x u", b"-1 1 u", b"1 nan u", b"1 1e300 u", b"0 1 u", b"9" * 5000 + b" 1 u"]


@pytest.mark.parametrize("text", NOTES)
def test_a_note_that_makes_no_sense_says_nothing(text):
    data = struct.pack("<8sII", b"HAFTA-HO", len(text), crc32(text)) + text
    assert lock.read_note(data) is None


def test_one_bad_record_hides_no_other(here, capsys, monkeypatch):
    put(here / "hafta", "bad")
    position = codec.position
    calls = []

    def fail(frame, body):
        calls.append(1)
        if len(calls) == 1:
            raise ZeroDivisionError("nobody thought of this")
        return position(frame, body)

    monkeypatch.setattr(codec, "position", fail)
    assert run_group(["checkpoints", "--json"]) == exits.FAILED
    bad, good = json.loads(capsys.readouterr().out)
    assert "nobody thought of this" in bad["trouble"]["text"]
    assert (good["sequence"], good["status"]) == ("good", "interrupted")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes somebody else")
def test_directories_that_strangers_can_have_made_are_left_out(here):
    (here / "shared").mkdir()
    os.chmod(here / "shared", 0o1777)
    for name, owner in (("evil", 65534), ("own", 0)):
        (here / "shared" / name).mkdir()
        put(here / "shared" / name, name)
        os.chown(here / "shared" / name, owner, owner)
    found, closed = records.find_here(os.environ)
    assert [entry.name for entry in found] == ["good", "own"]
    assert closed == []


def test_a_file_that_cannot_hold_a_record_is_not_read_to_its_end(here, monkeypatch):
    size = layout.FIRST + layout.SLOTS * layout.LARGEST_SLOT
    with open(here / "hafta" / "hafta-sparse.checkpoint", "wb") as file:
        file.truncate(size)
    read, pread = [], os.pread
    monkeypatch.setattr(os, "pread", lambda fd, count, at: read.append(count) or pread(fd, count, at))
    entries = {entry.name: entry for entry in records.find([str(here / "hafta")])}
    assert entries["sparse"].status == "damaged"
    assert str(size) in entries["sparse"].trouble.text
    assert entries["good"].status == "interrupted"
    assert sum(read) < 200_000


@pytest.mark.parametrize(
    ("root", "places"),
    [
        ("/run", ["/run"]),
        ("/run/hafta-overlord", ["/run/hafta-overlord", "/run"]),
        ("/tmp/hafta-overlord-7", ["/tmp/hafta-overlord-7"]),
        ("/home/x/.local/state/hafta-overlord", ["/home/x/.local/state/hafta-overlord", "/home/x/.local/state"]),
    ],
)
def test_it_looks_where_services_keep_records_and_not_in_all_of_tmp(root, places):
    assert records._with_others(root) == places
