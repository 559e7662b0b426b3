"""Command lines, the programs that they name and the variables in them, as systemd.service(5) says."""

import pytest

from hafta.units import execstart, folders
from hafta.units.execstart import as_run, find_program, parse_commands, resolve
from hafta.units.roots import Roots
from hafta.units.specifiers import Specifiers
from hafta.units.unit import Command

FOLDERS = folders.folders(links=True)
ROOTS = Roots("/run", "/var/lib", "/var/cache", "/var/log", "/etc")
SPEC = Specifiers("foo-bar@a-b\\x2dc.service", "/u/foo-bar@.service", ROOTS)


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
