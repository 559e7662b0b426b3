"""The synchronous driver: carries out what the machine's phase asks for, until the call has ended."""

from __future__ import annotations

import sys

from hafta.engine.machine import Phase

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hafta.drivers.conductor import Conductor

_NORMAL, _ROLLBACK, _UNWIND, _ASK, _UNWOUND = Phase.NORMAL, Phase.ROLLBACK, Phase.UNWIND, Phase.ASK, Phase.UNWOUND


def drive(conductor: Conductor) -> None:
    """Run the call to its end. Raises what is not a failure of a node: IllegalMove, a stop, what a policy raises."""
    machine = conductor.machine
    while True:
        phase = machine.phase
        if phase is _ASK:
            _ask(conductor)
        elif phase is _NORMAL or phase is _ROLLBACK or phase is _UNWIND:
            try:
                if phase is not _NORMAL:
                    answer = conductor.undoing()(conductor.run, machine.mark[0])
                else:
                    conductor.release()
                    if machine.node.plain and not conductor.observers.see_every_step:
                        answer = machine.walk(conductor.run)  # this node, and the plain ones that follow
                    else:
                        answer = conductor.entering().normal_function(conductor.run)
            except Exception as error:
                conductor.failed(error)
            except BaseException as error:
                _failed(conductor, error)
            else:
                conductor.ended(answer)
        elif phase is _UNWOUND:
            conductor.go_on()
        else:
            return


def _ask(conductor: Conductor) -> None:
    machine = conductor.machine
    policy = conductor.policy()
    if policy is None:
        machine.decide_by_default()
    else:
        event = conductor.event()
        machine.decide(policy(conductor.run, event), event.at)
    conductor.moved()
    if machine.delay:
        conductor.runtime.sleep(machine.take_delay())


def _failed(conductor: Conductor, error: BaseException) -> None:
    """Take a cancellation for a failure: a function that is not asynchronous cannot have been cancelled."""
    asyncio = sys.modules.get("asyncio")
    if asyncio is None or not isinstance(error, asyncio.CancelledError):
        raise error
    conductor.failed(error)
