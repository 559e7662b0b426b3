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

from hafta.units import execstart, folders, specifiers, users, values
from hafta.units.envfile import parse_file, read_file
from hafta.units.environment import compose
from hafta.units.execstart import as_run, find_program, parse_commands, resolve
from hafta.units.files import MOST
from hafta.units.limits import limit
from hafta.units.names import Name
from hafta.units.restart import Outcome, Statuses
from hafta.units.roots import Roots
from hafta.units.specifiers import Specifiers, unescape
from hafta.units.unit import Account, Command, Credentials, Unit
from hafta.units.unitfile import UnitError

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


def command(text):
    (found,) = parse_commands(text, SPEC)
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"""/bin/sh -c 'a  b' "%p" $X ${Y} \;""", [["/bin/sh", "-c", "a  b", "foo-bar", "$X", "${Y}", ";"]]),
        (r"""find -exec echo ";" "\;" "\\;" \\;""", [["find", "-exec", "echo", ";", "\\;", "\\;", "\\;"]]),
        ("/bin/a ; /bin/b c;d ;", [["/bin/a"], ["/bin/b", "c;d"]]),
        (" ; ; /bin/a", [["/bin/a"]]),
        (r"/bin/a \d \x4 \\", [["/bin/a", r"\d", r"\x4", "\\"]]),
        ('"/bin/%p" x', [["/bin/foo-bar", "x"]]),
        ("-@/bin/sh name", [["name"]]),
        ("@/bin/sh ''", [[""]]),
        ("/bin//./a/../b", [["/bin//./a/../b"]]),
    ],
)
def test_a_command_line_loses_its_quotes_and_keeps_its_variables_for_later(text, expected):
    assert [list(each.argv) for each in parse_commands(text, SPEC)] == expected


def test_prefixes_are_read():
    found = command("-@:/bin/sh name -c x")
    assert found == Command("/bin/sh", ("name", "-c", "x"), plain=True, ignore_failure=True)
    assert command("+/bin/sh") == Command("/bin/sh", ("/bin/sh",), privileged=True)
    assert command("!/bin/sh") == Command("/bin/sh", ("/bin/sh",), keeps_user=True)
    assert command("!!/bin/sh") == Command("/bin/sh", ("/bin/sh",)), "ambient capabilities are in every kernel"
    assert command("!-!@/bin/sh x") == Command("/bin/sh", ("x",), ignore_failure=True)
    assert command("'+/bin//sh'").path == "/bin/sh"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("''", "a program"),
        ("-", "a program"),
        ("@/bin/sh", "a program and, because of the @"),
        ("'/bin/sh", "a closing '"),
        ("bin/sh", "an absolute path, or a bare name"),
        ("/bin/", "an absolute path, or a bare name"),
        ("--/bin/sh", "an absolute path, or a bare name"),
        ("+!/bin/sh", "an absolute path, or a bare name"),
        ("/bin/sh\\'", "a program whose path has no quotes"),
        ("/bin/sh %z", "a specifier that exists, not %z"),
    ],
)
def test_wrong_command_lines_say_what_was_expected(text, message):
    with pytest.raises(ValueError, match=message):
        parse_commands(text, SPEC)


def test_a_program_is_looked_for_when_it_is_started():
    assert command("sh -c x") == Command("sh", ("sh", "-c", "x"))
    assert find_program("sh") in {"/usr/bin/sh", "/bin/sh"}
    assert find_program("nosuchprogram") == "/usr/local/sbin/nosuchprogram", (
        "where it would be: execve(2) says the rest"
    )
    assert find_program("/none") == "/none"


def test_our_own_programs_come_from_the_tree_of_the_overlord():
    found = as_run(command("/usr/bin/hafta-server --interval 0"))
    assert found.argv[1:] == ("-P", "-m", "hafta.server", "--interval", "0")
    assert found.environment == (("PYTHONPATH", execstart.TREE),)
    assert found.note.startswith("/usr/bin/hafta-server is run as ")


@pytest.mark.parametrize("named", [str, lambda path: path.name], ids=["by its path", "by its name"])
def test_an_installed_program_is_run_if_it_is_there_when_it_is_started(monkeypatch, tmp_path, named):
    program = tmp_path / "hafta-server"
    monkeypatch.setattr(execstart, "TREE", str(tmp_path))
    monkeypatch.setattr(execstart, "PATH", str(tmp_path))
    read = command(named(program))
    assert as_run(read).argv[1:4] == ("-P", "-m", "hafta.server")
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert as_run(read) == read


WINDOWS = {"W": r"C:\temp\new ^\d+$", "U": r'a\b"c'}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("p", "$A"), ["p", "one", "two words"]),
        (("p", "${A}"), ["p", "one 'two words'"]),
        (("p", "x${B}y$B"), ["p", "xby$B"]),
        (("p", "$NONE", "${NONE}"), ["p", ""]),
        (("p", "$W"), ["p", "C:tempnew", "^d+$"]),
        (("p", "$U"), ["p", "abc"]),
        (("p", "${B:-x}", "${B:-${B}}", "y$x${B}", "a$"), ["p", "${B:-x}", "${B:-b}", "y$xb", "a$"]),
        (("p", "$", "$B.c"), ["p"]),
        (("p", "$$A", "a$$b", "$$"), ["p", "$A", "a$b", "$"]),
        (("$B", "${B"), ["b", "${B"]),
        (("p", "$Q"), ["p", "its"]),
        (("p", "$A/x"), ["p"]),
    ],
)
def test_variables_are_resolved_as_systemd_does_without_a_shell(words, expected):
    assert resolve(words, {"A": "one 'two words'", "B": "b", "Q": "it's"} | WINDOWS) == expected


def test_an_environment_file_is_read_as_systemd_exec_5_says():
    text = """
# comment with 'quote
; another
A=plain text \n  B = "double \\"x\\" \\y \\$z"
C='single \\ stays'
D=con\\
tinued
E="two
lines"
F=\\a\\'b
G="""
    assert dict(parse_file(text)) == {
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
    assert dict(parse_file(f"A={text}\nB=2\n")) == {"A": value, "B": "2"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[cluster]\nA=1\nrubbish\n", {"A": "1"}),
        ("export A=1\n1B=2\nC-D=3\nÉ=4\n=5\nE=6", {"E": "6"}),
        ("# ends in a backslash \\\nA=1", {"A": "1"}),
        ("A='1\n2'\r\nB=\"x", {"A": "1\n2", "B": "x"}),
        ("A=1\rB=2", {"A": "1", "B": "2"}),
        ('A="x\\', {"A": "x"}),
        ("A=a b \\\n\nB=1", {"A": "a b ", "B": "1"}),
    ],
)
def test_what_systemd_ignores_in_an_environment_file_is_ignored(text, expected):
    assert dict(parse_file(text)) == expected


def test_an_environment_file_that_is_not_utf8_is_refused():
    with pytest.raises(ValueError, match="A: not UTF-8"):
        dict(parse_file("# \udcff\nA=\udcff"))


def test_forty_thousand_lines_are_no_work():
    assert len(dict(parse_file("".join(f"A{at}='x' \\\n" for at in range(40_000))))) == 1
    assert len(dict(parse_file("".join(f"A{at}=x\n" for at in range(40_000))))) == 40_000


@pytest.fixture(params=["directory", "pipe", "missing", "below a file", "loop", "latin", "nul", "long"])
def bad_file(request, tmp_path):
    """A path that is not a good environment file, and what is said of it."""
    path = tmp_path / "env"
    if request.param == "directory":
        path.mkdir()
        return str(path), "Is a directory"
    if request.param == "pipe":
        os.mkfifo(path)
        return str(path), "not a regular file"
    if request.param == "below a file":
        return "/etc/passwd/x", "Not a directory"
    if request.param == "loop":
        path.symlink_to(path)
        return str(path), "Too many levels of symbolic links"
    contents = {"latin": b"A=\xe9", "nul": b"A=\0", "long": b"#" * (MOST + 1)}
    if request.param in contents:
        path.write_bytes(contents[request.param])
        return str(path), {"latin": "A: not UTF-8", "nul": "has a NUL byte", "long": "longer than"}[request.param]
    return str(path), "No such file or directory"


def test_a_dash_forgives_whatever_is_wrong_with_an_environment_file(bad_file):
    path, problem = bad_file
    assert read_file(path, "u", optional=True) == {}
    with pytest.raises(UnitError, match=f"u: EnvironmentFile={path}: {problem}") as caught:
        read_file(path, "u", optional=False)
    assert caught.value.hint == f"correct it, or write EnvironmentFile=-{path} if the unit can do without it"


def test_an_empty_device_is_an_empty_environment_file():
    assert read_file("/dev/null", "u", optional=False) == {}


TRUE = Command("/bin/true", ("/bin/true",))


def test_an_environment_file_with_wildcards_is_all_that_match_in_order(tmp_path):
    for name in "ba":
        (tmp_path / f"{name}.env").write_text(f"LAST={name}\n{name}=1\n")
    unit = Unit("u.service", "f", environment_files=((f"{tmp_path}/*.env", False), (f"{tmp_path}/no*", True)))
    assert compose(unit, Credentials(), {}, {}, TRUE) == {"PATH": execstart.PATH, "a": "1", "b": "1", "LAST": "b"}
    missing = unit.replace(environment_files=((f"{tmp_path}/no*", False),))
    with pytest.raises(UnitError, match=r"no\*: No such file or directory"):
        compose(missing, Credentials(), {}, {}, TRUE)


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
    )
    ours = {"OURS": "o", "SECRET": "s", "LANG": "C", "LC_ALL": "C", "HOME": "/h", "PATH": "/evil"}
    command = TRUE.replace(environment=(("PYTHONPATH", "p"),))
    assert compose(unit, Credentials(), ours, {"B": "extra"}, command) == {
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
    who = Credentials(5, 6, "games", "/games", "/bin/no")
    found = compose(Unit("u.service", "f"), who, {"HOME": "/root", "USER": "root"}, {}, TRUE)
    assert (found["HOME"], found["USER"], found["LOGNAME"], found["SHELL"]) == ("/games", "games", "games", "/bin/no")


DAEMON = pwd.getpwnam("daemon")
WHO = Credentials(DAEMON.pw_uid, DAEMON.pw_gid, "daemon", DAEMON.pw_dir, DAEMON.pw_shell)


@pytest.mark.parametrize(
    ("account", "expected"),
    [
        (Account(), Credentials()),
        (Account("daemon"), WHO),
        (Account(str(DAEMON.pw_uid)), WHO),
        (Account("daemon", "0"), WHO.replace(gid=0)),
        (Account("", "daemon"), Credentials(-1, DAEMON.pw_gid)),
        (Account("nosuch"), Credentials(missing_user="nosuch")),
        (Account("nosuch", "daemon"), Credentials(missing_user="nosuch")),
        (Account("9" * 5000), Credentials(missing_user="9" * 5000)),
        (Account("daemon", "nosuch"), Credentials(missing_group="nosuch")),
        (Account("nosuch", or_root=True), Credentials()),
        (Account("daemon", "nosuch", or_root=True), WHO),
        (Account("daemon", dynamic=True, dynamic_id=61200), WHO),
        (
            Account("made-up", dynamic=True, dynamic_id=61200),
            Credentials(61200, 61200, "made-up", "/", "/usr/sbin/nologin"),
        ),
        (Account(dynamic=True, dynamic_id=61200), Credentials(61200, 61200, "61200", "/", "/usr/sbin/nologin")),
    ],
)
def test_root_changes_to_users_and_groups_that_exist_and_is_root_for_nobody(account, expected, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert users.find_credentials(account) == expected
    assert users.not_honoured(account) == ()


@pytest.mark.parametrize(
    ("account", "lost"),
    [
        (Account("root", "root"), ("User", "Group")),
        (Account("nosuch", "12345"), ("User",)),
        (Account("", "12345"), ()),
        (Account(dynamic=True), ("DynamicUser",)),
    ],
)
def test_others_run_as_themselves_and_it_is_known_what_is_lost(account, lost, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    monkeypatch.setattr(os, "getegid", lambda: 12345)
    assert users.find_credentials(account) == Credentials()
    assert users.not_honoured(account) == lost


def test_dynamic_users_have_the_same_number_in_every_run_and_none_that_is_taken(monkeypatch):
    first = users.dynamic_ids(["a", "b"])
    assert users.dynamic_ids(["b", "a", "a"]) == first
    assert len(set(first.values())) == 2
    assert set(first.values()) <= set(users.DYNAMIC)
    monkeypatch.setattr(users, "_is_known", lambda number: number in first.values())
    assert not set(users.dynamic_ids(["a", "b"]).values()) & set(first.values())
