"""Ready-made policies: plain objects that compose with `|` and are given to a node with `policy=`.

@feed.node(policy=Attempts(10) | Backoff(0.1, cap=5) | RetryAfter() | Deadline(60, then=FAIL_SEQUENCE))
def fetch(run): ...
"""

from hafta.policies.attempts import FOREVER, Attempts
from hafta.policies.backoff import Backoff, RetryAfter
from hafta.policies.breaker import CircuitBreaker
from hafta.policies.deadline import Deadline
from hafta.policies.escalate import FailSequence, On, Panic
from hafta.policies.policy import Policy

__all__ = [
    "FOREVER",
    "Attempts",
    "Backoff",
    "CircuitBreaker",
    "Deadline",
    "FailSequence",
    "On",
    "Panic",
    "Policy",
    "RetryAfter",
]
