"""Full disks, at each step, on file systems small enough to fill.

An error of kind "full", no leftovers, and it works again when there is room. A record that exists is written on however
full the disk is.
"""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest
import workload
from conftest import LONG, as_root
from mounting import mount_image, unmount

from hafta.errors import StoreError
from hafta.stores.file.files import FileStore

pytestmark = [as_root("to mount small file systems")]

SIZES = {"tmpfs": 1, "ext4": 1, "xfs": 300, "btrfs": 110}  # MiB, the smallest that each can be
KINDS = list(SIZES) if LONG else ["tmpfs", "ext4"]
COPIES_ON_WRITE = "btrfs"  # overwriting takes new space: there a full disk is an error, and the record before it stands


def mount(kind: str, tmp_path) -> str:
    point = str(tmp_path / "m")
    os.mkdir(point)
    if kind == "tmpfs":
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,nr_inodes=64", "tmpfs", point], check=True)
        return point
    image = str(tmp_path / "image")
    with open(image, "wb") as file:
        file.truncate(SIZES[kind] << 20)
    subprocess.run([f"mkfs.{kind}", "-q", image], check=True)
    mount_image(image, point)
    return point


@pytest.fixture(params=KINDS)
def kind(request):
    if shutil.which(f"mkfs.{request.param}") is None and request.param != "tmpfs":
        pytest.skip(f"needs mkfs.{request.param}")
    return request.param


@pytest.fixture
def point(kind, tmp_path):
    mounted = mount(kind, tmp_path)
    yield mounted
    unmount(mounted)


def fill(point: str, leave: int) -> None:
    """Take all space but `leave` bytes."""
    with open(f"{point}/filler", "wb", buffering=0) as file:
        chunk = 1 << 16
        while chunk >= 512:
            try:
                full = file.write(b"x" * chunk) != chunk
            except OSError:
                full = True
            if full:
                chunk //= 2
        file.truncate(max(0, file.tell() - leave))
        os.fsync(file.fileno())


def write(claim, first: int, last: int) -> None:
    for n in range(first, last + 1):
        workload.write(claim, n, sync=n % 3 == 0)


def test_a_disk_without_room_for_the_file_is_a_clear_error(point, tell):
    faults = 0
    for leave in range(0, 5 * 4096, 1024):
        fill(point, leave)
        store = FileStore(f"{point}/d")
        try:
            store.claim("s").close()
        except StoreError as error:
            faults += 1
            assert error.kind == "full"  # noqa: PT017 - not raising is fine, too
            assert "no space" in error.message  # noqa: PT017 - not raising is fine, too
            assert not os.path.isdir(f"{point}/d") or os.listdir(f"{point}/d") == []
        os.unlink(f"{point}/filler")
        with store.claim("s") as claim:
            write(claim, 1, 3)
        shutil.rmtree(f"{point}/d")
    assert faults > 3
    tell(faults, "creations on a full disk")


@pytest.mark.parametrize("kind", ["tmpfs", "ext4"], indirect=True)  # others make inodes as they need them
def test_no_inode_left_is_a_clear_error(point):
    os.mkdir(f"{point}/d", 0o700)
    taken = []
    try:
        for n in range(100_000):
            path = f"{point}/inode-{n}"
            os.close(os.open(path, os.O_CREAT))
            taken.append(path)
    except OSError:
        pass
    with pytest.raises(StoreError, match="no space") as caught:
        FileStore(f"{point}/d").claim("s")
    assert caught.value.kind == "full"
    for path in taken:
        os.unlink(path)
    FileStore(f"{point}/d").claim("s").close()


def test_a_record_that_exists_is_written_however_full_the_disk_is(kind, point, tell):
    store = FileStore(f"{point}/d")
    store.claim("s").close()
    fill(point, 0)
    written = 0
    for n in range(1, 300):
        try:
            with store.claim("s", power=n % 20 == 1) as claim:
                assert written <= workload.value_of(claim.last) < n
                write(claim, n, n)
            written = n
        except StoreError as error:
            assert kind == COPIES_ON_WRITE
            assert error.kind == "full"  # noqa: PT017 - not raising is fine, too
    tell(300, "records on a full disk")


def test_a_file_with_holes_on_a_full_disk_is_an_error_not_a_signal(point):
    """Cut short by somebody: it cannot be made whole again, and says so; the record stays."""
    store = FileStore(f"{point}/d", slot_size=32768)
    with store.claim("s") as claim:
        write(claim, 1, 8)
    path = f"{point}/d/hafta-s.checkpoint"
    size = os.path.getsize(path)
    os.truncate(path, size - 20000)
    fill(point, 0)
    try:
        with store.claim("s") as claim:
            assert workload.value_of(claim.last) in {7, 8}
    except StoreError as error:
        assert error.kind == "full"  # noqa: PT017 - not raising is fine, too
    os.unlink(f"{point}/filler")
    with store.claim("s") as claim:
        assert workload.value_of(claim.last) in {7, 8}
        write(claim, 9, 12)
    assert os.path.getsize(path) == size
