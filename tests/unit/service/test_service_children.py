"""What a service has forked neither speaks nor acts for it (hafta/service/children.py has the list)."""

import os
import signal

import pytest
from processes import PATIENCE, Child, JournalChild, body, sequence

from hafta.service.holdoff import _LAYOUT

#: The child does something, and the parent says how it ended, what it printed coming first.
FORK = """
import signal
service.ready()
pid = os.fork()
if not pid:
    {act}
    os._exit(9)
service.say(f"child: {{os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}}")
"""
SHOW = "os.write(1, f'{%s}\\n'.encode())"

#: What the child does: (how it ends, what it has printed).
ENDS = {
    "os.kill(os.getpid(), 15); time.sleep(600)": (-signal.SIGTERM, ""),
    SHOW % "signal.getsignal(2) is signal.default_int_handler": (9, "True"),
    SHOW % "sys.unraisablehook is sys.__unraisablehook__": (9, "True"),
    SHOW % "(service.watchdog.period, service.notifier.enabled)": (9, "(None, False)"),
    "service.ready('the child'); service.status('the child'); service.progress()": (9, ""),
    "service.notifier.stopping('the child'); service.notifier.watchdog()": (9, ""),
    "sys.exit(3)": (3, ""),
    "raise hafta.service.Stop(15)": (0, ""),
    "return": (0, ""),
}


@pytest.mark.parametrize("act", ENDS)
def test_a_forked_child_acts_for_itself_alone(act: str, tmp_path):
    """Each of these once spoke, ended or counted for the parent."""
    status, printed = ENDS[act]
    environ = {"RUNTIME_DIRECTORY": str(tmp_path), "WATCHDOG_USEC": "60000000"}
    with Child(body(FORK.format(act=act) + "service.sleep(600)"), **environ) as child:
        if printed:
            assert child.wait_line() == printed
        assert child.wait_line() == f"child: {status}"
        assert not [line for line in child.drain() if "STOPPING" in line or "the child" in line]
        assert child.told.count("READY=1") == 1
        assert _LAYOUT.unpack((tmp_path / "probe.starts").read_bytes())[2] > 0  # not that of a clean end: it runs
        ended, _ = child.stop()
        assert (ended, child.drain()[-2:]) == (0, ["STOPPING=1", "STATUS=stopping: SIGTERM"])
        assert child.finish()[2] == ""


def test_an_error_of_the_child_is_its_own():
    with Child(body(FORK.format(act="raise ValueError('of the child')"))) as child:
        status, out, err = child.finish()
        assert (status, out) == (0, "child: 1\n")
        assert child.told.count("STOPPING=1") == 1
    assert err.splitlines()[-1] == "ValueError: of the child"
    assert "probe: error" not in err


IGNORED = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
MULTIPROCESSING = """
import multiprocessing
other = multiprocessing.get_context("fork").Process(target=time.sleep, args=(600,))
other.start()
other.terminate()
other.join()
service.say(other.exitcode)
"""
DIES = "os.kill(os.getpid(), 15); time.sleep(600)"
BY_THE_SYSTEM_CALL = FORK.replace("os.fork()", "ctypes.CDLL(None).fork()").format(act=DIES)
OTHER_CHILDREN = {
    "it has what a signal did before the service began": (
        IGNORED + body(FORK.format(act=SHOW % "signal.getsignal(15) is signal.SIG_IGN")), "True\nchild: 9\n"
    ),
    "a process of multiprocessing can be terminated": (body(MULTIPROCESSING), "-15\n"),
    "one that a library forked, unknown to Python": (f"import ctypes\n{body(BY_THE_SYSTEM_CALL)}", "child: -15\n"),
}  # fmt: skip


@pytest.mark.parametrize("which", OTHER_CHILDREN)
def test_a_child_is_not_a_service(which: str):
    program, said = OTHER_CHILDREN[which]
    with Child(program) as child:
        assert child.finish() == (0, said, "")


def test_a_child_that_is_forked_in_a_node_leaves_the_service_to_be_stopped():
    """As in a group that the overlord stops as a whole: each of the two has its own signal."""
    text = """
    pid = os.fork()
    if not pid:
        time.sleep(600)
    run.runtime.ready(f"child {pid}")
    run.sleep(600)
    """
    with Child(sequence(text.replace("\n    ", "\n"), ", ready=False")) as child:
        pid = int(child.wait_told("STATUS=child ").split(" ")[1].strip(";"))
        status, _ = child.stop()
        assert (status, child.drain()[-2:]) == (0, ["STOPPING=1", "STATUS=stopping: SIGTERM"])
        with open(f"/proc/{pid}/stat") as file:
            assert file.read().split()[2] in "SRD"  # it goes on: nobody has asked it to stop
        signal.pidfd_send_signal(os.pidfd_open(pid), signal.SIGTERM)


def test_the_child_owes_the_journal_nothing_and_sends_what_is_its_own_at_its_end(tmp_path):
    """The parent has counted 90 entries that it has yet to sum up; the journal's socket here takes ten at a time."""
    go = tmp_path / "go"
    text = f"for _ in range(100): service.say('alike')\nwhile not os.path.exists({str(go)!r}): time.sleep(0.01)\n"
    with JournalChild(body(text + FORK.format(act="service.say('mine'); sys.exit()"))) as child:
        entries = [child.wait_entry("said") for _ in range(10)]
        go.touch()
        assert child.process.wait(PATIENCE) == 0
        entries += [entry for entry in child.entries() if entry["HAFTA_EVENT"] == "said"]
    mine = [entry for entry in entries if entry["MESSAGE"] == "mine"]
    assert [(entry.get("HAFTA_NUMBER"), entry.get("HAFTA_REPEATED")) for entry in mine] == [(None, None)]
    alike = [int(entry.get("HAFTA_REPEATED", 1)) for entry in entries if entry["MESSAGE"].startswith("alike")]
    assert sum(alike) == 100
