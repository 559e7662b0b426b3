"""From files to units: what is honoured, what is named as not honoured, what is refused, and what is pulled in."""

import os
import resource
import signal

import pytest
from load_support import ROOTS, TRUE

from hafta import exits
from hafta.errors import UsageError
from hafta.units import load
from hafta.units.load import Loader, full_name, search_path
from hafta.units.read import read_unit
from hafta.units.restart import Policy, Statuses
from hafta.units.specifiers import Specifiers
from hafta.units.unit import Needs
from hafta.units.unitfile import UnitError, parse


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


def test_an_empty_value_takes_back_what_was_said_where_systemd_allows_it():
    specifiers = Specifiers("x.service", "/x.service", ROOTS)
    text = """[Service]
ExecStart=/bin/true
KillMode=mixed
User=daemon
WorkingDirectory=/x
TimeoutAbortSec=5
Environment=A=1
RuntimeDirectory=a
SuccessExitStatus=3
KillMode=
User=
WorkingDirectory=
TimeoutAbortSec=
Environment=
RuntimeDirectory=
SuccessExitStatus=
Environment=B=2
"""
    unit = read_unit(parse(text, "/x.service"), specifiers)
    plain = read_unit(parse("[Service]\nExecStart=/bin/true\nEnvironment=B=2", "/x.service"), specifiers)
    assert unit == plain


def test_an_empty_line_takes_back_no_dependency(files):
    assert files.one("", "After=a.service\nAfter=\nAfter=b.service").needs.after == ("a.service", "b.service")


def test_an_infinite_watchdog_is_none_and_an_infinite_wait_for_a_restart_is_refused(files):
    assert files.one("WatchdogSec=infinity").watchdog_sec == 0
    with pytest.raises(UnitError, match="RestartSec=infinity: expected a time span that ends"):
        files.one("RestartSec=infinity")


def test_each_limit_is_set_by_itself(files):
    unit = files.one("LimitCORE=0\nLimitAS=1M\nLimitAS=2M")
    assert unit.limits == ((resource.RLIMIT_CORE, 0, 0), (resource.RLIMIT_AS, 2**21, 2**21))


def test_timeoutsec_is_both_timeouts_until_a_later_line_sets_one(files):
    unit = files.one("TimeoutStartSec=1\nTimeoutStopSec=2\nTimeoutSec=3\nTimeoutStopSec=4")
    assert (unit.timeout_start, unit.timeout_stop, unit.timeout_abort) == (3.0, 4.0, 4.0)


def test_a_target_has_no_start_limit(files):
    files.write("t.target", "[Unit]\nStartLimitBurst=1\n")
    assert files.load("t.target")["t.target"].policy.limit_burst == 0


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("Restart=maybe", "x.service:5: Restart=maybe: expected one of no, always,", "correct Restart= in"),
        ("UMask=0888\nUMask=022", "UMask=0888: expected an octal mode", "correct UMask="),
        *(
            (f"{name}=", f"{name}=: expected", f"correct {name}=")
            for name in ("Restart", "UMask", "RestartSec", "LimitCORE")
        ),
    ],
)
def test_a_unit_that_cannot_be_run_is_refused_with_file_line_directive_and_value(files, text, message, hint):
    with pytest.raises(UnitError) as caught:
        files.one(text)
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert caught.value.status == exits.USAGE


def test_a_unit_that_is_not_there_is_named_with_who_requires_it(files):
    files.service("a", unit="Requires=b.service\n")
    with pytest.raises(UsageError, match=r"^there is no unit b\.service, which a\.service requires$"):
        files.load("a")


def test_a_unit_is_found_by_file_and_by_name_and_the_suffix_may_be_left_out(files):
    path = files.service("a")
    assert files.load("a", "a")["a.service"].file == path
    assert Loader((), ROOTS).load([path])["a.service"].file == path
    assert (full_name("a"), full_name("a.target")) == ("a.service", "a.target")


@pytest.mark.parametrize(
    ("name", "message", "status"),
    [
        ("nosuch", "there is no unit nosuch.service", exits.NOT_FOUND),
        ("a.mount", "a.mount: the embedded overlord runs services, sockets and targets only", exits.USAGE),
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
    os.mkfifo(files.path / "units" / "a.service")
    with pytest.raises(UnitError, match=r"a\.service: not a regular file"):
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


@pytest.mark.parametrize(
    ("weaker", "stronger"),
    [
        ("etc/service.d", "lib/foo-bar.service.d"),
        ("lib/foo-bar.service.d", "etc/foo-bar.service.d"),
        ("lib/foo-bar.service.d", "etc/foo-.service.d"),
        ("etc/foo-.service.d", "etc/foo-bar.service.d"),
        ("lib/service.d", "etc/service.d"),
        ("etc/service.d", "lib/alias.service.d"),
        ("etc/alias.service.d", "lib/foo-bar.service.d"),
    ],
)
def test_of_drop_ins_with_one_name_that_of_the_closer_name_counts_then_that_of_the_first_path(files, weaker, stronger):
    files.write("foo-bar.service", f"[Service]\n{TRUE}", "lib")
    os.symlink("foo-bar.service", files.path / "lib" / "alias.service")
    for folder in (weaker, stronger):
        files.write(f"{folder}/10.conf", f"[Service]\nEnvironment=A={folder}\n", "")
    for name in ("foo-bar", "alias"):
        (unit,) = Loader((str(files.path / "etc"), str(files.path / "lib")), ROOTS).load([name]).values()
        assert unit.environment == (("A", stronger),)


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


ALIASES = [
    # link, its target, what is asked for, what it is
    ("alias.service", "real.service", "alias", "real.service"),
    ("alias.service", "{units}/real.service", "alias.service", "real.service"),
    ("alias@.service", "temp@.service", "alias@x", "temp@x.service"),
    ("temp@x.service", "temp@.service", "temp@x", "temp@x.service"),
    ("alias@x.service", "temp@.service", "alias@x", "temp@x.service"),
    ("linked.service", "{else}/else.service", "linked", "linked.service"),
]


@pytest.mark.parametrize(("link", "target", "asked", "own"), ALIASES)
def test_a_unit_with_two_names_is_one(files, link, target, asked, own):
    files.service("real")
    files.service("temp@")
    files.write("else.service", f"[Service]\n{TRUE}", "else")
    places = {"units": files.path / "units", "else": files.path / "else"}
    os.symlink(target.format(**places), files.path / "units" / link)
    files.service("other", unit=f"Wants={full_name(asked)}\nAfter={full_name(asked)} {own}")
    units = files.load(asked, own, "other")
    assert set(units) == {own, "other.service"}
    assert units["other.service"].needs == Needs(wants=(own,), after=(own,))


@pytest.mark.parametrize(
    ("link", "target"),
    [("a.service", "none.service"), ("a.service", "b.target"), ("a.service", "t@.service"), ("a.service", "a.service")],
)
def test_a_link_that_is_no_alias_is_no_unit(files, link, target):
    files.service("t@")
    files.write("b.target", "[Unit]\n")
    os.symlink(target, files.path / "units" / link)
    with pytest.raises(UsageError, match=r"there is no unit a\.service"):
        files.load("a")


def test_links_by_an_alias_in_wants_directories_count_for_the_unit(files):
    files.service("real")
    files.service("wanted")
    os.symlink("real.service", files.path / "units" / "alias.service")
    os.symlink("wanted.service", files.path / "units" / "other.service")
    files.write("alias.service.wants/other.service", "")
    units = files.load("real")
    assert units["real.service"].needs.wants == ("wanted.service",)
    assert list(units) == ["real.service", "wanted.service"]


def test_a_unit_does_not_depend_on_itself(files):
    files.service("a", unit="After=%n b.service\nWants=a.service\nBefore=alias.service")
    os.symlink("a.service", files.path / "units" / "alias.service")
    assert files.load("a")["a.service"].needs == Needs(after=("b.service",))


def test_what_is_wanted_but_refused_is_left_out_with_those_that_require_it_and_noted(files):
    files.service("bad", "Restart=maybe")
    files.service("needs", unit="Requires=bad.service other.service")
    files.service("other")
    files.service("good")
    files.service("a", unit="Wants=bad.service needs.service good.service")
    loader = Loader((str(files.path / "units"),), ROOTS)
    assert list(loader.load(["a"])) == ["a.service", "good.service"]
    first, second = loader.notes
    assert first.startswith("a.service wants bad.service, which cannot be run: ")
    assert "bad.service:5: Restart=maybe: expected one of" in first
    assert second.startswith("a.service wants needs.service, which cannot be run: ")


def test_all_reasons_are_named_at_once(files):
    files.service("bad", "Restart=maybe")
    files.service("worse", "UMask=9", unit="Requires=none.service")
    files.service("a", unit="Requires=bad.service nosuch.service\nWants=good.service")
    with pytest.raises(UsageError) as caught:
        files.load("a", "worse")
    text = caught.value.message
    assert text.startswith("3 units cannot be run: ")
    assert "worse.service:5: UMask=9: expected" in text
    assert "bad.service:5: Restart=maybe: expected" in text
    assert "; there is no unit nosuch.service, which a.service requires" in text


def test_a_chain_of_thousands_of_units_is_read(files):
    for at in range(2000):
        files.write(f"u{at}.service", f"[Unit]\nWants=u{at + 1}.service\n[Service]\n{TRUE}")
    assert len(files.load("u0")) == 2000


def test_default_target_is_what_is_enabled(files, monkeypatch):
    """As Debian has it: default is a link, graphical requires multi-user, and that wants what was enabled."""
    admin = files.path / "admin"
    monkeypatch.setattr(load, "ADMINISTRATOR", (str(admin),))
    monkeypatch.setattr(load, "SYSTEM", (str(admin), str(files.system)))
    files.write("graphical.target", "[Unit]\nRequires=multi-user.target\nWants=display-manager.service\n", "system")
    files.write("multi-user.target", "[Unit]\nRequires=basic.target\n", "system")
    files.write("basic.target", "[Unit]\nWants=never.service\n", "system")
    files.write("app.target", "[Unit]\nWants=part.service\n", "system")
    os.symlink("graphical.target", files.system / "default.target")
    for name in ("web", "part", "systemd-logind", "never"):
        files.write(f"{name}.service", f"[Service]\n{TRUE}", "system")
    for link in ("multi-user.target.wants/systemd-logind.service", "multi-user.target.wants/getty.target"):
        files.write(link, "", "system")
    for link in ("web.service", "app.target", "none.service"):
        files.write(f"multi-user.target.wants/{link}", "", "admin")
    for given in ("default.target", "graphical.target", "multi-user.target"):
        loader = Loader((str(admin), str(files.system)), ROOTS)
        units = loader.load([given])
        expected = {"web.service", "app.target", "part.service", "multi-user.target", loader.canonical(given)}
        assert set(units) == expected
        assert "multi-user.target wants none.service, which does not exist: skipped" in loader.notes


def test_wants_and_requires_are_pulled_in_and_what_is_only_wanted_may_be_missing(files):
    files.service("a", unit="Wants=b.service none.service\nRequires=c.service\nBindsTo=d.service\nPartOf=e.service")
    for name in "bcde":
        files.service(name)
    loader = Loader((str(files.path / "units"),), ROOTS)
    assert list(loader.load(["a"])) == ["a.service", "b.service", "c.service", "d.service"]
    assert loader.notes == ["a.service wants none.service, which does not exist: skipped"]
    files.service("f", unit="Requires=none.service")
    with pytest.raises(UsageError, match=r"there is no unit none\.service"):
        files.load("f")


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
    assert os.path.join(load.PREFIX, "lib/systemd/system") in search_path([])


@pytest.mark.parametrize("prefix", ["/usr", "/opt/venv"])
def test_what_the_administrator_changes_wins_over_the_installed_unit(monkeypatch, prefix):
    """`systemctl edit --full`, `mask`, and drop-ins of the same name: /etc first, then /run, then the vendor."""
    monkeypatch.setattr(load, "in_checkout", lambda: False)
    monkeypatch.setattr(load, "PREFIX", prefix)
    path = search_path(["/given"])
    expected = ("/given", "/etc/systemd/system", "/run/systemd/system", f"{prefix}/lib/systemd/system")
    assert path[:4] == expected
    assert len(path) == len(set(path))


def test_a_masked_unit_that_is_only_wanted_is_left_out_and_said(files):
    files.service("a", unit="Wants=masked.service")
    os.symlink("/dev/null", files.path / "units" / "masked.service")
    loader = Loader((str(files.path / "units"),), ROOTS)
    assert list(loader.load(["a"])) == ["a.service"]
    assert loader.notes == ["a.service wants masked.service, which is masked: skipped"]


def test_the_shipped_units_can_be_run():
    units = Loader(search_path([]), ROOTS).load(["hafta.target", "hafta-client@x"])
    assert set(units) == {"hafta.target", "hafta-server.service", "hafta-client.service", "hafta-client@x.service"}
    assert dict(units["hafta-client@x.service"].environment)["HAFTA_PIPE"] == "/run/hafta/x"
