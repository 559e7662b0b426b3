"""tmpfiles.d below /run: what systemd-tmpfiles makes of generated lines, we make, and nobody can lead us astray."""

import os
import random
import shutil
import stat
import subprocess

import pytest

from hafta.overlord import tmpfiles
from hafta.overlord.tmpfiles import prepare_run
from hafta.units.roots import Roots
from hafta.units.tmpfiles import read_all

TOOL = shutil.which("systemd-tmpfiles", path="/usr/bin:/bin")
ROOTS = Roots("/run", "/var/lib", "/var/cache", "/var/log", "/etc")
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root carries tmpfiles.d out")
CASES = 250
NAMES = ("a", "b", "c d", "a/x", "a/x/y", "b/z", "s/t", "daemon/own", "daemon/roots/in", "gone/deep")
TYPES = (
    "d",
    "d",
    "D",
    "v",
    "q",
    "Q",
    "f",
    "f+",
    "F",
    "p",
    "e",
    "z",
    "m",
    "d!",
    "f-",
    "d-",
    "x",
    "r",
    "R",
    "y",
    "dd",
    "d+",
    "e!",
)
MODES = ("-", "-", "0700", "2755", "1777", "~0755", "~2711", ":0700", ":~0750", "~:0640", "08", "0", "77777", "640", "")
USERS = ("-", "-", "daemon", "bin", "0", "1234", "hafta-nobody-has-it", ":daemon", ":7", "root", "")
AGES = ("-", "-", "10d", "bogus", "~5min", "aBm:1h", "q:1h", "0", "")
ARGUMENTS = ("", "-", "text", "two words", "\\n\\x41\\303\\251", "%%%b", "%n", "'q'", '"', "\\q", "é", " x ")
LINKS = ("l1", "a/l2", "deep/l3")


@pytest.fixture
def root(tmp_path):
    """A root of a machine with an empty /run."""
    for folder in ("run", "etc/tmpfiles.d", "usr/lib/tmpfiles.d", "run/tmpfiles.d", "usr/local/lib/tmpfiles.d"):
        (tmp_path / folder).mkdir(parents=True)
    for name in ("passwd", "group"):
        shutil.copy(f"/etc/{name}", tmp_path / "etc" / name)
    return tmp_path


def write(root, text, name="a.conf", folder="etc"):
    (root / folder / "tmpfiles.d" / name).write_bytes(text.encode("utf-8", "surrogateescape"))


def tree(root):
    """Return all that is below /run: kind, mode, owner, target or text."""
    found = {}
    for folder, folders, files in os.walk(root / "run"):
        for name in (*folders, *files):
            path = os.path.join(folder, name)
            info = os.lstat(path)
            content = os.readlink(path) if stat.S_ISLNK(info.st_mode) else ""
            if stat.S_ISREG(info.st_mode):
                with open(path, "rb") as file:
                    content = file.read()
            found[path.removeprefix(f"{root}/run/")] = (oct(info.st_mode), info.st_uid, info.st_gid, content)
    return {path: what for path, what in found.items() if not path.startswith("tmpfiles.d")}


def fill(root):
    """Put things into /run that are there already."""
    shutil.rmtree(root / "run")
    for path, owner in (("tmpfiles.d", 0), ("b", 0), ("s", 0), ("daemon", 1), ("daemon/roots", 0)):
        (root / "run" / path).mkdir(parents=True)
        os.chown(root / "run" / path, owner, owner)
    (root / "run" / "a").write_text("a file in the way")
    os.chmod(root / "run" / "b", 0o500)


def generated(chosen):
    """Return a file of lines."""
    lines = []
    for _ in range(chosen.randint(1, 9)):
        if chosen.random() < 0.2:
            kind, path = chosen.choice(("L", "L+", "L-")), chosen.choice(LINKS)
        else:
            kind, path = chosen.choice(TYPES), chosen.choice(NAMES)
        if kind[0] in "ezm" and chosen.random() < 0.4:
            path = chosen.choice(("*", "b/*", "daemon/*", "?"))
        prefix = chosen.choice(("/run/", "/run/", "/run/", "/var/run/", "run/", "/run/./", "/run/../run/"))
        name = f'"{prefix}{path}"' if " " in path else prefix + path
        words = [kind, name, chosen.choice(MODES), chosen.choice(USERS), chosen.choice(USERS), chosen.choice(AGES)]
        line = chosen.choice(("\t", " ", "  ")).join((*words, chosen.choice(ARGUMENTS)))
        lines.append(chosen.choice(("", "", "", " ", "# ")) + line)
    return "\n".join(lines) + "\n"


def theirs(root):
    words = [TOOL, "--create", "--boot", "--prefix=/run", f"--root={root}"]
    return subprocess.run(words, check=False, capture_output=True, text=True, env={"LC_ALL": "C.UTF-8"}).stderr


@pytest.mark.skipif(TOOL is None and not os.environ.get("CI"), reason="systemd-tmpfiles is missing: install systemd")
def test_generated_lines_make_what_they_make_for_systemd(root):
    chosen, wrong = random.Random("tmpfiles"), {}
    for at in range(CASES):
        text = generated(chosen)
        write(root, text)
        results = []
        for make in (theirs, lambda root: prepare_run(ROOTS, str(root))):
            fill(root) if at % 2 else shutil.rmtree(root / "run")
            (root / "run").mkdir(exist_ok=True)
            said = make(root)
            results.append(tree(root))
        if results[0] != results[1]:
            differing = {path for path in {*results[0], *results[1]} if results[0].get(path) != results[1].get(path)}
            wrong[text] = {path: (results[0].get(path), results[1].get(path)) for path in differing}, said
    assert wrong == {}
    assert CASES >= 250


def said(root):
    return "\n".join(prepare_run(ROOTS, str(root))).replace(str(root), "")


def test_of_equal_names_the_first_directory_counts_and_it_may_mask(root):
    write(root, "d /run/vendor\n", "x.conf", "usr/lib")
    write(root, "d /run/masked\n", "y.conf", "usr/lib")
    write(root, "d /run/local\n", "z.conf", "usr/local/lib")
    write(root, "d /run/run\n", "z.conf", "run")
    write(root, "d /run/administrator\n", "x.conf")
    write(root, "d /run/no\n", "x.conf.bak")
    os.symlink("/dev/null", root / "etc/tmpfiles.d/y.conf")
    assert said(root) == ""
    assert sorted(tree(root)) == ["administrator", "run"]


def test_what_is_systemds_own_is_not_made(root):
    write(root, "d /run/systemd/system\nf+! /run/nologin\nd /run/hafta-overlord/x\nd /var/lib/x\nd /tmp/x\nd /run/x\n")
    assert said(root) == ""
    assert list(tree(root)) == ["x"]
    assert not os.path.exists(root / "var")


def test_a_line_for_the_boot_is_for_pid_1(root):
    write(root, "d! /run/x\n")
    assert read_all(ROOTS, booting=False, root=str(root)).lines == ()
    assert len(read_all(ROOTS, booting=True, root=str(root)).lines) == 1


def test_what_is_not_done_or_fails_is_one_line_each(root):
    (root / "run" / "there").mkdir()
    lines = [*(f"C /run/c{at}" for at in range(4)), "Z /run/there", "Z /run/none", "a+ /run/none/*"]
    lines += ["f~ /run/b - - - - eA==", "d /run/there/%n", "f /run/there", "d- /run/../x", "f- /run/there"]
    write(root, "\n".join(lines) + "\n")
    at = "/etc/tmpfiles.d/a.conf:"
    not_done = f"C /run/c0 ({at}1); C /run/c1 ({at}2); C /run/c2 ({at}3); and 3 more"
    wrong = [
        f"{at}9: expected a specifier that exists, not %n",
        f"{at}11: expected an absolute path without .., not /run/../x",
    ]
    wrong += [f"{at}10: /run/there: something else is there"]
    assert said(root).split("\n") == [f"tmpfiles.d: not done here: {not_done}", f"tmpfiles.d: {'; '.join(wrong)}"]


def test_a_file_that_cannot_be_read_is_named_and_waits_for_nobody(root):
    os.mkfifo(root / "etc/tmpfiles.d/a.conf")
    write(root, "d /run/x\n", "b.conf")
    assert said(root) == "tmpfiles.d: /etc/tmpfiles.d/a.conf: not a regular file"
    assert list(tree(root)) == ["x"]


ATTACKS = (
    *("d /run/daemon/x", "f+ /run/daemon/x - - - - text", "f /run/daemon/x 0777 bin", "p /run/daemon/x 0777"),
    *("d /run/daemon/x/y", "f /run/daemon/x/y 0777 bin", "L+ /run/daemon/x/y", "z /run/daemon/x 0777 bin"),
    "e /run/daemon/* 0777 bin",
)
BAITS = ("link to a directory", "link to a file", "link that dangles", "hard link", "directory of root")


@pytest.mark.parametrize("line", ATTACKS)
@pytest.mark.parametrize("kind", BAITS)
def test_nobody_leads_us_to_what_is_not_his(root, line, kind):
    """A directory below /run belongs to another user, who puts something into it where our line expects its own."""
    victim = root / "victim"
    victim.mkdir(mode=0o700)
    (victim / "file").write_text("kept")
    os.chmod(victim / "file", 0o600)
    own = root / "run" / "daemon"
    own.mkdir()
    os.chown(own, 1, 1)
    if kind == "directory of root":
        (own / "x").mkdir(mode=0o700)
    elif kind == "hard link":
        os.link(victim / "file", own / "x")
    else:
        target = {"link to a directory": victim, "link to a file": victim / "file"}.get(kind, victim / "none")
        os.symlink(target, own / "x")
    write(root, line + "\n")
    prepare_run(ROOTS, str(root))
    info = os.stat(victim / "file")
    assert ((victim / "file").read_text(), info.st_mode & 0o777, info.st_uid) == ("kept", 0o600, 0)
    assert os.listdir(victim) == ["file"]
    assert (os.stat(victim).st_mode & 0o777, os.stat(victim).st_uid) == (0o700, 0)
    if kind == "directory of root":
        assert (os.stat(own / "x").st_mode & 0o777, os.stat(own / "x").st_uid, os.listdir(own / "x")) == (0o700, 0, [])


def test_a_link_takes_the_place_of_a_whole_tree_only_if_told_so(root):
    for name in "xy":
        (root / "run" / name / "deep").mkdir(parents=True)
    write(root, "L /run/x - - - - t\nL+ /run/y - - - - t\n")
    prepare_run(ROOTS, str(root))
    assert os.readlink(root / "run/y") == "t"
    assert os.path.isdir(root / "run/x/deep")
    before = os.lstat(root / "run/y").st_ino
    prepare_run(ROOTS, str(root))
    assert os.lstat(root / "run/y").st_ino == before, "it is there already"


def test_nothing_is_made_for_others_than_root_and_beside_a_systemd(root, monkeypatch):
    write(root, "d /run/x\n")
    assert prepare_run(ROOTS.replace(runtime="/run/hafta-overlord"), str(root)) == []
    monkeypatch.setattr(tmpfiles.os, "geteuid", lambda: 1)
    assert prepare_run(ROOTS, str(root)) == []
    assert tree(root) == {}


def test_the_directories_are_there_before_the_first_unit(place):
    """In a /run that is empty, as with --tmpfs /run."""
    with open(place.file("mine.conf"), "w") as file:
        file.write("d! /run/mine 0750 daemon bin\n")
    place.service("a", "/bin/sh -c 'stat -c \"%%n %%a %%U %%G\" /run /run/mine; touch /run/mine/x'", "User=daemon")
    mounts = f"mount -t tmpfs none /run && mkdir /run/tmpfiles.d && cp {place.file('mine.conf')} /run/tmpfiles.d"
    prefix = ("unshare", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child", "sh", "-c")
    overlord = place.start("a", prefix=(*prefix, f'{mounts} && exec "$@"', "sh"), places=("--state-dir", place.state))
    assert overlord.wait() == 0, overlord.text
    assert "a        | /run/mine 750 daemon bin" in overlord.lines
    assert "a        | /run 755 root root" in overlord.lines, "whatever mode it was mounted with"
