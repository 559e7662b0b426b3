"""File systems that can do less: without hard links, without fsync of a directory, without locks."""

import errno
import fcntl
import os

import pytest
from stores_support import NAME, failing, is_directory

from hafta.stores import FileStore
from hafta.stores.file import claiming, mounts
from hafta.stores.file.mounts import file_system
from hafta.testing.stores import StorePromises, refused

NO_LINKS = [errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EINVAL]


class TestWithoutHardLinks(StorePromises):
    @pytest.fixture(autouse=True)
    def no_links(self, tmp_path, monkeypatch):
        monkeypatch.setattr(os, "link", failing(errno.EPERM))
        self.path, self.made = tmp_path, 0

    def make(self):
        self.made += 1
        return FileStore(self.path / str(self.made))


@pytest.mark.parametrize("code", NO_LINKS)
def test_without_hard_links_a_record_is_made_all_the_same(store, monkeypatch, code):
    monkeypatch.setattr(os, "link", failing(code))
    with store.claim("s", power=True) as claim:
        claim.write(b"1", sync=True)
        refused("held", lambda: store.claim("s"))
    assert store.peek("s").saved.body == b"1"
    assert os.listdir(store.directory) == [NAME]


def test_without_hard_links_waiting_for_another_creator_has_an_end(store, monkeypatch):
    monkeypatch.setattr(os, "link", failing(errno.EPERM))
    monkeypatch.setattr(claiming, "HANDOVER", 0.02)
    other = os.open(store.directory, os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX)
    assert "another process is just making a record" in refused("system", lambda: store.claim("s")).message
    os.close(other)
    store.claim("s").close()


@pytest.mark.parametrize("code", [errno.EINVAL, errno.EOPNOTSUPP])
def test_without_fsync_of_directories_there_is_the_level_process_and_not_power(tmp_path, monkeypatch, code):
    store = FileStore(str(tmp_path / "made" / "too"))
    monkeypatch.setattr(os, "fsync", failing(code, os.fsync, is_directory))
    with store.claim("s") as claim:
        claim.enter(b"f")
        claim.write(b"1")
        error = refused("system", lambda: claim.write(b"2", sync=True))
        assert f"this file system ({file_system(store.directory)}) cannot sync the names" in error.message
        assert 'level "process"' in error.hint
        claim.write(b"3")
    refused("system", lambda: store.claim("s", power=True))
    with store.claim("s") as claim:
        assert claim.last.body == b"3"
    assert store.discard("s")
    refused("system", lambda: store.claim("s", power=True))


def test_a_file_system_without_locks_is_named(store, monkeypatch):
    monkeypatch.setattr(fcntl, "fcntl", failing(errno.ENOLCK))
    error = refused("system", lambda: store.claim("s"))
    assert f"No locks available (file system: {file_system(store.directory)})" in error.message
    assert "local file system" in error.hint


def test_the_file_system_of_a_path_is_that_of_the_nearest_mount(tmp_path, monkeypatch):
    table = tmp_path / "mountinfo"
    table.write_text(
        "22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n"
        "30 22 8:2 / /media rw - xfs /dev/sdb1 rw\n"
        "31 30 8:3 / /media/my\\040card rw,nosuid shared:1 - vfat /dev/sdc1 rw\n"
    )
    monkeypatch.setattr(mounts, "_MOUNTS", str(table))
    assert file_system("/media/my card/state") == "vfat at /media/my card"
    assert file_system("/media/my cards") == "xfs at /media"
    assert file_system("/mediate") == "ext4 at /"
    table.write_text("")
    assert file_system("/") == "unknown"
    table.unlink()
    assert file_system("/") == "unknown"
