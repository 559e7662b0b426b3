"""The commands of a service as they are run: which, in which order, with which variables, and what comes of a failure.

Each story was told by systemd 252 with the same unit file first, and what its commands wrote is what is expected here.
"""

import os

import pytest

POST = "ExecStopPost=/bin/sh -c 'echo POST [$$MAINPID] $$SERVICE_RESULT [$$EXIT_CODE] [$$EXIT_STATUS]'"
SLEEP = "ExecStart=/bin/sleep 1000"

LAST = f"ExecStart=/bin/false\nExecStart=/bin/echo never\nExecStop=/bin/echo STOP\n{POST}"

#: name, lines, what the commands write, what is said in the end. These units end by themselves.
ENDING = [
    ("a main process that fails", f"ExecStart=/bin/sh -c 'exit 3'\nExecStop=/bin/echo STOP\n{POST}",
     ["POST [] exit-code [exited] [3]"], "failed: its main process failed"),
    ("a main process that ends well", f"ExecStart=/bin/echo main\nExecStop=/bin/echo STOP\n{POST}",
     ["main", "STOP", "POST [] success [exited] [0]"], "is stopped"),
    ("a main process that is forgiven", f"ExecStart=-/bin/false\nRestart=on-failure\n{POST}",
     ["POST [] success [exited] [1]"], "is stopped"),
    ("a program that is not there and is forgiven", f"ExecStart=-/none\nRestart=on-failure\n{POST}",
     ["POST [] success [exited] [203]"], "is stopped"),
    ("a start-pre that fails",
     f"ExecStartPre=/bin/false\nExecStartPre=/bin/echo never\n{SLEEP}\nExecStop=/bin/echo STOP\n{POST}",
     ["POST [] exit-code [] []"], "failed: a command of ExecStartPre= failed"),
    ("a start-pre that is not there", f"ExecStartPre=/none/such\n{SLEEP}\n{POST}",
     ["POST [] exit-code [] []"],
     "failed: a command of ExecStartPre= failed: cannot run /none/such: No such file or directory"),
    ("a condition that says no", f"ExecCondition=/bin/sh -c 'exit 254'\n{SLEEP}\n{POST}",
     ["POST [] exec-condition [] []"], "is skipped: ExecCondition= says so"),
    ("a condition that fails", f"ExecCondition=/bin/sh -c 'exit 255'\n{SLEEP}\n{POST}",
     ["POST [] exit-code [] []"], "failed: a command of ExecCondition= failed"),
    ("a condition that is killed", f"ExecCondition=/bin/sh -c 'kill -9 $$$$'\n{SLEEP}\n{POST}",
     ["POST [] signal [] []"], "failed: a command of ExecCondition= was killed"),
    ("a oneshot", f"Type=oneshot\nExecStart=/bin/echo one\nExecStop=/bin/echo STOP\n{POST}",
     ["one", "STOP", "POST [] success [exited] [0]"], "is stopped"),
    ("a oneshot with several commands",
     f"Type=oneshot\nExecStart=/bin/echo one\nExecStart=-/bin/false\nExecStart=/bin/echo two ; /bin/echo three\n{LAST}",
     ["one", "two", "three", "POST [] exit-code [exited] [1]"], "failed: its main process failed"),
    ("a start-post that fails", f"{SLEEP}\nExecStartPost=/bin/false\nExecStop=/bin/echo STOP\n{POST}",
     ["POST [] exit-code [killed] [TERM]"], "failed: a command of ExecStartPost= failed"),
    ("a main process that fails during start-post",
     f"Type=exec\nExecStart=/bin/sh -c 'sleep 0.1; exit 3'\nExecStartPost=/bin/sleep 0.5\nExecStop=/bin/echo S\n{POST}",
     ["POST [] exit-code [exited] [3]"], "failed: its main process failed"),
    ("a stop command that fails after a good end", f"ExecStart=/bin/true\nExecStop=/bin/false\n{POST}",
     ["POST [] exit-code [exited] [0]"], "failed: a command of ExecStop= failed"),
    ("a start-pre that takes too long", f"ExecStartPre=/bin/sleep 99\nTimeoutStartSec=0.2\n{SLEEP}\n{POST}",
     ["POST [] timeout [] []"], "failed: ExecStartPre= did not end within 200 ms (TimeoutStartSec=)"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected", "last"), [row[1:] for row in ENDING], ids=[row[0] for row in ENDING])
def test_a_unit_that_ends_by_itself(place, text, expected, last):
    place.unit("u.service", f"[Service]\nRestart=no\n{text}\n")
    overlord = place.start("u")
    assert overlord.wait() == ("failed" in last)
    assert [line.partition("| ")[2] for line in overlord.lines if line.startswith("u ")] == expected
    assert overlord.find(f"Unit u.service {last}$") or f"Unit u.service {last}" in overlord.text, overlord.text


#: The same of units that are stopped when they are up.
STOPPED = [
    ("stop and stop-post",
     f"{SLEEP}\nExecStop=/bin/sh -c 'test $$MAINPID && echo STOP $$SERVICE_RESULT [$$EXIT_CODE]'\n{POST}",
     ["STOP success []", "POST [] success [killed] [TERM]"], "is stopped"),
    ("a stop command that ends the main process", f"{SLEEP}\nExecStop=/bin/sh -c 'kill -INT $$MAINPID'\n{POST}",
     ["POST [] success [killed] [INT]"], "is stopped"),
    ("a stop command that fails", f"{SLEEP}\nExecStop=/bin/false\nExecStop=/bin/echo never\n{POST}",
     ["POST [] exit-code [killed] [TERM]"], "failed: a command of ExecStop= failed"),
    ("a stop command that takes too long", f"{SLEEP}\nExecStop=/bin/sleep 99\nTimeoutStopSec=0.3\n{POST}",
     ["POST [] timeout [killed] [TERM]"], "failed: ExecStop= did not end within 300 ms (TimeoutStopSec=)"),
    ("a stop-post that takes too long",
     f"{SLEEP}\nExecStopPost=/bin/sleep 99\nExecStopPost=/bin/echo never\nTimeoutStopSec=0.3",
     [], "failed: ExecStopPost= did not end within 300 ms (TimeoutStopSec=)"),
    ("several of each", f"ExecStartPre=/bin/echo pre ; /bin/echo more\nExecStartPost=/bin/echo post\n{SLEEP}\n{POST}",
     ["pre", "more", "post", "POST [] success [killed] [TERM]"], "is stopped"),
    ("a oneshot without a main command", f"Type=oneshot\nRemainAfterExit=yes\nExecStop=/bin/echo STOP\n{POST}",
     ["STOP", "POST [] success [] []"], "is stopped"),
    ("a oneshot that remains", "Type=oneshot\nRemainAfterExit=yes\nExecStart=/bin/echo up\nExecStop=/bin/echo STOP",
     ["up", "STOP"], "is stopped"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected", "last"), [row[1:] for row in STOPPED], ids=[row[0] for row in STOPPED])
def test_a_unit_that_is_stopped(place, text, expected, last):
    place.unit("u.service", f"[Service]\n{text}\n")
    overlord = place.start("u", until="Unit u.service is ready")
    assert overlord.stop() == 0
    assert [line.partition("| ")[2] for line in overlord.lines if line.startswith("u ")] == expected
    assert f"Unit u.service {last}" in overlord.text, overlord.text


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can change users")
def test_prefixes_and_permissions_start_only_say_who_runs_a_command(place):
    """Which is what systemd 252 gives: `+` has neither the unit's user nor its limits, `!` only not its user."""
    shows = "/bin/sh -c 'echo %s $$(id -u) $$(id -g) $$(ulimit -n) $$USER'"
    lines = [
        f"ExecStartPre={prefix}{shows % name}"
        for prefix, name in (("", "plain"), ("+", "full"), ("!", "user"), ("!!", "both"))
    ]
    place.unit(
        "u.service",
        "\n".join(["[Service]", "Type=oneshot", "User=nobody", "LimitNOFILE=77", *lines, "ExecStart=/bin/true"]) + "\n",
    )
    overlord = place.start("u")
    assert overlord.wait() == 0
    found = {
        name: words for name, *words in (line.partition("| ")[2].split() for line in overlord.lines if line[0] == "u")
    }
    assert found["plain"] == found["both"] == ["65534", "65534", "77", "nobody"]
    assert found["user"] == ["0", "0", "77", "nobody"]
    assert found["full"][:2] == ["0", "0"]
    assert found["full"][2:] != ["77", "nobody"]
    text = (
        f"User=nobody\nPermissionsStartOnly=yes\nType=oneshot\nExecStartPre={shows % 'pre'}\nExecStart={shows % 'main'}"
    )
    place.unit("v.service", f"[Service]\n{text}\n")
    overlord = place.start("v")
    assert overlord.wait() == 0
    assert overlord.find("pre 0 0 .* nobody")
    assert overlord.find("main 65534 65534 .* nobody")


def test_a_control_process_has_the_notify_socket_only_where_it_may_use_it(place):
    shows = "ExecStartPre=/bin/sh -c 'echo [$$NOTIFY_SOCKET] [$$WATCHDOG_USEC]'"
    for name, access in (("a", "main"), ("b", "exec"), ("c", "all")):
        place.unit(
            f"{name}.service", f"[Service]\nNotifyAccess={access}\nWatchdogSec=9\n{shows}\nExecStart=/bin/true\n"
        )
    place.unit("d.service", f"[Service]\nType=forking\nNotifyAccess=main\nWatchdogSec=9\n{shows.replace('Pre', '')}\n")
    overlord = place.start("a", "b", "c", "d")
    assert overlord.wait() == 0
    assert overlord.find(r"a        . \[\] \[\]")
    assert overlord.find(r"d        . \[/.*notify\] \[9000000\]"), "it is what becomes the service"
    assert overlord.find(r"[bc]        . \[/.*notify\] \[\]")


def test_a_program_of_type_idle_waits_until_nothing_is_starting_any_more(place):
    place.unit("idle.service", "[Service]\nType=idle\nExecStart=/bin/echo idle\n")
    place.unit("slow.service", "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'sleep 0.5; echo slow'\n")
    place.unit("behind.service", "[Unit]\nAfter=idle.service slow.service\n[Service]\nExecStart=/bin/echo behind\n")
    overlord = place.start("idle", "slow", "behind")
    assert overlord.wait() == 0
    shown = [line.partition("| ")[2] for line in overlord.lines if not line.startswith("overlord")]
    assert shown[0] == "slow"
    assert sorted(shown) == ["behind", "idle", "slow"]


def test_only_exec_start_gets_the_sockets_of_its_unit(place):
    """Also if another command is written in the same words."""
    place.unit("s.socket", f"[Socket]\nListenStream={place.path}/sock\n[Install]\nWantedBy=sockets.target\n")
    same = "/bin/sh -c 'echo fds [$$LISTEN_FDS]'"
    place.unit(
        "s.service",
        f"[Unit]\nRequires=s.socket\nAfter=s.socket\n[Service]\nType=oneshot\nExecStartPre={same}\nExecStart={same}\n",
    )
    overlord = place.start("s.service", until="Unit s.service is stopped")
    assert overlord.find(r"fds (\[.*\])") == ["[]", "[1]"]
