"""The beginning of a warm service: the parent is made here, and this is where a worker comes out of it."""

from __future__ import annotations

import gc
import os

from hafta import exits
from hafta.death import remember
from hafta.errors import HaftaError, UsageError
from hafta.process import prctl
from hafta.runtime import use_reporter
from hafta.service.service import Service
from hafta.service.warm import safety
from hafta.service.warm.beating import BeatingService
from hafta.service.warm.brood import Born, pass_gate
from hafta.service.warm.parent import Parent
from hafta.service.warm.rehearsal import preload, rehearse
from hafta.service.warm.reload import inherited
from hafta.service.warm.rules import health_of
from hafta.service.warm.worker import show_name
from hafta.settings import parse
from hafta.systemd import descriptors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hafta.death import Death
    from hafta.service.options import Warm
    from hafta.service.warm.rules import Rule
    from hafta.settings import Program

_OVERLORDS = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")


class Worker:
    """A worker that is about to begin."""

    def __init__(self, service: BeatingService) -> None:
        self.service = service


def begin(
    name: str, options: Warm, environ: Mapping[str, str], rules: Sequence[Rule] = (), *, debug: bool
) -> int | Worker:
    """Be the parent until the service ends, and return the exit status; or return a worker, in a forked child."""
    service = Service(name, environ)
    service.life.known_as(options.instance)
    use_reporter(service.reporter)
    for variable in _OVERLORDS:
        os.environ.pop(variable, None)
    try:
        health_of(rules)
        safety.check()
        prctl.set_title(f"{name}: parent")
        preload()
        rehearse(service)
        gc.collect()
        gc.freeze()  # what is there now is never looked at again, and its pages stay shared
        own = dict(environ)
        parent = Parent(service, options, own, inherited(own), rules)
        return parent.run()
    except Born as born:
        gate, death = born.gate, born.death
    except Exception as error:
        return _failed(service, error, debug=debug)
    return _worker(parent, environ, gate, death)


def check(program: Program, argv: Sequence[str], environ: Mapping[str, str], *, warm: bool) -> int:
    """Be the check of a reload: everything is imported by now. Return 0 if the parent may go on with this."""
    service = Service(program.name, environ)
    use_reporter(service.reporter)
    try:
        if not warm:
            parse(program, argv, environ)
            raise UsageError("the new program does not run warm", "restart the service instead of reloading it")
        safety.check()
    except HaftaError as error:
        service.fail(error.message, error.hint, error.status)
        return error.status
    finally:
        service.flush()
    return exits.OK


def _failed(service: Service, error: Exception, *, debug: bool) -> int:
    """Say why the parent cannot go on. Its end is that of its worker, and its overlord starts both again."""
    if debug:
        service.print_trace(error)
    if isinstance(error, HaftaError):
        message, hint, status = error.message, error.hint, error.status
    else:
        message = f"the warm parent failed: {type(error).__name__}: {error}"
        hint, status = "run it with --debug to see where, or without --warm", exits.SYSTEM
    service.fail(message, hint, status)
    service.flush()
    return status


def _worker(parent: Parent, environ: Mapping[str, str], gate: int | None, death: Death | None) -> Worker:
    """Become the worker; wait at the gate if there is one."""
    own = {name: value for name, value in environ.items() if name not in _OVERLORDS}
    own["NOTIFY_SOCKET"] = parent.wires.address
    descriptors.hand_over(parent.shelf.kept)
    service = BeatingService(parent.service.name, own, parent.page, parent.wires.kick, parent.options.deadline)
    service.check_health(parent.rules)
    if gate is not None:
        rehearse(service)
        death = pass_gate(gate)
        service.arrive()
        show_name(f"{service.name}: worker")
    if death is not None:  # the first worker has what the overlord said about the last process
        remember(death)
    return Worker(service)
