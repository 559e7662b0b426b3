"""What the overlord does not act on: what is named, in which words, and what is passed over in silence."""

import pytest
from load_support import ROOTS

from hafta.errors import UsageError
from hafta.units.ignored import is_sandbox
from hafta.units.load import Loader
from hafta.units.unit import Unheeded


def test_what_is_not_honoured_is_named_once_with_its_line_and_the_sandbox_apart(files):
    unit = files.one(
        "OOMPolicy=stop\nOOMPolicy=kill\nPrivateTmp=yes\nLockPersonality=yes\nReadOnlyPaths=/\nBlockIOWeight=9\nX-A=1"
    )
    assert unit.unheeded == (
        Unheeded("OOMPolicy", 5),
        Unheeded("BlockIOWeight", 10),
    )
    assert unit.sandbox == ("LockPersonality", "PrivateTmp", "ReadOnlyPaths")


def test_harmless_directives_are_not_named(files):
    text = "StandardOutput=journal\nStandardInput=null\nSyslogIdentifier=x\n"
    text += "[Install]\nWantedBy=multi-user.target\nAlias=y\n[X-A]\nB=1"
    assert files.one(text, "Description=d\nDocumentation=man:x").unheeded == ()
    text = (
        "TasksMax=4\nSlice=x.slice\nDelegate=yes\nMemoryAccounting=yes\nPIDFile=/run/a\nBusName=a.b\nFailureAction=none"
    )
    assert files.one(text, "RequiresMountsFor=/a\nFailureAction=none").unheeded == ()


def test_what_only_its_value_makes_harmless_is_named_otherwise(files):
    assert files.one("FailureAction=reboot").unheeded == (Unheeded("FailureAction", 5),)
    assert files.one("StandardOutput=tty").unheeded == (Unheeded("StandardOutput", 5),)


def test_what_runs_otherwise_is_said(files):
    unit = files.one("KillMode=none\nExecStart=\nExecStart=+/bin/true")
    assert unit.kill_mode == "control-group"
    assert [unheeded.directive for unheeded in unit.unheeded] == ["KillMode"]
    assert unit.notes == ("no process outlives its unit: runs as KillMode=control-group",)


def test_the_sandbox_is_told_from_what_only_sounds_like_it():
    assert all(map(is_sandbox, ("ProtectSystem", "RestrictSUIDSGID", "SystemCallFilter", "ExecPaths", "NoExecPaths")))
    assert not any(
        map(is_sandbox, ("ExecStartPre", "ExecReload", "Restart", "Nice", "SystemdFoo", "AmbientCapabilities"))
    )


def test_sections_of_services_mean_nothing_in_a_target(files):
    files.write("t.target", "[Unit]\nWants=a.service\n[Service]\nType=notify\n")
    files.service("a")
    units = files.load("t.target")
    assert not units["t.target"].is_service
    assert units["t.target"].unheeded == (Unheeded("[Service] Type", 4),)


def test_a_directive_that_is_not_where_it_belongs_is_named_with_its_section(files):
    unit = files.one("[Foo]\nA=1\n[Unit]\nRestart=always\nWants=other.service")
    assert unit.unheeded == (Unheeded("[Foo] A", 6), Unheeded("[Unit] Restart", 8))


def test_the_systems_targets_and_other_kinds_are_the_systems_affair(files):
    files.write("network.target", "[Unit]\nWants=never.service\n", "system")
    files.service("a", unit="Wants=network.target\nRequires=network.target x.timer\nAfter=network.target")
    units = files.load("a")
    assert list(units) == ["a.service"]
    assert units["a.service"].unheeded == (Unheeded("the unit x.timer of Requires"),)
    assert list(files.load("network.target")) == ["network.target"], "unless it is given"


def test_a_unit_of_another_kind_that_is_only_wanted_is_left_out_and_said(files):
    files.write("network.target", "", "system")
    files.service("a", unit="Wants=x.timer network.target data.mount")
    loader = Loader((str(files.path / "units"), str(files.path / "system")), ROOTS)
    assert list(loader.load(["a"])) == ["a.service"]
    assert loader.notes == [
        "a.service wants x.timer, which is not a service, a socket or a target: skipped",
    ]


def test_what_stands_for_a_state_of_the_machine_is_taken_as_reached(files):
    unit = "Requires=-.mount data.mount x.slice dev-zram0.swap b.automount\nBindsTo=dev-null.device dev-nothing.device"
    files.service("a", unit=unit)
    loader = Loader((str(files.path / "units"),), ROOTS)
    assert loader.load(["a"])["a.service"].unheeded == (Unheeded("the unit dev-nothing.device of Requires"),)
    assert loader.notes == []


@pytest.mark.parametrize(
    ("name", "hint"), [("x.timer", "a cron"), ("x.path", "look for its file"), ("x.mount", "give a")]
)
def test_a_unit_of_another_kind_that_is_asked_for_is_refused_and_says_what_to_do(files, name, hint):
    with pytest.raises(UsageError, match=r"runs services, sockets and targets only") as caught:
        files.load(name)
    assert hint in caught.value.hint
