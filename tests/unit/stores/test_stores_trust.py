"""Nobody else can have prepared what the store opens."""

import errno
import os

import pytest

from hafta.errors import StoreError
from hafta.stores import trust
from hafta.stores.files import FileStore

NOBODY = 65534


def as_nobody(path, ask):
    """Return the kind of StoreError that this ends in for another user, in a child; "" for none."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        kind = "another exception"
        try:
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            ask()
            kind = ""
        except StoreError as error:
            kind = error.kind
        finally:
            os.write(write, kind.encode())
            os._exit(0)
    os.close(write)
    os.waitpid(pid, 0)
    with os.fdopen(read) as answer:
        return answer.read()


def kind_of(ask):
    with pytest.raises(StoreError) as caught:
        ask()
    assert caught.value.hint
    return caught.value.kind


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o1777])
def test_a_directory_that_others_can_write_to_is_refused(tmp_path, mode):
    tmp_path.chmod(mode)
    with pytest.raises(StoreError, match=r"others can write to it: the directory has owner \d+ and mode") as caught:
        FileStore(str(tmp_path)).claim("s")
    assert caught.value.kind == "shared"
    assert f"chmod go-w {tmp_path}" in caught.value.hint


def test_a_directory_that_others_can_only_read_is_fine(tmp_path):
    tmp_path.chmod(0o755)
    FileStore(str(tmp_path)).claim("s").close()


def test_a_file_that_others_can_write_to_is_refused(tmp_path):
    store = FileStore(str(tmp_path))
    store.claim("s").close()
    (tmp_path / "hafta-s.checkpoint").chmod(0o660)
    assert kind_of(lambda: store.claim("s")) == "shared"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be two users")
def test_the_directory_of_another_user_is_refused(tmp_path):
    os.chown(tmp_path, NOBODY, NOBODY)
    assert kind_of(lambda: FileStore(str(tmp_path)).claim("s")) == "shared"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be two users")
def test_no_permission_is_a_clear_error(tmp_path):
    for directory in (tmp_path, *tmp_path.parents[:2]):
        directory.chmod(0o755)
    store = FileStore(str(tmp_path))
    store.claim("s").close()
    tmp_path.chmod(0o755)
    assert as_nobody(tmp_path, lambda: store.claim("s")) == "permission"
    assert as_nobody(tmp_path, lambda: store.claim("new")) == "permission"
    assert as_nobody(tmp_path, lambda: store.peek("s")) == "permission"
    tmp_path.chmod(0o700)
    assert as_nobody(tmp_path, lambda: store.peek("s")) == "permission"
    assert as_nobody(tmp_path, store.snapshots) == "permission"


def test_a_new_file_is_for_its_owner_alone(tmp_path):
    FileStore(str(tmp_path / "a" / "b")).claim("s").close()
    path = tmp_path / "a" / "b" / "hafta-s.checkpoint"
    assert path.stat().st_mode & 0o7777 == 0o600
    assert path.parent.stat().st_mode & 0o7777 == 0o700
    assert path.parent.parent.stat().st_mode & 0o7777 == 0o700


def test_a_link_in_place_of_the_file_is_not_followed(tmp_path):
    store = FileStore(str(tmp_path))
    target = tmp_path / "target"
    target.write_bytes(b"precious")
    (tmp_path / "hafta-s.checkpoint").symlink_to(target)
    for ask in (store.claim, store.peek, store.discard):
        assert kind_of(lambda ask=ask: ask("s")) == "not-a-file"
    assert target.read_bytes() == b"precious"


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_file_is_refused_at_once(tmp_path, make):
    store = FileStore(str(tmp_path))
    make(tmp_path / "hafta-s.checkpoint")
    for ask in (store.claim, store.peek, store.discard):
        assert kind_of(lambda ask=ask: ask("s")) == "not-a-file"


def test_a_file_in_place_of_the_directory_is_refused(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    assert kind_of(lambda: FileStore(str(tmp_path / "file")).claim("s")) == "not-a-file"
    assert kind_of(lambda: FileStore(str(tmp_path / "file" / "d")).claim("s")) == "not-a-file"
    assert kind_of(FileStore(str(tmp_path / "file")).snapshots) == "not-a-file"


def test_a_link_to_the_directory_is_followed_where_only_we_can_have_made_it(tmp_path):
    """As systemd makes one for DynamicUser=: /var/lib/x -> private/x."""
    (tmp_path / "private").mkdir(mode=0o700)
    (tmp_path / "state").symlink_to("private")
    with FileStore(str(tmp_path / "state")).claim("s") as claim:
        claim.write(b"b", sync=True)
    assert (tmp_path / "private" / "hafta-s.checkpoint").exists()


def test_a_link_to_the_directory_in_a_shared_place_is_not_followed(tmp_path):
    (tmp_path / "real").mkdir(mode=0o700)
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    (shared / "state").symlink_to(tmp_path / "real")
    with pytest.raises(StoreError, match="a symbolic link that others can have made") as caught:
        FileStore(str(shared / "state")).claim("s")
    assert caught.value.kind == "shared"
    assert list((tmp_path / "real").iterdir()) == []


@pytest.mark.parametrize(
    ("code", "kind", "says"),
    [
        (errno.ENOSPC, "full", "no space is left"),
        (errno.EDQUOT, "full", "the quota is used up"),
        (errno.EIO, "io", "the disk reports an error"),
        (errno.EROFS, "read-only", "the file system is read-only"),
        (errno.EACCES, "permission", "no permission"),
        (errno.EPERM, "permission", "not permitted"),
        (errno.ELOOP, "not-a-file", "a symbolic link stands there"),
        (errno.ENOTDIR, "not-a-file", "something that is no directory"),
        (errno.EISDIR, "not-a-file", "a directory stands there"),
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


def test_closing_what_is_closed_is_no_error():
    fd = os.open("/", os.O_RDONLY)
    trust.shut(fd)
    trust.shut(fd)
