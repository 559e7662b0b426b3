"""Each daemon, as its package ships it, lives under the overlord as it lives under systemd."""

from __future__ import annotations

import re

from hosts import UNITS

#: A unit that asks the daemon when it is started and when it is stopped: both only work in the right order.
ASKING = """[Unit]
Requires={unit}
After={unit}
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh /srv/ask.sh
ExecStop=/bin/sh /srv/ask.sh
"""
#: A unit that is up for as long as its host, whatever becomes of the daemon.
STAYING = "[Service]\nExecStart=/bin/sleep infinity\n"


def asking(daemon):
    """Return the files of that unit."""
    script = f"{daemon.ask} | sed 's/^/answered: /' | grep -F '{daemon.answer}'\n"
    return {f"{UNITS}/asking.service": ASKING.format(unit=daemon.unit), "/srv/ask.sh": script}


def answers(host, daemon):
    """Tell whether the daemon serves."""
    return daemon.answer in host.run("sh", "-c", daemon.ask, check=False).stdout


def restarts(host, daemon):
    """Tell whether the unit file as shipped wants a killed process back."""
    template = re.sub("@.*[.]", "@.", daemon.unit)
    text = host.sh(f"cat /lib/systemd/system/{template}")
    found = re.findall(r"(?m)^Restart=(\S+)", text)
    return bool(found) and found[-1] in {"always", "on-failure", "on-abnormal", "on-abort"}


def process(host, daemon):
    """Return the process that is the daemon: the unit's main process, if it has one."""
    main = host.main(daemon.unit)
    assert (main == 0) == bool(daemon.pid_file)
    return main or int(host.run("cat", daemon.pid_file).stdout)


def kill(host, daemon):
    """Kill its main process; return which one that was."""
    main = process(host, daemon)
    assert main > 1, "to kill(1), other numbers are groups of processes"
    host.run("kill", "-KILL", str(main))
    return main


def test_it_is_up_for_what_is_ordered_after_it_and_stops_after_that_without_a_trace(host, daemon):
    """Start, ready, order, log, stop, exit status."""
    host.start(daemon.unit, "asking.service", files=asking(daemon))
    assert [host.state(unit) for unit in (daemon.unit, "asking.service")] == ["active", "active"]
    assert re.search(daemon.processes, host.run("cat", f"/proc/{process(host, daemon)}/comm").stdout.strip())
    assert answers(host, daemon)
    assert host.logs("asking.service").count("answered: ") == 1
    assert host.finish() == 0
    assert host.logs("asking.service").count("answered: ") == 2, "it was not up any more when its asker was stopped"


def test_a_reload_changes_what_it_does_and_not_which_process_it_is(host, daemon):
    """Reload; a unit without ExecReload= refuses, with systemd's exit status."""
    host.start(daemon.unit)
    main = process(host, daemon)
    if not daemon.change:
        assert host.ask("reload", daemon.unit, check=False).returncode == 3
        return
    host.sh(daemon.change)
    host.ask("reload", daemon.unit)
    host.wait_until("it has reloaded", lambda: host.run("sh", "-c", daemon.changed, check=False).returncode == 0)
    assert answers(host, daemon)
    assert process(host, daemon) == main
    assert host.finish() == 0


def test_killed_it_comes_back_or_fails_as_its_unit_says(host, daemon):
    """SIGKILL of the main process."""
    host.start(daemon.unit, "staying.service", files={f"{UNITS}/staying.service": STAYING})
    main = kill(host, daemon)
    if restarts(host, daemon):
        host.wait_until("it is back", lambda: host.main(daemon.unit) not in {0, main})
        host.wait_until("it is up", lambda: host.state(daemon.unit) == "active")
        assert answers(host, daemon)
    else:
        host.wait_until("it has failed", lambda: host.state(daemon.unit) == "failed")
        assert host.get(daemon.unit, "Result") in {"signal", "exit-code"}, "the other is that of a failed ExecStop="
        assert daemon.pid_file or host.get(daemon.unit, "ExecMainStatus") == "9"
        host.wait_until("no process is left", lambda: not host.processes(daemon.processes))
    assert host.finish() == 0
