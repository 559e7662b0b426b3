"""Nobody else can have prepared what the store opens."""

import errno
import os
import re

import pytest
from processes import in_child

from hafta.errors import StoreError
from hafta.stores.file import trust
from hafta.stores.file.files import FileStore
from hafta.testing.stores import refused

NOBODY = 65534


def as_nobody(path, ask):
    """Return the kind of StoreError that this ends in for another user, in a child; "" for none."""

    def work():
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        try:
            ask()
        except StoreError as error:
            return error.kind
        return ""

    return in_child(work)


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o1777])
def test_a_directory_that_others_can_write_to_is_refused(store, tmp_path, mode):
    tmp_path.chmod(mode)
    error = refused("shared", lambda: store.claim("s"))
    assert re.search(r"other users can write to it: the directory has owner \d+ and mode", error.message)
    assert f"chmod go-w {tmp_path}" in error.hint
    tmp_path.chmod(0o755)
    store.claim("s").close()
    (tmp_path / "hafta-s.checkpoint").chmod(0o660)
    refused("shared", lambda: store.claim("s"))


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be two users")
def test_the_directory_of_another_user_is_refused(store, tmp_path):
    os.chown(tmp_path, NOBODY, NOBODY)
    refused("shared", lambda: store.claim("s"))


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be two users")
def test_no_permission_is_a_clear_error(store, tmp_path):
    for directory in tmp_path.parents[:2]:
        directory.chmod(0o755)
    store.claim("s").close()
    for mode, asks in (
        (0o755, (lambda: store.claim("s"), lambda: store.claim("new"), lambda: store.peek("s"))),
        (0o700, (lambda: store.peek("s"), store.snapshots)),
    ):
        tmp_path.chmod(mode)
        assert {as_nobody(tmp_path, ask) for ask in asks} == {"permission"}


def test_a_new_file_is_for_its_owner_alone(tmp_path):
    FileStore(str(tmp_path / "a" / "b")).claim("s").close()
    path = tmp_path / "a" / "b" / "hafta-s.checkpoint"
    assert [place.stat().st_mode & 0o7777 for place in (path, *path.parents[:2])] == [0o600, 0o700, 0o700]


@pytest.mark.parametrize("make", [lambda path: path.symlink_to("target"), os.mkfifo, os.mkdir])
def test_what_is_not_a_file_or_a_link_to_one_is_refused_at_once(store, tmp_path, make):
    (tmp_path / "target").write_bytes(b"precious")
    make(tmp_path / "hafta-s.checkpoint")
    for ask in (store.claim, store.peek, store.discard):
        refused("not-a-file", lambda ask=ask: ask("s"))
    assert (tmp_path / "target").read_bytes() == b"precious"


def test_a_file_in_place_of_the_directory_is_refused(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    refused("not-a-file", lambda: FileStore(str(tmp_path / "file")).claim("s"))
    refused("not-a-file", lambda: FileStore(str(tmp_path / "file" / "d")).claim("s"))
    refused("not-a-file", FileStore(str(tmp_path / "file")).snapshots)


def test_a_link_to_the_directory_is_followed_where_only_we_can_have_made_it(tmp_path):
    """As systemd makes one for DynamicUser=: /var/lib/x -> private/x."""
    (tmp_path / "private").mkdir(mode=0o700)
    (tmp_path / "state").symlink_to("private")
    with FileStore(str(tmp_path / "state")).claim("s") as claim:
        claim.write(b"b", sync=True)
    assert (tmp_path / "private" / "hafta-s.checkpoint").exists()


@pytest.mark.parametrize(
    ("mode", "owner"),
    [
        (0o1777, None),
        pytest.param(0o755, 65534, marks=pytest.mark.skipif(os.geteuid() != 0, reason="only root can give it away")),
    ],
)
def test_a_link_to_the_directory_in_a_place_of_others_is_not_followed(tmp_path, mode, owner):
    (tmp_path / "real").mkdir(mode=0o700)
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(mode)
    if owner is not None:
        os.chown(shared, owner, owner)
    (shared / "state").symlink_to(tmp_path / "real")
    error = refused("shared", lambda: FileStore(str(shared / "state")).claim("s"))
    assert "a symbolic link that other users could have created" in error.message
    assert list((tmp_path / "real").iterdir()) == []


@pytest.mark.parametrize(
    ("code", "kind", "says"),
    [
        (errno.ENOSPC, "full", "no space or no inode is left"),
        (errno.EDQUOT, "full", "the quota is used up"),
        (errno.EIO, "io", "the disk reports an error"),
        (errno.EROFS, "read-only", "the file system is read-only"),
        (errno.EACCES, "permission", "no permission"),
        (errno.EPERM, "permission", "not permitted"),
        (errno.ELOOP, "not-a-file", "it is a symbolic link"),
        (errno.ENOTDIR, "not-a-file", "a part of this path is not a directory"),
        (errno.EISDIR, "not-a-file", "it is a directory"),
        (errno.EMFILE, "system", "Too many open files"),
    ],
)
def test_each_cause_has_its_kind_and_its_words(code, kind, says):
    cause = OSError(code, os.strerror(code))
    error = trust.explained(cause, "/p")
    assert error.kind == kind
    assert error.message.startswith(f"/p: {says}")
    assert error.hint
    assert error.__cause__ is cause


def test_two_makers_of_a_directory_do_not_disturb_each_other(tmp_path, monkeypatch):
    """The other one makes it between our look and our mkdir."""
    path = str(tmp_path / "d")
    isdir = os.path.isdir

    def look(asked):
        found = isdir(asked)
        if asked == path and not found:
            os.mkdir(path)
        return found

    monkeypatch.setattr(os.path, "isdir", look)
    trust.make_directory(path)
    assert isdir(path)


def test_where_nothing_can_be_looked_at_the_search_for_a_parent_ends(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os.path, "isdir", lambda _path: False)
    trust.make_directory("d")
    trust.make_directory("/")
    assert os.listdir(tmp_path) == ["d"]
