"""What the tests of pipes stand on: a private directory, somebody else's things, and a count of open descriptors."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hafta import fifo, walk

STRANGER = 4711
IS_ROOT = os.geteuid() == 0


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A directory that nobody else may write to, reached through directories that others may enter."""
    place = tmp_path / "home"
    place.mkdir(mode=0o755)
    return place


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A directory like /tmp."""
    place = tmp_path / "shared"
    place.mkdir()
    place.chmod(0o1777)
    return place


@pytest.fixture
def give_away(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Make something belong to a stranger: really, as root; else only in the eyes of the walk."""
    given: set[int] = set()
    plain = walk.is_own

    def is_own(info: os.stat_result) -> bool:
        return info.st_ino not in given and plain(info)

    def give(path: Path) -> None:
        if IS_ROOT:
            os.chown(path, STRANGER, STRANGER, follow_symlinks=False)
            return
        given.add(os.lstat(path).st_ino)
        monkeypatch.setattr(walk, "is_own", is_own)
        monkeypatch.setattr(fifo, "is_own", is_own)

    return give


@pytest.fixture(autouse=True)
def no_descriptor_is_left() -> Iterator[None]:
    """Every test ends with as many open descriptors as it began with."""
    before = len(os.listdir("/proc/self/fd"))
    yield
    assert before == len(os.listdir("/proc/self/fd"))


@pytest.fixture
def as_nobody() -> Callable[[], object]:
    """Give up root's powers for the length of a `with`."""

    @contextmanager
    def ordinary() -> Iterator[None]:
        if not IS_ROOT:
            yield
            return
        os.seteuid(STRANGER)
        try:
            yield
        finally:
            os.seteuid(0)

    return ordinary
