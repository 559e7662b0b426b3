"""Ready-made policies: plain objects that compose with `|` and are given to a node with `policy=`.

@feed.node(policy=Attempts(10) | Backoff(0.1, cap=5) | RetryAfter() | Deadline(60, then=FAIL_SEQUENCE))
def fetch(run): ...
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hafta.policies.attempts import FOREVER, Attempts
    from hafta.policies.backoff import Backoff
    from hafta.policies.breaker import CircuitBreaker, CircuitOpen
    from hafta.policies.deadline import Deadline
    from hafta.policies.escalate import FailSequence, On, Panic
    from hafta.policies.killed import HostLost, Hung, Killed, OutOfMemory
    from hafta.policies.policy import Policy
    from hafta.policies.reasons import reasons_in
    from hafta.policies.retry_after import RetryAfter

__all__ = [
    "FOREVER",
    "Attempts",
    "Backoff",
    "CircuitBreaker",
    "CircuitOpen",
    "Deadline",
    "FailSequence",
    "HostLost",
    "Hung",
    "Killed",
    "On",
    "OutOfMemory",
    "Panic",
    "Policy",
    "RetryAfter",
    "reasons_in",
]

_FILES = {
    "FOREVER": "attempts",
    "Attempts": "attempts",
    "Backoff": "backoff",
    "CircuitBreaker": "breaker",
    "CircuitOpen": "breaker",
    "Deadline": "deadline",
    "FailSequence": "escalate",
    "HostLost": "killed",
    "Hung": "killed",
    "Killed": "killed",
    "On": "escalate",
    "OutOfMemory": "killed",
    "Panic": "escalate",
    "Policy": "policy",
    "RetryAfter": "retry_after",
    "reasons_in": "reasons",
}


if not TYPE_CHECKING:  # a type checker that saw it would take any misspelt name for one of ours

    def __getattr__(name: str) -> object:
        """Load a policy when it is first used."""
        if name not in _FILES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(__import__(f"{__name__}.{_FILES[name]}", fromlist=[name]), name)
