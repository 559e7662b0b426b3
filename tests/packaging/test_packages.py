"""The packages themselves: twice the same, and without an error or an unexplained warning of the linters."""

import filecmp
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).parents[2]


def run(*command):
    done = subprocess.run(list(map(str, command)), check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def trees(tmp_path_factory):
    """The checkout as it stands, exported once, in two places."""
    places = [tmp_path_factory.mktemp(name) / "hafta" for name in ("here", "elsewhere")]
    run(ROOT / "packaging/export", "--worktree", places[0])
    shutil.copytree(places[0], places[1])
    for place in places:
        run("git", "init", "--quiet", place)
    return places


@pytest.fixture(scope="module", params=["deb", "rpm"])
def packages(request, trees, tmp_path_factory, tool):
    """The packages of one kind, built twice: the second time elsewhere, in another environment."""
    tool("dpkg-buildpackage", "dpkg-dev")
    outputs = [tmp_path_factory.mktemp(name) for name in ("first", "second")]
    run(trees[0] / f"packaging/build-{request.param}", "--worktree", outputs[0])
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"TZ": "Asia/Kathmandu", "LANG": "fr_FR.UTF-8", "PYTHONHASHSEED": "7", "HOME": "/"}.items():
            patch.setenv(name, value)
        umask = os.umask(0o077)
        try:
            run(trees[1] / f"packaging/build-{request.param}", "--worktree", outputs[1])
        finally:
            os.umask(umask)
    return request.param, *outputs


def test_the_same_tree_gives_the_same_packages(packages):
    _, first, second = packages
    names = sorted(path.name for path in first.iterdir())
    assert sorted(path.name for path in second.iterdir()) == names
    same, different, failed = filecmp.cmpfiles(first, second, names, shallow=False)
    assert (same, different, failed) == (names, [], [])


def test_the_linter_finds_no_error_and_no_warning_without_a_reason(packages, tool):
    kind, first, _ = packages
    files = [str(path) for path in sorted(first.iterdir()) if path.suffix in {".deb", ".dsc", ".rpm"}]
    if kind == "deb":
        command = [tool("lintian"), "--allow-root", "--profile=debian", "--fail-on=error,warning", *files]
    else:
        settings = ROOT / "packaging/rpm/rpmlint.toml"
        command = [tool("rpmlint"), "--config", str(settings), *files, str(ROOT / "packaging/rpm/hafta.spec")]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not re.search(r"(?m)(: W: |^W: )", done.stdout), done.stdout


def test_every_filter_of_rpmlint_is_needed_and_has_a_reason(packages, tool, tmp_path):
    kind, first, _ = packages
    if kind == "deb":
        assert not list((ROOT / "packaging/debian").glob("*lintian-overrides"))
        return
    path = ROOT / "packaging/rpm/rpmlint.toml"
    settings = tomllib.loads(path.read_text())
    bare = tmp_path / "rpmlint.toml"
    bare.write_text(f'CompressExtension = "{settings["CompressExtension"]}"\nFilters = []\n')
    files = [*first.glob("*.rpm"), ROOT / "packaging/rpm/hafta.spec"]
    command = [tool("rpmlint"), "--config", str(bare), *map(str, files)]
    said = subprocess.run(command, check=False, capture_output=True, text=True).stdout
    assert [words for words in settings["Filters"] if words not in said] == []
    lines = path.read_text().splitlines()
    filters = [number for number, line in enumerate(lines) if line.startswith('    "')]
    assert all(lines[number - 1].startswith(("    #", '    "')) for number in filters)


def test_all_versions_are_the_same():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    changelog = (ROOT / "packaging/debian/changelog").read_text()
    spec = (ROOT / "packaging/rpm/hafta.spec").read_text()
    assert re.search(r"\(([^)]+)\)", changelog)[1] == version
    assert re.search(r"(?m)^Version: *(.*)$", spec)[1] == version


def test_each_package_needs_the_python_that_the_project_names(packages):
    """An .rpm, by its dependency generators, needs exactly the one that it was built with."""
    kind, first, _ = packages
    if kind == "rpm":
        library = run("rpm", "--query", "--requires", "--package", *first.glob("python3-hafta*.rpm"))
        assert re.search(r"(?m)^python\(abi\) = 3\.\d+$", library)
        return
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"].removeprefix(">=")
    for package in [*first.glob("hafta_*.deb"), *first.glob("python3-hafta_*.deb")]:
        assert f"python3:any (>= {needed}~)" in run("dpkg-deb", "--field", package, "Depends")


def test_only_the_commands_want_to_read_the_journal_and_work_without(packages):
    kind, first, _ = packages
    deb, rpm = ("dpkg-deb", "--field"), ("rpm", "--query", "--package")
    for package in first.glob(f"*.{kind}"):
        needs = run(*deb, package, "Depends") if kind == "deb" else run(*rpm, "--requires", package)
        recommends = run(*deb, package, "Recommends") if kind == "deb" else run(*rpm, "--recommends", package)
        assert "python3-systemd" not in needs
        assert ("python3-systemd" in recommends) == (not package.name.startswith(("python3-hafta", "hafta-doc")))


def test_units_go_where_the_distribution_has_them(packages):
    """In /lib before trixie, in /usr/lib from there on: no recipe may fix it."""
    kind, first, _ = packages
    for recipe in ("debian/hafta.install", "debian/rules", "rpm/hafta.spec"):
        assert "lib/systemd/system" not in (ROOT / "packaging" / recipe).read_text()
    if kind == "deb":
        place = run("pkg-config", "--variable=systemdsystemunitdir", "systemd").strip()
        assert f".{place}/hafta.target\n" in run("dpkg-deb", "--contents", *first.glob("hafta_*.deb"))


@pytest.fixture
def installed(packages, tmp_path):
    """The documentation as it is where its package is installed, with what it needs of others."""
    kind, first, _ = packages
    root = tmp_path / "root"
    (root / "var/lib/dpkg/updates").mkdir(parents=True)
    [package] = first.glob(f"hafta-doc[_-]*.{kind}")
    if kind == "deb":
        for name in ("info", "triggers"):
            (root / "var/lib/dpkg" / name).mkdir()
        (root / "var/lib/dpkg/status").touch()
        needs = [word.split()[0] for word in run("dpkg-deb", "--field", package, "Depends").split(",")]
        run("dpkg", f"--root={root}", "--force-depends", "--force-not-root", "--log=/dev/null", "--install", package)
        for need in needs:  # they are on this machine: the site was made with them
            for place in run("dpkg-query", "--listfiles", need).split():
                if place.startswith("/usr/share/javascript/") and os.path.isfile(place):
                    (root / place.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(place, root / place.lstrip("/"))
    else:
        archive = tmp_path / "archive"
        archive.write_bytes(subprocess.run(["rpm2cpio", package], check=True, capture_output=True).stdout)
        with archive.open("rb") as file:
            subprocess.run(["cpio", "--extract", "--make-directories", "--quiet"], stdin=file, cwd=root, check=True)
    return root


def test_the_installed_documentation_is_the_site_and_nothing_of_it_is_missing(installed):
    site = installed / "usr/share/doc/hafta-doc/html"
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 80
    for page in pages:
        loaded = re.findall(r'<(?:script|link|img)[^>]* (?:src|href)="([^"#]+)[#"]', page.read_text())
        assert [one for one in loaded if "://" in one] == []
        files = [page.parent / unquote(one.partition("?")[0]) for one in loaded]
        assert [one for one in files if not one.resolve().is_relative_to(installed) or not one.exists()] == [], page
    for style in site.rglob("*.css"):
        wanted = re.findall(r"@import url\(([^)]+)\)", style.read_text())
        assert [one for one in wanted if not (style.parent / one).exists()] == []
    assert not (site / ".buildinfo").exists()


def test_the_documentation_of_debian_is_registered_and_brings_no_script_that_debian_has(packages):
    kind, first, _ = packages
    listed = run("dpkg-deb", "--contents", *first.glob("hafta-doc_*.deb")) if kind == "deb" else ""
    if kind == "deb":
        assert "./usr/share/doc-base/hafta-doc.hafta\n" in listed
        assert re.search(r"searchtools\.js -> .*/javascript/sphinxdoc/", listed)


def test_a_build_leaves_the_checkout_as_it_is(packages, trees):
    """What is new or changed since the first commit would show."""
    run("git", "-C", trees[0], "add", "--all")
    before = run("git", "-C", trees[0], "write-tree")
    run(trees[0] / f"packaging/build-{packages[0]}", "--worktree", packages[1])
    run("git", "-C", trees[0], "add", "--all")
    assert run("git", "-C", trees[0], "write-tree") == before
    assert "debian" not in os.listdir(trees[0])
