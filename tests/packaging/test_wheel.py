"""From PyPI as from Debian: what pip installs into an empty environment has units, man pages and completions."""

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(*command, **more):
    done = subprocess.run(list(map(str, command)), check=False, capture_output=True, text=True, **more)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """The checkout as it stands, exported."""
    place = tmp_path_factory.mktemp("tree") / "hafta"
    run(ROOT / "packaging/export", "--worktree", place)
    return place


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """An empty virtual environment that sees nothing of the system's packages."""
    place = tmp_path_factory.mktemp("environment") / "venv"
    run(sys.executable, "-m", "venv", place)
    return place


@pytest.fixture(scope="module")
def wheel(tree, environment, tmp_path_factory):
    """The wheel that pip builds of the checkout."""
    output = tmp_path_factory.mktemp("wheel")
    run(environment / "bin/pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", output, tree)
    (wheel,) = output.iterdir()
    return wheel


def content(wheel):
    """Return what is in a wheel, by name."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_wheel_has_every_unit_page_and_completion_below_the_prefix(wheel, generated):
    data = {name.partition(".data/data/")[2] for name in content(wheel) if ".data/data/" in name}
    units = {path.name for path in (ROOT / "units").iterdir() if path.suffix in {".service", ".target", ".timer"}}
    assert {f"lib/systemd/system/{name}" for name in units} | {"lib/systemd/catalog/hafta.catalog"} == {
        name for name in data if name.startswith("lib/")
    }
    pages = {path.name for path in (generated / "man").iterdir()}
    assert {f"share/man/man{name[-1]}/{name}" for name in pages} == {name for name in data if "/man/" in name}
    completions = [path for path in (generated / "completions").rglob("*") if path.is_file()]
    assert {path.name for path in completions} == {name.rpartition("/")[2] for name in data if "ompletions" in name
                                                   or "site-functions" in name}  # fmt: skip


def test_the_source_distribution_builds_the_same_wheel(tree, environment, wheel, tmp_path):
    run(environment / "bin/pip", "install", "--quiet", "hatchling")
    run(environment / "bin/python", "-m", "hatchling", "build", "-t", "sdist", "-d", tmp_path, cwd=tree)
    (source,) = tmp_path.glob("*.tar.gz")
    run(environment / "bin/pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", tmp_path, source)
    (again,) = tmp_path.glob("*.whl")
    assert content(again) == content(wheel)


def test_what_pip_has_installed_runs_the_target(environment, wheel, tmp_path):
    run(environment / "bin/pip", "install", "--quiet", wheel)
    command = ["hafta", "run", "--ephemeral", "--as-root", "--for=4", "--set=HAFTA_INTERVAL=0.1", "hafta.target"]
    # Nothing of the machine's own: no hafta in /usr/bin, and units from the wheel alone.
    clean = {"PATH": f"{environment}/bin:/usr/bin:/bin", "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}
    said = run(environment / "bin" / command[0], *command[1:], env=clean, cwd="/")
    assert re.search(r"[1-9]\d* successful read", said), said
    assert os.path.exists(environment / "share/man/man1/hafta-run.1")
