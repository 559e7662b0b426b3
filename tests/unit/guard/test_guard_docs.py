"""What docs/guard.md and the help say is what there is; and asking costs what it says."""

import contextlib
import os
import re
import socket
import subprocess
import sys
import threading
from pathlib import Path

from guard_support import Guarded

from hafta import cli, exits
from hafta.guard import main as bare_main
from hafta.guard import program
from hafta.guard.options import PROBING, PROGRAM
from hafta.guard.probes import KINDS
from hafta.journal import guard_events
from hafta.journal.event import Event

DOCS = (Path(__file__).parents[3] / "docs" / "guard.md").read_text()


def test_the_docs_name_every_probe_option_status_and_event():
    for shape in KINDS.values():
        assert f"`{shape.partition('[')[0]}" in DOCS or shape.startswith("https")
    assert [each.option for each in PROBING if each.option not in DOCS] == []
    assert [status for status in PROGRAM.statuses[2:] if not re.search(rf"\b{status}\b", DOCS)] == []
    kinds = [kind for kind in vars(guard_events).values() if isinstance(kind, type) and issubclass(kind, Event)]
    assert [kind.NAME for kind in kinds if kind is not Event and f"`{kind.NAME}`" not in DOCS] == []


def test_the_defaults_in_the_docs_are_those_of_the_program():
    shown = dict(re.findall(r"`(--[a-z-]+)` \((\d+)(?: s)?\)", DOCS))
    assert shown == {each.option: f"{each.default:g}" for each in PROBING if each.option in shown}
    assert {"--failures", "--start-grace", "--stop-grace"} <= shown.keys()


def test_both_front_doors_read_the_same_options_and_neither_needs_click(monkeypatch):
    seen = []
    monkeypatch.setattr(
        program, "_run", lambda service, values, operands, environ: seen.append((values, operands)) or 0 / 0
    )
    words = ["--interval=0.5", "--probe", "process", "--failures", "2", "--", "x", "--interval=3"]
    for door in (bare_main, lambda argv: cli.main(["guard", *argv])):
        with contextlib.suppress(ZeroDivisionError):
            door(words)
    assert [(values.interval, values.failures, operands) for values, operands in seen] == 2 * [
        (0.5, 2, ["x", "--interval=3"])
    ]
    code = "import sys; from hafta.cli import main; main(['guard', '--', 'true']); assert 'click' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode == 0


def test_click_reads_them_too(monkeypatch):
    """Shells ask it for completions, and it shows the command among the others."""
    from hafta.cli import group
    from hafta.cli import guard as command

    seen = []
    monkeypatch.setattr(command, "run_guard", lambda argv: seen.append(argv) or exits.OK)
    assert group.run_group(["guard", "--probe", "process", "--probe=file:x:1", "--debug", "--", "x", "-y"]) == exits.OK
    assert seen == [["--probe=process", "--probe=file:x:1", "--debug", "--", "x", "-y"]]


def cpu(pid):
    with open(f"/proc/{pid}/schedstat") as file:
        return int(file.read().split()[0]) / 1e9


def test_a_round_every_100_ms_takes_less_than_one_percent_of_a_core(monkeypatch):
    """Counted in rounds, so that a busy machine asks less often and not more cheaply; the best of several tries."""
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)  # measured lines cost twice as much
    answered = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            while True:
                try:
                    connection = listener.accept()[0]
                except OSError:
                    return
                with connection:
                    connection.recv(4096)
                    answered.append(1)
                    connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

        threading.Thread(target=serve, daemon=True).start()
        port = listener.getsockname()[1]
        with Guarded("--interval=0.02", f"--probe=http://127.0.0.1:{port}/", "--", "sleep", "100") as guard:
            guard.wait_told("READY=1")
            costs = []
            while not costs or (min(costs) >= 0.001 and len(costs) < 10):
                before, spent = len(answered), cpu(guard.process.pid)
                while len(answered) < before + 50:
                    os.sched_yield()
                costs.append((cpu(guard.process.pid) - spent) / (len(answered) - before))
        listener.shutdown(socket.SHUT_RDWR)
    assert min(costs) < 0.001, "seconds of processor for each round: 10 of them a second are 1 %"
