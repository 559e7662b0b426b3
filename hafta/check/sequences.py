"""Rules of sequences: HC050 to HC056. What a function does is read from its code, as diagrams are: none is called."""

from __future__ import annotations

import dis
import re
from itertools import pairwise

from hafta.check.rule import ERROR, WARNING, Spot, rule
from hafta.diagram import edges
from hafta.engine.node import Node, innermost
from hafta.engine.words import EXIT
from hafta.errors import StoreError
from hafta.frozen import Frozen
from hafta.policies.attempts import FOREVER, Attempts
from hafta.policies.escalate import FailSequence, On, Panic
from hafta.policies.killed import Hung, Killed
from hafta.policies.policy import Policy
from hafta.stores.file.names import file_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from hafta.engine.shape import Shape

#: Policies that never put anything off: others may.
_AT_ONCE = (Attempts, On, FailSequence, Panic, Killed, Hung)
_WAITS = frozenset(("sleep", "wait"))
_OF_RUN = frozenset(("LOAD_ATTR", "LOAD_METHOD", "STORE_ATTR"))
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


class Called(Frozen):
    """A sequence, and the watchdog that its service has; or why there is none. `by` says whose watchdog that is."""

    sequence: Shape | None
    watchdog: float = 0.0
    by: str = ""
    trouble: Spot | None = None

    @property
    def nodes(self) -> list[Node]:
        """Its nodes; the first one is where it starts."""
        return list(self.sequence.nodes.values()) if self.sequence else []

    @property
    def reached(self) -> set[object]:
        """What can come after its start; empty if that cannot be told, as a function names nodes that are not seen."""
        if self.sequence is None or not self.nodes:
            return set()
        ways: dict[object, list[object]] = {}
        succeed = set()
        for start, to, label in edges(self.sequence):
            if label != "to previous":
                ways.setdefault(start, []).append(to)
            if label == "success":
                succeed.add(start)
        found: set[object] = set()
        waiting: list[object] = [self.nodes[0]]
        while waiting:
            one = waiting.pop()
            if one not in found:
                found.add(one)
                waiting += ways.get(one, ())
        return found if all(one in succeed for one in found if isinstance(one, Node)) else set()


def _at(node: Node, text: str) -> Spot:
    """Return a spot where the normal function of a node is."""
    code = getattr(innermost(node.normal_function)[0], "__code__", None)
    return Spot(text, code.co_filename, code.co_firstlineno) if code else Spot(text)


def _names(function: Any) -> frozenset[str]:
    """Return the names of attributes and variables that a function uses."""
    code = getattr(innermost(function)[0], "__code__", None)
    return frozenset(code.co_names) if code else frozenset()


@rule(
    "HC050", WARNING, "no way leads to a node",
    reason="A node that no function and no policy names never runs: a name was forgotten or misspelt, or it is left"
    " over.",
    cure="return it where it is to come next, or remove it",
    bad="@feed.node\ndef read(run):\n    return hafta.EXIT\n\n@feed.node\ndef write(run):\n    return hafta.EXIT",
    good="@feed.node\ndef read(run):\n    return write\n\n@feed.node\ndef write(run):\n    return hafta.EXIT",
)  # fmt: skip
def unreachable(called: Called) -> Iterator[Spot]:
    """Find nodes that are left out."""
    reached = called.reached
    for node in called.nodes if reached else ():
        if node not in reached:
            yield _at(node, f"no way leads to node {node} from {called.nodes[0]}")


@rule(
    "HC051", WARNING, "the sequence never ends",
    reason="A sequence without an end is never done: nothing is reported as succeeded, kept values are as those of one"
    " call, and --once does not return. The service calls it again and again by itself.",
    cure="return hafta.EXIT when one piece of work is done",
    bad="@feed.node\ndef read(run):\n    run.wait(0, 1)\n    return read",
    good="@feed.node\ndef read(run):\n    run.wait(0, 1)\n    return hafta.EXIT",
)  # fmt: skip
def endless(called: Called) -> Iterator[Spot]:
    """Find a circle that nothing leaves."""
    reached = called.reached
    if reached and EXIT not in reached:
        yield _at(called.nodes[0], "no way leads to EXIT")


@rule(
    "HC052", WARNING, "nobody undoes what a node has begun",
    reason="A checkpoint says how far a node came, and is handed to its rollback function. Without one, the node begins"
    " again over what it had half done.",
    cure="write a rollback function: @NODE.rollback, def undo(run, checkpoint)",
    bad="@feed.node\ndef write(run):\n    run.checkpoint(1)\n    return hafta.EXIT",
    good="@feed.node\ndef write(run):\n    run.checkpoint(1)\n    return hafta.EXIT\n\n@write.rollback\n"
    "def undo(run, checkpoint):\n    return write",
)  # fmt: skip
def not_undone(called: Called) -> Iterator[Spot]:
    """Find checkpoints that nobody looks at."""
    for node in called.nodes:
        if node.rollback_function is None and "checkpoint" in _names(node.normal_function):
            yield _at(node, f"node {node} sets checkpoints, and has no rollback function")


@rule(
    "HC053", WARNING, "a node may be silent for longer than the watchdog allows",
    reason="deadline= says how long a node may go without progress. If its service is not warm, the watchdog of systemd"
    " judges it, and kills it while it is well.",
    cure="set WatchdogSec= to twice the deadline, or HAFTA_WARM=1, or call run.progress() in the node",
    bad="@feed.node(deadline=30)  # and WatchdogSec=10\ndef read(run):\n    return hafta.EXIT",
    good="@feed.node(deadline=5)  # and WatchdogSec=10\ndef read(run):\n    return hafta.EXIT",
)  # fmt: skip
def silent(called: Called) -> Iterator[Spot]:
    """Find deadlines above half of the watchdog."""
    for node in called.nodes:
        if node.deadline and 0 < called.watchdog < 2 * node.deadline:
            limit = f"the watchdog is {called.watchdog:g} s ({called.by})"
            yield _at(node, f"node {node} may be silent for {node.deadline:g} s, and {limit}")


@rule(
    "HC054", WARNING, "a policy tries for ever without a pause",
    reason="Attempts(FOREVER) begins the node again as soon as it has been rolled back. If what it needs is away, that"
    " is a loop that takes a whole core.",
    cure="add a Backoff: Attempts(FOREVER) | Backoff(0.5, cap=60); or let the rollback function wait with run.sleep()",
    bad="@feed.node(policy=Attempts(FOREVER))\ndef read(run):\n    return hafta.EXIT",
    good="@feed.node(policy=Attempts(FOREVER) | Backoff(0.5, cap=60))\ndef read(run):\n    return hafta.EXIT",
)  # fmt: skip
def restless(called: Called) -> Iterator[Spot]:
    """Find endless attempts with nothing that waits."""
    for node in called.nodes:
        parts = _parts(node.policy_function)
        is_endless = any(isinstance(part, Attempts) and part.number == FOREVER for part in parts)
        if is_endless and all(isinstance(part, _AT_ONCE) for part in parts) and not _may_wait(node.rollback_function):
            yield _at(node, f"node {node} is tried again for ever, without a pause")


def _parts(policy: Any) -> list[Any]:
    """Return the parts of a chain, or the policy itself. A chain that begins with a function has parts unknown here."""
    try:
        return list(policy.parts()) if isinstance(policy, Policy) else [policy]
    except TypeError:
        return [policy]


def _may_wait(function: Any) -> bool:
    """Tell whether a function waits, or hands its run to another one, which may."""
    code = getattr(innermost(function)[0], "__code__", None)
    if code is None or not code.co_varnames:
        return function is not None
    run = code.co_varnames[0]
    steps = [step for step in dis.get_instructions(code) if step.opname not in {"CACHE", "EXTENDED_ARG", "PRECALL"}]
    for step, after in pairwise(steps):
        is_pair = isinstance(step.argval, tuple) and run in step.argval
        is_load = step.opname.startswith("LOAD_FAST") and step.argval == run
        if is_pair or (is_load and after.opname not in _OF_RUN):
            return True
    return bool(_WAITS & _names(function))


@rule(
    "HC055", WARNING, "the name fits badly into file names",
    reason="A record is named after its sequence. Characters other than letters, digits, _ . and - are written as codes"
    " there, a name that is too long has no record at all, and hafta unit cannot name a unit after it.",
    cure="use a short name of letters, digits, _ . and -",
    bad='feed = hafta.Sequence("my feed")\n\n@feed.node\ndef read(run):\n    return hafta.EXIT',
    good='feed = hafta.Sequence("my-feed")\n\n@feed.node\ndef read(run):\n    return hafta.EXIT',
)  # fmt: skip
def bad_name(called: Called) -> Iterator[Spot]:
    """Find names that need codes, or are too long."""
    if called.sequence is None:
        return
    name = called.sequence.name
    try:
        file_name(name)
    except StoreError as error:
        yield Spot(error.message)
        return
    if not _PLAIN.fullmatch(name):
        yield Spot(f"the name {name!r} is written with codes in file names")


@rule(
    "HC056", ERROR, "the module cannot be imported",
    reason="A service that cannot import its module ends at once, at each start, until it is given up. A module"
    " that runs its service while it is imported cannot be looked at.",
    cure="correct the line; start the service below if __name__ == '__main__'; look whether it has another directory",
    bad="import no_such_module", good="import os",
)  # fmt: skip
def no_module(called: Called) -> Iterator[Spot]:
    """Give what the import raised."""
    if called.trouble is not None:
        yield called.trouble


SEQUENCES = (unreachable, endless, not_undone, silent, restless, bad_name, no_module)
