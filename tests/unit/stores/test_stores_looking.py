"""Looking at a record disturbs nobody and is never fooled by a write that is under way."""

import errno
import os
import threading

import pytest

from hafta.errors import StoreError
from hafta.stores import layout, looking
from hafta.stores.files import FileStore
from hafta.testing.stores import refused

NAME = "hafta-s.checkpoint"


@pytest.fixture
def store(tmp_path):
    return FileStore(str(tmp_path))


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
def path(store):
    with store.claim("s") as claim:
        for n in range(1, 7):
            claim.write(b"%d" % n)
    return f"{store.directory}/{NAME}"


def content(path):
    with open(path, "rb") as file:
        return file.read()


def test_looking_writes_nothing_and_locks_nothing(store, path):
    os.utime(path, (1000, 2000))
    before = os.stat(path), content(path)
    os.utime(path, (1000, 2000))
    for _ in range(3):
        assert store.peek("s").saved.body == b"6"
    after = os.stat(path)
    assert (after.st_atime, after.st_mtime) == (1000, 2000)
    assert content(path) == before[1]


def test_a_damaged_record_is_shown_with_what_is_wrong(store, path):
    data = bytearray(content(path))
    image = layout.read(bytes(data), path)
    data[image.geometry.offset(image.newest) + 45] ^= 1
    with open(path, "wb") as file:
        file.write(data)
    seen = store.peek("s")
    assert seen.saved.body == b"5"
    assert [incident.kind for incident in seen.incidents] == ["damaged"]
    with open(path, "wb") as file:
        file.write(bytes(len(data)))
    (seen,) = store.snapshots()
    assert seen.saved is None
    assert seen.incidents[0].kind == "damaged"
    assert "no whole record is left" in seen.incidents[0].text


def test_a_look_in_the_middle_of_a_write_looks_again(path, monkeypatch):
    """Two reads that differ: the damage was a write under way."""
    whole = content(path)
    image = layout.read(whole, path)
    at = image.geometry.offset(image.newest) + 45
    torn = whole[:at] + b"\0" + whole[at + 1 :]
    reads = [torn, whole]
    monkeypatch.setattr(looking, "read", lambda _fd: reads.pop(0))
    seen = looking.peek(path)
    assert seen.saved.body == b"6"
    assert seen.incidents == ()


def test_a_file_that_changes_all_the_time_is_not_looked_at_for_ever(path, monkeypatch):
    whole = content(path)
    at = layout.read(whole, path).geometry.offset(0) + 45
    count = iter(range(1000))
    monkeypatch.setattr(looking, "read", lambda _fd: whole[:at] + b"%03d" % next(count) + whole[at + 3 :])
    assert looking.peek(path).saved is not None
    assert next(count) == looking.LOOKS


def test_a_bad_slot_is_no_news_while_the_record_is_held(store, path):
    """It is being written, or the claim has told of it."""
    with store.claim("s") as claim:
        image = layout.read(content(path), path)
        claim.write(b"7")
        with open(path, "r+b") as file:
            file.seek(image.geometry.offset(image.newest) + 45)
            file.write(b"??")
        assert store.peek("s").incidents == ()
    assert store.peek("s").incidents[0].kind == "damaged"


def test_looking_while_it_is_written_sees_whole_and_ever_newer_records(store):
    """A writer at full speed and a reader beside it."""
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


def test_a_page_that_the_disk_does_not_give_back_costs_only_its_slot(store, path, monkeypatch):
    image = layout.read(content(path), path)
    broken = image.geometry.offset(image.newest)
    pread = os.pread

    def failing(fd, size, offset):
        if offset <= broken < offset + size:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return pread(fd, size, offset)

    monkeypatch.setattr(os, "pread", failing)
    seen = store.peek("s")
    assert seen.saved.body == b"5"
    assert "the disk does not give it back" in seen.incidents[0].text
    with store.claim("s") as claim:
        assert claim.last.body == b"5"


@pytest.mark.parametrize("where", ["open", "pread", "fstat"])
def test_what_the_system_says_becomes_a_store_error(store, path, monkeypatch, where):
    def failing(*_arguments, **_options):
        raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))

    with monkeypatch.context() as patch:
        patch.setattr(os, where, failing)
        error = refused("system", lambda: store.peek("s"))
    assert "Cannot allocate memory" in error.message


def test_whoever_is_not_the_owner_looks_all_the_same(store, path, monkeypatch):
    """O_NOATIME is refused to others."""
    real = os.open

    def refusing(path, flags, *arguments, **options):
        if flags & os.O_NOATIME:
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
        return real(path, flags, *arguments, **options)

    monkeypatch.setattr(os, "open", refusing)
    assert store.peek("s").saved.body == b"6"


def test_the_scoreboard_shows_all_records_and_nothing_else(store, path):
    store.claim("t", "1").close()
    for other in ("notes.txt", ".hafta-s.checkpoint.1-2.new", "hafta-.checkpoint"):
        with open(f"{store.directory}/{other}", "wb"):
            pass
    assert [(seen.sequence, seen.instance, seen.held) for seen in store.snapshots()] == [
        ("s", "", False),
        ("t", "1", False),
    ]


def test_a_record_that_goes_while_we_look_is_not_there(store, path, monkeypatch):
    listdir = os.listdir

    def vanishing(where):
        found = listdir(where)
        os.unlink(path)
        return found

    monkeypatch.setattr(os, "listdir", vanishing)
    assert store.snapshots() == []


def test_no_directory_is_an_empty_scoreboard(tmp_path):
    store = FileStore(str(tmp_path / "none"))
    assert store.snapshots() == []
    assert store.peek("s") is None


def test_a_note_that_the_disk_does_not_give_back_is_no_note(path, monkeypatch):
    def failing(*_arguments):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    fd = os.open(path, os.O_RDONLY)
    monkeypatch.setattr(os, "pread", failing)
    assert looking.note(fd) is None
    os.close(fd)


def test_a_scoreboard_of_a_newer_format_says_so(store, path, monkeypatch):
    monkeypatch.setattr(layout, "FORMAT", 0)
    seen = store.peek("s")
    assert seen.saved is None
    assert seen.incidents[0].kind == "newer"
    with pytest.raises(StoreError, match="written in format 1, and this program reads up to format 0"):
        store.claim("s")
