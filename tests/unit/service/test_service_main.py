"""How a service ends: its exit status, and the two lines that say what it was and what to do."""

import signal

import pytest
from processes import PATIENCE, Child, JournalChild, body, sequence

from hafta import exits
from hafta.errors import HaftaError, IllegalMove, NodeTimeout, ServiceError, UsageError

SEE = "run it with --debug to see where"
ENDS = [
    ("pass", exits.OK, ""),
    ("raise hafta.UsageError('no such thing', 'name another')", exits.USAGE, "no such thing\nname another"),
    ("raise hafta.ServiceError('it broke', 'fix it')", exits.SYSTEM, "it broke\nfix it"),
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
        "Dumb, whose text cannot be shown\nrun it with --debug to see where",
    ),
    ("assert not values.size", exits.SYSTEM, "AssertionError\nrun it with --debug to see where"),
    ("sys.exit(3)", 3, ""),
    ("class Odd(BaseException): pass\nraise Odd('of a library')", exits.SYSTEM, f"Odd: of a library\n{SEE}"),
    ("raise GeneratorExit", exits.SYSTEM, f"GeneratorExit\n{SEE}"),
    ("import asyncio\nraise asyncio.CancelledError", exits.SYSTEM, f"CancelledError\n{SEE}"),
    (
        "raise BaseExceptionGroup('x', [GeneratorExit('g'), OSError(28, 'No space')])",
        exits.SYSTEM,
        f"BaseExceptionGroup: x (2 sub-exceptions): GeneratorExit: g; [Errno 28] No space\n{SEE}",
    ),
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
        (["--size=x", "--debug"], "--size: 'x' is not a whole number, 0 or more"),
        (["more"], "unexpected argument 'more'"),
        ([], "HAFTA_SIZE: 'big' is not a whole number, 0 or more"),
    ],
)
def test_a_wrong_option_or_variable_is_two_lines_and_status_2_and_a_traceback_for_debugging(options, line: str):
    with Child(body("pass"), *options, **({} if options else {"HAFTA_SIZE": "big"})) as child:
        status, out, err = child.finish()
    assert (status, out) == (exits.USAGE, "")
    *trace, said, hint = err.splitlines()
    assert said == f"probe: error: {line}"
    assert hint.startswith("probe: ")
    assert trace[:1] == (["Traceback (most recent call last):"] if "--debug" in options else [])


@pytest.mark.parametrize("environ", [{}, {"HAFTA_DEBUG": "yes"}])
def test_the_traceback_is_for_debugging_only(environ: dict[str, str]):
    with Child(body("raise OSError('no')"), *([] if environ else ["--debug"]), **environ) as child:
        status, _, err = child.finish()
    assert (status, ", in body\n" in err) == (exits.SYSTEM, True)
    first, *_, said, hint = err.splitlines()
    assert (first, said, hint) == ("Traceback (most recent call last):", "probe: error: OSError: no", f"probe: {SEE}")


def test_a_log_that_the_program_keeps_has_why_it_ended(tmp_path):
    log = tmp_path / "log"
    text = f"import logging\nlogging.basicConfig(filename={str(log)!r}, format='%(levelname)s %(message)s')"
    with Child(body(f"{text}\nraise OSError('no')")) as child:
        status, _, err = child.finish()
    assert (status, err.splitlines()) == (exits.SYSTEM, ["probe: error: OSError: no", f"probe: {SEE}"])
    assert log.read_text().startswith("ERROR ")
    assert "OSError: no" in log.read_text()


ODD = {
    "a library's own": "class Odd(BaseException): pass\nraise Odd('of a library')",
    "in a group": "raise BaseExceptionGroup('x', [GeneratorExit('g')])",
}


@pytest.mark.parametrize("text", ODD.values(), ids=ODD)
def test_what_is_no_exception_ends_a_sequence_with_two_lines_or_one_entry_too(text: str):
    with Child(sequence(text)) as child:
        status, _, err = child.finish()
        assert (status, len(err.splitlines()), err.startswith("feed: error: ")) == (exits.SYSTEM, 2, True)
        assert child.told.count("STOPPING=1") == 1
    with JournalChild(sequence(text)) as child:
        assert child.process.wait(PATIENCE) == exits.SYSTEM
        entry = child.wait_entry("service-failed")
        assert (entry["HAFTA_STATUS"], child.drain().count("STOPPING=1")) == ("111", 1)


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


@pytest.mark.parametrize(
    ("text", "status", "line"),
    [
        ("run.panic('impossible')", exits.PANIC, "critical: Panic in node work of sequence feed: impossible"),
        ("return 'nowhere'", exits.SYSTEM, "error: node work returned 'nowhere', which is not a node of this sequence"),
    ],
)
def test_a_panic_and_a_mistake_in_the_program_are_told_at_once_and_not_tried_again(text: str, status: int, line: str):
    with Child(sequence(text)) as child:
        ended, _, err = child.finish()
    assert (ended, err.splitlines()[0]) == (status, f"feed: {line}")
    assert len(err.splitlines()) == (1 if status == exits.PANIC else 2)


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
