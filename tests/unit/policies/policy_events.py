"""Events to ask a policy about, made by hand."""

import hafta
from hafta import EXIT, NORMAL_FAIL, NORMAL_SUCCESS, ROLLBACK_SUCCESS, PolicyEvent

sequence = hafta.Sequence.from_nodes("policies", [(7, hafta.NORMAL, lambda run: EXIT)])
node = sequence.nodes["<lambda>"]
other = sequence.node(name="other")(lambda run: EXIT)


def event(kind=NORMAL_FAIL, attempt=1, *, to=None, reason=None, at=0.0, since=0.0):
    to = node if to is None and kind in {NORMAL_SUCCESS, ROLLBACK_SUCCESS} else to
    return PolicyEvent(kind, node, to=to, reason=reason, attempt=attempt, at=at, since=since)


def decide(policy, what):
    """Ask the policy alone, on top of the default policy."""
    return policy(None, what)


def retry(policy, attempt=1, **how):
    """Ask it when a rollback has succeeded and names its own node."""
    return decide(policy, event(ROLLBACK_SUCCESS, attempt, **how))
