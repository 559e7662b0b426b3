"""Values, specifiers, users, command lines and environments: text in, value out, or what was expected."""

import os
import platform
import pwd
import resource
import signal
import subprocess
from shutil import which
from types import SimpleNamespace

import pytest

from hafta.overlord import execstart, specifiers, users, values
from hafta.overlord.dirs import Roots
from hafta.overlord.environment import compose, parse_file, read_file
from hafta.overlord.execstart import ExecStart, resolve
from hafta.overlord.restart import Outcome, Statuses
from hafta.overlord.specifiers import Name, Specifiers, unescape
from hafta.overlord.unit import Command, Credentials, Unit
from hafta.systemd.unitfile import UnitError

ROOTS = Roots("/run", "/var/lib", "/var/cache", "/var/log", "/etc")
SPEC = Specifiers("foo-bar@a-b\\x2dc.service", "/u/foo-bar@.service", ROOTS)


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        (values.text, "%p", "foo-bar"),
        (values.yes, "on", True),
        (values.seconds, "1min", 60.0),
        (values.delay, "500ms", 0.5),
        (values.watchdog, "30", 30.0),
        (values.watchdog, "infinity", 0.0),
        (values.timeout, "0", float("inf")),
        (values.timeout, "2", 2.0),
        (values.whole, "12", 12),
        (values.mode, "0750", 0o750),
        (values.one_of("a", "b"), "b", "b"),
        (values.names, "a %j.service", ("a", "bar.service")),
        (values.folders, "a b/c", ("a", "b/c")),
        (values.signal_number, "SIGTERM", 15),
        (values.signal_number, "HUP", 1),
        (values.signal_number, "9", 9),
        (values.signal_number, "SIGRTMIN+3", signal.SIGRTMIN + 3),
        (values.signal_number, "RTMAX-1", signal.SIGRTMAX - 1),
        (values.assignments, 'A=1 "B=x y" C=%%', (("A", "1"), ("B", "x y"), ("C", "%"))),
        (values.environment_file, "-/etc/%p", (("/etc/foo-bar", True),)),
        (values.environment_file, "/etc/x", (("/etc/x", False),)),
        (values.directory, "-/tmp", ("/tmp", True)),
        (values.directory, "-~", ("~", True)),
        (values.limit("CORE"), "0", (resource.RLIMIT_CORE, 0, 0)),
        (values.limit("NOFILE"), "1K:infinity", (resource.RLIMIT_NOFILE, 1024, resource.RLIM_INFINITY)),
        (values.limit("AS"), "2G", (resource.RLIMIT_AS, 2**31, 2**31)),
        (values.limit("FSIZE"), "3P:1E", (resource.RLIMIT_FSIZE, 3 * 2**50, 2**60)),
        (values.limit("CPU"), "90", (resource.RLIMIT_CPU, 90, 90)),
        (values.limit("CPU"), "1min:infinity", (resource.RLIMIT_CPU, 60, resource.RLIM_INFINITY)),
        (values.limit("CPU"), "1500ms", (resource.RLIMIT_CPU, 2, 2)),
        (values.limit("NICE"), "-5", (resource.RLIMIT_NICE, 25, 25)),
        (values.limit("NICE"), "+19:-20", (resource.RLIMIT_NICE, 1, 40)),
        (values.limit("NICE"), "13", (resource.RLIMIT_NICE, 13, 13)),
    ],
)
def test_values_are_read(read, text, value):
    assert read(text, SPEC) == value


@pytest.mark.parametrize(
    ("read", "text", "message"),
    [
        (values.whole, "-1", "a whole number, 0 or more"),
        (values.whole, "9999999999", "a whole number, 0 or more"),
        (values.delay, "infinity", "a time span that ends"),
        (values.mode, "888", "an octal mode such as 0750"),
        (values.mode, "70000", "an octal mode"),
        (values.one_of("a", "b"), "c", "one of a, b"),
        (values.folders, "/a", "names of directories"),
        (values.folders, "a/../b", "names of directories"),
        (values.folders, "''", "names of directories"),
        (values.folders, "a:b", "the link that a colon asks for is not made"),
        (values.signal_number, "SIGNOPE", "a signal such as SIGTERM or 15"),
        (values.signal_number, "99", "a signal such as SIGTERM or 15"),
        (values.signal_number, "SIGTERM+1", "a signal such as SIGTERM or 15"),
        (values.signal_number, "RTMIN+x", "a signal such as SIGTERM or 15"),
        (values.signal_number, "RTMAX+1", "a signal such as SIGTERM or 15"),
        (values.statuses, "256", "exit statuses 0 to 255 or signals, not 256"),
        (values.statuses, "NOPE", "not NOPE"),
        (values.assignments, "1A=x", "NAME=VALUE, not 1A=x"),
        (values.assignments, "A", "NAME=VALUE, not A"),
        (values.environment_file, "etc/x", "an absolute path"),
        (values.directory, "x", "an absolute path or ~"),
        (values.limit("CORE"), "x", "a number, with K, M, G, T, P or E"),
        (values.limit("CORE"), "", "a number, with K, M, G, T, P or E"),
        (values.limit("CPU"), "1x", "a time span"),
        (values.limit("NICE"), "-21", "a nice level from -20 to \\+19"),
        (values.limit("NICE"), "+20", "a nice level from -20 to \\+19"),
        (values.limit("NICE"), "-", "a nice level from -20 to \\+19"),
        (values.text, "%z", "a specifier that exists, not %z"),
        (values.text, "100%", "a specifier that exists, not %;"),
    ],
)
def test_wrong_values_say_what_was_expected(read, text, message):
    with pytest.raises(ValueError, match=message):
        read(text, SPEC)


def test_sets_of_statuses_take_numbers_names_and_signals():
    (found,) = values.statuses("1 TEMPFAIL SIGKILL 250 CHDIR", SPEC)
    assert found == Statuses(frozenset((1, 75, 250, 200)), frozenset((9,)))
    assert Outcome(75) in found
    assert Outcome(0, signal.SIGKILL) in found
    assert Outcome(9) not in found


def test_exit_statuses_have_the_names_that_systemd_exec_5_gives_them():
    known = {"NOTRUNNING": 7, "NOPERM": 77, "CONFIG": 78, "BPF": 244, "EXCEPTION": 255, "NAMESPACE": 226, "PAM": 224}
    known |= {"SECUREBITS": 213, "SETSCHEDULER": 214, "STDERR": 222, "ADDRESS_FAMILIES": 232, "RUNTIME_DIRECTORY": 233}
    known |= {"CHOWN": 235, "CONFIGURATION_DIRECTORY": 241, "NUMA_POLICY": 242, "EXEC": 203, "USER": 217}
    assert known.items() <= values.EXIT_NAMES.items()
    assert len(values.EXIT_NAMES) == len(set(values.EXIT_NAMES.values())) == 67


@pytest.mark.skipif(not which("systemd-analyze"), reason="there is no systemd-analyze")
def test_exit_statuses_have_the_names_that_systemd_knows():
    listed = subprocess.run(["systemd-analyze", "exit-status"], capture_output=True, text=True, check=False).stdout
    known = {words[0]: int(words[1]) for words in map(str.split, listed.splitlines()[1:])}
    assert {name: number for name, number in known.items() if values.EXIT_NAMES.get(name) != number} == {}


@pytest.mark.parametrize(
    ("letter", "value"),
    [
        *(("n", "foo-bar@a-b\\x2dc.service"), ("N", "foo-bar@a-b\\x2dc"), ("p", "foo-bar"), ("P", "foo/bar")),
        *(("i", "a-b\\x2dc"), ("I", "a/b-c"), ("j", "bar"), ("J", "bar"), ("f", "/a/b-c"), ("%", "%")),
        *(("t", "/run"), ("S", "/var/lib"), ("C", "/var/cache"), ("L", "/var/log"), ("E", "/etc"), ("T", "/tmp")),
        *(
            ("V", "/var/tmp"),
            ("y", "/u/foo-bar@.service"),
            ("Y", "/u"),
            ("U", str(os.geteuid())),
            ("G", str(os.getegid())),
        ),
        *(("u", pwd.getpwuid(os.geteuid()).pw_name), ("h", pwd.getpwuid(os.geteuid()).pw_dir)),
        *(("H", os.uname().nodename), ("l", os.uname().nodename.split(".")[0]), ("v", os.uname().release)),
        ("s", pwd.getpwuid(os.geteuid()).pw_shell),
    ],
)
def test_specifiers_mean_what_systemd_unit_5_says(letter, value):
    assert SPEC.expand(f"<%{letter}>") == f"<{value}>"


@pytest.mark.parametrize(
    ("machine", "value"),
    [("x86_64", "x86-64"), ("i686", "x86"), ("aarch64", "arm64"), ("armv7l", "arm"), ("riscv64", "riscv64")],
)
def test_an_architecture_has_the_name_that_systemd_gives_it(machine, value, monkeypatch):
    monkeypatch.setattr(os, "uname", lambda: SimpleNamespace(machine=machine))
    assert SPEC.expand("%a") == value


def test_fields_of_the_operating_system_are_empty_where_it_does_not_tell(monkeypatch):
    monkeypatch.setattr(platform, "freedesktop_os_release", lambda: {"ID": "debian", "VERSION_ID": "12"})
    assert SPEC.expand("%o %w %W%A%B%M.") == "debian 12 ."

    def missing():
        raise OSError

    monkeypatch.setattr(platform, "freedesktop_os_release", missing)
    assert SPEC.expand("%o%w.") == "."


@pytest.mark.parametrize(
    ("text", "value"),
    [("PRETTY_HOSTNAME='The Box'\n", "The Box"), ("CHASSIS=vm\n", ""), ("rubbish\n", ""), (None, "")],
)
def test_the_pretty_name_of_the_host_is_its_name_where_nobody_gave_it_one(text, value, tmp_path, monkeypatch):
    file = tmp_path / "machine-info"
    monkeypatch.setattr(specifiers, "MACHINE_INFO", str(file), raising=False)
    if text is not None:
        file.write_text(text)
    assert SPEC.expand("%q") == (value or os.uname().nodename)


def test_ids_are_32_digits_or_nothing(tmp_path):
    assert len(SPEC.expand("%b")) == 32
    assert len(SPEC.expand("%m")) in {0, 32}
    assert specifiers._line_of(str(tmp_path / "missing")) == ""


def test_a_user_and_a_group_without_a_name_are_shown_by_number(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 4_000_000)
    monkeypatch.setattr(os, "getegid", lambda: 4_000_001)
    monkeypatch.setenv("HOME", "/h")
    assert SPEC.expand("%u %g %h") == "4000000 4000001 /h"
    assert SPEC.expand("%g") == "4000001"


def test_unescape_leaves_what_is_no_escape():
    assert unescape(r"a\x2db\xzz") == r"a-b\xzz"


def test_names_have_their_parts():
    name = Name("a@b.service")
    assert (name.prefix, name.instance, name.suffix, name.template) == ("a", "b", "service", "a@.service")
    assert Name("a@.service").is_template
    assert not Name("a.service").template


def command(text):
    return ExecStart(text, SPEC)


def test_a_command_line_loses_its_quotes_and_keeps_its_variables_for_later():
    assert command(r"""/bin/sh -c 'a  b' "%p" $X ${Y} \;""").argv == (
        "/bin/sh",
        "-c",
        "a  b",
        "foo-bar",
        "$X",
        "${Y}",
        ";",
    )


def test_prefixes_are_read():
    found = command("-@:/bin/sh name -c x")
    assert (found.program, found.argv, found.ignores_failure) == ("/bin/sh", ("name", "-c", "x"), True)
    assert found.command() == Command("/bin/sh", ("name", "-c", "x"), plain=True)
    assert command("+!!/bin/sh").lost_prefixes == "+!"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a program"),
        ("''", "a program"),
        ("@/bin/sh", "a program and, because of the @"),
        ("/bin/a ; /bin/b", "one command: ; begins a second one"),
        ("'/bin/sh", "a closing '"),
    ],
)
def test_wrong_command_lines_say_what_was_expected(text, message):
    with pytest.raises(ValueError, match=message):
        command(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bin/sh", "an absolute path, or a bare name"),
        ("{missing}", "a program that can be run: {missing} is not there or not executable"),
        ("/etc/passwd", "a program that can be run"),
        ("nosuchprogram", "a program that can be run"),
    ],
)
def test_a_program_that_cannot_be_run_is_an_error_before_anything_is_started(text, message, tmp_path):
    missing = tmp_path / "missing"
    with pytest.raises(ValueError, match=message.format(missing=missing)):
        command(text.format(missing=missing)).command()


def test_a_bare_name_is_looked_for_in_the_usual_places():
    assert command("sh -c x").command().path in {"/usr/bin/sh", "/bin/sh"}


def test_our_own_programs_come_from_the_tree_of_the_overlord():
    found = command("/usr/bin/hafta-server --interval 0").command()
    assert found.argv[1:] == ("-P", "-m", "hafta.server", "--interval", "0")
    assert found.environment == (("PYTHONPATH", execstart.TREE),)
    assert found.note.startswith("/usr/bin/hafta-server is run as ")


def test_an_installed_overlord_runs_the_installed_programs(monkeypatch, tmp_path):
    program = tmp_path / "hafta-server"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setattr(execstart, "TREE", str(tmp_path))
    assert command(str(program)).command() == Command(str(program), (str(program),))
    program.chmod(0o644)
    assert command(str(program)).command().argv[1:4] == ("-P", "-m", "hafta.server")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("p", "$A"), ["p", "one", "two words"]),
        (("p", "${A}"), ["p", "one 'two words'"]),
        (("p", "x${B}y$B"), ["p", "xby$B"]),
        (("p", "$NONE", "${NONE}"), ["p", ""]),
        (("p", "$$A", "a$$b", "$$"), ["p", "$A", "a$b", "$"]),
        (("$A", "${B"), ["$A", "${B"]),
        (("p", "$Q"), ["p", "it's"]),
        (("p", "$A/x"), ["p"]),
    ],
)
def test_variables_are_resolved_as_systemd_does_without_a_shell(words, expected):
    assert resolve(words, {"A": "one 'two words'", "B": "b", "Q": "it's"}) == expected


def test_an_environment_file_is_read_as_systemd_exec_5_says():
    text = """
# comment with 'quote
; another
A=plain text \n  export B = "double \\"x\\" \\y \\$z"
C='single \\ stays'
D=con\\
tinued
E="two
lines"
F=\\a\\'b
G="""
    assert dict(parse_file(text, "f")) == {
        "A": "plain text",
        "B": 'double "x" \\y $z',
        "C": "single \\ stays",
        "D": "continued",
        "E": "two\nlines",
        "F": "a'b",
        "G": "",
    }


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("don't", "don't"),
        ('{"a": "b c"}', '{"a": "b c"}'),
        ('--name="x y"', '--name="x y"'),
        ('"x" "y"', "xy"),
        ('"x" y \t', "xy"),
        ("'a'b'c'", "ab'c'"),
        ("\\ x\\ ", " x "),
        ("\xa0x", "\xa0x"),
        ("x\r", "x"),
    ],
)
def test_a_quote_counts_only_where_a_value_begins_and_the_next_line_is_another(text, value):
    assert dict(parse_file(f"A={text}\nB=2\n", "f")) == {"A": value, "B": "2"}


def test_a_wrong_line_of_an_environment_file_is_named():
    with pytest.raises(UnitError, match="f:3: no assignment: expected NAME=value"):
        dict(parse_file("A='1\n2'\nno assignment\n", "f"))


def test_an_environment_file_may_be_missing_only_with_the_dash(tmp_path):
    path = str(tmp_path / "none")
    assert read_file(path, "u", optional=True) == {}
    assert read_file("/etc/passwd/x", "u", optional=True) == {}
    with pytest.raises(UnitError, match=f"u: EnvironmentFile={path}: No such file or directory") as caught:
        read_file(path, "u", optional=False)
    assert caught.value.hint == f"make it, or write EnvironmentFile=-{path} if it may be missing"
    with pytest.raises(UnitError, match="Is a directory"):
        read_file(str(tmp_path), "u", optional=True)


def test_an_environment_file_with_wildcards_is_all_that_match_in_order(tmp_path):
    for name in "ba":
        (tmp_path / f"{name}.env").write_text(f"LAST={name}\n{name}=1\n")
    unit = Unit("u.service", "f", environment_files=((f"{tmp_path}/*.env", False), (f"{tmp_path}/no*", True)))
    assert compose(unit, {}, {}) == {"PATH": execstart.PATH, "a": "1", "b": "1", "LAST": "b"}
    missing = unit.replace(environment_files=((f"{tmp_path}/no*", False),))
    with pytest.raises(UnitError, match=r"no\*: No such file or directory"):
        compose(missing, {}, {})


def test_the_environment_is_clean_and_what_comes_later_wins(tmp_path):
    file = tmp_path / "env"
    file.write_text("A=file\nB=file\n")
    unit = Unit(
        "u.service",
        "f",
        environment=(("A", "unit"), ("Z", "unit"), ("Y", "1"), ("X", "1")),
        environment_files=((str(file), False),),
        pass_environment=("OURS", "NONE"),
        unset_environment=("Y", "X=1", "Z=other", "NOBODY"),
        command=Command("/bin/sh", (), environment=(("PYTHONPATH", "p"),)),
    )
    ours = {"OURS": "o", "SECRET": "s", "LANG": "C", "LC_ALL": "C", "HOME": "/h", "PATH": "/evil"}
    assert compose(unit, ours, {"B": "extra"}) == {
        "PATH": execstart.PATH,
        "LANG": "C",
        "LC_ALL": "C",
        "OURS": "o",
        "HOME": "/h",
        "A": "file",
        "B": "extra",
        "Z": "unit",
        "PYTHONPATH": "p",
    }


def test_a_service_with_a_user_sees_its_users_home():
    unit = Unit("u.service", "f", credentials=Credentials(5, 6, "games", "/games", "/bin/no"))
    found = compose(unit, {"HOME": "/root", "USER": "root"}, {})
    assert (found["HOME"], found["USER"], found["LOGNAME"], found["SHELL"]) == ("/games", "games", "games", "/bin/no")


@pytest.fixture
def as_root(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)


@pytest.fixture
def as_somebody(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    monkeypatch.setattr(os, "getegid", lambda: 12345)


@pytest.mark.usefixtures("as_root")
def test_root_changes_to_users_and_groups_that_exist():
    daemon = pwd.getpwnam("daemon")
    who = Credentials(daemon.pw_uid, daemon.pw_gid, "daemon", daemon.pw_dir, daemon.pw_shell)
    assert users.find_credentials("", "") == (Credentials(), (), ())
    assert users.find_credentials("daemon", "") == (who, (), ())
    assert users.find_credentials(str(daemon.pw_uid), "") == (who, (), ())
    assert users.find_credentials("daemon", "0") == (who.replace(gid=0), (), ())
    assert users.find_credentials("", "daemon") == (Credentials(-1, daemon.pw_gid), (), ())


@pytest.mark.usefixtures("as_root")
def test_root_runs_as_root_what_names_nobody_and_says_so():
    assert users.find_credentials("nosuch", "") == (
        Credentials(missing="nosuch"),
        ("User",),
        ("there is no user nosuch here: runs as root",),
    )
    assert users.find_credentials("nosuch", "daemon")[1] == ("User", "Group")
    found, lost, why = users.find_credentials("", "nosuch")
    assert (found, lost) == (Credentials(), ("Group",))
    assert why == ("there is no group nosuch here: runs with the group of its user",)
    assert users.find_credentials("daemon", "nosuch")[0].name == "daemon"


@pytest.mark.usefixtures("as_somebody")
def test_others_run_as_themselves_and_say_so_unless_that_is_what_the_unit_asks_for():
    caller = "only root can change the user: runs as the caller"
    assert users.find_credentials("root", "root") == (Credentials(), ("User", "Group"), (caller,))
    assert users.find_credentials("nosuch", "12345") == (Credentials(), ("User",), (caller,))
    assert users.find_credentials("", "12345") == (Credentials(), (), ())
