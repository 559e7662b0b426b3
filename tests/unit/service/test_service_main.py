"""How a service ends: its exit status, and the two lines that say what it was and what to do."""

import signal
import subprocess
import sys

import pytest
from service_support import PATIENCE, Child, JournalChild, body, sequence

from hafta import exits
from hafta.errors import HaftaError, IllegalMove, NodeTimeout, ServiceError, UsageError

ENDS = [
    ("pass", exits.OK, ""),
    ("raise hafta.UsageError('no such thing', 'name another')", exits.USAGE, "no such thing\nname another"),
    ("raise hafta.ServiceError('it broke', 'mend it')", exits.SYSTEM, "it broke\nmend it"),
    ("raise hafta.ServiceError('it broke', status=21)", exits.NOT_A_PIPE, "it broke"),
    ("raise OSError(28, 'No space')", exits.SYSTEM, "OSError: [Errno 28] No space\nrun it with --debug to see where"),
    ("raise ValueError('one\\ntwo')", exits.SYSTEM, "ValueError: one two\nrun it with --debug to see where"),
    (
        "raise ExceptionGroup('x', [KeyError('k'), OSError(28, 'No space')])",
        exits.SYSTEM,
        "ExceptionGroup: x (2 sub-exceptions): KeyError: 'k'; [Errno 28] No space\nrun it with --debug to see where",
    ),
    (
        "class Dumb(Exception):\n    def __str__(self): raise ValueError('no words')\nraise Dumb",
        exits.SYSTEM,
        "Dumb, which cannot be told in words\nrun it with --debug to see where",
    ),
    ("assert not values.size", exits.SYSTEM, "AssertionError\nrun it with --debug to see where"),
    ("sys.exit(3)", 3, ""),
]


@pytest.mark.parametrize(("text", "status", "said"), ENDS)
def test_how_it_ended_is_the_status_and_at_most_two_lines(text: str, status: int, said: str):
    lines = said.splitlines()
    expected = [f"probe: error: {lines[0]}", *[f"probe: {line}" for line in lines[1:]]] if lines else []
    with Child(body(text)) as child:
        ended, out, err = child.finish()
    assert (ended, out, err.splitlines()) == (status, "", expected)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--pace", "3"], "unknown option --pace"),
        (["--size"], "--size needs a value"),
        (["--size=x"], "--size: 'x' is not a whole number, 0 or more"),
        (["more"], "unexpected argument 'more'"),
    ],
)
def test_a_wrong_option_is_two_lines_and_status_2(options: list[str], line: str):
    with Child(body("pass"), *options) as child:
        status, out, err = child.finish()
    assert (status, out) == (exits.USAGE, "")
    said, hint = err.splitlines()
    assert said == f"probe: error: {line}"
    assert hint.startswith("probe: ")


def test_a_wrong_variable_is_named():
    with Child(body("pass"), HAFTA_SIZE="big") as child:
        assert "HAFTA_SIZE: 'big' is not a whole number" in child.finish()[2]


@pytest.mark.parametrize("environ", [{}, {"HAFTA_DEBUG": "yes"}])
def test_the_traceback_is_for_debugging_only(environ: dict[str, str]):
    with Child(body("raise OSError('no')"), *([] if environ else ["--debug"]), **environ) as child:
        status, _, err = child.finish()
    assert status == exits.SYSTEM
    assert err.startswith("Traceback (most recent call last):\n")
    assert ", in body\n" in err
    assert err.splitlines()[-2:] == ["probe: error: OSError: no", "probe: run it with --debug to see where"]


def test_debugging_shows_the_traceback_of_wrong_settings_too():
    with Child(body("pass"), "--size", "x", "--debug") as child:
        assert "Traceback" in child.finish()[2]


def test_help_tells_options_variables_and_statuses():
    with Child(body("pass"), "--help", HAFTA_SIZE="nonsense") as child:
        status, out, err = child.finish()
    assert (status, err) == (0, "")
    for words in ("usage: probe [OPTION]...", "--size N", "HAFTA_SIZE", "(default: 3)", "--debug", "0    done"):
        assert words in out


def test_what_it_writes_where_it_hung_when_the_watchdog_aborts_it():
    hang = "def where_it_hung():\n    service.ready()\n    time.sleep(600)\nwhere_it_hung()"
    with Child(body(hang)) as child:
        child.wait_told("READY=1")
        child.process.send_signal(signal.SIGABRT)
        status, _, err = child.finish()
    assert status == -signal.SIGABRT
    assert "Fatal Python error: Aborted" in err
    assert " in where_it_hung\n" in err


def test_a_panic_in_a_node_is_status_70_and_one_line():
    with Child(sequence("run.panic('impossible')")) as child:
        status, _, err = child.finish()
    assert (status, err) == (exits.PANIC, "feed: critical: Panic in node work of sequence feed: impossible\n")


def test_a_mistake_in_the_program_is_told_and_not_retried():
    with Child(sequence("return 'nowhere'")) as child:
        status, _, err = child.finish()
    assert status == exits.SYSTEM
    assert err.splitlines()[0] == "feed: error: node work named 'nowhere', which is no node of the sequence"


def test_a_failed_sequence_is_status_1_and_is_told_once_in_the_journal():
    with JournalChild(sequence("raise OSError('no')"), "--once") as child:
        assert child.process.wait(PATIENCE) == exits.FAILED
        entries = child.entries()
    names = [entry["HAFTA_EVENT"] for entry in entries]
    assert names.count("sequence-failed") == 1
    assert "service-failed" not in names
    assert [entry["HAFTA_NUMBER"] for entry in entries] == [str(n + 1) for n in range(len(entries))]


def test_the_entry_of_a_rollback_names_the_function_that_failed():
    with JournalChild(sequence("run.checkpoint(4)\nraise OSError('no')"), "--once") as child:
        entry = child.wait_entry("rolled-back")
    assert (entry["HAFTA_NODE"], entry["HAFTA_CHECKPOINT"], entry["HAFTA_ATTEMPT"]) == ("work", "4", "1")
    assert (entry["HAFTA_REASON"], entry["CODE_FUNC"]) == ("OSError: no", "work")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (HaftaError("a"), exits.SYSTEM), (IllegalMove("a"), exits.SYSTEM), (NodeTimeout("a"), exits.SYSTEM),
        (UsageError("a"), exits.USAGE), (ServiceError("a"), exits.SYSTEM), (ServiceError("a", status=5), 5),
    ],
)  # fmt: skip
def test_each_error_has_its_status(error: HaftaError, status: int):
    assert (error.status, str(error), error.message, error.hint) == (status, "a", "a", "")


def test_every_status_has_one_meaning_and_all_are_distinct():
    declared = {name: value for name, value in vars(exits).items() if name.isupper() and isinstance(value, int)}
    assert len(set(declared.values())) == len(declared)
    assert set(declared.values()) == set(exits.MEANING)
    assert all(0 <= value < 126 for value in declared.values()), "what is above belongs to shells and signals"


def test_it_starts_without_the_heavy_modules():
    """Start-up is recovery (docs/architecture.md, section 2)."""
    heavy = "argparse asyncio click dataclasses inspect json logging pathlib re subprocess threading typing systemd"
    program = body("print(*sys.modules)") + "\n"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=PATIENCE)
    bare = [sys.executable, "-c", "import sys; print(*sys.modules)"]
    before = subprocess.run(bare, capture_output=True, text=True, check=True, timeout=PATIENCE).stdout.split()
    loaded = set(done.stdout.split()) - set(before)
    assert "hafta.service.main" in loaded
    assert "hafta.engine.machine" not in loaded
    assert set() == loaded & set(heavy.split())
