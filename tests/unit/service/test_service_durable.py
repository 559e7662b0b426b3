"""hafta.service.run with a store: a crash is rolled back by the next start, a stop is no crash."""

import signal
import time
from pathlib import Path

import pytest
from service_support import PATIENCE, Child, JournalChild, sequence

import hafta
from hafta import exits
from hafta.service import default_store, runner
from hafta.settings import Values
from hafta.stores import FileStore
from hafta.stores.codec import position

STORE = ", {}, store=hafta.service.default_store, keep=lambda data: data"
#: A service that says how it began and hangs; its rollback says what it is told.
HANGING = sequence(
    """
run.data["begun"] = run.data.get("begun", 0) + 1
run.checkpoint(7, path="x")
run.say(f"attempt {run.attempt}, begun {run.data['begun']}")
run.sleep(3600)
""",
    STORE,
    undo="run.say(f'undo {checkpoint} {run.state} {type(run.reason).__name__}')",
)
ENDING = sequence("run.data['n'] = run.data.get('n', 0) + 1\nrun.say(str(run.data))", STORE)


def hang(child: Child) -> str:
    return child.wait_line("attempt")


def test_after_a_kill_the_next_start_rolls_back_with_checkpoint_and_state(tmp_path: Path):
    with Child(HANGING, STATE_DIRECTORY=str(tmp_path)) as child:
        assert hang(child) == "attempt 0, begun 1"
        child.stop(signal.SIGKILL)
    with Child(HANGING, STATE_DIRECTORY=str(tmp_path)) as child:
        assert child.wait_line("undo") == "undo 7 {'path': 'x'} Interrupted"
        assert hang(child) == "attempt 1, begun 2"


def test_a_stop_is_no_failure_but_is_rolled_back(tmp_path: Path):
    for begun in (1, 2, 3):
        with Child(HANGING, "--state", str(tmp_path)) as child:
            assert hang(child) == f"attempt 0, begun {begun}"
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


def test_a_second_copy_is_told_who_has_it(tmp_path: Path):
    with Child(HANGING, "--state", str(tmp_path)) as child:
        hang(child)
        with Child(HANGING, "--state", str(tmp_path)) as second:
            status, _, err = second.finish()
    assert status == exits.IN_USE
    assert f"feed: error: {tmp_path}/hafta-feed.checkpoint: held by pid {child.process.pid}" in err
    assert "stop that one, or give this one another instance=" in err


def test_two_instances_run_side_by_side(tmp_path: Path):
    one = Child(HANGING, "--state", str(tmp_path), "--instance", "a")
    with one, Child(HANGING, "--state", str(tmp_path), HAFTA_INSTANCE="b") as other:
        hang(one)
        hang(other)
        names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["hafta-feed@a.checkpoint", "hafta-feed@b.checkpoint"]


def test_a_directory_that_others_can_write_to_is_refused(tmp_path: Path):
    tmp_path.chmod(0o777)
    with Child(ENDING, "--state", str(tmp_path)) as child:
        status, _, err = child.finish()
    assert status == exits.PERMISSION
    assert f"feed: error: {tmp_path}: others can write to it" in err
    assert f"feed: chmod go-w {tmp_path}" in err


def test_what_is_no_store_is_named():
    with Child(sequence("pass", ", {}, store='dir'")) as child:
        status, _, err = child.finish()
    assert (status, "store is an object that keeps records" in err) == (exits.SYSTEM, True)


def test_help_shows_where_checkpoints_are_and_what_it_can_end_with():
    with Child(ENDING, "--help") as child:
        _, out, _ = child.finish()
    assert "  --state PATH\n" in out
    assert "(default: $STATE_DIRECTORY, else $RUNTIME_DIRECTORY, else ~/.local/state/hafta)" in out
    assert "  --instance NAME\n" in out
    assert f"  {exits.IN_USE}   another copy is running" in out


def test_without_a_store_there_is_no_such_option():
    with Child(sequence("pass"), "--state", "x") as child:
        status, _, err = child.finish()
    assert (status, "unknown option --state" in err) == (exits.USAGE, True)


@pytest.mark.parametrize("given", ["/given", None])
def test_the_default_store_is_where_the_settings_or_systemd_say(given: str | None, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("STATE_DIRECTORY", "/of-systemd:/second")
    store = default_store(Values({"state": given}))
    assert isinstance(store, FileStore)
    assert store.directory == (given or "/of-systemd")


def test_a_store_may_be_given_as_it_is(tmp_path: Path):
    done = hafta.Sequence("done")
    done.node(name="only")(lambda _run: hafta.EXIT)
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        kept = {"n": 1}
        status = runner.run(done, store=FileStore(str(tmp_path)), keep=lambda _data: kept, argv=["--once"], environ={})
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert status == exits.OK
    assert FileStore(str(tmp_path)).peek("done").saved is not None


def _wait_for_checkpoint(place: Path) -> None:
    """Wait until the node has set its checkpoint."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        seen = FileStore(str(place)).peek("feed", "a")
        if seen and seen.saved and position(seen.saved.frame, seen.saved.body).levels[0].checkpoint == 7:
            return
    raise AssertionError("no checkpoint")
