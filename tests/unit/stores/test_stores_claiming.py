"""Claiming a file: made once, locked once, repaired, and never stopped by what a kill left."""

import errno
import os
import re
import signal
import subprocess
import sys
import threading

import pytest
from stores_support import NAME, failing, is_directory

from hafta.errors import StoreError
from hafta.stores import holder
from hafta.stores.file import claiming, layout, lock, names
from hafta.stores.file.files import FileStore
from hafta.testing.stores import refused


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
    assert lock.lock(fd)
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
    monkeypatch.setattr(claiming, "HANDOVER", 0.02)
    monkeypatch.setattr(holder, "is_gone", lambda _holder: True)
    with store.claim("s"):
        refused("held", lambda: store.claim("s"))


def half(_record, temporary):
    with open(temporary, "wb") as file:
        file.write(b"half")


def live(_record, temporary):
    fd = os.open(temporary, os.O_RDWR | os.O_CREAT)
    assert lock.lock(fd)
    return fd


@pytest.mark.parametrize(
    ("of", "make", "stays"),
    [
        ("s", half, False),  # a kill left it
        ("s", os.link, False),  # a kill between link and unlink left it
        ("s", live, True),
        ("t", half, True),
        ("s", lambda _record, temporary: os.symlink("/etc/passwd", temporary), True),  # in nobody's way
    ],
)
@pytest.mark.parametrize("is_new", [False, True])
def test_only_the_temporary_file_of_a_creator_of_this_record_that_has_gone_is_removed(store, of, make, stays, is_new):
    if not is_new or make is os.link:
        store.claim("s").close()
    left = names.temporary_name(names.file_name(of), 1, 1)
    fd = make(f"{store.directory}/{NAME}", f"{store.directory}/{left}")
    store.claim("s").close()
    assert entries(store) == sorted([NAME, *[left] * stays])
    if fd is not None:
        os.close(fd)


def one_that_claims(store, gate_read, gate_write, tell):
    pid = os.fork()
    if pid == 0:
        try:
            os.close(gate_write)
            os.read(gate_read, 1)
            try:
                kept = store.claim("s")
                assert kept
                os.write(tell, b"+")
            except BaseException as error:
                os.write(tell, b"-" if getattr(error, "kind", "") == "held" else b"?")
            signal.pause()
        finally:
            os._exit(1)
    return pid


@pytest.fixture(params=["links", "no links"])
def publish(request, monkeypatch):
    """The name of the function that gives a new file its name, on file systems with and without hard links."""
    if request.param == "links":
        return "_publish"
    monkeypatch.setattr(os, "link", failing(errno.EPERM))
    return "_rename"


@pytest.mark.usefixtures("publish")
def test_many_starts_at_once_make_one_file_and_one_holder(store):
    """Eight processes claim a record that does not exist yet: one gets it, the others are told that it is held."""
    for _ in range(10):
        gate_read, gate_write = os.pipe()
        tell_read, tell_write = os.pipe()
        children = [one_that_claims(store, gate_read, gate_write, tell_write) for _ in range(8)]
        os.close(gate_write)
        told = b"".join(os.read(tell_read, 1) for _ in children)
        for pid in children:
            kill(pid)
        for fd in (gate_read, tell_read, tell_write):
            os.close(fd)
        assert sorted(told) == sorted(b"+-------")
        assert entries(store) == [NAME]
        assert store.discard("s")


def test_a_creator_that_is_overtaken_takes_the_other_ones_file(store, monkeypatch, publish):
    real = getattr(claiming, publish)

    def late(directory, temporary, name):
        monkeypatch.setattr(claiming, publish, real)
        with FileStore(store.directory).claim("s") as faster:
            faster.write(b"faster")
        return real(directory, temporary, name)

    monkeypatch.setattr(claiming, publish, late)
    with store.claim("s") as claim:
        assert claim.last.body == b"faster"
    assert entries(store) == [NAME]


def test_a_creator_whose_file_is_swept_before_it_is_locked_starts_over(store, monkeypatch):
    real = lock.lock
    sweeps = []

    def late(fd):
        if not sweeps:
            directory = os.open(store.directory, os.O_RDONLY)
            sweeps.append(1)
            claiming.sweep(directory, NAME)
            os.close(directory)
        return real(fd)

    monkeypatch.setattr(lock, "lock", late)
    store.claim("s").close()
    assert entries(store) == [NAME]


def test_a_record_that_is_discarded_while_we_claim_it_is_made_anew(store, monkeypatch):
    with store.claim("s") as claim:
        claim.write(b"old")
    real = lock.lock

    def late(fd):
        monkeypatch.setattr(lock, "lock", real)
        assert FileStore(store.directory).discard("s")
        return real(fd)

    monkeypatch.setattr(lock, "lock", late)
    with store.claim("s") as claim:
        assert claim.last is None
        claim.write(b"new")
    assert store.peek("s").saved.body == b"new"


@pytest.mark.parametrize(
    ("ask", "where", "made"), [("claim", os.path, True), ("discard", os.path, True), ("claim", claiming, False)]
)
def test_a_file_that_is_exchanged_or_comes_and_goes_for_ever_is_an_error(store, monkeypatch, ask, where, made):
    if made:
        store.claim("s").close()
    monkeypatch.setattr(where, "samestat" if made else "_publish", lambda *_: False)
    assert "the file keeps being replaced" in refused("system", lambda: getattr(store, ask)("s")).message
    assert entries(store) == [NAME] * made


FULL = {call: failing(errno.ENOSPC) for call in ("posix_fallocate", "fsync", "link", "pwrite")}


@pytest.mark.parametrize(("call", "fails"), [*FULL.items(), ("pwrite", lambda _fd, data, _offset: len(data) // 2)])
def test_a_creation_that_fails_leaves_nothing_behind(store, monkeypatch, call, fails):
    with monkeypatch.context() as patch:
        patch.setattr(os, call, fails)
        assert refused("full", lambda: store.claim("s")).message.startswith(f"{store.directory}/{NAME}: no space")
    assert entries(store) == []
    store.claim("s").close()


def test_a_directory_that_does_not_come_to_the_disk_is_an_error(store, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", failing(errno.EIO, os.fsync, is_directory))
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
        assert f"only {size} of {image.geometry.size()} bytes were left" in claim.incidents[1].text
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
    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", failing(errno.EIO))
        refused("io", lambda: store.claim("s", power=True))
        with store.claim("s") as claim:
            assert claim.last.body == b"1"
    with store.claim("s", power=True) as claim:
        assert claim.last.body == b"1"


def test_the_note_about_the_holder_is_not_worth_a_failure(store, monkeypatch):
    store.claim("s").close()
    monkeypatch.setattr(os, "pwrite", failing(errno.EIO, os.pwrite, lambda _fd, _data, offset: offset == 0))
    with store.claim("s") as claim:
        assert [incident.kind for incident in claim.incidents] == ["holder"]
        assert "cannot note who has the claim" in claim.incidents[0].text
        claim.write(b"1")


def test_claiming_keeps_the_time_of_the_record(store):
    with store.claim("s") as claim:
        claim.write(b"1")
    path = f"{store.directory}/{NAME}"
    os.utime(path, (1000, 2000))
    store.claim("s", power=True).close()
    assert store.peek("s").written == 2000


def test_a_store_is_made_of_slots_of_whole_pages_and_a_path(tmp_path, monkeypatch):
    assert FileStore(tmp_path).directory == str(tmp_path)
    assert FileStore(str(tmp_path / "none")).discard("s") is False
    for size in (0, 100, 4097, 2 << 20, "8192", 8192.0, None):
        with pytest.raises(ValueError, match=f"slot_size {size!r}: a multiple of 4096"):
            FileStore(str(tmp_path), slot_size=size)
    for given in ("a\0b", b"bytes", 5, [str(tmp_path)]):
        with pytest.raises(ValueError, match=re.escape(f"directory {given!r}: a path, as a str without NUL")):
            FileStore(given)
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    assert FileStore().directory == str(tmp_path)


@pytest.mark.parametrize("ask", ["claim", "discard"])
def test_what_the_system_says_while_claiming_becomes_a_store_error(store, monkeypatch, ask):
    store.claim("s").close()
    monkeypatch.setattr(os, "listdir", failing(errno.EMFILE))
    assert "Too many open files" in refused("system", lambda: getattr(store, ask)("s")).message
