"""What the overlord does with units that are unusual, but right: as systemd would."""

import errno
import os

import pytest
from overlord_harness import PYTHON

from hafta import exits
from hafta.errors import HaftaError
from hafta.overlord import locks
from hafta.overlord.program import doing

SLEEPER = "/bin/sleep 1000"
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root changes users")


def test_a_unit_with_two_names_has_one_process_and_one_lock(place):
    place.service("real", SLEEPER)
    os.symlink("real.service", os.path.join(place.units, "alias.service"))
    place.service("other", SLEEPER, unit=("Requires=alias.service", "After=real.service alias.service"))
    overlord = place.start("alias", "real", "other", "--set", "alias:A=1")
    overlord.wait_for("is ready", 2)
    assert len(overlord.pids("real.service")) == 1
    assert "alias.service is starting" not in overlord.text
    second = place.start("alias")
    assert second.wait() == 25
    assert f"real.service is already run by the overlord of process {overlord.pid}" in second.text


@AS_ROOT
@pytest.mark.parametrize(
    ("line", "status", "problem"),
    [
        ("User=hafta-nobody-has-it", 217, "there is no user hafta-nobody-has-it"),
        ("Group=hafta-nobody-has-it", 216, "there is no group hafta-nobody-has-it"),
    ],
)
def test_a_user_that_is_not_there_fails_its_own_unit_and_is_never_root(place, line, status, problem):
    place.service("a", f"/bin/touch {place.file('ran')}", line)
    place.service("good", "/bin/true")
    overlord = place.start("a", "good")
    assert overlord.wait() == 1
    assert overlord.find(rf"Unit a.service: process \d+ exited with status {status}")
    assert f"Unit a.service failed: its main process failed: {problem}" in overlord.text
    assert not os.path.exists(place.file("ran"))
    if line.startswith("User"):
        assert "a.service: there is no user hafta-nobody-has-it: fails until there is one" in overlord.text
    overlord = place.start("a", "--as-root")
    assert overlord.wait() == 0
    assert os.path.exists(place.file("ran"))


@AS_ROOT
def test_a_dynamic_user_has_a_number_and_a_directory_and_is_not_root(place):
    place.service(
        "a",
        "/bin/sh -c 'id -u; id -g; stat -c %%u $RUNTIME_DIRECTORY; echo $HOME $USER'",
        *("DynamicUser=yes", "RuntimeDirectory=a"),
    )
    overlord = place.start("a")
    assert overlord.wait() == 0
    uid, gid, owner, home = [line.partition("| ")[2] for line in overlord.lines if line.startswith("a ")]
    assert uid == gid == owner
    assert 61184 <= int(uid) <= 65519
    assert home == f"/ {uid}"
    assert f"a.service: DynamicUser= gives it user id {uid}" in overlord.text


@pytest.mark.parametrize(
    "environ", [{"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, {"LC_ALL": "POSIX"}]
)
def test_the_bytes_of_a_unit_reach_the_program_whatever_the_locale(place, environ):
    show = place.script(
        "show.py", "import sys, os; print(os.fsencode(sys.argv[1]).hex(), os.environb[b'A'].hex(), flush=True)"
    )
    with open(place.file("env"), "w", encoding="utf-8") as file:
        file.write("A=café\n")
    with open(os.path.join(place.units, "a.service"), "w", encoding="utf-8") as file:
        file.write(f"[Service]\nExecStart={show} 漢\nEnvironmentFile={place.file('env')}\nRuntimeDirectory=漢\n")
    overlord = place.start("a", environ=environ)
    assert overlord.wait() == 0
    assert f"a        | {'漢'.encode().hex()} {'café'.encode().hex()}" in overlord.lines


def test_a_directory_that_is_gone_is_named(place):
    os.mkdir(place.file("gone"))
    command = f"cd {place.file('gone')} && rmdir ../gone && exec {PYTHON} -m hafta.overlord ./a.service"
    overlord = place.start(prefix=("/bin/sh", "-c", command))
    assert overlord.wait() == 2
    assert "hafta: error: .: the current directory does not exist any more" in overlord.text


def test_a_lock_that_cannot_be_written_is_named_and_not_left(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(HaftaError) as caught:
        locks.acquire(str(tmp_path), "a.service")
    assert caught.value.message.startswith(f"cannot write the lock {tmp_path}/a.service")
    assert caught.value.message.endswith(": No space left on device")
    assert caught.value.status == exits.SYSTEM
    assert list(tmp_path.iterdir()) == []


def test_what_was_being_done_is_said_when_the_system_says_no():
    with (
        pytest.raises(HaftaError, match=r"^cannot start the keeper: Resource temporarily unavailable$"),
        doing("start the keeper"),
    ):
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
