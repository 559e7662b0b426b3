"""Type=forking: the unit is up when ExecStart= has ended, and its main process is the one that the PID file names."""

import os
import signal
from pathlib import Path

import pytest
from overlord_harness import is_alive, wait_until

DAEMON = "ExecStart=/bin/sh -c 'sleep 1000 & echo $$! > $$PIDFILE'"
POST = "ExecStopPost=/bin/sh -c 'echo POST $$SERVICE_RESULT [$$EXIT_CODE] [$$EXIT_STATUS]'"


def forking(place, *lines, name="d"):
    """Write a service of Type=forking whose PID file is `name`.pid in the runtime directory."""
    place.unit(f"{name}.service", "\n".join(["[Service]", "Type=forking", *lines]) + "\n")


def main_of(overlord, unit="d.service"):
    """Return the main process that a unit was ready with last, 0 for none."""
    return int(overlord.wait_for(rf"Unit {unit} is ready after [^,\n]*(?:, process (\d+))?")[-1] or 0)


@pytest.mark.parametrize(
    "lines",
    [
        (DAEMON,),
        ("ExecStart=/bin/sh -c 'sleep 1000 & P=$$!; (sleep 0.2; echo $$P > $$PIDFILE) & :'",),
        (
            "ExecStart=/bin/sh -c 'sleep 1000 & echo $$! > $$PIDFILE.x'",
            "ExecStartPost=/bin/sh -c 'mv $$PIDFILE.x $$PIDFILE'",
        ),
        ("ExecStartPre=/bin/sh -c 'echo 1 > $$PIDFILE'", DAEMON),
        ("ExecStart=/bin/sh -c ': > $$PIDFILE; env -i setsid sleep 1000 & sleep 0.1; echo $$! > $$PIDFILE'",),
    ],
    ids=["at once", "later", "by start-post", "an old one", "a daemon that hides all it is known by"],
)
def test_the_main_process_is_the_one_in_the_pid_file(place, lines):
    forking(place, "PIDFile=d.pid", *lines, POST)
    overlord = place.start("d", "--no-cgroups")
    main = main_of(overlord)
    wait_until(lambda: Path(f"/proc/{main}/cmdline").read_text() == "sleep\x001000\x00")  # a shell until it executes
    os.kill(main, signal.SIGKILL)
    assert overlord.wait() == 1
    assert "POST signal [killed] [KILL]" in overlord.text
    assert not os.path.exists(os.path.join(place.runtime, "d.pid"))


def test_a_daemon_that_dies_is_started_again(place):
    forking(place, "PIDFile=d.pid", "Restart=always", "RestartSec=0", DAEMON)
    overlord = place.start("d")
    first = main_of(overlord)
    os.kill(first, signal.SIGKILL)
    overlord.wait_for("d.service is ready", count=2)
    assert main_of(overlord) != first


#: A daemon that has a session of its own late, and in it a worker of whose environment nothing is left.
LATE = """
import os, socket, time
parent = os.getpid()
if os.fork() == 0:
    while os.getppid() == parent:
        time.sleep(0.01)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to:
        to.connect(os.environ["NOTIFY_SOCKET"])
        to.send(b"STATUS=here")
    time.sleep(0.2)
    os.setsid()
    worker = os.fork()
    if worker == 0:
        os.execve("/bin/sleep", ["sleep", "1000"], {})
    with open("workers", "a") as file:
        file.write(f"{worker}\\n")
    with open(os.environ["PIDFILE"], "w") as file:
        file.write(str(os.getpid()))
    time.sleep(1000)
"""


def test_what_a_daemon_leaves_in_a_session_that_it_began_late_is_ended_before_the_next_start(place):
    lines = ("PIDFile=d.pid", "NotifyAccess=all", "Restart=always", "RestartSec=0", f"WorkingDirectory={place.path}")
    forking(place, *lines, f"ExecStart={place.script('late.py', LATE)}")
    overlord = place.start("d", "--no-cgroups")
    os.kill(main_of(overlord), signal.SIGKILL)
    overlord.wait_for("d.service is ready", count=2)
    assert [is_alive(int(worker)) for worker in place.read("workers").split()] == [False, True]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("echo 1 > $$PIDFILE", "names process 1, which is not one of its processes"),
        ("echo 999999999 > $$PIDFILE", "names process 999999999, which does not exist"),
        ("echo x > $$PIDFILE", "d.pid: not the number of a process"),
        ("echo -1 > $$PIDFILE", "d.pid: not the number of a process"),
        ("mkfifo $$PIDFILE", "d.pid: not a regular file"),
        ("ln -s /dev/zero $$PIDFILE", "d.pid: not a regular file"),
        (": > $$PIDFILE", "d.pid is not written"),
        (":", "d.pid is not written"),
    ],
)
def test_what_a_pid_file_says_is_believed_of_its_own_processes_only(place, content, words):
    forking(place, "PIDFile=d.pid", "TimeoutStartSec=0.5", f"ExecStart=/bin/sh -c 'sleep 1000 & {content}'", POST)
    overlord = place.start("d")
    assert overlord.wait() == 1
    (why,) = overlord.find("Unit d.service failed: (.*)")
    assert why.startswith("it did not go to the background within 500 ms (TimeoutStartSec=): ")
    assert words in why
    assert "POST timeout [] []" in overlord.text
    assert is_alive(1)


def test_the_pid_file_of_another_unit_gives_it_no_main_process(place):
    forking(
        place,
        "PIDFile=d.pid",
        "TimeoutStartSec=0.5",
        f"WorkingDirectory={place.path}",
        "ExecStart=/bin/sh -c 'sleep 1000 & cat victim > $$PIDFILE'",
    )
    place.service("victim", "/bin/sh -c 'echo $$$$ > victim; exec sleep 1000'", f"WorkingDirectory={place.path}")
    place.unit("d.service.d/order.conf", "[Unit]\nAfter=victim.service\n[Service]\nExecStartPre=/bin/sleep 0.2\n")
    place.start("victim", "d", until="Unit d.service failed: .*, which is not one of its processes")
    assert is_alive(int(place.read("victim")))


def test_without_a_pid_file_the_only_process_that_is_left_is_the_main_one(place):
    forking(place, "ExecStart=/bin/sh -c 'setsid sleep 1000 & :'", POST)
    overlord = place.start("d")
    os.kill(main_of(overlord), signal.SIGTERM)
    assert overlord.wait() == 0
    assert "POST success [killed] [TERM]" in overlord.text


@pytest.mark.parametrize("guess", ["GuessMainPID=yes", "GuessMainPID=no"])
def test_without_a_main_process_the_unit_is_up_as_long_as_one_of_its_processes_lives(place, guess):
    second = "sleep 1001 & " if guess.endswith("yes") else ""
    forking(
        place, guess, f"ExecStart=/bin/sh -c 'sleep 1000 & {second}echo $$$$ $$!'", f"Environment=P={place.path}", POST
    )
    overlord = place.start("d")
    assert main_of(overlord) == 0
    *others, last = [pid for pid, line in place.left_over() if line.startswith(b"sleep")]
    for pid in others:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not any(map(is_alive, others)))
    assert "POST" not in overlord.text
    os.kill(last, signal.SIGKILL)
    assert overlord.wait() == 0
    assert "POST success [] []" in overlord.text


@pytest.mark.parametrize("lines", [(), ("GuessMainPID=no",)])
def test_a_daemon_that_hides_all_it_is_known_by_and_has_no_pid_file_is_its_units_too(place, lines):
    """As postfix does, which cleans its environment."""
    forking(
        place,
        "ExecStart=/bin/sh -c 'env -i setsid sleep 1000 & sleep 0.1; echo daemon $$!'",
        *lines,
        "ExecStop=/bin/echo stop [${MAINPID}]",
    )
    overlord = place.start("d", "--no-cgroups")
    main = main_of(overlord)
    (daemon,) = map(int, overlord.wait_for(r"daemon (\d+)"))
    assert main == (0 if lines else daemon)
    assert overlord.stop() == 0
    assert f"stop [{'' if lines else daemon}]" in overlord.text
    assert not is_alive(daemon)


def test_a_stop_of_a_daemon_runs_its_stop_command_with_its_pid(place):
    forking(
        place,
        "PIDFile=d.pid",
        DAEMON,
        "ExecStop=/bin/sh -c 'echo stop $$MAINPID $$PIDFILE; kill -HUP $$MAINPID'",
        POST,
    )
    overlord = place.start("d")
    main = main_of(overlord)
    assert overlord.stop() == 0
    assert f"stop {main} {place.runtime}/d.pid" in overlord.text
    assert "killed by signal 1 (SIGHUP)" in overlord.text


def test_two_daemons_that_hide_all_they_are_known_by_are_not_taken_for_each_other(place):
    hides = "ExecStart=/bin/sh -c 'env -i setsid sleep 1000 & sleep 0.1; echo $$! > $$PIDFILE'"
    forking(place, "PIDFile=a.pid", hides, name="a")
    forking(place, "PIDFile=b.pid", hides, name="b")
    overlord = place.start("a", "b", "--no-cgroups")
    mains = {main_of(overlord, "a.service"), main_of(overlord, "b.service")}
    assert len(mains) == 2
    assert overlord.stop() == 0
    assert not any(map(is_alive, mains))
