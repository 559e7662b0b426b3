"""HAFTA: services that do not stay down and do not lose their place.

An application is written as sequences of nodes; when something goes wrong it rolls back to where it was safe and tries
again, by a policy. The names here are the public ones; each is loaded when it is first used, because start-up bounds
recovery (docs/architecture.md, section 2).
"""

from __future__ import annotations

import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hafta.drivers.functions import Outcome
    from hafta.drivers.panic import panic
    from hafta.drivers.run import AsyncRun, Run
    from hafta.durable.checkpoints import Checkpoints
    from hafta.durable.resume import Interrupted
    from hafta.engine.default import default_policy
    from hafta.engine.node import Node
    from hafta.engine.words import (
        EXIT,
        FAIL_SEQUENCE,
        PANIC,
        ROLL_BACK_CURRENT,
        ROLL_BACK_PREVIOUS,
        Failure,
        Kind,
        PolicyEvent,
        Verdict,
        proceed,
    )
    from hafta.errors import HaftaError, IllegalMove, NodeTimeout, Orphaned, ServiceError, StoreError, UsageError
    from hafta.result import Result, SequenceFailed
    from hafta.retrying import retried
    from hafta.sequence import Function, Sequence
    from hafta.steps import Steps, node

    INTERRUPTED = Kind.INTERRUPTED
    NORMAL_FAIL = Kind.NORMAL_FAIL
    NORMAL_SUCCESS = Kind.NORMAL_SUCCESS
    ORPHANED = Kind.ORPHANED
    ROLLBACK_FAIL = Kind.ROLLBACK_FAIL
    ROLLBACK_SUCCESS = Kind.ROLLBACK_SUCCESS
    NORMAL = Function.NORMAL
    POLICY = Function.POLICY
    ROLLBACK = Function.ROLLBACK
    from hafta.version import VERSION

    __version__ = VERSION

__all__ = [
    "EXIT",
    "FAIL_SEQUENCE",
    "INTERRUPTED",
    "NORMAL",
    "NORMAL_FAIL",
    "NORMAL_SUCCESS",
    "ORPHANED",
    "PANIC",
    "POLICY",
    "ROLLBACK",
    "ROLLBACK_FAIL",
    "ROLLBACK_SUCCESS",
    "ROLL_BACK_CURRENT",
    "ROLL_BACK_PREVIOUS",
    "AsyncRun",
    "Checkpoints",
    "Failure",
    "Function",
    "HaftaError",
    "IllegalMove",
    "Interrupted",
    "Kind",
    "Node",
    "NodeTimeout",
    "Orphaned",
    "Outcome",
    "PolicyEvent",
    "Result",
    "Run",
    "Sequence",
    "SequenceFailed",
    "ServiceError",
    "Steps",
    "StoreError",
    "UsageError",
    "Verdict",
    "__version__",
    "default_policy",
    "node",
    "panic",
    "proceed",
    "retried",
]

_HOMES = {
    "hafta.drivers.functions": ("Outcome",),
    "hafta.drivers.panic": ("panic",),
    "hafta.drivers.run": ("AsyncRun", "Run"),
    "hafta.durable.checkpoints": ("Checkpoints",),
    "hafta.durable.resume": ("Interrupted",),
    "hafta.engine.default": ("default_policy",),
    "hafta.engine.node": ("Node",),
    "hafta.engine.words": (
        "EXIT", "FAIL_SEQUENCE", "PANIC", "ROLL_BACK_CURRENT", "ROLL_BACK_PREVIOUS",
        "Failure", "Kind", "PolicyEvent", "Verdict", "proceed",
    ),
    "hafta.errors": (
        "HaftaError", "IllegalMove", "NodeTimeout", "Orphaned", "ServiceError", "StoreError", "UsageError",
    ),
    "hafta.result": ("Result", "SequenceFailed"),
    "hafta.retrying": ("retried",),
    "hafta.sequence": ("Function", "Sequence"),
    "hafta.steps": ("Steps", "node"),
}  # fmt: skip
_HOME = {name: home for home, names in _HOMES.items() for name in names}
#: When the first line of ours ran in this process, in seconds of the monotonic clock.
BEGAN = time.monotonic()
_KINDS = ("INTERRUPTED", "NORMAL_FAIL", "NORMAL_SUCCESS", "ORPHANED", "ROLLBACK_FAIL", "ROLLBACK_SUCCESS")
_FUNCTIONS = ("NORMAL", "POLICY", "ROLLBACK")


if not TYPE_CHECKING:  # a type checker that saw it would take any misspelt name for one of ours

    def __getattr__(name: str) -> object:
        """Load a public name on first use and keep it."""
        value = _load(name)
        globals()[name] = value
        return value


def _load(name: str) -> object:
    if name in _HOME:
        return getattr(_module(_HOME[name]), name)
    if name in _KINDS:
        return getattr(_module("hafta.engine.words").Kind, name)
    if name in _FUNCTIONS:
        return getattr(_module("hafta.sequence").Function, name)
    if name == "__version__":
        return _module("hafta.version").VERSION
    raise AttributeError(f"module 'hafta' has no attribute {name!r}")


def _module(name: str) -> Any:
    """Return the module of this name, loaded (importlib would load `warnings`, and take half a millisecond)."""
    __import__(name)
    return sys.modules[name]


def __dir__() -> list[str]:
    return sorted(__all__)
