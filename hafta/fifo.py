"""Making and opening named pipes.

Invariant: no link is followed that others could have put there, and none to a pipe; nothing is overwritten, and no byte
is written to or read from anything but a FIFO of a trusted owner. The way to it is walked by the rules of
hafta/walk.py. Then:

1. The pipe must be ours, root's, or that of its directory's owner where nobody else may write to that directory.
2. It is opened through /proc/self/fd of the descriptor that was checked: the same inode, with no moment in between.
3. A pipe is made under umask 0, so its mode is exact from its first moment. One that exists is taken over: if it is
   ours, and nobody writes to it, it gets the mode that is asked for, else it keeps its own.

How a FIFO behaves on Linux (pipe(7), fifo(7); tests hold each):

4. Opening for writing without a reader fails with ENXIO when O_NONBLOCK is set; opening for reading always succeeds.
5. poll() on a reader that has had no writer since it was opened reports nothing, though read() returns b"": so waiting
   for a writer is waiting until the descriptor is readable, and costs nothing. POLLHUP comes when the last writer has
   gone, and stays until the next one opens: a reader that is to wait for that one as in the beginning opens it again.
   One that was opened after the last writer had gone finds what is left, and then no POLLHUP: only read() shows it.
6. A writer without readers gets POLLERR, and EPIPE when it writes. A write of at most PIPE_BUF bytes is done whole or,
   with EAGAIN, not at all.
7. flock() works on the descriptor of an open pipe and dies with its holder: a writer takes it, so that two of them
   never mix their records. Nobody can hold it while there is no reader (4): of two that wait, the first to find a
   reader wins and the other one ends. Anyone who may open the pipe could take the lock: readers are trusted not to.
"""

from __future__ import annotations

import errno
import fcntl
import os
import select
import stat

from hafta import directories, exits
from hafta.errors import ServiceError
from hafta.trust import is_own, is_shared
from hafta.walk import CHOOSE, Walk, foreign, link

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_KINDS = {
    stat.S_IFREG: "a regular file",
    stat.S_IFDIR: "a directory",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
}


def default_path(environ: Mapping[str, str]) -> str:
    """Return where the pipe is by default."""
    if runtime := environ.get("RUNTIME_DIRECTORY"):
        return f"{directories.first(runtime)}/pipe"
    if user := environ.get("XDG_RUNTIME_DIR"):
        return f"{user}/hafta/pipe"
    uid = os.geteuid()
    return f"/tmp/hafta-{uid}/pipe" if uid else "/run/hafta/pipe"  # noqa: S108 - made 0700, and refused if not ours (rule 2)


def make_directory(path: str) -> None:
    """Make the directory of a default path, for us alone; one that exists is kept. Raises ServiceError."""
    with Walk(path, "make") as walk:
        parent = walk.directory()
        try:
            os.mkdir(walk.name, 0o700, dir_fd=parent)
        except FileExistsError:
            return  # each later walk checks that it is a directory, and whose


def make(path: str, mode: int) -> bool:
    """Make the pipe, or take over the one that is there; True if it was made. Raises ServiceError for each cause.

    A pipe that another writer has keeps its mode: opening it will fail with IN_USE.
    """
    with Walk(path, "make") as walk:
        parent = walk.directory()
        made = _make_new(walk.name, mode, parent)
        fd = _pipe(walk, parent)
        info = os.fstat(fd)
        if info.st_uid == os.geteuid() and stat.S_IMODE(info.st_mode) != mode and not _holder(info):
            os.chmod(f"/proc/self/fd/{fd}", mode)
        return made


def open_writer(path: str) -> int | None:
    """Return a descriptor that does not block and that no other writer shares, or None while there is no reader.

    Raises ServiceError: IN_USE if another writer has it, and for each other cause.
    """
    with Walk(path, "write to") as walk:
        try:
            fd = _reopen(_pipe(walk, walk.directory()), os.O_WRONLY)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return None
            raise
        return _claim(fd, path)


def open_reader(path: str) -> int:
    """Return a descriptor that does not block, whether there is a writer or not. Raises ServiceError for each cause.

    To wait for a writer, wait until the descriptor is readable (5); then `read` it.
    """
    with Walk(path, "read") as walk:
        return _reopen(_pipe(walk, walk.directory()), os.O_RDONLY)


def is_replaced(fd: int, path: str) -> bool:
    """Return whether the path leads to another pipe than this one. Nothing is opened: its writer sees no reader."""
    try:
        return not _is_at(fd, path, "read")
    except ServiceError:  # to none that could be read
        return False


def go_on(fd: int, path: str) -> bool:
    """Return whether this descriptor, which outlived another process, is a writing end of the pipe at this path.

    If so, no other writer shares it. Raises ServiceError: IN_USE if another writer has the pipe, and for each cause why
    there is none.
    """
    if fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE != os.O_WRONLY or not _is_at(fd, path, "write to"):
        return False
    os.set_blocking(fd, False)
    _claim(fd, path)
    return True


def give_back(fd: int) -> None:
    """Close a writing end that others have, too: the pipe is free for another writer at once. Raises OSError."""
    fcntl.flock(fd, fcntl.LOCK_UN)
    os.close(fd)


def has_reader(fd: int) -> bool:
    """Return whether somebody has the pipe of this writing end open for reading."""
    return not _events(fd) & select.POLLERR


def read(fd: int, size: int) -> bytes | None:
    """Return at most `size` bytes; b"" when there is no writer, any more or yet; None when it has written nothing yet.

    After None, wait until the descriptor is readable. Raises OSError.
    """
    while True:
        try:
            data = os.read(fd, size)
        except BlockingIOError:
            return None
        if data or not _events(fd) & select.POLLIN:  # if set, a writer came, wrote and perhaps left since the read
            return data


def _is_at(fd: int, path: str, purpose: str) -> bool:
    with Walk(path, purpose) as walk:
        return os.path.samestat(os.fstat(fd), os.fstat(_pipe(walk, walk.directory())))


def _pipe(walk: Walk, parent: int) -> int:
    """Return the pipe, known to be one of a trusted owner, opened with O_PATH."""
    fd = walk.look(walk.name, parent)
    info, around = os.fstat(fd), os.fstat(parent)
    if not stat.S_ISFIFO(info.st_mode):
        raise _not_a_pipe(fd, info, walk.path)
    if not is_own(info) and (is_shared(around) or info.st_uid != around.st_uid):
        raise foreign(info, walk.path)
    return fd


def _make_new(name: str, mode: int, directory: int) -> bool:
    before = os.umask(0)
    try:
        os.mkfifo(name, mode, dir_fd=directory)
    except FileExistsError:
        return False
    finally:
        os.umask(before)
    return True


def _reopen(fd: int, flags: int) -> int:
    try:
        return os.open(f"/proc/self/fd/{fd}", flags | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except FileNotFoundError:
        raise OSError(errno.ENOSYS, "/proc is not mounted") from None


def _claim(fd: int, path: str) -> int:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = _holder(os.fstat(fd))
        os.close(fd)
        message = f"{path} is in use by {f'process {holder}' if holder else 'another writer'}"
        raise ServiceError(message, f"stop the other writer, or {CHOOSE}", status=exits.IN_USE) from None
    except BaseException:
        os.close(fd)
        raise
    return fd


def _holder(pipe: os.stat_result) -> int | None:
    """Return the process that holds the lock, if it may be known: a sandbox or a container hides it."""
    inode = f"{os.major(pipe.st_dev):02x}:{os.minor(pipe.st_dev):02x}:{pipe.st_ino}"
    try:
        with open("/proc/locks", encoding="ascii") as locks:
            rows = [line.split() for line in locks]
    except OSError:
        return None
    return next((int(row[4]) for row in rows if row[1] == "FLOCK" and row[5] == inode and int(row[4]) > 0), None)


def _events(fd: int) -> int:
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return sum(events for _, events in poll.poll(0))


def _not_a_pipe(fd: int, info: os.stat_result, path: str) -> ServiceError:
    if stat.S_ISLNK(info.st_mode):
        return link(path, os.readlink("", dir_fd=fd))
    kind = _KINDS.get(stat.S_IFMT(info.st_mode), "something else")
    hint = f"it was left as it is; move it away, or {CHOOSE}"
    return ServiceError(f"{path} is {kind}, not a pipe", hint, status=exits.NOT_A_PIPE)
