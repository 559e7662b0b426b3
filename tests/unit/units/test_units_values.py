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

from hafta.units import folders, specifiers, values
from hafta.units.limits import limit
from hafta.units.names import Name
from hafta.units.restart import Outcome, Statuses
from hafta.units.roots import Roots
from hafta.units.specifiers import Specifiers, unescape

FOLDERS = folders.folders(links=True)
ROOTS = Roots("/run", "/var/lib", "/var/cache", "/var/log", "/etc")
SPEC = Specifiers("foo-bar@a-b\\x2dc.service", "/u/foo-bar@.service", ROOTS)


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        (values.identity, "%p", "foo-bar"),
        (values.identity, "65534", "65534"),
        (values.preserve, "on", "yes"),
        (values.preserve, "restart", "restart"),
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
        (values.whole, "0x10", 16),
        (values.units, "a.socket %j.service", ("a.socket", "bar.service")),
        (values.units, r"a\x2db.service x@.target", (r"a\x2db.service", r"x@a-b\x2dc.target")),
        (values.units, "x@b@.service", ("x@b@.service",)),
        (values.variables, r"A '\B' %j", ("A", "B", "bar")),
        (values.unwanted, "A 'B=x y' C=", ("A", "B=x y", "C=")),
        (FOLDERS, "a b/c:l ./d//e/ a:b/", (("a", ""), ("b/c", "l"), ("d/e", ""), ("a", "b"))),
        (FOLDERS, r"'a b' c\x41 d\:e", (("a b", ""), ("cA", ""), ("d:e", ""))),
        (values.signal_number, "0x0f", 15),
        (values.signal_number, "33", 33),
        (values.signal_number, "SIGTERM", 15),
        (values.signal_number, "HUP", 1),
        (values.signal_number, "9", 9),
        (values.signal_number, "SIGRTMIN+3", signal.SIGRTMIN + 3),
        (values.signal_number, "RTMAX-1", signal.SIGRTMAX - 1),
        (values.assignments, 'A=1 "B=x y" C=%%', (("A", "1"), ("B", "x y"), ("C", "%"))),
        (values.environment_file, "-/etc/%p", (("/etc/foo-bar", True),)),
        (values.environment_file, "/etc/x", (("/etc/x", False),)),
        (values.environment_file, "/a//./b/", (("/a/b", False),)),
        (values.directory, "-/tmp", ("/tmp", True)),
        (values.directory, "/a//./b/", ("/a/b", False)),
        (values.directory, "-~", ("~", True)),
        (limit("CORE"), "0", (resource.RLIMIT_CORE, 0, 0)),
        (limit("NOFILE"), "1024:infinity", (resource.RLIMIT_NOFILE, 1024, resource.RLIM_INFINITY)),
        (limit("STACK"), "1.5M:1G", (resource.RLIMIT_STACK, 3 * 2**19, 2**30)),
        (limit("LOCKS"), "5", (10, 5, 5)),
        (limit("RTTIME"), "5:2ms", (resource.RLIMIT_RTTIME, 5, 2000)),
        (limit("AS"), "2G", (resource.RLIMIT_AS, 2**31, 2**31)),
        (limit("FSIZE"), "3P:1E", (resource.RLIMIT_FSIZE, 3 * 2**50, 2**60)),
        (limit("CPU"), "90", (resource.RLIMIT_CPU, 90, 90)),
        (limit("CPU"), "1min:infinity", (resource.RLIMIT_CPU, 60, resource.RLIM_INFINITY)),
        (limit("CPU"), "1500ms", (resource.RLIMIT_CPU, 2, 2)),
        (limit("NICE"), "-5", (resource.RLIMIT_NICE, 25, 25)),
        (limit("NICE"), "+19:-20", (resource.RLIMIT_NICE, 1, 40)),
        (limit("NICE"), "13", (resource.RLIMIT_NICE, 13, 13)),
    ],
)
def test_values_are_read(read, text, value):
    assert read(text, SPEC) == value


@pytest.mark.parametrize(
    ("read", "text", "message"),
    [
        (values.whole, "-1", "a whole number, 0 or more"),
        (values.whole, "9999999999", "a whole number, at most 4294967295"),
        (values.delay, "infinity", "a time span that ends"),
        (values.mode, "888", "an octal mode such as 0750"),
        (values.mode, "70000", "an octal mode"),
        (values.one_of("a", "b"), "c", "one of a, b"),
        *((values.identity, text, "the name or the number of a user") for text in ("00", "65535", "4294967295", "a:b")),
        *(
            (values.identity, text, "the name or the number")
            for text in ("-1", ".", " a", "a/b", "4294967296", "9" * 5000)
        ),
        *((FOLDERS, text, "names of directories") for text in ("/a", "a/../b", "''", ".", "\\xff")),
        (FOLDERS, "private/x", "other than private, which is reserved"),
        (FOLDERS, r"\q", "a C escape"),
        *(
            (values.units, text, f"names of units such as x.service, not {text}")
            for text in ("a", "a.servic", "@a.service")
        ),
        (values.units, "a" * 248 + ".service", "names of units"),
        (values.variables, "1A", "names of variables, not 1A"),
        (values.unwanted, "1A=2", "names of variables, or NAME=VALUE, not 1A=2"),
        (folders.folders(links=False), "a:b", "a link cannot be made for them"),
        (FOLDERS, "a:../b", "names of directories"),
        (values.signal_number, "SIGNOPE", "a signal such as SIGTERM or 15"),
        *(
            (values.signal_number, text, "a signal such as")
            for text in ("0", "65", "CLD", "term", "SIGSIGTERM", "RTMIN+31")
        ),
        (values.signal_number, "99", "a signal such as SIGTERM or 15"),
        (values.signal_number, "SIGTERM+1", "a signal such as SIGTERM or 15"),
        (values.signal_number, "RTMIN+x", "a signal such as SIGTERM or 15"),
        (values.signal_number, "RTMAX+1", "a signal such as SIGTERM or 15"),
        (values.statuses, "256", "exit statuses 0 to 255 or signals, not 256"),
        (values.statuses, "NOPE", "not NOPE"),
        (values.statuses, "'3'", "not '3'"),
        (values.assignments, "1A=x", "NAME=VALUE, not 1A=x"),
        (values.assignments, "A", "NAME=VALUE, not A"),
        (values.assignments, r"A=\xff", "NAME=VALUE, not A="),
        (values.environment_file, "etc/x", "an absolute path"),
        (values.environment_file, "/a/../b", "an absolute path"),
        (values.directory, "/a/..", "an absolute path or ~"),
        (values.directory, "x", "an absolute path or ~"),
        (limit("CORE"), "x", "a size such as 4096, 64K"),
        (limit("CORE"), "", "a size such as 4096, 64K"),
        (limit("NOFILE"), "4K", "a whole number"),
        (limit("NOFILE"), "2048:1024", "a soft limit that is at most the hard one"),
        (limit("NOFILE"), "infinity:1", "a soft limit that is at most the hard one"),
        (limit("NICE"), "infinity", "a nice level"),
        (limit("CPU"), "1x", "a time span"),
        (limit("NICE"), "-21", "a nice level from -20 to \\+19"),
        (limit("NICE"), "+20", "a nice level from -20 to \\+19"),
        (limit("NICE"), "-", "a nice level from -20 to \\+19"),
        (values.identity, "%z", "a specifier that exists, not %z"),
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


def test_a_percent_sign_that_begins_nothing_is_one():
    assert SPEC.expand("100% %- %_ %%") == "100% %- %_ %"


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
