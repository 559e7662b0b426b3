"""`hafta unit`: from options to a unit, what contradicts itself, and putting it in place."""

import errno
import os
import re
import stat
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from hafta import cli, exits
from hafta.cli import unit_install, unit_wanted
from hafta.cli.unit import PROGRAM, SETTINGS
from hafta.errors import HaftaError
from hafta.settings import help_text

TRUE = "/bin/true"


@pytest.fixture
def unit(capsys, monkeypatch):
    """Run the command; return its status, the lines that are not comments, and what it said on stderr."""
    monkeypatch.setattr(unit_wanted, "HAFTA", TRUE)

    def run(*words):
        status = cli.main(["unit", *words])
        out, err = capsys.readouterr()
        return status, [line for line in out.splitlines() if line and not line.startswith("#")], err

    return run


#: Options, and what they put into the unit; a line that begins with ! is not in it.
GIVEN = {
    "a program": (["--", TRUE, "-x"], ["ExecStart=/bin/true guard -- /bin/true -x", "DynamicUser=yes"]),
    "one in $PATH": (["--", "true"], ["ExecStart=/bin/true guard -- /usr/bin/true", "StateDirectory=true"]),
    "its name": (["--name=gw.service", "--description=A b", "--", TRUE], ["RuntimeDirectory=gw", "Description=A b"]),
    "its probes": (
        ["--network", "--probe=tcp:127.0.0.1:80", "--probe=file:/x:3", "--interval=0.1", "--timeout=0.5", "--", TRUE],
        [f"ExecStart={TRUE} guard --probe=tcp:127.0.0.1:80 --probe=file:/x:3 --interval=0.1 --timeout=0.5 -- {TRUE}",
         "WatchdogSec=4", "!PrivateNetwork=yes"],
    ),
    "graces": (
        ["--start-grace=60", "--stop-grace=2.5", "--failures=1", "--", TRUE],
        ["ExecStart=/bin/true guard --failures=1 --start-grace=60 --stop-grace=2.5 -- /bin/true", "TimeoutStartSec=70",
         "TimeoutStopSec=5", "WatchdogSec=4"],
    ),
    "one that notifies": (
        ["--notify", "--watchdog=20", "--", TRUE],
        ["ExecStart=/bin/true", "WatchdogSec=20", "RestartSec=1", "StartLimitIntervalSec=0", "!KillMode=mixed"],
    ),
    "no watchdog": (["--notify", "--", TRUE], ["!WatchdogSec=0"]),
    "its user": (
        ["--run-as=joe", "--group=tty", "--group", "audio", "--", TRUE],
        ["User=joe", "SupplementaryGroups=tty audio", "!DynamicUser=yes"],
    ),
    "a kind of devices": (
        ["--device=char-ttyUSB", "--device=block-sd", "--", TRUE],
        ["DeviceAllow=char-ttyUSB rw", "DeviceAllow=block-sd rw", "!PrivateDevices=yes", "DevicePolicy=closed"],
    ),
    "what it needs": (
        ["--write=/srv/a", "--device=/dev/ttyS0", "--capability=CAP_X", "--jit", "--proc", "--", TRUE],
        ["ReadWritePaths=/srv/a", "DeviceAllow=/dev/ttyS0 rw", "AmbientCapabilities=CAP_X",
         "!MemoryDenyWriteExecute=yes", "!ProcSubset=pid"],
    ),
    "its environment": (["--set=A=b c", "--set=D=", "--", TRUE], ['Environment="A=b c"', "Environment=D="]),
    "a user's": (["--user", "--", TRUE], ["WantedBy=default.target", "!DynamicUser=yes", "ProtectHome=read-only"]),
}  # fmt: skip


@pytest.mark.parametrize("name", GIVEN)
def test_what_is_given_is_in_the_unit(unit, name):
    words, wanted = GIVEN[name]
    status, lines, err = unit(*words)
    assert (status, err) == (exits.OK, "")
    assert [line for line in wanted if line[0] != "!" and line not in lines] == []
    assert [line for line in wanted if line[0] == "!" and line[1:] in lines] == []


def test_a_sequence_is_run_by_its_module_where_that_stands(unit, tmp_path, monkeypatch):
    (tmp_path / "feed.py").write_text("raise SystemExit('it is not to be run')")
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "__init__.py").write_text("")
    monkeypatch.chdir(tmp_path)
    assert "a dynamic user has its own /tmp" in unit("feed:reader")[2]
    status, lines, _ = unit("--run-as=joe", "feed:reader", "--", "--pause=5")
    assert status == exits.OK
    [command] = [line for line in lines if line.startswith("ExecStart=")]
    assert re.fullmatch(r"ExecStart=\S*python3? -m hafta\.service feed:reader --pause=5", command)
    assert {f"WorkingDirectory={tmp_path}", "WatchdogSec=10", "StateDirectory=reader", "RestartSec=0"} <= set(lines)
    assert f"WorkingDirectory={tmp_path}" in unit("--run-as=joe", "pack.sub:x")[1]


#: What is wrong, what is said, and the status if it is not that of a wrong option.
WRONG = {
    "nothing": ([], "there is nothing to run"),
    "no program": (["--", "no-such-program"], "there is no program no-such-program in $PATH", exits.NOT_FOUND),
    "no module": (["no_such_module:x"], "there is no module no_such_module", exits.NOT_FOUND),
    "a name with a slash": (["--name=a/b", "--", TRUE], "'a/b' is not a unit's name"),
    "a probe of nobody": (["--notify", "--probe=process", "--", TRUE], "a program with --notify has no guard"),
    "a watchdog of a guard": (["--watchdog=5", "--", TRUE], "the watchdog of a guard follows from --interval"),
    "no network": (["--probe=http://127.0.0.1/", "--", TRUE], "--probe http://127.0.0.1/ asks over the network"),
    "two users": (["--user", "--run-as=joe", "--", TRUE], "a unit of a user runs as this user"),
    "a dynamic user's /tmp": (["--write=/tmp/simple", "--", TRUE], "a dynamic user has its own /tmp"),
    "a relative path": (["--write=x", "--", TRUE], "--write: 'x' is not an absolute path"),
    "a device that is neither a path nor a kind": (
        ["--device=char-a b", "--", TRUE],
        "--device: 'char-a b' is not an absolute path without blanks, quotes and backslashes, and not a kind of",
    ),
    "a path with blanks": (["--write=/a b", "--", TRUE], "--write: '/a b' is not an absolute path without blanks"),
    "a group with blanks": (["--group=a b", "--", TRUE], "--group: 'a b' is not a name without blanks"),
    "no variable": (["--set=1=2", "--", TRUE], "--set: '1=2' is not NAME=VALUE in UTF-8"),
    "no character": (["--set=A=\ufdd0", "--", TRUE], "--set: 'A=\\ufdd0' is not NAME=VALUE in UTF-8"),
    "no character as words": (["--description=\uffff", "--", TRUE], "'\\uffff' cannot stand in a unit"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_contradicts_itself_is_two_lines_and_a_status(unit, name):
    words, said, *status = WRONG[name]
    assert unit(*words)[0] == (status or [exits.USAGE])[0]
    _, out, err = unit(*words)
    assert (out, err.count("\n")) == ([], 2)
    assert f"hafta: error: {said}" in err


def test_its_variables_are_its_own_and_those_of_the_guard():
    variables = {setting.variable for setting in SETTINGS}
    assert {"HAFTA_UNIT_NAME", "HAFTA_GUARD_PROBE", "HAFTA_UNIT_INSTALL"} <= variables
    assert all(variable in help_text(PROGRAM) for variable in variables)


@pytest.fixture
def systemd(tmp_path, monkeypatch):
    """A machine of systemd's: `asked` is what was run, `answers` what a word in it makes it answer."""
    found = SimpleNamespace(folder=str(tmp_path / "units"), asked=[], answers={})

    def run(*words, timeout=0.0):
        found.asked.append(" ".join(words).replace(str(tmp_path), ""))
        status, out, err = next((found.answers[word] for word in found.answers if word in words), (0, "", ""))
        return subprocess.CompletedProcess(words, status, out, err)

    monkeypatch.setattr(unit_install, "_run", run)
    monkeypatch.setattr(unit_install, "SYSTEM_UNITS", found.folder)
    monkeypatch.setattr(unit_install, "BOOTED", str(tmp_path))
    monkeypatch.setattr(unit_install.os, "geteuid", lambda: 0)
    found.file = f"{found.folder}/gw.service"
    found.install = lambda text="a\n", **how: unit_install.install(
        "gw.service", text, **{"of_user": False, "force": False, "patience": 1.0, **how}
    )
    found.read = lambda: Path(found.file).read_text()
    return found


def test_it_is_put_in_place_enabled_and_started_and_says_how_to_undo_that(systemd, capsys):
    systemd.install()
    assert unit_install.is_unchanged(systemd.read())
    assert systemd.read().endswith("\na\n")
    assert stat.S_IMODE(os.stat(systemd.file).st_mode) == 0o644
    assert os.listdir(systemd.folder) == ["gw.service"]
    assert [words for words in systemd.asked if words.startswith("systemctl") and "show" not in words] == [
        "systemctl daemon-reload", "systemctl enable --quiet gw.service", "systemctl restart gw.service",
    ]  # fmt: skip
    out = capsys.readouterr().out.splitlines()
    undo = f"systemctl disable --now gw.service; rm {systemd.file}; systemctl daemon-reload"
    assert out == [f"wrote {systemd.file}", f"undo with: {undo}", "enabled and started gw.service"]


def test_again_it_replaces_what_it_wrote(systemd):
    systemd.install()
    systemd.install("b\n")
    assert systemd.read().endswith("\nb\n")


def changed(systemd):
    systemd.install()
    with open(systemd.file, "a") as file:
        file.write("# a person was here\n")


def foreign(systemd):
    os.makedirs(systemd.folder)
    with open(systemd.file, "w") as file:
        file.write("[Service]\n")


def masked(systemd):
    os.makedirs(systemd.folder)
    os.symlink("/dev/null", systemd.file)


def hidden(systemd):
    systemd.answers["show"] = (0, "/usr/lib/systemd/system/gw.service\n", "")


THERE = {
    changed: "was changed since hafta unit wrote it",
    foreign: "was not written by hafta unit",
    masked: "is a symbolic link (masked?)",
    hidden: "is a unit of this name, which ours would hide",
}


@pytest.mark.parametrize("make", THERE, ids=lambda make: make.__name__)
def test_nothing_that_somebody_else_put_there_is_replaced_unless_that_is_asked_for(systemd, make):
    make(systemd)
    before = systemd.read() if os.path.exists(systemd.file) else None
    with pytest.raises(HaftaError, match=re.escape(THERE[make])) as caught:
        systemd.install("b\n")
    assert caught.value.status == exits.IN_USE
    assert before is None or systemd.read() == before
    systemd.install("b\n", force=True)
    assert systemd.read().endswith("\nb\n")
    assert not os.path.islink(systemd.file)


#: What goes wrong, what is said, whether the file is there afterwards.
TROUBLE = {
    "verify": ((1, "", "gw.service:3: Unknown key\n"), "systemd does not accept the unit: gw.service:3", False),
    "daemon-reload": ((1, "", "Access denied\n"), "systemctl daemon-reload: Access denied", True),
    "restart": ((1, "", "Job failed\n"), "gw.service is installed, but did not start", True),
}


@pytest.mark.parametrize("word", TROUBLE)
def test_what_systemd_refuses_is_said(systemd, word):
    answer, said, is_there = TROUBLE[word]
    systemd.answers[word] = answer
    with pytest.raises(HaftaError, match=re.escape(said)):
        systemd.install()
    assert os.path.exists(systemd.file) == is_there


def test_where_systemd_does_not_run_or_we_are_not_root_nothing_is_begun(systemd, monkeypatch, tmp_path):
    monkeypatch.setattr(unit_install.os, "geteuid", lambda: 1000)
    with pytest.raises(HaftaError, match="takes root") as caught:
        systemd.install()
    assert caught.value.status == exits.PERMISSION
    monkeypatch.setattr(unit_install, "BOOTED", str(tmp_path / "nowhere"))
    with pytest.raises(HaftaError, match="systemd does not run this machine"):
        systemd.install()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    with pytest.raises(HaftaError, match="no systemd of this user runs"):
        systemd.install(of_user=True)
    assert systemd.asked == []


def test_a_users_unit_goes_to_the_users_configuration(systemd, monkeypatch, tmp_path):
    (tmp_path / "systemd").mkdir()
    (tmp_path / "systemd" / "private").touch()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    systemd.install(of_user=True)
    assert os.path.exists(tmp_path / "config/systemd/user/gw.service")
    assert systemd.asked[-1] == "systemctl --user restart gw.service"


def test_a_place_that_cannot_be_written_is_an_error_and_leaves_nothing(systemd, tmp_path):
    (tmp_path / "units").touch()
    with pytest.raises(HaftaError, match="cannot write"):
        unit_install.put(systemd.folder, "gw.service", "a")
    assert sorted(os.listdir(tmp_path)) == ["units"]


def test_a_disk_that_is_full_leaves_what_was_there(systemd, monkeypatch):
    systemd.install()

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(unit_install.os, "fsync", full)
    with pytest.raises(HaftaError, match="no space or no inode is left"):
        systemd.install("b\n")
    assert systemd.read().endswith("\na\n")
    assert os.listdir(systemd.folder) == ["gw.service"]


def test_the_exposure_is_left_out_where_nobody_can_tell_it(monkeypatch):
    def run(*words, **_):
        raise HaftaError("systemd-analyze is not installed")

    monkeypatch.setattr(unit_install, "_run", run)
    assert unit_install.exposure_of("x.service", "[Service]\n") == ""


def test_a_command_that_is_not_there_or_takes_too_long_is_an_error(monkeypatch):
    with pytest.raises(HaftaError, match="no-such-command is not installed"):
        unit_install._run("no-such-command")
    with pytest.raises(HaftaError, match=r"sleep 10 takes more than 0\.05 s"):
        unit_install._run("sleep", "10", timeout=0.05)
