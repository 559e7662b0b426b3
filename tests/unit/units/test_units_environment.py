"""Environment files, the environment of a service and the user that it runs as."""

import os
import pwd

import pytest

from hafta.units import execstart, folders, users
from hafta.units.envfile import parse_file, read_file
from hafta.units.environment import compose
from hafta.units.files import MOST
from hafta.units.roots import Roots
from hafta.units.specifiers import Specifiers
from hafta.units.unit import Account, Command, Credentials, Unit
from hafta.units.unitfile import UnitError

FOLDERS = folders.folders(links=True)
ROOTS = Roots("/run", "/var/lib", "/var/cache", "/var/log", "/etc")
SPEC = Specifiers("foo-bar@a-b\\x2dc.service", "/u/foo-bar@.service", ROOTS)


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
