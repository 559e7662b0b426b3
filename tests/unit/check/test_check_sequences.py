"""Each rule of sequences: its bad example gives exactly its code, and its good one none; whatever a module does."""

import json
from pathlib import Path

import pytest
from schema_support import problems, schema

import hafta
import hafta.client
from hafta import exits
from hafta.check import analyze, importing
from hafta.check.rules import BY_KIND, SEQUENCE
from hafta.check.sequences import Called
from hafta.cli.group import run_group
from hafta.policies import FOREVER, Attempts, Backoff, On, Policy
from hafta.units.write import Around, Wanted, unit_text

EXAMPLES = Path(__file__).parents[3] / "examples"
RULES = {rule.code: rule for rule in BY_KIND[SEQUENCE]}
HEAD = "import hafta\nfrom hafta.policies import *\n\nfeed = hafta.Sequence('feed')\n\n"


def codes(sequence, watchdog=10.0):
    """Return what the rules find in a sequence."""
    called = Called(sequence, watchdog, "feed.service")
    return {rule.code for rule in RULES.values() if list(rule.find(called))}


def sequence_of(text):
    """Return the sequence of a module of this text."""
    found = {}
    exec(compile(HEAD + text, "/feed.py", "exec"), found)
    return found["feed"]


@pytest.fixture
def ask(capsys, tmp_path, monkeypatch):
    """Put a module into the current directory and ask about it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(analyze, "release", lambda: None)

    def run(text, *words, place="a_feed:feed"):
        (tmp_path / "a_feed.py").write_text(text)
        status = run_group(["check", "--json", place, *words])
        out, err = capsys.readouterr()
        document = json.loads(out) if out else None
        assert document is None or problems(document, schema("check", "check")) == []
        return status, document, err

    return run


@pytest.mark.parametrize("code", [code for code in RULES if code != "HC056"])
def test_the_bad_example_gives_exactly_its_code_and_the_good_one_does_not(code):
    rule = RULES[code]
    assert [codes(sequence_of(text)) for text in (rule.bad, rule.good)] == [{code}, set()]


def test_a_module_that_cannot_be_imported_is_one_line_with_its_place(ask):
    rule = RULES["HC056"]
    status, out, _ = ask(f"import os\n{rule.bad}\n")
    [one] = out["findings"]
    assert (status, one["code"], Path(one["file"]).name, one["line"]) == (exits.FAILED, "HC056", "a_feed.py", 2)
    assert one["text"] == "a_feed:feed cannot be imported: ModuleNotFoundError: No module named 'no_such_module'"
    assert ask(f"{HEAD}{rule.good}\n{RULES['HC050'].good}")[:1] == (exits.OK,)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("def x(:", "SyntaxError"),
        ("raise ValueError('a\\nb' + 'x' * 999)", "ValueError: a b"),
        ("import os; os._exit(7)", "its import ended the process with status 7"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "its import ended the process with status -9"),
        ("class E(Exception):\n    def __str__(self):\n        raise ValueError\nraise E", "E"),
    ],
)
def test_whatever_an_import_does_is_one_line(ask, text, said):
    status, out, err = ask(text)
    [one] = out["findings"]
    assert (status, one["code"], said in one["text"]) == (exits.FAILED, "HC056", True)
    assert "\n" not in one["text"]
    assert "Traceback" not in err


def test_an_import_that_hangs_is_left_alone(ask, monkeypatch):
    monkeypatch.setattr(importing, "PATIENCE", 0.2)
    _, out, _ = ask("import time\nwhile True:\n    time.sleep(1)\n")
    assert [one["text"] for one in out["findings"]] == ["a_feed:feed: its import does not end within 0.2 s"]


def test_what_a_module_prints_does_not_get_into_the_answer(ask):
    text = f"import sys, threading, time\nprint('hello', sys.argv[1:])\n{HEAD}{RULES['HC050'].good}\n"
    text += "threading.Thread(target=time.sleep, args=(1000,)).start()\n"
    assert ask(text)[1]["findings"] == []


@pytest.mark.parametrize(
    ("place", "status"),
    [("no_such:feed", exits.NOT_FOUND), ("a_feed:no_such", exits.USAGE), ("a_feed:hafta", exits.USAGE)],
)
def test_what_is_not_a_sequence_has_a_status(ask, place, status):
    assert ask(HEAD, place=place)[0] == status


def test_a_sequence_without_nodes_has_no_finding():
    assert codes(hafta.Sequence("feed")) == set()


def test_a_name_that_is_too_long_has_no_record():
    assert codes(hafta.Sequence("x" * 300)) == {"HC055"}


@pytest.mark.parametrize(("word", "warm"), [("0", False), ("maybe", False), ("1", True), ("Yes", True), ("on", True)])
def test_the_watchdog_is_that_of_a_unit_that_was_named_unless_it_is_warm(ask, tmp_path, word, warm):
    around = Around(user="feed", environment=(("HAFTA_WARM", word),))
    wanted = Wanted("feed", "A feed", ("/usr/bin/python3", "-m", "hafta.service", "a_feed:feed"), is_sequence=True,
                    watchdog=20.0, around=around)  # fmt: skip
    (tmp_path / "feed.service").write_text(unit_text(wanted))
    text = HEAD + "@feed.node(deadline=8)\ndef read(run):\n    return hafta.EXIT\n"
    assert [one["code"] for one in ask(text)[1]["findings"]] == ["HC053"]  # without a unit: the 10 s of hafta unit
    assert ask(text, "./feed.service")[1]["findings"] == []
    slow = text.replace("deadline=8", "deadline=15")
    found = [one["text"] for one in ask(slow, "./feed.service")[1]["findings"]]
    assert found == ([] if warm else ["node read may be silent for 15 s, and the watchdog is 20 s (feed.service)"])


class Patient(Policy):
    """One that may wait."""


@pytest.mark.parametrize(
    ("policy", "rests", "found"),
    [
        (Attempts(FOREVER), "", {"HC054"}),
        (Attempts(FOREVER) | On(OSError, hafta.PANIC), "", {"HC054"}),
        (Attempts(FOREVER) | Backoff(1), "", set()),
        (Attempts(FOREVER) | Patient(), "", set()),
        (Attempts(9), "", set()),
        (Attempts(FOREVER), "run.sleep(1)", set()),
        (Attempts(FOREVER), "run.data.reader.rest(run, 1)", set()),
        (Attempts(FOREVER), "run.say('again')", {"HC054"}),
        (hafta.default_policy, "", set()),
    ],
)
def test_endless_attempts_are_a_problem_only_without_a_pause(policy, rests, found):
    text = "@feed.node(policy=POLICY)\ndef read(run):\n    return hafta.EXIT\n"
    if rests:
        text += f"@read.rollback\ndef again(run, checkpoint):\n    {rests}\n    return read\n"
    names = {"POLICY": policy}
    exec(compile(HEAD + text, "/feed.py", "exec"), names)
    assert codes(names["feed"]) == found


def test_where_a_function_names_nodes_in_a_way_that_is_not_seen_nothing_is_guessed():
    text = "@feed.node\ndef read(run):\n    return run.data.next\n\n@feed.node\ndef write(run):\n    return read\n"
    assert codes(sequence_of(text)) == set()


def test_the_sequences_of_the_examples_and_of_the_client_have_no_finding(ask, tmp_path, monkeypatch):
    assert codes(hafta.client.client) == set()
    for folder, place in (("ingest", "ingest:ingest"), ("typed", "gauge:report")):
        monkeypatch.chdir(EXAMPLES / folder)
        status, out, _ = ask("", "--strict", place=place)
        assert (status, out["findings"]) == (exits.OK, [])
