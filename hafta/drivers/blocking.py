"""The synchronous driver: carries out what the machine's phase asks for, until the call has ended."""

from __future__ import annotations

from hafta.engine.machine import Phase
from hafta.engine.node import Node

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hafta.drivers.conductor import Conductor

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
            conductor.settle()
        else:
            return


def _run_normal(conductor: Conductor) -> None:
    """Run normal functions, one after the other while nobody else has a say: the fast path."""
    machine, run, watched = conductor.machine, conductor.run, conductor.probe is not None
    advance = machine.advance
    try:
        while True:
            node = machine.node
            if watched or node.policy_function is not None or node.timeout is not None:
                conductor.entering(node)
                conductor.ended(node.normal_function(run))
                return
            answer = node.normal_function(run)
            if answer.__class__ is Node:
                advance(answer)
            else:
                conductor.ended(answer)
                return
    except Exception as error:
        conductor.failed(error)


def _ask(conductor: Conductor) -> None:
    machine = conductor.machine
    asked = conductor.asked() if conductor.probe is not None else None
    policy = machine.node.policy_function
    if policy is None:
        machine.decide_by_default()
    else:
        machine.decide(policy(conductor.run, conductor.event()))
    conductor.decided(asked)
    if machine.delay:
        conductor.runtime.sleep(conductor.take_delay())


def _roll_back(conductor: Conductor) -> None:
    machine = conductor.machine
    try:
        answer = conductor.rolling_back()(conductor.run, machine.checkpoint)
    except Exception as error:
        conductor.failed(error)
    else:
        conductor.ended(answer)
