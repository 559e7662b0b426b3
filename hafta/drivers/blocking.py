"""The synchronous driver: carries out what the machine's phase asks for, until the call has ended."""

from __future__ import annotations

from hafta.engine.machine import Phase
from hafta.errors import HaftaError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hafta.drivers.conductor import Conductor
    from hafta.engine.node import Node

_LINKED = (ExceptionGroup, HaftaError)  # what may hold other exceptions, or a result, or ends the call
_NORMAL, _ROLLBACK, _UNWIND, _ASK, _UNWOUND = Phase.NORMAL, Phase.ROLLBACK, Phase.UNWIND, Phase.ASK, Phase.UNWOUND


def drive(conductor: Conductor) -> None:
    """Run the call to its end. Only what is no failure of a node is raised: IllegalMove, KeyboardInterrupt, Stop."""
    machine = conductor.machine
    while True:
        phase = machine.phase
        if phase is _NORMAL:
            _run_normal(conductor)
        elif phase is _ASK:
            _ask(conductor)
        elif phase is _ROLLBACK or phase is _UNWIND:
            _roll_back(conductor)
        elif phase is _UNWOUND:
            machine.go_on()
            conductor.moved()
            if conductor.owes and not take_up(conductor, conductor.owed()):
                return
        else:
            return


def _run_normal(conductor: Conductor) -> None:
    """Run a normal function; and plain ones that follow, as long as they go well or are rolled back in place."""
    if conductor.released != conductor.machine.failed:
        conductor.release()
    if conductor.careful or not conductor.machine.node.plain:
        _run_judged(conductor)
        return
    machine, run, now = conductor.machine, conductor.run, conductor.runtime.now
    in_place = run if conductor.unobserved else None
    while True:
        try:
            answer = machine.walk(run)
        except _LINKED as error:
            conductor.failed(error)
            return
        except Exception as error:
            try:
                answer = machine.retreat(error, now(), in_place)
            except Exception as another:
                conductor.failed(another)
                return
            if machine.phase is not _NORMAL:
                _retreated(conductor, answer)
                return
            if error.__context__ is None and error.__cause__ is None:
                error.with_traceback(None)  # as release() does
                conductor.released = machine.failed
            else:
                conductor.release()
        else:
            conductor.ended(answer)
            return


def _retreated(conductor: Conductor, answer: Any) -> None:
    """Go on where a failure is not done with in place: the rollback function is to run yet, or has answered this."""
    if conductor.machine.phase is _UNWIND:
        return
    if conductor.unobserved:
        conductor.ended(answer)
    else:
        _roll_back(conductor)


def _run_judged(conductor: Conductor) -> None:
    """Run a normal function that has a timeout, or a policy, a probe or a ledger that is to be asked or told."""
    node = conductor.machine.node
    try:
        conductor.entering(node)
        answer = node.normal_function(conductor.run)
    except Exception as error:
        conductor.failed(error)
    else:
        conductor.ended(answer)


def _ask(conductor: Conductor) -> None:
    machine = conductor.machine
    asked = conductor.asked() if conductor.probe is not None else None
    policy = machine.node.policy_function
    if policy is None:
        machine.decide_by_default()
    else:
        event = conductor.event()
        machine.decide(policy(conductor.run, event), event.at)
    conductor.decided(asked)
    if machine.delay:
        conductor.runtime.sleep(conductor.take_delay())


def _roll_back(conductor: Conductor) -> None:
    try:
        answer = conductor.rolling_back()(conductor.run, conductor.machine.checkpoint)
    except Exception as error:
        conductor.failed(error)
    else:
        conductor.ended(answer)


def take_up(conductor: Conductor, nodes: list[Node]) -> bool:
    """Run these nodes again, each until it succeeds; False if one has failed, which ends the call."""
    at = 0
    while 0 <= at < len(nodes):
        inner = conductor.taking_up(nodes[at])
        drive(inner)
        at = conductor.taken_up(nodes, at, inner)
    if at >= 0:
        conductor.taken_up_all()
    return at >= 0
