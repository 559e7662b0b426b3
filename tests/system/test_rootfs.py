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


IN_ANOTHER_PROCESS = f"""
import sys
sys.path.insert(0, {str(Path(rootfs.__file__).parents[1])!r})
from pathlib import Path
from booted import rootfs
script, place = sys.argv[1:]
rootfs.build_command = lambda suite, tree: ["sh", "-euc", script, "sh", str(tree)]
input()
print((rootfs.root_file_system(rootfs.SUITES["bookworm"], Path(place)) / "etc").read_text())
"""


def another(script, place):
    """Start a process that builds a tree when it is sent a line."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    return subprocess.Popen([sys.executable, "-c", IN_ANOTHER_PROCESS, script, str(place)], **pipes)


def test_a_killed_build_is_begun_again(tmp_path, monkeypatch):
    killed = another(KILLED, tmp_path)
    killed.communicate("\n")
    assert killed.returncode == -signal.SIGKILL
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["rootfs-bookworm.building"]
    builder(monkeypatch, BUILD)
    assert (root_file_system(SUITE, tmp_path) / "etc").read_text() == "whole\n"
    assert not (tmp_path / "rootfs-bookworm.building").exists()


def test_two_at_once_build_one_tree(tmp_path):
    both = [another(BUILD, tmp_path) for _ in range(2)]
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
    for name, place in {"HOME": "home/.cache/hafta", "XDG_CACHE_HOME": "xdg/hafta", "HAFTA_CACHE": "mine"}.items():
        monkeypatch.setenv(name, str(tmp_path / place.partition("/")[0]))
        if name == "HOME":
            monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
            monkeypatch.delenv("HAFTA_CACHE", raising=False)
        assert cache_directory() == tmp_path / place
    assert os.path.isdir(cache_directory())
