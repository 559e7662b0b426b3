"""`service-started` of a warm service: one for each start, with what came before it."""

import signal

from processes import JournalChild
from warm_support import kill, waiting, worker

RECORDS = ", checkpoints=hafta.service.runner.state_checkpoints()"


def started(child):
    """Return the entries of starts that have come, and that of the stop."""
    names = {"service-started", "service-stopped"}
    return [entry for entry in child.entries() if entry["HAFTA_EVENT"] in names]


def test_a_start_is_told_once_whatever_becomes_of_the_workers(tmp_path):
    with JournalChild(waiting(RECORDS), f"--state={tmp_path}", "--instance=b") as child:
        kill(worker(child))
        kill(worker(child))
        worker(child)
        child.wait_told("2 replaced")
        child.process.send_signal(signal.SIGHUP)
        worker(child)
        child.wait_told("READY=1", 2)
        assert child.stop()[0] == 0
        first, *more = started(child)
    assert (first["HAFTA_EVENT"], first["HAFTA_INSTANCE"], first["HAFTA_CRASHES"]) == ("service-started", "b", "0")
    assert int(first["HAFTA_BEGUN_USEC"]) <= int(first["HAFTA_EXEC_USEC"]) + 10_000
    assert [entry["HAFTA_EVENT"] for entry in more] == ["service-stopped"]


def test_a_restart_after_crashes_of_the_parent_has_their_number(tmp_path):
    for crashes in range(3):
        with JournalChild(waiting(), RUNTIME_DIRECTORY=str(tmp_path)) as child:
            worker(child)
            assert child.wait_entry("service-started")["HAFTA_CRASHES"] == str(crashes)
            kill(child.process.pid)
