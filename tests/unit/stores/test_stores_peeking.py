"""Looking at a record disturbs nobody and is never fooled by a write that is under way."""

import errno
import os
import threading

import pytest
from stores_support import NAME, damage, failing

from hafta.stores.file import layout, peeking
from hafta.stores.file.files import FileStore
from hafta.testing.stores import refused


def test_a_file_that_cannot_be_looked_at_does_not_hide_the_others(store, path, tmp_path):
    (tmp_path / "hafta-link@a.checkpoint").symlink_to(path)
    (tmp_path / "hafta-pipe.checkpoint").mkdir()
    seen = store.snapshots()
    assert [(one.sequence, one.instance, one.saved is None) for one in seen] == [
        ("link", "a", True), ("pipe", "", True), ("s", "", False),
    ]  # fmt: skip
    assert [one.incidents[0].kind for one in seen[:2]] == ["not-a-file"] * 2
    assert seen[0].path == f"{tmp_path}/hafta-link@a.checkpoint"


@pytest.fixture
def path(store, tmp_path):
    with store.claim("s") as claim:
        for n in range(1, 7):
            claim.write(b"%d" % n)
    return tmp_path / NAME


def test_looking_writes_nothing_and_locks_nothing(store, path):
    os.utime(path, (1000, 2000))
    before = path.read_bytes()
    os.utime(path, (1000, 2000))
    for _ in range(3):
        assert store.peek("s").saved.body == b"6"
    after = path.stat()
    assert (after.st_atime, after.st_mtime, path.read_bytes()) == (1000, 2000, before)


def test_a_damaged_record_is_shown_with_what_is_wrong(store, path):
    damage(path)
    seen = store.peek("s")
    assert (seen.saved.body, [incident.kind for incident in seen.incidents]) == (b"5", ["damaged"])
    path.write_bytes(bytes(path.stat().st_size))
    (seen,) = store.snapshots()
    assert (seen.saved, seen.incidents[0].kind) == (None, "damaged")
    assert "no whole record is left" in seen.incidents[0].text


def test_a_look_in_the_middle_of_a_write_looks_again(path, monkeypatch):
    """Two reads that differ: the damage was a write under way."""
    reads = [path.read_bytes()]
    damage(path)
    reads.insert(0, path.read_bytes())
    monkeypatch.setattr(peeking, "read", lambda _fd: reads.pop(0))
    seen = peeking.peek(str(path))
    assert (seen.saved.body, seen.incidents) == (b"6", ())


def test_a_file_that_changes_all_the_time_is_not_looked_at_for_ever(path, monkeypatch):
    whole, count = path.read_bytes(), iter(range(1000))
    at = layout.read(whole, "").geometry.offset(0) + 45
    monkeypatch.setattr(peeking, "read", lambda _fd: whole[:at] + b"%03d" % next(count) + whole[at + 3 :])
    assert peeking.peek(str(path)).saved is not None
    assert next(count) == peeking.LOOKS


def test_a_bad_slot_is_no_news_while_the_record_is_held(store, path):
    """It is being written, or the claim has reported it."""
    with store.claim("s"):
        damage(path)
        assert store.peek("s").incidents == ()
    assert store.peek("s").incidents[0].kind == "damaged"


def test_looking_while_it_is_written_sees_whole_and_ever_newer_records(store):
    """A writer at full speed and a reader at the same time."""
    with FileStore(store.directory, slot_size=8192).claim("s") as claim:
        stop = threading.Event()

        def write():
            n = 0
            while not stop.is_set():
                n += 1
                claim.write(b"%d " % n + b"x" * 6000)

        writer = threading.Thread(target=write)
        writer.start()
        numbers = []
        while len(numbers) < 300:
            seen = store.peek("s")
            assert seen.incidents == ()
            if seen.saved:
                assert seen.saved.body.endswith(b" " + b"x" * 6000)
                numbers.append(seen.saved.number)
        stop.set()
        writer.join()
    assert numbers == sorted(numbers)


def test_a_first_slot_of_which_only_the_beginning_is_right_hides_no_record(store, path):
    image = layout.read(path.read_bytes(), "")
    with open(path, "r+b") as file:
        file.seek(image.geometry.offset(0) + len(layout.MAGIC))
        file.write(b"x" * 20)
    assert store.peek("s").saved.body == (b"5" if image.newest == 0 else b"6")


def test_a_page_that_the_disk_does_not_give_back_costs_only_its_slot(store, path, monkeypatch):
    image = layout.read(path.read_bytes(), "")
    broken = image.geometry.offset(image.newest)
    is_there = lambda _fd, size, offset: offset <= broken < offset + size
    monkeypatch.setattr(os, "pread", failing(errno.EIO, os.pread, is_there))
    seen = store.peek("s")
    assert seen.saved.body == b"5"
    assert "the disk cannot read it" in seen.incidents[0].text
    with store.claim("s") as claim:
        assert claim.last.body == b"5"


@pytest.mark.parametrize("where", ["open", "pread", "fstat"])
def test_what_the_system_says_becomes_a_store_error(store, path, monkeypatch, where):
    with monkeypatch.context() as patch:
        patch.setattr(os, where, failing(errno.ENOMEM))
        error = refused("system", lambda: store.peek("s"))
    assert "Cannot allocate memory" in error.message


def test_a_user_who_is_not_the_owner_looks_all_the_same(store, path, monkeypatch):
    """O_NOATIME is refused to others."""
    is_refused = lambda _path, flags, *_more, **_options: flags & os.O_NOATIME
    monkeypatch.setattr(os, "open", failing(errno.EPERM, os.open, is_refused))
    assert store.peek("s").saved.body == b"6"


def test_the_scoreboard_shows_all_records_and_nothing_else(store, path, tmp_path):
    store.claim("t", "1").close()
    for other in ("notes.txt", ".hafta-s.checkpoint.1-2.new", "hafta-.checkpoint"):
        (tmp_path / other).touch()
    shown = [(seen.sequence, seen.instance, seen.held) for seen in store.snapshots()]
    assert shown == [("s", "", False), ("t", "1", False)]
    nowhere = FileStore(str(tmp_path / "none"))
    assert (nowhere.snapshots(), nowhere.peek("s")) == ([], None)


def test_a_note_that_the_disk_does_not_give_back_is_not_a_note(path, monkeypatch):
    monkeypatch.setattr(os, "pread", failing(errno.EIO))
    with open(path, "rb") as file:
        assert peeking.note(file.fileno()) is None


def test_a_scoreboard_of_a_newer_format_says_so(store, path, monkeypatch):
    monkeypatch.setattr(layout, "FORMAT", 0)
    seen = store.peek("s")
    assert (seen.saved, seen.incidents[0].kind) == (None, "format")
    error = refused("format", lambda: store.claim("s"))
    assert "written in format 1, but this program reads only up to format 0" in error.message


def test_a_record_that_goes_while_we_look_is_not_there(store, path, monkeypatch):
    listdir = os.listdir

    def vanishing(where):
        found = listdir(where)
        os.unlink(path)
        return found

    monkeypatch.setattr(os, "listdir", vanishing)
    assert store.snapshots() == []
