"""From files to units: what is honoured, what is named as not honoured, what is refused, and what is pulled in."""

import os
import pwd
import resource
import signal
import sys

import pytest

from hafta import exits
from hafta.errors import UsageError
from hafta.overlord import load
from hafta.overlord.directives import DIRECTIVES, is_sandbox
from hafta.overlord.dirs import Roots
from hafta.overlord.load import Loader, full_name, search_path
from hafta.overlord.order import LATER, NOW, Order
from hafta.overlord.restart import Policy, Statuses
from hafta.overlord.table import State
from hafta.overlord.unit import Needs, Unheeded, Unit
from hafta.systemd.unitfile import UnitError

ROOTS = Roots("/run", "/var/lib", "/var/cache", "/var/log", "/etc")
TRUE = "ExecStart=/bin/true\n"


class Files:
    """Directories of unit files."""

    def __init__(self, path):
        self.path = path
        self.system = path / "system"
        self.system.mkdir()

    def write(self, name, text, folder="units"):
        """Write a file and return its path."""
        file = self.path / folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return str(file)

    def service(self, name, text="", unit=""):
        """Write a service with these lines."""
        return self.write(f"{name}.service", f"[Unit]\n{unit}\n[Service]\n{TRUE}{text}\n")

    def load(self, *operands):
        """Load units by name."""
        return Loader((str(self.path / "units"), str(self.path / "more"), str(self.system)), ROOTS).load(operands)

    def one(self, text, unit=""):
        """Return the unit that these lines make."""
        self.service("x", text, unit)
        return self.load("x")["x.service"]


@pytest.fixture
def files(tmp_path, monkeypatch):
    files = Files(tmp_path)
    monkeypatch.setattr(load, "SYSTEM", (str(files.system),))
    return files


def test_defaults_are_systemds(files):
    unit = files.one("")
    assert unit.policy == Policy("simple", "no", limit_interval=10.0, limit_burst=5)
    assert (unit.restart_sec, unit.timeout_start, unit.timeout_stop, unit.timeout_abort) == (0.1, 90.0, 90.0, 90.0)
    assert (unit.kill_signal, unit.kill_mode, unit.watchdog_signal) == (15, "control-group", signal.SIGABRT)
    assert (unit.notify_access, unit.working_directory, unit.umask) == ("none", ("/", False), 0o022)
    assert (unit.unheeded, unit.notes) == ((), ())


def test_what_is_given_is_taken(files):
    unit = files.one(
        """
Type=notify
Restart=always
RestartSec=0
RestartPreventExitStatus=2
RestartPreventExitStatus=3 SIGKILL
SuccessExitStatus=75
WatchdogSec=5
WatchdogSignal=SIGKILL
TimeoutSec=7
TimeoutStartSec=infinity
KillMode=mixed
KillSignal=INT
RemainAfterExit=yes
LimitCORE=0
LimitNOFILE=100:200
StartLimitInterval=1
IgnoreSIGPIPE=no
SendSIGKILL=no
Environment=A=1
Environment=B=2
Environment=
Environment=C=3
""",
        "StartLimitBurst=40",
    )
    assert unit.policy == Policy(
        *("notify", "always", Statuses(frozenset((75,))), Statuses(frozenset((2, 3)), frozenset((9,)))),
        remain=True,
        limit_interval=1.0,
        limit_burst=40,
    )
    assert (unit.timeout_start, unit.timeout_stop, unit.timeout_abort) == (float("inf"), 7.0, 7.0)
    assert (unit.watchdog_sec, unit.watchdog_signal, unit.notify_access) == (5.0, 9, "main")
    assert (unit.environment, unit.kill_signal) == ((("C", "3"),), 2)
    assert len(unit.limits) == 2
    assert not unit.ignore_sigpipe
    assert not unit.send_sigkill


def test_an_empty_value_goes_back_to_the_default(files):
    assert files.one("Restart=always\nRestart=\nRestartSec=5\nRestartSec=\n").restart_sec == 0.1
    assert files.one("Restart=always\nRestart=\n").policy.restart == "no"


def test_an_infinite_watchdog_is_none_and_an_infinite_wait_for_a_restart_is_refused(files):
    assert files.one("WatchdogSec=infinity").watchdog_sec == 0
    with pytest.raises(UnitError, match="RestartSec=infinity: expected a time span that ends"):
        files.one("RestartSec=infinity")


def test_each_limit_is_reset_and_set_anew_by_itself(files):
    unit = files.one("LimitCORE=0\nLimitNOFILE=100\nLimitNOFILE=\nLimitAS=1M\nLimitAS=2M")
    assert unit.limits == ((resource.RLIMIT_CORE, 0, 0), (resource.RLIMIT_AS, 2**21, 2**21))


def test_timeoutsec_is_both_timeouts_until_a_later_line_sets_one(files):
    unit = files.one("TimeoutStartSec=1\nTimeoutStopSec=2\nTimeoutSec=3\nTimeoutStopSec=4")
    assert (unit.timeout_start, unit.timeout_stop, unit.timeout_abort) == (3.0, 4.0, 4.0)


def test_a_target_has_no_start_limit(files):
    files.write("t.target", "[Unit]\nStartLimitBurst=1\n")
    assert files.load("t.target")["t.target"].policy.limit_burst == 0


def test_a_tilde_is_the_home_of_the_user_that_the_service_runs_as(files, monkeypatch):
    me = pwd.getpwuid(os.geteuid())
    assert files.one("WorkingDirectory=~").working_directory == (me.pw_dir, False)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    daemon = pwd.getpwnam("daemon")
    assert files.one("WorkingDirectory=-~\nUser=daemon").working_directory == (daemon.pw_dir, True)


def test_a_oneshot_may_take_for_ever_to_start(files):
    assert files.one("Type=oneshot").timeout_start == float("inf")


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("Restart=maybe", "x.service:5: Restart=maybe: expected one of no, always,", "mend Restart= in"),
        ("Type=forking", "Type=forking: expected one of simple, exec, notify", "mend Type="),
        (
            "Type=oneshot\nRestart=always",
            "Restart=always: expected anything but always and on-success",
            "mend Restart=",
        ),
        ("ExecStart=/bin/true", "2 ExecStart= lines for x.service", "give it exactly one"),
        ("ExecStart=", "no ExecStart= for x.service", "give it exactly one"),
        ("ExecStart=\nExecStart=/none", "ExecStart=/none: expected a program that can be run", "mend ExecStart="),
    ],
)
def test_a_unit_that_cannot_be_run_is_refused_with_file_line_directive_and_value(files, text, message, hint):
    with pytest.raises(UnitError) as caught:
        files.one(text)
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert caught.value.status == exits.USAGE


def test_what_is_not_honoured_is_named_once_with_its_line_and_the_sandbox_apart(files):
    unit = files.one(
        "Nice=1\nNice=2\nPrivateTmp=yes\nNoNewPrivileges=yes\nReadOnlyPaths=/\nExecStartPre=/bin/true\nX-A=1"
    )
    assert unit.unheeded == (
        Unheeded("Nice", 5),
        Unheeded("ExecStartPre", 10),
    )
    assert unit.sandbox == ("NoNewPrivileges", "PrivateTmp", "ReadOnlyPaths")


def test_harmless_directives_are_not_named(files):
    text = "StandardOutput=journal\nStandardInput=null\nSyslogIdentifier=x\n"
    text += "[Install]\nWantedBy=multi-user.target\nAlias=y\n[X-A]\nB=1"
    assert files.one(text, "Description=d\nDocumentation=man:x").unheeded == ()
    assert files.one("StandardOutput=file:/x").unheeded == (Unheeded("StandardOutput", 5),)


def test_what_runs_otherwise_is_said(files):
    unit = files.one("Type=idle\nKillMode=none\nExecStart=\nExecStart=+/bin/true")
    assert unit.policy.type == "simple"
    assert unit.kill_mode == "control-group"
    assert [unheeded.directive for unheeded in unit.unheeded] == ["Type", "KillMode", "the prefix + of ExecStart"]
    assert unit.notes == (
        "runs as Type=simple",
        "no process outlives its unit: runs as KillMode=control-group",
    )
    assert files.one("Type=notify-reload").policy.type == "notify"


def test_the_sandbox_is_told_from_what_only_sounds_like_it():
    assert all(map(is_sandbox, ("ProtectSystem", "RestrictSUIDSGID", "SystemCallFilter", "ExecPaths", "NoExecPaths")))
    assert not any(map(is_sandbox, ("ExecStartPre", "ExecReload", "Restart", "Nice", "SystemdFoo", "DynamicUser")))


def test_sections_of_services_mean_nothing_in_a_target(files):
    files.write("t.target", "[Unit]\nWants=a.service\n[Service]\nType=notify\n")
    files.service("a")
    units = files.load("t.target")
    assert not units["t.target"].is_service
    assert units["t.target"].unheeded == (Unheeded("[Service] Type", 4),)


def test_a_directive_that_is_not_where_it_belongs_is_named_with_its_section(files):
    unit = files.one("[Foo]\nA=1\n[Unit]\nRestart=always\nWants=other.service")
    assert unit.unheeded == (Unheeded("[Foo] A", 6), Unheeded("[Unit] Restart", 8))


def test_a_unit_that_is_not_there_is_named_with_who_requires_it(files):
    files.service("a", unit="Requires=b.service\n")
    with pytest.raises(UsageError, match=r"^there is no unit b\.service, which a\.service requires$"):
        files.load("a")


def test_every_directive_names_a_field_that_exists():
    others = {"type", "restart", "remain", "limit_interval", "limit_burst", "success", "prevent", "force", "exec"}
    others |= {"user", "group", "timeout"}
    others |= {directive.field for name, directive in DIRECTIVES["Service"].items() if name.startswith("Limit")}
    for directive in (directive for section in DIRECTIVES.values() for directive in section.values()):
        assert directive.field in {*Unit._fields, *Needs._fields, *others}


def test_a_unit_is_found_by_file_and_by_name_and_the_suffix_may_be_left_out(files):
    path = files.service("a")
    assert files.load("a", "a")["a.service"].file == path
    assert Loader((), ROOTS).load([path])["a.service"].file == path
    assert (full_name("a"), full_name("a.target")) == ("a.service", "a.target")


@pytest.mark.parametrize(
    ("name", "message", "status"),
    [
        ("nosuch", "there is no unit nosuch.service", exits.NOT_FOUND),
        ("a.socket", "a.socket: the embedded overlord runs services and targets only", exits.USAGE),
        ("t@.service", "t@.service is a template", exits.USAGE),
        ("masked", "masked.service is masked", exits.USAGE),
    ],
)
def test_what_is_no_unit_is_refused(files, name, message, status):
    files.service("t@")
    os.symlink("/dev/null", files.path / "units" / "masked.service")
    with pytest.raises(UsageError) as caught:
        files.load(name)
    assert message in caught.value.message
    assert caught.value.hint
    assert caught.value.status == status


def test_a_file_that_cannot_be_read_is_named(files):
    os.mkdir(files.path / "units")
    os.mkdir(files.path / "units" / "a.service")
    with pytest.raises(UnitError, match=r"a\.service: Is a directory"):
        files.load("a")


def test_a_template_is_used_for_an_instance_unless_there_is_a_file_for_that(files):
    files.service("a@", "Environment=I=%i")
    files.service("a@own", "Environment=I=own")
    units = files.load("a@one", "a@own")
    assert [unit.environment for unit in units.values()] == [(("I", "one"),), (("I", "own"),)]


def test_a_file_for_an_instance_wins_over_a_template_in_a_directory_before_it(files):
    files.service("a@", "Environment=I=%i")
    files.write("a@own.service", f"[Service]\n{TRUE}Environment=I=file", "more")
    assert files.load("a@own")["a@own.service"].environment == (("I", "file"),)


def test_drop_ins_come_in_the_order_of_their_names_and_the_first_directory_wins(files):
    files.service("foo-bar@")
    files.write("foo-bar@x.service.d/20.conf", "[Service]\nEnvironment=A=20\n")
    files.write("foo-bar@.service.d/10.conf", "[Service]\nEnvironment=A=10\n", "more")
    files.write("foo-bar@x.service.d/20.conf", "[Service]\nEnvironment=A=hidden\n", "more")
    files.write("foo-.service.d/30.conf", "[Service]\nEnvironment=A=30\n")
    files.write("service.d/40.conf", "[Service]\nEnvironment=A=40\n")
    files.write("service.d/50.txt", "rubbish")
    (unit,) = files.load("foo-bar@x").values()
    assert [value for _, value in unit.environment] == ["10", "20", "30", "40"]


def test_wants_and_requires_are_pulled_in_and_what_is_only_wanted_may_be_missing(files):
    files.service("a", unit="Wants=b.service none.service\nRequires=c.service\nBindsTo=d.service\nPartOf=e.service")
    for name in "bcde":
        files.service(name)
    loader = Loader((str(files.path / "units"),), ROOTS)
    assert list(loader.load(["a"])) == ["a.service", "b.service", "c.service", "d.service"]
    assert loader.notes == ["a.service wants none.service, which is not there: goes on without it"]
    files.service("f", unit="Requires=none.service")
    with pytest.raises(UsageError, match=r"there is no unit none\.service"):
        files.load("f")


def test_the_systems_targets_and_other_kinds_are_the_systems_affair(files):
    files.write("network.target", "[Unit]\nWants=never.service\n", "system")
    files.service("a", unit="Wants=network.target\nRequires=network.target x.socket\nAfter=network.target")
    units = files.load("a")
    assert list(units) == ["a.service"]
    assert units["a.service"].unheeded == (
        Unheeded("the unit network.target of Requires"),
        Unheeded("the unit x.socket of Requires"),
    )
    assert list(files.load("network.target")) == ["network.target"], "unless it is given"


def test_a_unit_of_another_kind_that_is_only_wanted_is_left_out_and_said(files):
    files.write("network.target", "", "system")
    files.service("a", unit="Wants=x.socket network.target data.mount")
    loader = Loader((str(files.path / "units"), str(files.path / "system")), ROOTS)
    assert list(loader.load(["a"])) == ["a.service"]
    assert loader.notes == [
        "a.service wants x.socket, which is no service and no target: goes on without it",
        "a.service wants data.mount, which is no service and no target: goes on without it",
    ]


def test_units_beside_a_target_that_install_themselves_into_it_are_pulled_in(files):
    files.write("t.target", "[Unit]\n[Install]\nWantedBy=t.target\n")
    files.write("a.service", f"[Service]\n{TRUE}[Install]\nWantedBy=t.target other.target\n")
    files.write("b.service", f"[Service]\n{TRUE}[Install]\nRequiredBy=t.target\n")
    files.write("c@.service", f"[Service]\n{TRUE}[Install]\nWantedBy=t.target\n")
    files.service("d")
    assert list(files.load("t.target")) == ["t.target", "a.service", "b.service"]


def test_in_the_systems_directories_what_is_enabled_is_pulled_in(files):
    files.write("t.target", "[Unit]\n", "system")
    for name in "ab":
        files.write(f"{name}.service", f"[Service]\n{TRUE}[Install]\nWantedBy=t.target\n", "system")
    files.write("t.target.wants/a.service", "", "system")
    assert list(files.load("t.target")) == ["t.target", "a.service"]
    files.write("t.target.requires/b.service", "", "system")
    assert list(files.load("t.target")) == ["t.target", "a.service", "b.service"]


def test_our_own_units_are_found_from_a_checkout_and_from_an_installation(monkeypatch, tmp_path):
    assert search_path(["/x", "y"])[:3] == ("/x", os.path.abspath("y"), os.path.join(load.TREE, "units"))
    monkeypatch.setattr(load, "in_checkout", lambda: False)
    assert os.path.join(sys.prefix, "lib/systemd/system") in search_path([])


@pytest.mark.parametrize("prefix", ["/usr", "/opt/venv"])
def test_what_the_administrator_changes_wins_over_the_installed_unit(monkeypatch, prefix):
    """`systemctl edit --full`, `mask`, and drop-ins of the same name: /etc first, then /run, then the vendor."""
    monkeypatch.setattr(load, "in_checkout", lambda: False)
    monkeypatch.setattr(sys, "prefix", prefix)
    path = search_path(["/given"])
    expected = ("/given", "/etc/systemd/system", "/run/systemd/system", f"{prefix}/lib/systemd/system")
    assert path[:4] == expected
    assert len(path) == len(set(path))


def test_a_masked_unit_that_is_only_wanted_is_left_out_and_said(files):
    files.service("a", unit="Wants=masked.service")
    os.symlink("/dev/null", files.path / "units" / "masked.service")
    loader = Loader((str(files.path / "units"),), ROOTS)
    assert list(loader.load(["a"])) == ["a.service"]
    assert loader.notes == ["a.service wants masked.service, which is masked: goes on without it"]


def test_the_shipped_units_can_be_run():
    units = Loader(search_path([]), ROOTS).load(["hafta.target", "hafta-client@x"])
    assert set(units) == {"hafta.target", "hafta-server.service", "hafta-client.service", "hafta-client@x.service"}
    assert dict(units["hafta-client@x.service"].environment)["HAFTA_PIPE"] == "/run/hafta/x"


def unit(name, **needs):
    command = None if name.endswith(".target") else object()
    return Unit(name, "f", needs=Needs(**{key: tuple(value.split()) for key, value in needs.items()}), command=command)


def order(*units):
    return Order({unit.name: unit for unit in units})


def test_before_is_after_seen_from_the_other_side():
    assert order(unit("a", before="b c y"), unit("b"), unit("c", after="b x")).sequence == ["a", "b", "c"]


def test_a_target_comes_after_what_it_pulls_in_unless_that_comes_after_it():
    found = order(unit("t.target", wants="a b x"), unit("a"), unit("b", after="t.target"))
    assert found.sequence == ["a", "t.target", "b"]
    plain = unit("t.target", wants="a").replace(default_dependencies=False)
    assert order(plain, unit("a")).sequence == ["t.target", "a"]


def test_a_cycle_is_named():
    with pytest.raises(UnitError) as caught:
        order(unit("x"), unit("a", after="c"), unit("b", after="a"), unit("c", after="b x"))
    assert caught.value.message == "ordering cycle: a after c after b after a"
    assert caught.value.hint == "remove one After= or Before= of these units"


STARTS = [
    ("after", State.ACTIVATING, NOW, LATER),
    ("after", State.ACTIVE, NOW, NOW),
    ("after", State.FAILED, NOW, NOW),
    ("after", State.AUTO_RESTART, NOW, NOW),
    ("requires", State.ACTIVE, NOW, NOW),
    ("requires", State.ACTIVATING, NOW, LATER),
    ("requires", State.AUTO_RESTART, NOW, LATER),
    ("binds_to", State.STOPPING, NOW, LATER),
    ("requires", State.FAILED, NOW, "a"),
    ("binds_to", State.INACTIVE, NOW, "a"),
]


@pytest.mark.parametrize(("kind", "state", "alone", "ordered"), STARTS)
def test_who_may_start_when(kind, state, alone, ordered):
    states = {"a": state, "b": State.INACTIVE}
    if kind != "after":
        assert order(unit("a"), unit("b", **{kind: "a"})).may_start("b", (), states, ()) == alone
    assert order(unit("a"), unit("b", **{"after": "a"} | {kind: "a"})).may_start("b", (), states, ()) == ordered


def test_a_start_waits_for_one_that_still_waits_and_not_for_a_oneshot_that_is_done():
    found = order(unit("a"), unit("b", after="a", requires="a"))
    states = {"a": State.INACTIVE, "b": State.INACTIVE}
    assert found.may_start("b", {"a", "b"}, states, ()) == LATER
    assert found.may_start("b", {"b"}, states, {"a"}) == NOW


def test_stops_wait_for_those_that_came_after():
    found = order(unit("a"), unit("b", after="a"))
    assert not found.may_stop("a", {"a": State.ACTIVE, "b": State.STOPPING})
    assert found.may_stop("a", {"a": State.ACTIVE, "b": State.FAILED})
    assert found.may_stop("b", {"a": State.ACTIVE, "b": State.ACTIVE})


def test_dependents_are_told_apart():
    found = order(
        unit("a"), unit("r", requires="a"), unit("b", binds_to="a"), unit("p", part_of="a"), unit("w", wants="a")
    )
    assert found.dependents("a") == ["r", "b", "p"]
    assert found.bound_to("a") == ["b"]
