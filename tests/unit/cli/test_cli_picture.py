"""What `hafta checkpoints` makes of a record: a row, a page, and what programs read."""

import json
import os
import subprocess
import sys
import time

import pytest

from hafta import exits
from hafta.cli import picture
from hafta.cli.table import LEAST, table
from hafta.death import HANG, HOST, MEMORY, OOM, PANIC, RULE, TIMEOUT, Death
from hafta.durable import codec
from hafta.durable.position import Position, SequencePosition
from hafta.engine.machine import Phase
from hafta.engine.resume import NEXT, RUNS, UNDOES, UNDOES_NEXT, Doing
from hafta.engine.words import EXIT
from hafta.errors import HaftaError
from hafta.observe.sources import records
from hafta.stores import FileStore


def entry(place, name="s", doing=RUNS, cause=None, **state):
    """Make a record of one node at checkpoint 4, and return how it is found."""
    here = SequencePosition("s", "", ("n",), "n", doing, 1)
    with FileStore(str(place)).claim(name) as claim:
        claim.enter(codec.frame(Position((here,), 0.0, 0.0, "", 1, cause)))
        claim.write(codec.body(4, state, claim.capacity))
    (found,) = records.find([str(place)])
    return found


@pytest.mark.parametrize(("command", "cells"), [("", "s"), ("show \u65e5\u672c", "copy = '\\u65e5'")])
def test_what_the_terminals_encoding_lacks_is_shown_as_an_escape(tmp_path, command, cells):
    entry(tmp_path, "\u65e5\u672c", copy="\u65e5")
    words = [sys.executable, "-m", "hafta.cli", "checkpoints", *command.split(), "--directory", str(tmp_path)]
    environ = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    done = subprocess.run(words, capture_output=True, check=False, env=environ)
    assert (done.returncode, done.stderr) == (exits.OK, b"")
    said = done.stdout.decode("latin-1")
    assert "\\u65e5\\u672c" in said
    assert cells in said


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(-5, "0s"), (0.9, "0s"), (99, "99s"), (100, "1m"), (5999, "99m"), (6000, "1h"), (359999, "99h"), (864000, "10d")],
)
def test_ages_are_short(tmp_path, seconds, shown):
    found = entry(tmp_path)
    assert picture.age(found, found.snapshot.written + seconds) == shown


@pytest.mark.parametrize(
    ("doing", "status", "node", "phrase", "plain"),
    [
        (NEXT, "interrupted", "n (next)", "n: is next", ("normal", False, False)),
        (RUNS.replace(stopped=True), "stopped", "n", "n: in its normal function", ("normal", True, True)),
        (UNDOES, "interrupted", "n (undo)", "n: in its rollback function", ("rollback", True, False)),
        (UNDOES_NEXT, "interrupted", "n (undo)", "n: is to be rolled back", ("rollback", False, False)),
        (
            Doing(Phase.UNWIND, begun=True, then=EXIT, deaths=1, stopped=True, reruns=2, entries=1),
            "stopped", "n (undo)", "n: in its rollback function, on the way back", ("unwind", True, True),
        ),
    ],
)  # fmt: skip
def test_what_was_going_on_is_told(tmp_path, doing, status, node, phrase, plain):
    found = entry(tmp_path, doing=doing)
    ((_, shown, checkpoint, attempt, *_rest),) = picture.rows(found, time.time())
    assert (found.status, shown, checkpoint, attempt) == (status, node, "4", "1")
    assert f"  node        {phrase}\n" in picture.text(found, time.time())
    (said,) = picture.plain(found, time.time())["sequences"]
    assert (said["function"], said["begun"], said["stopped"]) == plain


CAUSES = {
    Death(7, signal=11, node="n"): ("SIGSEGV", "was killed by SIGSEGV in n"),
    Death(7, signal=60): ("signal-60", "was killed by signal 60"),
    Death(7, status=20): ("status=20", "ended with status 20"),
    Death(7, signal=6, why=HANG, node="n", detail="no progress for 5 s"): ("hang", "hung in n: no progress for 5 s"),
    Death(7, signal=6, why=TIMEOUT, node="n", detail="x"): ("timeout", "took too long in n: x"),
    Death(7, signal=9, why=RULE, detail="memory: 9 MiB"): ("rule", "broke a rule: memory: 9 MiB"),
    Death(7, signal=9, why=OOM): ("oom", "was killed by the kernel: out of memory"),
    Death(7, signal=9, why=MEMORY): ("memory-limit", "was killed by the kernel: over the memory limit of its unit"),
    Death(7, status=70, why=PANIC, node="n"): ("panic", "panicked in n"),
    Death(7, why=HOST): ("host-lost", "was lost with its host"),
    Death(7, why=HOST, node="n", detail="x"): ("host-lost", "was lost in n: x"),
}


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: cause.word)
def test_how_the_process_before_ended_is_told(tmp_path, cause):
    word, words = CAUSES[cause]
    found, now = entry(tmp_path, cause=cause), time.time()
    ((*_, told, state),) = picture.rows(found, now)
    assert (told, state) == (word, "")
    assert f"  cause       the process before 1 {words}\n" in picture.text(found, now)
    said = picture.plain(found, now)["cause"]
    assert said == {
        "why": word, "signal": cause.signal or None, "exit": cause.status, "sequence": None,
        "node": cause.node or None, "host": cause.host or None, "token": cause.token or None, "text": words,
    }  # fmt: skip


def test_values_that_json_has_not_are_told_in_words(tmp_path):
    found = entry(tmp_path, nan=float("nan"), many=[b"x", {"inf": float("-inf")}], none=None)
    shown = picture.plain(found, time.time())["sequences"][0]["state"]
    assert shown == {"nan": "nan", "many": [{"base64": "eA=="}, {"inf": "-inf"}], "none": None}
    json.dumps(shown, allow_nan=False)


def test_a_holder_without_a_note_is_another_process(tmp_path):
    with FileStore(str(tmp_path)).claim("s"):
        (found,) = records.find([str(tmp_path)])
        anonymous = found.replace(snapshot=found.snapshot.replace(holder=None))
        (row,) = picture.rows(anonymous, time.time())
        assert row[5] == "another process"
        assert "  status      running\n" in picture.text(anonymous, time.time())
        assert picture.plain(anonymous, 0.0)["holder"] is None
        unit = found.snapshot.holder.replace(unit="hafta-client.service", pid=12)
        (row,) = picture.rows(found.replace(snapshot=found.snapshot.replace(holder=unit)), time.time())
        assert row[5] == "hafta-client[12]"


def test_a_narrow_terminal_still_shows_a_little_of_the_state(monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    ((first, last),) = table([("x" * 30, "y" * 30)])
    assert (len(first), last) == (30, "y" * (LEAST - 1) + "…")


def test_a_record_that_cannot_be_opened_is_an_entry_without_an_age(tmp_path):
    (tmp_path / "hafta-s.checkpoint").symlink_to("nowhere")
    (found,) = records.find([str(tmp_path)])
    assert picture.age(found, time.time()) == ""
    assert "written" not in picture.text(found, time.time())
    said = picture.plain(found, time.time())
    assert (said["written"], said["age"]) == (None, None)


def test_pick_names_the_status():
    with pytest.raises(HaftaError) as caught:
        records.pick([], "x")
    assert caught.value.status == exits.NOT_FOUND
