"""`service-started`: at READY, how long the start has taken and what came before it."""

from pathlib import Path

import pytest
from processes import PATIENCE, Child, JournalChild, body, sequence

from hafta.version import VERSION

RUN = "0123456789abcdef" * 2


def test_it_is_told_once_at_ready_with_the_parts_of_the_start():
    program = body("time.sleep(0.2)\nservice.ready()\nservice.ready('again')\nservice.report")
    with JournalChild(program, INVOCATION_ID=RUN) as child:
        assert child.process.wait(PATIENCE) == 0
        started, stopped = child.entries()
    assert (started["HAFTA_EVENT"], started["HAFTA_NUMBER"]) == ("service-started", "1")
    assert (started["HAFTA_SERVICE"], started["HAFTA_VERSION"], started["HAFTA_CRASHES"]) == ("probe", VERSION, "0")
    begun, process = int(started["HAFTA_BEGUN_USEC"]), int(started["HAFTA_EXEC_USEC"])
    assert 200_000 <= begun <= process + 10_000
    assert started["HAFTA_INVOCATION"] == stopped["HAFTA_INVOCATION"] == RUN


def test_a_restart_after_crashes_has_their_number(tmp_path: Path):
    program = body("service.ready()\nos._exit(3)")
    for crashes in range(3):
        with JournalChild(program, RUNTIME_DIRECTORY=str(tmp_path)) as child:
            assert child.process.wait(PATIENCE) == 3
            [started] = child.entries()
        assert started["HAFTA_CRASHES"] == str(crashes)


@pytest.mark.parametrize("options", [["--instance=b"], []])
def test_entries_name_the_copy_of_a_durable_service(tmp_path: Path, options: list[str]):
    program = sequence("return hafta.EXIT", ", checkpoints=hafta.service.runner.state_checkpoints()")
    with JournalChild(program, "--once", f"--state={tmp_path}", *options) as child:
        assert child.process.wait(PATIENCE) == 0
        entries = child.entries()
    assert {entry.get("HAFTA_INSTANCE", "") for entry in entries} == {"b" if options else ""}
    assert entries[0]["HAFTA_EVENT"] == "service-started"


def test_a_person_at_the_terminal_is_not_told():
    with Child(body("service.ready()")) as child:
        assert child.finish() == (0, "", "")


def test_a_failure_has_the_class_of_its_error():
    with JournalChild(body("raise OSError(28, 'full')")) as child:
        assert child.process.wait(PATIENCE) == 111
        [failed] = child.entries()
    assert (failed["HAFTA_EVENT"], failed["HAFTA_ERROR"]) == ("service-failed", "OSError 28")
