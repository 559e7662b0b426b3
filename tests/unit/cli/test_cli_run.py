"""The `hafta` command, and the options of `hafta run`, with click and without."""

import os
import subprocess
import sys
from unittest.mock import Mock

import click
import pytest

from hafta import cli, exits
from hafta.cli import group
from hafta.cli.options import words
from hafta.errors import HaftaError, UsageError
from hafta.overlord import main as bare_main
from hafta.overlord import program
from hafta.overlord.options import PROGRAM, every, extra, paths
from hafta.overlord.plan import make_plan
from hafta.settings import Values, help_text, parse
from hafta.version import VERSION

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))


@pytest.fixture
def runs(monkeypatch):
    """What the overlord would have been asked to run."""
    seen = []

    def run(values, operands, environ):
        seen.append((values, operands))
        return exits.OK

    monkeypatch.setattr(program, "run", run)
    return seen


ARGUMENTS = [
    *("--unit-path", "/a:/b", "--unit-path=/c", "--runtime-dir", "/r", "--state-dir", "/s", "--set", "A=1"),
    *("--set", "u:B=x=y", "--kill", "u=2.5", "--for", "3", "--debug", "u", "v.target"),
]


def test_both_front_doors_read_the_same_options(runs):
    assert bare_main(ARGUMENTS, {}) == exits.OK
    assert cli.main(["run", *ARGUMENTS]) == exits.OK
    for values, operands in runs:
        assert (values.unit_path, values.runtime_dir, values.state_dir) == (("/a", "/b", "/c"), "/r", "/s")
        assert (values.set, values.kill) == ((("", "A", "1"), ("u", "B", "x=y")), (("u", 2.5),))
        assert (getattr(values, "for"), values.debug, operands) == (3.0, True, ["u", "v.target"])
    assert len(runs) == 2


def test_options_come_from_the_environment_too_and_the_command_line_wins(runs, monkeypatch):
    monkeypatch.setenv("HAFTA_SET", "A=env")
    monkeypatch.setenv("HAFTA_FOR", "9")
    assert cli.main(["run", "u", "--set", "B=1"]) == exits.OK
    assert bare_main(["u"], {"HAFTA_SET": "A=env"}) == exits.OK
    (first, _), (second, _) = runs
    assert (first.set, getattr(first, "for")) == ((("", "B", "1"),), 9.0)
    assert second.set == (("", "A", "env"),)


def test_defaults_ask_for_nothing_special(runs):
    assert cli.main(["run", "u"]) == exits.OK
    ((values, _),) = runs
    assert (values.unit_path, values.set, values.kill) == ((), (), ())
    assert (values.runtime_dir, values.state_dir, getattr(values, "for"), values.debug) == ("", "", 0, False)
    assert values.ephemeral is False


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        (paths, "/a:b", ("/a", "b")),
        (extra, "A=", (("", "A", ""),)),
        (extra, "a@b.service:A=1:2", (("a@b.service", "A", "1:2"),)),
        (every, "a=0.5", (("a", 0.5),)),
    ],
)
def test_options_that_name_units_are_read(read, text, value):
    assert read(text) == value


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--set", "x"], "--set: 'x' is not NAME=VALUE or UNIT:NAME=VALUE"),
        (["--set", "1=x"], "--set: '1=x' is not NAME=VALUE or UNIT:NAME=VALUE"),
        (["--kill", "a"], "--kill: 'a' is not UNIT=SECONDS, more than 0"),
        (["--kill", "a=0"], "--kill: 'a=0' is not UNIT=SECONDS, more than 0"),
        (["--kill", "a=x"], "--kill: 'a=x' is not UNIT=SECONDS, more than 0"),
        (["--unit-path", "a::b"], "--unit-path: 'a::b' is not a path"),
        ([], "which unit?"),
        (["a", ""], "which unit?"),
        (["--unit-path", "/proc/missing", "a"], "--unit-path: /proc/missing is not a directory"),
        (["--for", "-1", "u"], "--for: '-1' is not a number, 0 or more"),
    ],
)
def test_a_wrong_option_is_one_line_and_a_hint(words, message, capfd):
    assert cli.main(["run", *words]) == exits.USAGE
    error, hint = capfd.readouterr().err.splitlines()
    assert error == f"hafta: error: {message}"
    assert hint.startswith("hafta: ")
    assert bare_main(words, {}) == exits.USAGE
    assert capfd.readouterr().err.splitlines() == [error, hint]


def test_options_that_name_units_which_are_not_run_are_refused(tmp_path):
    (tmp_path / "a.service").write_text("[Service]\nExecStart=/bin/true\n")
    for option in ("--set=b:X=1", "--kill=b=1"):
        values, operands = parse(PROGRAM, ["--unit-path", str(tmp_path), option, "a"], {})
        with pytest.raises(UsageError, match=r"b\.service is not run here") as caught:
            make_plan(values, operands, {})
        assert caught.value.status == exits.NOT_FOUND
    values, operands = parse(PROGRAM, ["--unit-path", str(tmp_path), "--set=a:X=1", "--set=Y=2", "--kill=a=1", "a"], {})
    plan = make_plan(values, operands, {})
    assert plan.extras == {"a.service": {"X": "1"}, "": {"Y": "2"}}
    assert plan.demonstration.kills == {"a.service": 1.0}


def test_root_does_not_run_as_root_what_names_a_user_who_is_not_there(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    file = tmp_path / "a.service"
    file.write_text("[Service]\nExecStart=/bin/true\nUser=nosuch\n")
    values, operands = parse(PROGRAM, [str(file)], {})
    (note,) = make_plan(values, operands, {}).notes
    assert note == "a.service: there is no user nosuch: fails until there is one; --as-root runs it as root"
    values, operands = parse(PROGRAM, ["--as-root", str(file)], {})
    plan = make_plan(values, operands, {})
    assert plan.notes == ("a.service: there is no user nosuch: runs as root (--as-root)",)
    assert plan.units["a.service"].account.or_root


def test_what_click_has_read_is_said_again_for_the_settings():
    given = dict.fromkeys(setting.key for setting in PROGRAM.settings)
    given |= {"unit_path": ("a",), "set": (), "kill": (), "debug": True, "for": "3"}
    assert words(PROGRAM, given) == ["--unit-path=a", "--for=3", "--debug"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "hafta"),
        (["nosuch"], "hafta"),
        (["--nosuch"], "hafta"),
        (["run", "--nosuch"], "\nhafta: see hafta run --help\n"),
    ],
)
def test_wrong_usage_ends_with_2_and_points_to_the_commands_help(arguments, words, capfd):
    assert cli.main(arguments) == exits.USAGE
    assert words in capfd.readouterr().err


def test_help_and_version_go_to_stdout(capfd):
    assert cli.main(["--version"]) == exits.OK
    assert cli.main(["run", "-h"]) == exits.OK
    out = capfd.readouterr().out
    assert out.startswith(f"hafta {VERSION}\n")
    for setting in PROGRAM.settings:
        assert setting.option in out
        assert setting.variable in out


def test_the_bare_help_names_every_option_and_status(capfd):
    with pytest.raises(SystemExit) as caught:
        bare_main(["--help"], {})
    assert caught.value.code == exits.OK
    assert capfd.readouterr().out == help_text(PROGRAM) + "\n"
    assert "usage: hafta run [OPTION]... UNIT..." in help_text(PROGRAM)
    assert "0: when all units have ended (default: 0)\n" in help_text(PROGRAM)


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (HaftaError("m", "h", status=7), 7, "hafta: error: m\nhafta: h\n"),
        (PermissionError(13, "no"), exits.SYSTEM, "hafta: error: [Errno 13] no\nhafta: fix that and run it again\n"),
        (click.Abort(), exits.FAILED, ""),
    ],
)
def test_any_command_that_fails_says_why(monkeypatch, capfd, error, status, text):
    monkeypatch.setattr(group.hafta, "main", Mock(side_effect=error))
    assert group.run_group([]) == status
    assert capfd.readouterr().err == text


def test_debug_shows_where(capfd):
    assert program.complain(HaftaError("m"), debug=True) == exits.SYSTEM
    assert "HaftaError: m" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ("hafta.cli run nosuch-unit-at-all", exits.NOT_FOUND),
        ("hafta.cli run --nosuch", exits.USAGE),
        ("hafta.overlord --nosuch", exits.USAGE),
        ("hafta.cli checkpoints --directory /nosuch", exits.NOT_FOUND),
    ],
)
def test_the_status_tells_where_nothing_can_be_said(words, status):
    environ = {**os.environ, "PYTHONPATH": ROOT}
    reader, gone = os.pipe()
    os.close(reader)
    full = os.open("/dev/full", os.O_WRONLY)
    for stderr in (gone, full):
        done = subprocess.run([sys.executable, "-m", *words.split()], check=False, env=environ, stderr=stderr)
        os.close(stderr)
        assert done.returncode == status


def test_the_command_line_of_this_process_is_the_default(monkeypatch, capfd):
    monkeypatch.setattr(sys, "argv", ["hafta", "--version"])
    assert cli.main() == exits.OK
    monkeypatch.setattr(sys, "argv", ["hafta", "nosuch-unit-at-all"])
    assert bare_main() == exits.NOT_FOUND
    assert "there is no unit nosuch-unit-at-all.service" in capfd.readouterr().err


@pytest.mark.parametrize("module", ["hafta.cli", "hafta.overlord"])
def test_both_can_be_run_as_modules(module):
    words = [sys.executable, "-m", module, "--version"]
    found = subprocess.run(words, capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": ROOT})
    assert found.stdout.split()[-1] == VERSION


def test_a_setting_that_repeats_adds_up_and_others_take_the_last():
    values, _ = parse(PROGRAM, ["--set", "A=1", "--set=B=2", "--for=1", "--for=2", "u"], {"HAFTA_SET": "C=3"})
    assert isinstance(values, Values)
    assert values.set == (("", "A", "1"), ("", "B", "2"))
    assert getattr(values, "for") == 2.0
