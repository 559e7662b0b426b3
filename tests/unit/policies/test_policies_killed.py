"""Killed, Hung, HostLost and OutOfMemory: what they say of a reason, by how the process ended."""

import signal

import pytest

from hafta.death import HANG, HOST, MEMORY, OOM, TIMEOUT, Death
from hafta.durable.resume import Interrupted
from hafta.policies import HostLost, Hung, Killed, OutOfMemory

SEGV, TERM = signal.SIGSEGV, signal.SIGTERM


def interrupted(cause):
    return Interrupted(1, 2.0, stopped=False, cause=cause)


BY_SEGV, BY_ITSELF, OF_A_HANG = Death(1, signal=SEGV), Death(1, status=20), Death(1, signal=signal.SIGKILL, why=HANG)
BY_KERNEL = Death(1, signal=signal.SIGKILL, why=OOM)
SAID = {
    "one of its signals": (Killed(SEGV, TERM), interrupted(BY_SEGV), True),
    "another signal": (Killed(TERM), interrupted(BY_SEGV), False),
    "any signal": (Killed(), interrupted(BY_SEGV), True),
    "no signal": (Killed(), interrupted(BY_ITSELF), False),
    "nobody has seen it": (Killed(), interrupted(None), False),
    "not a death": (Killed(), ValueError("bad data"), False),
    "a cause that is something else": (Killed(), type("Odd", (ValueError,), {"cause": "SIGSEGV"})(), False),
    "within a group": (Killed(), ExceptionGroup("two", [ValueError(), interrupted(BY_SEGV)]), True),
    "a hang": (Hung(), interrupted(OF_A_HANG), True),
    "a timeout": (Hung(), interrupted(Death(1, why=TIMEOUT)), True),
    "no hang": (Hung(), interrupted(BY_SEGV), False),
    "a lost host": (HostLost(), interrupted(Death(1, why=HOST)), True),
    "its name": (HostLost("a", "b"), interrupted(Death(1, why=HOST, host="b")), True),
    "another name": (HostLost("a"), interrupted(Death(1, why=HOST, host="b")), False),
    "no lost host": (HostLost(), interrupted(BY_SEGV), False),
    "the machine has no memory left": (OutOfMemory(), interrupted(BY_KERNEL), True),
    "its group has no memory left": (OutOfMemory(), interrupted(Death(1, signal=9, why=MEMORY)), True),
    "somebody else's SIGKILL": (OutOfMemory(), interrupted(Death(1, signal=9)), False),
    "the kernel's signal is a signal": (Killed(signal.SIGKILL), interrupted(BY_KERNEL), True),
    "a hang that nobody has seen": (Hung(), interrupted(None), False),
}


@pytest.mark.parametrize("name", SAID)
def test_it_is_true_of_the_deaths_that_it_is_about(name):
    policy, reason, expected = SAID[name]
    assert policy(reason) is expected


@pytest.mark.parametrize("wrong", [0, 65, -9, "SIGSEGV", 9.0, None])
def test_what_is_not_the_number_of_a_signal_is_refused(wrong):
    with pytest.raises(TypeError, match="signals such as signal"):
        Killed(wrong)


@pytest.mark.parametrize("wrong", ["", 7, None])
def test_what_is_not_the_name_of_a_host_is_refused(wrong):
    with pytest.raises(TypeError, match=r"^HostLost is about names of hosts, not "):
        HostLost(wrong)
    assert repr(HostLost("b", "a")) == "HostLost('a', 'b')"


def test_the_first_and_the_last_signal_are_signals():
    assert repr(Killed(64, 1)) == "Killed(1, 64)"


def test_a_condition_is_shown_as_it_is_written():
    assert [repr(one()) for one in (Hung, OutOfMemory)] == ["Hung()", "OutOfMemory()"]
