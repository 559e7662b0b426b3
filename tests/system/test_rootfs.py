"""The cache of root file systems: whole or absent, from an empty cache and after an interrupted build."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from booted import rootfs
from booted.rootfs import SUITES, build_command, cache_directory, root_file_system

SUITE = SUITES["bookworm"]
BUILD = 'mkdir "$1"; echo built >> "$1/../log"; echo whole > "$1/etc"'
KILLED = 'mkdir "$1"; echo half > "$1/etc"; kill -9 $PPID'


def builder(monkeypatch, script):
    monkeypatch.setattr(rootfs, "build_command", lambda suite, tree: ["sh", "-euc", script, "sh", str(tree)])


def test_a_tree_is_built_once(tmp_path, monkeypatch):
    builder(monkeypatch, BUILD)
    assert root_file_system(SUITE, tmp_path) == root_file_system(SUITE, tmp_path)
    assert (tmp_path / "log").read_text() == "built\n"


def test_a_failed_build_tells_why_and_is_not_taken_for_a_tree(tmp_path, monkeypatch):
    builder(monkeypatch, 'mkdir "$1"; echo no mirror >&2; exit 7')
    with pytest.raises(RuntimeError, match="mmdebstrap bookworm failed with 7:\nno mirror"):
        root_file_system(SUITE, tmp_path)
    builder(monkeypatch, BUILD)
    assert (root_file_system(SUITE, tmp_path) / "etc").read_text() == "whole\n"


def test_a_killed_build_is_begun_anew(tmp_path, monkeypatch):
    script = f"""
import sys
sys.path.insert(0, {str(Path(rootfs.__file__).parents[1])!r})
from pathlib import Path
from booted import rootfs
rootfs.build_command = lambda suite, tree: ["sh", "-euc", {KILLED!r}, "sh", str(tree)]
rootfs.root_file_system(rootfs.SUITES["bookworm"], Path({str(tmp_path)!r}))
"""
    killed = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True)
    assert killed.returncode == -signal.SIGKILL
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["rootfs-bookworm.building"]
    builder(monkeypatch, BUILD)
    assert (root_file_system(SUITE, tmp_path) / "etc").read_text() == "whole\n"
    assert not (tmp_path / "rootfs-bookworm.building").exists()


def test_two_at_once_build_one_tree(tmp_path):
    script = f"""
import sys
sys.path.insert(0, {str(Path(rootfs.__file__).parents[1])!r})
from pathlib import Path
from booted import rootfs
rootfs.build_command = lambda suite, tree: ["sh", "-euc", {BUILD!r}, "sh", str(tree)]
input()
print((rootfs.root_file_system(rootfs.SUITES["bookworm"], Path({str(tmp_path)!r})) / "etc").read_text())
"""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    both = [subprocess.Popen([sys.executable, "-c", script], **pipes) for _ in range(2)]
    for process in both:
        process.stdin.write("\n")
        process.stdin.flush()
    assert [process.communicate()[0].strip() for process in both] == ["whole", "whole"]
    assert (tmp_path / "log").read_text() == "built\n"


def test_the_name_changes_with_what_goes_in(monkeypatch):
    before = SUITE.key
    monkeypatch.setattr(rootfs, "PACKAGES", (*rootfs.PACKAGES, "cowsay"))
    assert before != SUITE.key
    assert "cowsay" in " ".join(build_command(SUITE, Path("/somewhere")))


def test_the_cache_stands_where_the_environment_says(tmp_path, monkeypatch):
    monkeypatch.setenv("HAFTA_CACHE", str(tmp_path / "mine"))
    assert cache_directory() == tmp_path / "mine"
    monkeypatch.delenv("HAFTA_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_directory() == tmp_path / "xdg" / "hafta"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache_directory() == tmp_path / "home" / ".cache" / "hafta"
    assert os.path.isdir(cache_directory())
