"""Claiming a file: made once, locked once, mended, and never stopped by what a kill left."""

import errno
import os
import re
import signal
import subprocess
import sys
import threading
import time

import pytest

from hafta.errors import StoreError
from hafta.stores import holder, layout, names, opening
from hafta.stores.files import FileStore
from hafta.testing.stores import refused

NAME = "hafta-s.checkpoint"


@pytest.fixture
def store(tmp_path):
    return FileStore(str(tmp_path))


def entries(store):
    return sorted(os.listdir(store.directory))


def in_child_until_killed(ask):
    """Run this in a child that then waits to be killed; return its pid once it has."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            kept = ask()
            os.write(write, b"+")
            signal.pause()
            del kept
        finally:
            os._exit(1)
    os.close(write)
    with os.fdopen(read, "rb") as answer:
        assert answer.read(1) == b"+"
    return pid


def kill(pid):
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def test_the_lock_dies_with_its_holder(store):
    pid = in_child_until_killed(lambda: store.claim("s"))
    error = refused("held", lambda: store.claim("s"))
    assert f"held by pid {pid}" in error.message
    assert "another instance=" in error.hint
    kill(pid)
    store.claim("s").close()


def test_a_child_that_outlives_the_holder_does_not_keep_the_lock(store):
    """The holder forks a child, by os.fork and as a program, and is killed; both children live on."""
    read, write = os.pipe()

    def hold_and_fork():
        claim = store.claim("s")
        program = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"], close_fds=False)
        child = os.fork()
        if child == 0:
            signal.pause()
        os.write(write, b"%d %d" % (child, program.pid))
        return claim

    holding = in_child_until_killed(hold_and_fork)
    children = [int(pid) for pid in os.read(read, 100).split()]
    kill(holding)
    store.claim("s").close()
    for pid in children:
        os.kill(pid, signal.SIGKILL)
    os.close(read)
    os.close(write)


@pytest.mark.parametrize("moment", ["posix_fallocate", "link", "pread", "utime"])
def test_a_child_that_was_forked_in_the_middle_of_a_claim_has_no_part_in_it(store, monkeypatch, moment):
    """As another thread may; it then lives on, while the claim is closed."""
    children = []
    real = getattr(os, moment)

    def fork_meanwhile(*arguments, **options):
        children.append(in_child_until_killed(lambda: None))
        return real(*arguments, **options)

    monkeypatch.setattr(os, moment, fork_meanwhile)
    store.claim("s").close()
    monkeypatch.undo()
    try:
        assert len(children) == 1
        store.claim("s").close()
    finally:
        for child in children:
            kill(child)


def test_closing_gives_the_lock_up_although_a_child_has_yet_to_close_its_copy(store):
    with store.claim("s") as claim:
        copy = os.dup(claim._fd)  # as between fork and exec
    store.claim("s").close()
    os.close(copy)


def test_opening_and_closing_the_file_does_not_drop_the_lock(store):
    with store.claim("s"):
        with open(f"{store.directory}/{NAME}", "rb") as file:
            file.read()
        store.peek("s")
        refused("held", lambda: store.claim("s"))
        pid = os.fork()
        if pid == 0:
            try:
                store.claim("s")
            except StoreError as error:
                os._exit(7 if error.kind == "held" else 8)
            os._exit(9)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7


def test_the_lock_of_a_process_that_has_just_died_is_waited_for(store, monkeypatch):
    """Its child may be between fork and exec, with a copy of the descriptor."""
    store.claim("s").close()
    fd = os.open(f"{store.directory}/{NAME}", os.O_RDWR)
    assert holder.lock(fd)
    looked = threading.Event()
    monkeypatch.setattr(holder, "is_gone", lambda _holder: looked.set() or True)
    claims = []
    claiming = threading.Thread(target=lambda: claims.append(store.claim("s")))
    claiming.start()
    assert looked.wait(30)
    os.close(fd)
    claiming.join()
    claims[0].close()


def test_waiting_for_a_dead_holder_has_an_end(store, monkeypatch):
    monkeypatch.setattr(opening, "HANDOVER", 0.02)
    monkeypatch.setattr(holder, "is_gone", lambda _holder: True)
    with store.claim("s"):
        refused("held", lambda: store.claim("s"))


def test_a_temporary_file_that_a_kill_left_is_removed(store):
    (left,) = (names.temporary_name(NAME, 1, tick) for tick in (1,))
    with open(f"{store.directory}/{left}", "wb") as file:
        file.write(b"half")
    store.claim("s").close()
    assert entries(store) == [NAME]


def test_a_kill_between_link_and_unlink_leaves_nothing(store):
    store.claim("s").close()
    os.link(f"{store.directory}/{NAME}", f"{store.directory}/{names.temporary_name(NAME, 1, 1)}")
    with store.claim("s"):
        assert entries(store) == [NAME]


def test_the_temporary_file_of_a_live_creator_is_left_alone(store):
    live = f"{store.directory}/{names.temporary_name(NAME, 1, 1)}"
    fd = os.open(live, os.O_RDWR | os.O_CREAT)
    assert holder.lock(fd)
    store.claim("s").close()
    assert os.path.exists(live)
    os.close(fd)


def test_temporary_files_of_other_records_are_left_alone(store):
    other = names.temporary_name(names.file_name("t"), 1, 1)
    with open(f"{store.directory}/{other}", "wb"):
        pass
    store.claim("s").close()
    assert entries(store) == [other, NAME]


def test_what_is_no_file_among_the_temporary_ones_is_in_nobodys_way(store):
    os.symlink("/etc/passwd", f"{store.directory}/{names.temporary_name(NAME, 1, 1)}")
    store.claim("s").close()


def test_many_starts_at_once_make_one_file_and_one_holder(store):
    """Eight processes claim a record that does not exist yet: one gets it, the others are told who has it."""
    gate_read, gate_write = os.pipe()
    children = []
    for _ in range(8):
        pid = os.fork()
        if pid == 0:
            os.close(gate_write)
            os.read(gate_read, 1)
            try:
                store.claim("s")
                status = 1
                signal.pause()
            except StoreError as error:
                status = 2 if error.kind == "held" else 3
            finally:
                os._exit(status)
        children.append(pid)
    os.close(gate_write)
    os.close(gate_read)
    losers: dict[int, int] = {}
    while len(losers) < 7:  # of these children alone: there may be others
        for pid in set(children) - losers.keys():
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                losers[pid] = os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    assert set(losers.values()) == {2}
    (winner,) = set(children) - losers.keys()
    assert entries(store) == [NAME]
    kill(winner)


def test_a_creator_that_is_overtaken_takes_the_other_ones_file(store, monkeypatch):
    publish = opening._publish

    def late(directory, temporary, name):
        monkeypatch.setattr(opening, "_publish", publish)
        with FileStore(store.directory).claim("s") as faster:
            faster.write(b"faster")
        return publish(directory, temporary, name)

    monkeypatch.setattr(opening, "_publish", late)
    with store.claim("s") as claim:
        assert claim.last.body == b"faster"
    assert entries(store) == [NAME]


def test_a_creator_whose_file_is_swept_before_it_is_locked_starts_over(store, monkeypatch):
    lock = holder.lock
    sweeps = []

    def late(fd):
        if not sweeps:
            directory = os.open(store.directory, os.O_RDONLY)
            sweeps.append(1)
            opening.sweep(directory, NAME)
            os.close(directory)
        return lock(fd)

    monkeypatch.setattr(holder, "lock", late)
    store.claim("s").close()
    assert entries(store) == [NAME]


def test_a_record_that_is_discarded_while_we_claim_it_is_made_anew(store, monkeypatch):
    with store.claim("s") as claim:
        claim.write(b"old")
    lock = holder.lock

    def late(fd):
        monkeypatch.setattr(holder, "lock", lock)
        assert FileStore(store.directory).discard("s")
        return lock(fd)

    monkeypatch.setattr(holder, "lock", late)
    with store.claim("s") as claim:
        assert claim.last is None
        claim.write(b"new")
    assert store.peek("s").saved.body == b"new"


@pytest.mark.parametrize("ask", ["claim", "discard"])
def test_a_file_that_is_exchanged_for_ever_is_an_error_not_a_hang(store, monkeypatch, ask):
    store.claim("s").close()
    monkeypatch.setattr(os.path, "samestat", lambda *_: False)
    with pytest.raises(StoreError, match="it is exchanged again and again") as caught:
        getattr(store, ask)("s")
    assert caught.value.kind == "system"
    assert caught.value.hint


def test_a_file_that_always_comes_and_goes_is_an_error_not_a_hang(store, monkeypatch):
    monkeypatch.setattr(opening, "_publish", lambda *_: False)
    with pytest.raises(StoreError, match="it is exchanged again and again"):
        store.claim("s")
    assert entries(store) == []


@pytest.mark.parametrize("call", ["posix_fallocate", "pwrite", "fsync", "link"])
def test_a_creation_that_fails_leaves_nothing_behind(store, monkeypatch, call):
    def failing(*_arguments, **_options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, call, failing)
        assert refused("full", lambda: store.claim("s")).message.startswith(f"{store.directory}/{NAME}: no space")
    assert entries(store) == []
    store.claim("s").close()


def test_a_file_that_is_filled_only_in_part_is_a_full_disk(store, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", lambda _fd, data, _offset: len(data) // 2)
        refused("full", lambda: store.claim("s"))
    assert entries(store) == []


def test_a_directory_that_does_not_come_to_the_disk_is_an_error(store, monkeypatch):
    fsync = os.fsync

    def failing(fd):
        if os.path.isdir(f"/proc/self/fd/{fd}"):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        fsync(fd)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", failing)
        refused("io", lambda: store.claim("s"))
    store.claim("s").close()  # the lock went with the error


def test_a_truncated_file_gets_its_size_back_and_says_so(store):
    with store.claim("s") as claim:
        for n in range(6):
            claim.write(b"%d" % n)
    path = f"{store.directory}/{NAME}"
    with open(path, "rb") as file:
        image = layout.read(file.read(), path)
    size = image.geometry.offset(2) + 20
    os.truncate(path, size)
    with store.claim("s") as claim:
        kinds = [incident.kind for incident in claim.incidents]
        assert kinds == ["damaged", "truncated"]
        assert f"{size} bytes of {image.geometry.size()}; it has its full size again" in claim.incidents[1].text
        assert claim.last.body in {b"3", b"4", b"5"}
    assert os.path.getsize(path) == image.geometry.size()


def test_a_file_of_nothing_is_refused_and_can_be_discarded(store):
    with open(f"{store.directory}/{NAME}", "wb"):
        pass
    refused("damaged", lambda: store.claim("s"))
    refused("damaged", lambda: store.claim("s"))  # the lock went with the error
    assert store.discard("s")
    store.claim("s").close()


def test_a_record_that_cannot_be_synced_is_not_handed_out_as_durable(store, monkeypatch):
    with store.claim("s") as claim:
        claim.write(b"1")

    def failing(_fd):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", failing)
        refused("io", lambda: store.claim("s", durable=True))
        with store.claim("s") as claim:
            assert claim.last.body == b"1"
    with store.claim("s", durable=True) as claim:
        assert claim.last.body == b"1"


def test_the_note_about_the_holder_is_not_worth_a_failure(store, monkeypatch):
    store.claim("s").close()
    pwrite = os.pwrite

    def failing(fd, data, offset):
        if offset == 0:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return pwrite(fd, data, offset)

    monkeypatch.setattr(os, "pwrite", failing)
    with store.claim("s") as claim:
        assert [incident.kind for incident in claim.incidents] == ["holder"]
        assert "cannot note who has the claim" in claim.incidents[0].text
        claim.write(b"1")


def test_claiming_keeps_the_time_of_the_record(store):
    with store.claim("s") as claim:
        claim.write(b"1")
    path = f"{store.directory}/{NAME}"
    os.utime(path, (1000, 2000))
    store.claim("s", durable=True).close()
    assert store.peek("s").written == 2000


def test_slots_of_an_impossible_size_are_refused(tmp_path):
    for size in (0, 100, 4097, 2 << 20, "8192", 8192.0, None):
        with pytest.raises(ValueError, match=f"slot_size {size!r}: a multiple of 4096"):
            FileStore(str(tmp_path), slot_size=size)


def test_a_directory_is_a_path(tmp_path):
    assert FileStore(tmp_path).directory == str(tmp_path)
    for given in ("a\0b", b"bytes", 5, [str(tmp_path)]):
        with pytest.raises(ValueError, match=re.escape(f"directory {given!r}: a path, as a str without NUL")):
            FileStore(given)


def test_without_a_directory_the_environment_says(tmp_path, monkeypatch):
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    assert FileStore().directory == str(tmp_path)


def test_discarding_where_no_directory_is_says_there_was_none(tmp_path):
    assert FileStore(str(tmp_path / "none")).discard("s") is False


@pytest.mark.parametrize("ask", ["claim", "discard"])
def test_what_the_system_says_while_claiming_becomes_a_store_error(store, monkeypatch, ask):
    store.claim("s").close()

    def failing(*_arguments, **_options):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(os, "listdir", failing)
    assert "Too many open files" in refused("system", lambda: getattr(store, ask)("s")).message
