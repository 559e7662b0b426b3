"""The corpus of unit files: what is fetched, what counts as run as meant, and what the table says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "system")]

import fetch
from judge import judge
from report import details, goals, table
from tree import Shipped, enable, merge, services


@pytest.fixture(autouse=True)
def _own_places(monkeypatch, tmp_path):
    monkeypatch.setenv("HAFTA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("hafta.units.load.SYSTEM", ())
    monkeypatch.setattr(fetch, "PAUSE", 0.0)


def units(folder, **files):
    """Make a directory of services with these lines of [Service]."""
    for name, text in files.items():
        body = text if text.startswith("[") else f"[Service]\nExecStart=/bin/true\n{text}"
        (folder / f"{name}.service").write_text(body)
    return folder


def test_a_unit_of_which_everything_is_heeded_starts_and_lives_as_meant(tmp_path):
    verdict = judge("a.service", units(tmp_path, a="Restart=always\nPrivateTmp=yes\nX-Ours=1\n"))
    assert (verdict.is_accepted, verdict.starts, verdict.lives) == (True, True, True)
    assert verdict.sandbox == ("PrivateTmp",)


def test_what_is_not_heeded_counts_against_the_start_or_only_against_what_comes_later(tmp_path):
    units(
        tmp_path,
        start="NoSuchThing=1\n",
        later="[Unit]\nOnFailure=x.timer\n[Service]\nExecStart=/bin/true\nFinalKillSignal=9\n",
    )
    start, later = judge("start.service", tmp_path), judge("later.service", tmp_path)
    assert (start.starts, start.lost) == (False, ("NoSuchThing",))
    assert later.starts
    assert not later.lives or later.lost == ()


def test_what_a_required_unit_loses_is_lost_to_the_one_that_requires_it(tmp_path):
    units(
        tmp_path,
        a="[Unit]\nRequires=b.service\nWants=c.service\n[Service]\nExecStart=/bin/true\n",
        b="Lost=1\n",
        c="Other=1\n",
    )
    assert judge("a.service", tmp_path).lost == ("Lost",)


def test_a_refusal_is_right_only_for_a_reason_that_is_written_down(tmp_path):
    units(
        tmp_path,
        dbus="Type=dbus\nBusName=x.y\n",
        lonely="[Unit]\nRequires=nobody.service\n[Service]\nExecStart=/bin/true\n",
        wrong="RestartSec=soon\n",
        both="[Unit]\nRequires=dbus.service wrong.service\n[Service]\nExecStart=/bin/true\n",
    )
    whys = {name: judge(f"{name}.service", tmp_path).why_right for name in ("dbus", "lonely", "wrong", "both")}
    assert whys == {"dbus": "Type=dbus", "lonely": "requires a unit that nobody has", "wrong": "", "both": ""}


def test_the_table_counts_units_and_the_goals_leave_out_systemd_s_own(tmp_path):
    units(tmp_path, good="", lost="NoSuchThing=1\n", bad="RestartSec=soon\n", own="RestartSec=soon\n")
    names = {"good": False, "lost": False, "bad": False, "own": True}
    verdicts = {
        Shipped(f"{name}.service", name, own): judge(f"{name}.service", tmp_path) for name, own in names.items()
    }
    start, life, right, silent = goals(verdicts)
    assert (round(start.reached, 2), round(life.reached, 2), right.reached, silent.reached) == (0.33, 0.33, 0.0, 1.0)
    assert [goal.is_met for goal in (start, life, right, silent)] == [False, False, False, True]
    text = "\n".join(table(verdicts))
    assert "accepted, with all that it requires 2 ( 50.0%) 2 ( 66.7%)" in " ".join(text.split())
    assert "WRONG: RestartSec=soon" in text
    assert f"  {'NoSuchThing':52}    1     1" in text
    assert [line.split(" ")[0] for line in details(verdicts)] == ["lost.service", "bad.service", "own.service"]


def test_the_units_of_all_packages_stand_in_one_directory_and_templates_have_an_instance(tmp_path):
    (tmp_path / "one").mkdir(), (tmp_path / "two" / "a.service.d").mkdir(parents=True)
    units(tmp_path / "one", a="", **{"t@": "", "d@": "[Install]\nDefaultInstance=x\n"})
    (tmp_path / "one" / "alias.service").symlink_to("a.service")
    units(tmp_path / "two", a="Second=1\n")
    (tmp_path / "two" / "a.service.d" / "x.conf").write_text("[Service]\nRestart=no\n")
    target = tmp_path / "all"
    target.mkdir()
    owners = merge({"one": tmp_path / "one", "two": tmp_path / "two"}, target)
    assert services(target, owners, ["one"]) == [
        Shipped("a.service", "one", True), Shipped("d@x.service", "one", True), Shipped("t@main.service", "one", True)
    ]  # fmt: skip
    assert "Second" not in (target / "a.service").read_text()
    assert (target / "a.service.d" / "x.conf").is_file()


def test_aliases_are_names_as_after_systemctl_enable(tmp_path):
    units(tmp_path, chrony="[Install]\nAlias=chronyd.service chrony.service\n[Service]\nExecStart=/bin/true\n")
    enable(tmp_path, {"chrony.service": "chrony"})
    assert (tmp_path / "chronyd.service").readlink() == Path("chrony.service")
    assert services(tmp_path, {"chrony.service": "chrony"}, []) == [Shipped("chrony.service", "chrony", False)]


def test_at_least_200_packages_are_named_once_and_those_of_systemd_are_apart():
    own, others = fetch.package_names()
    assert len(others) >= 200
    assert len({*own, *others}) == len(own) + len(others)
    assert {"systemd", "udev"} <= set(own)


def build_package(folder, name):
    """Build a real .deb with a unit, a link, and something that is no unit."""
    tree = folder / name
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN" / "control").write_text(
        f"Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: Nobody <n@example.org>\nDescription: test\n"
    )
    (tree / "lib/systemd/system").mkdir(parents=True)
    (tree / "usr/bin").mkdir(parents=True)
    (tree / "lib/systemd/system" / f"{name}.service").write_text("[Service]\nExecStart=/bin/true\n")
    (tree / "lib/systemd/system/other.service").symlink_to("/dev/null")
    (tree / "usr/bin" / name).write_text("program")
    subprocess.run(
        ["dpkg-deb", "--build", str(tree), str(folder / f"{name}_1_all.deb")], check=True, capture_output=True
    )


@pytest.fixture
def apt(monkeypatch, tmp_path):
    """Stand in for apt-get: a script that answers each download; returns the file that counts the calls."""
    (tmp_path / "bin").mkdir()

    def answer(script):
        for name, text in (
            ("apt-cache", 'shift; for n; do echo "$n:"; [ "$n" = nowhere ] || echo "  Candidate: 1"; done'),
            ("apt-get", f"echo >> {tmp_path}/calls; {script}"),
        ):
            (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{text}\n")
            (tmp_path / "bin" / name).chmod(0o755)
        monkeypatch.setitem(fetch.ENVIRONMENT, "PATH", f"{tmp_path}/bin:/usr/bin:/bin")
        return tmp_path / "calls"

    return answer


def test_packages_are_fetched_once_and_what_the_release_lacks_is_named(apt, tmp_path):
    build_package(tmp_path, "one")
    calls = apt(f"cp {tmp_path}/*.deb .")
    for _ in range(2):
        fetched = fetch.fetch(["one", "nowhere"])
        assert fetched.missing == ["nowhere"]
        folder = fetched.folders["one"]
        assert sorted(path.name for path in folder.rglob("*")) == ["one.service", "other.service"]
        assert (folder / "other.service").readlink() == Path("/dev/null")
    assert calls.read_text() == "\n"
    assert [path.name for path in folder.parent.iterdir() if path.name.startswith(".")] == [".lock"]


def test_without_a_network_it_tries_again_and_then_says_what_failed_and_what_to_do(apt):
    calls = apt("echo 'E: Temporary failure resolving' >&2; exit 100")
    with pytest.raises(fetch.FetchError, match="cannot fetch 1 packages in 3 attempts: E: Temporary failure") as caught:
        fetch.fetch(["one"])
    assert "apt-get update" in caught.value.hint
    assert calls.read_text() == "\n\n\n"


def test_a_package_that_cannot_be_read_is_not_taken_for_fetched(apt):
    apt("echo rubbish > one_1_all.deb")
    with pytest.raises(fetch.FetchError, match=r"cannot read one_1_all\.deb"):
        fetch.fetch(["one"])
    assert not (fetch.cache_directory() / f"corpus-{fetch._codename()}" / "one").exists()


def test_the_program_ends_with_its_own_status_and_words_if_nothing_can_be_had(tmp_path):
    program = (
        f"import sys; sys.argv = ['corpus']; sys.path.insert(0, {str(HERE)!r}); import runpy, fetch\n"
        "def fail(names): raise fetch.FetchError('no mirror', 'find one')\n"
        f"fetch.fetch = fail; runpy.run_path({str(HERE / '__main__.py')!r}, run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (3, "corpus: error: no mirror\ncorpus: find one\n")
