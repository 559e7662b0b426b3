"""What the processes of a unit say to the notify socket: real processes, a real socket."""

import os
import signal
import socket

import pytest
from overlord_harness import NOTIFY, is_alive, wait_until
from processes import state_of

SLEEPER = "/bin/sleep 1000"


def test_barrier_closes_the_descriptor_and_fdstore_is_said_to_be_ignored(place):
    barrier = place.script(
        "barrier.py",
        f"""
        {NOTIFY}
        reader, writer = os.pipe()
        socket.send_fds(s, [b"READY=1\\nFDSTORE=1"], [0, 1])
        socket.send_fds(s, [b"BARRIER=1"], [writer])
        os.close(writer)
        print("passed", os.read(reader, 1), flush=True)
        """,
    )
    place.service("a", barrier, "Type=notify")
    overlord = place.start("a")
    assert overlord.wait() == 0
    assert "a        | passed b''" in overlord.text
    assert "a.service: the overlord keeps no file descriptors (FDSTORE=1)" in overlord.text


def test_mainpid_moves_the_main_process_to_another_of_the_unit(place):
    move = place.script(
        "move.py",
        f"""
        {NOTIFY}
        import time
        if pid := os.fork():
            s.send(b"MAINPID=%d\\nREADY=1" % pid)
            print("child", pid, flush=True)
            time.sleep(0.05)
        else:
            time.sleep(1000)
        """,
    )
    place.service("a", move, "Type=notify", "Restart=no")
    overlord = place.start("a")
    (child,) = overlord.wait_for(r"a +\| child (\d+)")
    overlord.wait_for(rf"is ready after .*, process {child}")
    first = overlord.pids("a.service")[0]
    wait_until(lambda: not is_alive(first))
    os.kill(int(child), signal.SIGKILL)
    assert overlord.wait() == 1
    assert f"process {child} was killed by signal 9 (SIGKILL)" in overlord.text


def test_mainpid_may_be_moved_as_often_as_a_service_likes(place):
    """What watches for the end of one that is not the main process any more would pile up."""
    move = place.script(
        "move.py",
        f"""
        {NOTIFY}
        import time
        if pid := os.fork():
            for turn in range(200):
                s.send(b"MAINPID=%d\\nMAINPID=%d" % (pid, os.getpid()))
            s.send(b"MAINPID=%d\\nREADY=1" % pid)
        time.sleep(1000)
        """,
    )
    place.service("a", move, "Type=notify", "NotifyAccess=all", "Restart=no")
    overlord = place.start("a")
    (child,) = overlord.wait_for(r"is ready after .*, process (\d+)")
    descriptors = os.listdir(f"/proc/{overlord.process.pid}/fd")
    assert len(descriptors) < 50
    os.kill(int(child), signal.SIGKILL)
    assert overlord.wait() == 0, "the end of the main process is seen, though it is another one's child"


def test_a_stopped_overlord_does_not_take_its_own_absence_for_a_hang(place):
    feeder = place.script(
        "feeder.py",
        f"""
        {NOTIFY}
        s.setblocking(False)
        import time
        s.send(b"READY=1")
        while True:
            try:
                s.send(b"WATCHDOG=1")
            except BlockingIOError:
                open("{place.file("full")}", "a").write("x")
            time.sleep(0.1)
        """,
    )
    overlord = place.up("a", feeder, "Type=notify", "WatchdogSec=700ms")
    overlord.send(signal.SIGSTOP)
    wait_until(lambda: state_of(overlord.pid) == "T")
    # The queue is full, and after 20 pings of 0.1 s that nobody took the watchdog would have run out twice.
    wait_until(lambda: len(place.read("full")) > 20)
    overlord.send(signal.SIGCONT)
    overlord.wait_for(r"was suspended for \d")
    assert "no sign of progress" not in overlord.text
    assert overlord.stop() == 0
    assert len(overlord.pids("a.service")) == 1


def test_who_belongs_to_no_unit_is_not_heard(place):
    place.service("a", "/bin/sh -c 'echo $$NOTIFY_SOCKET; sleep 1000'", "Type=notify", "NotifyAccess=all")
    overlord = place.start("a")
    (path,) = overlord.wait_for(r"a +\| (.*)")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as stranger:
        stranger.connect(path)
        stranger.send(b"READY=1")
        stranger.send(b"READY=1")
    overlord.send(signal.SIGUSR1)
    overlord.wait_for("a.service: activating \\(start\\), process")
    assert overlord.stop() == 0
    assert "is ready" not in overlord.text


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may set how many datagrams wait")
def test_what_a_process_said_last_is_heard_behind_the_flood_of_another(place):
    flood = place.script("flood.py", f"{NOTIFY}\nwhile True: s.send(b'X=1')")
    ready = place.script(
        "ready.py",
        f"""
        {NOTIFY}
        runs = os.open("{place.file("runs")}", os.O_RDWR | os.O_CREAT | os.O_APPEND)
        os.write(runs, b"x")
        s.send(b"READY=1")
        os._exit(os.fstat(runs).st_size >= 10)
        """,
    )
    place.service("flood", flood, "NotifyAccess=all")
    place.service("a", ready, "Type=notify", "Restart=on-success", "RestartSec=0", unit=("StartLimitIntervalSec=0",))
    queue = "echo 512 >/proc/sys/net/unix/max_dgram_qlen"
    overlord = place.start("flood", "a", prefix=("unshare", "--net", "sh", "-c", f'{queue}; exec "$@"', "sh"))
    assert overlord.wait_for("Unit a.service failed: (.*)") == ["its main process failed"]


def test_extend_timeout_does_not_lengthen_the_wait_for_a_restart(place):
    late = place.script(
        "late.py",
        f"""
        {NOTIFY}
        import time
        main = os.getpid()
        if os.fork() == 0:
            while os.getppid() == main:
                time.sleep(0.01)
            s.send(b"EXTEND_TIMEOUT_USEC=1000000000")
            time.sleep(1000)
        """,
    )
    lines = ("NotifyAccess=all", "KillMode=process", "Restart=always", "RestartSec=300ms")
    place.service("a", late, *lines, unit=("StartLimitBurst=2",))
    overlord = place.start("a")
    assert overlord.wait() == 1
    assert len(overlord.pids("a.service")) == 2
