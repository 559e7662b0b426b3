"""Whole sequences, nested ones with real files, killed wherever they can be."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import shutil
import subprocess

import pytest
from conftest import as_root
from sequences import Data, is_served, kill_at_random, make_folder, nothing_is_lost, shop

import hafta
from hafta.errors import StoreError
from hafta.runtime import Runtime
from hafta.stores import FileStore
from hafta.testing import crash_everywhere


@pytest.fixture
def world(tmp_path):
    """A function that makes the world anew; the one before goes."""
    numbers = itertools.count()

    def make(refusals=1):
        number = next(numbers)
        shutil.rmtree(tmp_path / f"world{number - 1}", ignore_errors=True)
        return make_folder(str(tmp_path / f"world{number}"), refusals)

    return make


def crashed(world, tell, words, *, level="process", **options):
    """Crash the shop everywhere; `words`: what to tell of the report."""
    report = crash_everywhere(
        lambda _folder: shop(), world=world, data=Data, invariant=is_served, always=nothing_is_lost,
        checkpoints=lambda store, _data: hafta.Checkpoints(store, level=level), **options,
    )  # fmt: skip
    tell(report.crashes, words.format(report.cuts))


@pytest.mark.parametrize("level", ["process", "power"])
def test_a_sigkill_at_each_cut_point(world, tell, level):
    crashed(world, tell, f"SIGKILL at each of {{}} cut points, level {level}", level=level, kill=True)


def test_a_second_crash_at_each_cut_point_of_the_resume(world, tell, long):
    crashed(lambda: world(refusals=long), tell, "{} pairs of cut points", crashes=2)


@pytest.mark.parametrize("times", [2, 3, 4])
def test_crash_loops_at_each_cut_point(world, tell, times):
    crashed(world, tell, f"each of {{}} cut points {times} times in a row", times=times)


def test_a_power_cut_at_each_pair_of_cut_points(world, tell, long):
    crashed(world, tell, "power cuts, {} stories", level="power", power_cut=True, crashes=2 if long else 1)


@pytest.mark.parametrize("level", ["process", "power"])
def test_a_sigkill_at_any_time(world, tell, level, long):
    wanted, kills, stories = 20_000 if long else 250, 0, 0
    while kills < wanted:
        folder = world()
        kills += kill_at_random(folder, level, 0.006 if level == "process" else 0.02)
        stories += 1
    tell(kills, f"random SIGKILL in {stories} stories, level {level}")


@as_root("mounts a file system")
def test_a_disk_that_fills_up_at_any_time(tmp_path, tell, long):
    """The store stands on a tmpfs that is full now and then; the call fails, and goes on when there is room again."""
    disk, refusals = tmp_path / "disk", 0
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=0700", "tmpfs", str(disk)], check=True)
    try:
        for turn in range(300 if long else 60):
            folder = make_folder(str(tmp_path / f"world{turn}"))
            refusals += _serve_on(folder, disk)
            (disk / "hafta-shop.checkpoint").unlink()
    finally:
        subprocess.run(["umount", str(disk)], check=True)
    assert refusals
    tell(refusals, "calls that met a full disk")


def _serve_on(folder, disk):
    """Run the shop until it has ended, filling the disk at random: how often the store refused."""
    refusals, filler, result = 0, disk / "filler", None
    while result is None:
        if random.random() < 0.7:
            _fill(filler)
        with contextlib.suppress(Full):
            result = _serve(folder, disk)
        refusals += result is None
        nothing_is_lost(folder)
        filler.unlink(missing_ok=True)
    is_served(folder, result)
    return refusals


def _serve(folder, disk):
    try:
        return shop().call(Data(folder), runtime=Runtime(), checkpoints=hafta.Checkpoints(FileStore(str(disk))))
    except StoreError as error:
        raise (Full if error.kind == "full" else AssertionError)(str(error)) from error


class Full(Exception):
    """The disk was full."""


def _fill(path):
    with open(path, "wb", buffering=0) as file:
        try:
            while file.write(b"x" * 4096):
                pass
        except OSError:
            os.fsync(file.fileno())
