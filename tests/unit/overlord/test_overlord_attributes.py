"""What a service is between fork and exec: never more than its unit asks for, and a failure has systemd's status."""

import os
import signal

import pytest
from overlord_harness import is_alive, wait_until

from hafta.overlord import attributes, child, spawn
from hafta.overlord.attributes import NOTHING, notes_on, steps_of
from hafta.process import privileges
from hafta.process.privileges import Sets
from hafta.units.attributes import Attributes, gather
from hafta.units.capabilities import ALL, NAMES, merged, names_of
from hafta.units.unit import Credentials, Unit

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root changes users and capabilities")
NET, CHOWN, SETPCAP = (1 << NAMES.index(name) for name in ("net_bind_service", "chown", "setpcap"))
SHOW = "/bin/grep -hE '^(Cap|NoNewPrivs|Groups)' /proc/self/status"
#: As an overlord whose container has taken a capability away.
POOR = ("setpriv", "--bounding-set=-setpcap,-sys_nice,-net_bind_service", "--inh-caps=-all")


def shown(overlord):
    """Return what a service has shown of its status, by name."""
    rows = [line.partition("| ")[2].split(":") for line in overlord.lines if line.startswith("a ")]
    return {row[0]: row[1].split() for row in rows if len(row) == 2}


def sets(overlord):
    """Return the sets of capabilities that a service has shown, by the last three letters of their names."""
    return {name[3:]: int(row[0], 16) for name, row in shown(overlord).items() if name.startswith("Cap")}


def run(place, *lines, command=SHOW, status=0, **options):
    place.service("a", command, *lines)
    overlord = place.start("a", **options)
    assert overlord.wait() == status, overlord.text
    return overlord


@AS_ROOT
def test_ambient_capabilities_are_all_that_another_user_has(place):
    overlord = run(place, "User=daemon", "AmbientCapabilities=CAP_NET_BIND_SERVICE CAP_CHOWN")
    wanted = NET | CHOWN
    everything = privileges.bounding_set()
    assert sets(overlord) == {"Inh": wanted, "Prm": wanted, "Eff": wanted, "Bnd": everything, "Amb": wanted}
    assert shown(overlord)["NoNewPrivs"] == ["0"]


@AS_ROOT
def test_the_bounding_set_binds_root_and_what_is_ambient(place):
    overlord = run(place, "CapabilityBoundingSet=CAP_NET_BIND_SERVICE CAP_CHOWN", "CapabilityBoundingSet=~CAP_CHOWN")
    assert sets(overlord) == {"Inh": 0, "Prm": NET, "Eff": NET, "Bnd": NET, "Amb": 0}
    overlord = run(place, "User=daemon", "CapabilityBoundingSet=", "AmbientCapabilities=CAP_CHOWN")
    assert set(sets(overlord).values()) == {0}


@AS_ROOT
def test_a_service_of_another_user_has_no_capability_if_it_asks_for_none(place):
    overlord = run(place, "User=daemon", "NoNewPrivileges=yes", "SecureBits=noroot noroot-locked")
    assert {name: bits for name, bits in sets(overlord).items() if bits and name != "Bnd"} == {}
    assert shown(overlord)["NoNewPrivs"] == ["1"]


@AS_ROOT
def test_who_may_not_bound_gives_up_and_gets_nothing_back(place):
    """A container without CAP_SETPCAP: the process keeps what both have, and no program can give it more."""
    lines = ("CapabilityBoundingSet=CAP_CHOWN CAP_NET_BIND_SERVICE", "AmbientCapabilities=CAP_NET_BIND_SERVICE")
    overlord = run(place, *lines, prefix=POOR)
    found = sets(overlord)
    assert (found["Prm"], found["Eff"], found["Amb"]) == (CHOWN, CHOWN, 0)
    assert shown(overlord)["NoNewPrivs"] == ["1"]
    assert "a.service: the overlord does not have CAP_NET_BIND_SERVICE: runs without" in overlord.text
    assert "without CAP_SETPCAP, NoNewPrivileges= stands for CapabilityBoundingSet=: a.service" in overlord.text
    overlord = run(place, *lines, "User=daemon", prefix=POOR)
    assert {name: bits for name, bits in sets(overlord).items() if bits and name != "Bnd"} == {}
    assert shown(overlord)["NoNewPrivs"] == ["1"]


@AS_ROOT
def test_an_overlord_that_is_not_root_gives_no_more_than_is_asked_for(place):
    os.chmod(place.path, 0o777)
    prefix = ("setpriv", "--reuid=daemon", "--regid=daemon", "--clear-groups")
    overlord = run(place, "CapabilityBoundingSet=", "AmbientCapabilities=CAP_CHOWN", prefix=prefix)
    assert shown(overlord)["NoNewPrivs"] == ["1"]
    assert "a.service: the overlord does not have CAP_CHOWN: runs without" not in overlord.text, (
        "nothing is bounded away"
    )
    overlord = run(place, "AmbientCapabilities=CAP_CHOWN", "SupplementaryGroups=bin", "DynamicUser=yes", prefix=prefix)
    assert "a.service: the overlord does not have CAP_CHOWN: runs without" in overlord.text
    assert "SupplementaryGroups" in overlord.text
    assert shown(overlord)["NoNewPrivs"] == ["1"], "DynamicUser= forbids new privileges"


@AS_ROOT
def test_what_has_capabilities_still_dies_with_its_overlord(place):
    place.service("a", "/bin/sleep 1000", "User=daemon", "AmbientCapabilities=CAP_CHOWN", "SecureBits=keep-caps")
    overlord = place.start("a")
    overlord.wait_for("starting as process")
    (pid,) = overlord.pids("a.service")
    wait_until(lambda: os.readlink(f"/proc/{pid}/exe").endswith("sleep"))
    overlord.send(signal.SIGKILL)
    wait_until(lambda: not is_alive(pid))


@AS_ROOT
def test_supplementary_groups_come_besides_those_of_the_user(place):
    overlord = run(place, "User=daemon", "SupplementaryGroups=bin 7", "SupplementaryGroups=adm")
    assert shown(overlord)["Groups"] == ["1", "2", "4", "7"]
    assert shown(run(place, "SupplementaryGroups=7"))["Groups"] == ["7"]
    overlord = run(place, "SupplementaryGroups=bin hafta-nobody-has-it", status=1)
    assert overlord.find(r"exited with status 216")
    assert "there is no group hafta-nobody-has-it" in overlord.text


@AS_ROOT
def test_a_process_is_scheduled_as_its_unit_asks(place):
    show = place.script(
        "show.py",
        """
        import os
        print(os.getpriority(os.PRIO_PROCESS, 0), os.sched_getscheduler(0) & 0xFFFF, sorted(os.sched_getaffinity(0)))
        print(open("/proc/self/oom_score_adj").read().strip(), open("/proc/self/timerslack_ns").read().strip())
        """,
    )
    lines = ("Nice=-3", "CPUSchedulingPolicy=batch", "CPUAffinity=0 4000-4001", "OOMScoreAdjust=300")
    overlord = run(place, *lines, "TimerSlackNSec=3us", "CPUSchedulingResetOnFork=yes", command=show)
    assert [line.partition("| ")[2] for line in overlord.lines if line.startswith("a ")] == ["-3 3 [0]", "300 3000"]
    overlord = run(place, "IOSchedulingPriority=7", command="/usr/bin/ionice")
    assert "a        | best-effort: prio 7" in overlord.lines


@AS_ROOT
def test_what_a_container_does_not_allow_is_as_near_as_may_be_or_fails_in_words(place):
    assert run(place, "Nice=-5", command="/usr/bin/nice", prefix=POOR).find(r"a +\| 0")
    overlord = run(place, "CPUSchedulingPolicy=rr", status=1, prefix=POOR)
    assert overlord.find("exited with status 214")
    text = "its main process failed: cannot set the scheduling policy (CPUSchedulingPolicy=): Operation not permitted"
    assert text in overlord.text


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"affinity": (8000,)}, attributes.CPUAFFINITY),
        ({"cpu": (0, 50, False)}, attributes.SETSCHEDULER),
        ({"io": (4, 0)}, attributes.IOPRIO),
    ],
)
def test_a_step_that_fails_ends_the_child_with_systemds_status(asked, status):
    launch = child.Launch(
        path="/bin/true",
        argv=["true"],
        environment={},
        directory=("/", False),
        umask=0o022,
        credentials=Credentials(),
        limits=(),
        ignore_sigpipe=True,
        watched=False,
        steps=steps_of(Attributes(**asked), -1),
    )
    made = spawn.spawn(launch)
    os.set_blocking(made.output, True)
    report = os.read(made.report, 100).decode()
    os.close(made.report)
    os.close(made.output)
    assert os.waitstatus_to_exitcode(os.waitpid(made.pid, 0)[1]) == status
    assert report == f"{status} 22"
    assert status in attributes.FAILURES


def test_every_exit_status_has_its_name_in_systemd():
    from hafta.units.values import EXIT_NAMES

    for status, words in attributes.FAILURES.items():
        name = next(name for name, number in EXIT_NAMES.items() if number == status)
        assert getattr(attributes, name) == status
        assert words.startswith("cannot ")


def test_nothing_that_is_asked_for_is_nothing_to_do():
    assert steps_of(Unit("a", "f").attributes, 1) is NOTHING
    assert steps_of(gather({"nice": None}, dynamic=False), 1) is NOTHING
    assert steps_of(Attributes(bounding=ALL), 1) == NOTHING
    assert steps_of(Attributes(nice=1, ambient=1), 1).without_privileges().before_user == ()
    assert notes_on([Unit("a.service", "f")]) == []


def test_lines_of_capabilities_add_up_as_in_systemd():
    assert merged([], ALL) == ALL
    assert merged([(False, 0)], ALL) == 0
    assert merged([(True, 0)], 0) == ALL
    assert merged([(False, 6), (True, 2)], ALL) == 4
    assert merged([(True, 1), (False, 1)], ALL) == ALL
    assert merged([(False, 6), (False, 0)], ALL) == 0
    assert names_of(NET | CHOWN) == ["CAP_CHOWN", "CAP_NET_BIND_SERVICE"]


def test_the_kernel_has_no_capability_without_a_name_here():
    assert len(privileges.CAPABILITIES) <= len(NAMES)


def test_a_set_that_is_refused_is_an_error(monkeypatch):
    monkeypatch.setattr(privileges, "_HEADER", (privileges.ctypes.c_uint32 * 2)(privileges._VERSION, 1))
    with pytest.raises(OSError, match="Operation not permitted"):
        privileges.set_sets(Sets(0, 0, 0))
