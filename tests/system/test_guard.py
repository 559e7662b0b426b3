"""The tutorial's C server, which knows nothing of sd_notify, under a guard, in a unit of `hafta unit --install`."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "unit" / "client_c" / "classic_server.c"
SERVER = "/usr/local/bin/classic-server"
UNIT = "feed.service"
FILE = f"/etc/systemd/system/{UNIT}"
INSTALL = ("hafta", "unit", "--name=feed", "--interval=0.2", "--timeout=0.5", "--failures=2", "--install")
GOOD = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The server, built here: the machines have no compiler."""
    program = tmp_path_factory.mktemp("classic") / "classic-server"
    compiler = shutil.which("cc") or shutil.which("gcc")
    assert compiler, "there is no C compiler here"
    options = ['-DPIPENAME="/run/feed/pipe"', "-DPAUSE=1000", "-DRATE=1000000000"]
    subprocess.run([compiler, "-O2", "-o", program, *options, SOURCE], check=True)
    return program


@pytest.fixture(scope="module")
def guarded(installed, server):
    """A machine with the unit installed and running; what the installation said is in `said`."""
    installed.push(server, SERVER)
    installed.said = installed.run(*INSTALL, "--", SERVER).stdout
    return installed


def pid(machine, old=""):
    """Wait until a server runs that is not the old one, and its unit is up: it is the guard's only child."""

    def look():
        main = machine.get(UNIT, "MainPID")
        now = machine.run("cat", f"/proc/{main}/task/{main}/children", check=False).stdout.strip()
        return now if now not in {"", old} and machine.get(UNIT, "ActiveState") == "active" else ""

    return machine.wait_until("a server runs", look)


def reads(machine):
    """Read from the pipe what the server writes. The server, which handles no error, dies when its reader leaves."""
    return machine.run("timeout", "20", "head", "-c", "26", "/run/feed/pipe").stdout


def test_the_unit_is_up_when_its_installation_returns_and_the_server_writes(guarded):
    assert f"wrote {FILE}\n" in guarded.said
    assert f"enabled and started {UNIT}\n" in guarded.said
    assert guarded.show(UNIT, "ActiveState", "SubState") == {"ActiveState": "active", "SubState": "running"}
    assert guarded.run("systemctl", "is-enabled", UNIT).stdout == "enabled\n"
    assert guarded.get(UNIT, "StatusText") == f"process {pid(guarded)} passes"
    assert reads(guarded) == GOOD
    assert (
        guarded.wait_for_entry(f"_SYSTEMD_UNIT={UNIT}", "HAFTA_EVENT=guard-ready")["HAFTA_PROGRAM"] == "classic-server"
    )


def test_systemd_finds_nothing_to_say_against_it_and_hardly_anything_exposed(guarded):
    done = guarded.run("systemd-analyze", "verify", "--man=no", FILE)
    assert done.stderr == ""
    guarded.run("systemd-analyze", "security", "--threshold=10", "--no-pager", UNIT)
    exposure = re.search(r"Exposure ([\d.]+) of 10", guarded.sh(f"tr '\\n#' '  ' < {FILE} | tr -s ' '"))
    assert float(exposure[1]) <= 1.0
    server = pid(guarded)
    spaces = guarded.sh(f"readlink /proc/1/ns/mnt /proc/{guarded.get(UNIT, 'MainPID')}/ns/mnt /proc/{server}/ns/mnt")
    init, of_guard, of_server = spaces.split()
    assert init != of_guard == of_server


def test_a_hung_server_is_replaced_by_the_watchdog(guarded):
    old, cursor = pid(guarded), guarded.cursor()
    guarded.run("kill", "-STOP", old)
    pid(guarded, old)
    assert reads(guarded) == GOOD
    entry = guarded.wait_for_entry(f"_SYSTEMD_UNIT={UNIT}", "HAFTA_EVENT=guard-failed", since=cursor)
    assert entry["HAFTA_REASON"] == f"process: process {old} is stopped"
    assert entry["HAFTA_WATCHDOG"] == "1"
    assert guarded.journal(f"UNIT={UNIT}", "UNIT_RESULT=watchdog", since=cursor)
    said = " ".join(entry["MESSAGE"] for entry in guarded.journal(f"UNIT={UNIT}", since=cursor))
    assert f"(last status: process {old} fails (2 of 2): {entry['HAFTA_REASON']})" in said
    ended = guarded.wait_for_entry("HAFTA_EVENT=guard-ended", since=cursor)  # journald may not know its unit any more
    assert ended["HAFTA_SIGNAL_NAME"] == "SIGABRT"
    assert guarded.run("ps", "-p", old, check=False).returncode, "the old one is gone"


@pytest.mark.parametrize("who", ["the server", "the guard"])
def test_whichever_is_killed_both_are_back(guarded, who):
    old = pid(guarded)
    guarded.run("kill", "-KILL", old if who == "the server" else guarded.get(UNIT, "MainPID"))
    pid(guarded, old)
    assert reads(guarded) == GOOD
    assert guarded.run("ps", "-p", old, check=False).returncode


def test_a_stop_is_clean_and_leaves_no_process(guarded):
    guarded.run("systemctl", "stop", UNIT)
    assert guarded.show(UNIT, "ActiveState", "Result") == {"ActiveState": "inactive", "Result": "success"}
    assert guarded.run("pgrep", "-f", "classic-server", check=False).stdout == ""


def test_the_next_installation_replaces_its_own_file_and_nobody_elses(guarded):
    guarded.run(*INSTALL, "--description=Another", "--", SERVER)
    assert guarded.get(UNIT, "Description") == "Another"
    guarded.sh(f"echo '# a person was here' >> {FILE}")
    done = guarded.run(*INSTALL, "--", SERVER, check=False)
    assert (done.returncode, f"{FILE} was changed since hafta unit wrote it" in done.stderr) == (25, True)
    done = guarded.run("hafta", "unit", "--name=hafta-server", "--install", "--", SERVER, check=False)
    assert done.returncode == 25
    assert "hafta-server.service is a unit of this name" in done.stderr


def test_what_it_says_undoes_it(guarded):
    undo = re.search(r"^undo with: (.*)$", guarded.said, flags=re.MULTILINE)[1]
    guarded.sh(undo)
    assert guarded.get(UNIT, "LoadState") == "not-found"
    assert guarded.sh("ls -d /etc/systemd/system/feed* /etc/systemd/system/*/feed* 2>/dev/null || :") == ""


#: The machines have no logind: this manager is started by hand.
MANAGER = """
useradd --create-home joe
install -d -o joe /run/user/1000
systemd-run --quiet --unit=manager -p User=joe -p Delegate=yes -p Type=notify \\
    -p Environment=XDG_RUNTIME_DIR=/run/user/1000 /lib/systemd/systemd --user
"""
AS_JOE = (
    *("setpriv", "--reuid=joe", "--regid=joe", "--init-groups"),
    *("env", "HOME=/home/joe", "XDG_RUNTIME_DIR=/run/user/1000"),
)


def test_a_user_has_it_in_the_users_own_manager(guarded):
    guarded.sh(MANAGER)
    said = guarded.run(*AS_JOE, *INSTALL, "--user", "--", "/bin/sleep", "1000").stdout
    assert "/home/joe/.config/systemd/user/feed.service" in said
    show = (*AS_JOE, "systemctl", "--user", "show", UNIT, "--value", "--property=StatusText")
    assert re.fullmatch(r"process \d+ passes\n", guarded.run(*show).stdout)
    guarded.run(*AS_JOE, "sh", "-c", re.search(r"^undo with: (.*)$", said, flags=re.MULTILINE)[1])
    assert guarded.run("pgrep", "-u", "joe", "sleep", check=False).stdout == ""
