"""hafta.service.run with checkpoints: a crash is rolled back by the next start, a stop is no crash."""

import signal
import time
from pathlib import Path

import pytest
from processes import PATIENCE, Child, JournalChild, sequence

import hafta
from hafta import exits
from hafta.durable.codec import position
from hafta.service import default_store, runner
from hafta.settings import Values
from hafta.stores import FileStore

RECORDED = ", {}, checkpoints=hafta.service.state_checkpoints(keep=lambda data: data)"
#: A service that says how it began and hangs; its rollback says what it is given, and counts.
HANGING = sequence(
    """
run.checkpoint(7, path="x")
run.data["lost"] = True
run.say(f"attempt {run.attempt}, {run.data}")
run.sleep(3600)
""",
    RECORDED,
    undo="run.data['undone'] = run.data.get('undone', 0) + 1\n"
    "    run.say(f'undo {checkpoint} {run.state} {type(run.reason).__name__}')",
)
ENDING = sequence("run.data['n'] = run.data.get('n', 0) + 1\nrun.say(str(run.data))", RECORDED)


def hang(child: Child) -> str:
    return child.wait_line("attempt")


def test_after_a_kill_the_next_start_rolls_back_with_checkpoint_and_state(tmp_path: Path):
    with Child(HANGING, STATE_DIRECTORY=str(tmp_path)) as child:
        assert hang(child) == "attempt 0, {'lost': True}"
        child.stop(signal.SIGKILL)
    with Child(HANGING, STATE_DIRECTORY=str(tmp_path)) as child:
        assert child.wait_line("undo") == "undo 7 {'path': 'x'} Interrupted"
        assert hang(child) == "attempt 1, {'undone': 1, 'lost': True}", "what it had changed is taken back"


def test_a_stop_is_no_failure_but_is_rolled_back(tmp_path: Path):
    for undone in (None, 1, 2):
        with Child(HANGING, "--state", str(tmp_path)) as child:
            kept = {"undone": undone, "lost": True} if undone else {"lost": True}
            assert hang(child) == f"attempt 0, {kept}"
            assert child.stop()[0] == exits.OK


def test_the_journal_says_that_it_resumed(tmp_path: Path):
    with JournalChild(HANGING, HAFTA_STATE=str(tmp_path), HAFTA_INSTANCE="a") as child:
        _wait_for_checkpoint(tmp_path)
        child.stop(signal.SIGKILL)
    with JournalChild(HANGING, HAFTA_STATE=str(tmp_path), HAFTA_INSTANCE="a") as child:
        entry = child.wait_entry("resumed")
    assert (entry["HAFTA_SEQUENCE"], entry["HAFTA_NODE"], entry["HAFTA_CHECKPOINT"]) == ("feed", "work", "7")
    assert (entry["HAFTA_INSTANCE"], entry["HAFTA_ATTEMPT"]) == ("a", "1")


def test_what_is_kept_outlives_each_sequence_and_the_process(tmp_path: Path):
    for number in (1, 2, 3):
        with Child(ENDING, "--once", "--state", str(tmp_path)) as child:
            status, out, _ = child.finish()
        assert (status, out) == (exits.OK, f"{{'n': {number}}}\nSequence was: feed succeeded\n")


def test_a_second_copy_is_told_who_has_it_and_two_instances_run_side_by_side(tmp_path: Path):
    place = ("--state", str(tmp_path))
    with Child(HANGING, *place, "--instance", "a") as child, Child(HANGING, *place, HAFTA_INSTANCE="b") as other:
        hang(child)
        hang(other)
        assert sorted(path.name for path in tmp_path.iterdir()) == [f"hafta-feed@{name}.checkpoint" for name in "ab"]
        with Child(HANGING, *place, "--instance", "a") as second:
            status, _, err = second.finish()
    assert status == exits.IN_USE
    assert f"feed: error: {tmp_path}/hafta-feed@a.checkpoint: held by pid {child.process.pid}" in err
    assert "stop that one, or give this one another instance=" in err


NOT_A_STORE = sequence("pass", ", {}, checkpoints=lambda _values, _data: hafta.Checkpoints('dir')")


@pytest.mark.parametrize(
    ("program", "status", "said"),
    [
        (NOT_A_STORE, exits.SYSTEM, ["store is an object that keeps records"]),
        (sequence("pass"), exits.USAGE, ["unknown option --state"]),
        (ENDING, exits.PERMISSION, ["feed: error: {}: other users can write to it", "feed: chmod go-w {}"]),
    ],
)
def test_a_place_for_checkpoints_that_cannot_be_one_is_refused(tmp_path: Path, program: str, status: int, said):
    tmp_path.chmod(0o777)
    with Child(program, *([] if program == NOT_A_STORE else ["--state", str(tmp_path)])) as child:
        ended, _, err = child.finish()
    assert ended == status
    assert all(words.format(tmp_path) in err for words in said)


def test_help_shows_where_checkpoints_are_and_what_it_can_end_with():
    with Child(ENDING, "--help") as child:
        _, out, _ = child.finish()
    default = "(default: $STATE_DIRECTORY, else $RUNTIME_DIRECTORY, else ~/.local/state/hafta)"
    for words in ("  --state PATH\n", default, "  --instance NAME\n", f"  {exits.IN_USE}   another copy is running"):
        assert words in out


@pytest.mark.parametrize("given", ["/given", None])
def test_the_default_store_is_where_the_settings_or_systemd_say(given: str | None, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("STATE_DIRECTORY", "/of-systemd:/second")
    store = default_store(Values({"state": given}))
    assert isinstance(store, FileStore)
    assert store.directory == (given or "/of-systemd")


@pytest.mark.usefixtures("signals")
def test_checkpoints_may_be_given_as_they_are(tmp_path: Path):
    done = hafta.Sequence("done")
    done.node(name="only")(lambda _run: hafta.EXIT)
    given = hafta.Checkpoints(FileStore(str(tmp_path)), keep={"n": 1})
    assert runner.run(done, checkpoints=given, argv=["--once"], environ={}) == exits.OK
    assert FileStore(str(tmp_path)).peek("done").saved is not None


def _wait_for_checkpoint(place: Path) -> None:
    """Wait until the node has set its checkpoint."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        seen = FileStore(str(place)).peek("feed", "a")
        if seen and seen.saved and position(seen.saved.frame, seen.saved.body).sequences[0].checkpoint == 7:
            return
    raise AssertionError("no checkpoint")
