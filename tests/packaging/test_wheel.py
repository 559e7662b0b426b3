"""From PyPI as from Debian: what pip installs into an empty environment has units, man pages and completions."""

import os
import re
import subprocess
import sys
import tempfile
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
    command = ["hafta", "run", "--ephemeral", "--as-root", "--for=10", "--set=HAFTA_INTERVAL=0.1", "hafta.target"]
    # Nothing of the machine's own: no hafta in /usr/bin, and units from the wheel alone.
    clean = {"PATH": f"{environment}/bin:/usr/bin:/bin", "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}
    said = run(environment / "bin" / command[0], *command[1:], env=clean, cwd="/")
    assert re.search(r"[1-9]\d* successful read", said), said
    assert os.path.exists(environment / "share/man/man1/hafta-run.1")


def pythons():
    """Return the Pythons here that are new enough, by version: this one, those in $PATH, pyenv's and uv's."""
    homes = (".pyenv/versions", ".local/share/uv/python")
    found = [path for home in homes for path in sorted((Path.home() / home).glob("*/bin/python3"))]
    in_path = [f"python3.{minor}" for minor in range(11, 16)]
    by_version = {}
    for python in (sys.executable, *in_path, *found):
        try:
            done = subprocess.run(
                [python, "-c", "import ensurepip, sys; print('%d.%d' % sys.version_info[:2])"],
                capture_output=True, text=True, check=False,
            )  # fmt: skip
        except OSError:
            continue
        version = done.stdout.strip()
        if done.returncode == 0 and tuple(map(int, version.split("."))) >= (3, 11):
            by_version.setdefault(version, str(python))
    return by_version


PYTHONS = pythons()


@pytest.mark.parametrize("version", PYTHONS)
def test_each_python_that_is_here_runs_the_target_from_the_wheel(version, wheel, tmp_path):
    run(PYTHONS[version], "-m", "venv", tmp_path / "venv")
    run(tmp_path / "venv/bin/pip", "install", "--quiet", wheel)
    assert (tmp_path / "venv/lib/systemd/catalog/hafta.catalog").exists()
    command = ["run", "--ephemeral", "--as-root", "--set=HAFTA_INTERVAL=0.1", "hafta.target"]
    with tempfile.TemporaryDirectory(prefix="hw") as short:
        clean = {
            "PATH": f"{tmp_path}/venv/bin:/usr/bin:/bin",
            "HOME": str(tmp_path),
            "HAFTA_RUNTIME_DIR": f"{short}/run",
        }
        with subprocess.Popen(
            [tmp_path / "venv/bin/hafta", *command], env=clean, cwd="/", stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True,
        ) as overlord:  # fmt: skip
            seen = []
            while (line := overlord.stdout.readline()) and not re.search(r"[1-9]\d* successful read", line):
                seen.append(line)
            overlord.terminate()
            rest = overlord.stdout.read()
    assert line, "".join(seen)
    assert overlord.returncode == 0, rest


@pytest.fixture(scope="module")
def runners(tmp_path_factory):
    """An environment with uv and pipx."""
    place = tmp_path_factory.mktemp("runners") / "venv"
    run(sys.executable, "-m", "venv", place)
    run(place / "bin/pip", "install", "--quiet", "uv", "pipx")
    return place


@pytest.mark.parametrize("words", [("uvx", "--from"), ("pipx", "run", "--spec")], ids=lambda words: words[0])
def test_it_runs_without_being_installed(words, runners, wheel, tmp_path):
    places = {"HOME": tmp_path, "PIPX_HOME": tmp_path / "pipx", "UV_CACHE_DIR": tmp_path / "uv"}
    links = os.environ.get("PIP_FIND_LINKS")  # uv does not read the settings of pip
    environ = {**os.environ, **places, **({"UV_FIND_LINKS": links} if links else {})}
    said = run(runners / "bin" / words[0], *words[1:], wheel, "hafta", "--version", env=environ)
    assert re.search(r"^hafta \d+\.\d+\.\d+$", said, re.MULTILINE)
