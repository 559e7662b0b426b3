"""Random durable sequences: what their functions do is read from a tape of bytes that goes on over all processes.

When the tape is at its end, normal functions exit, rollback functions name their own node and policies are the default
one: so every story ends.
"""

from engine_effort import MANY, OPTIONS
from engine_script import verdict
from hypothesis import settings

import hafta

#: 2,000 stories with HAFTA_EXAMPLES=many, else 200; new ones in every run.
stories = settings(max_examples=2_000 if MANY else 200, **OPTIONS)


KINDS = {
    "NORMAL_SUCCESS": "success", "NORMAL_FAIL": "fail", "ROLLBACK_SUCCESS": "undone", "ROLLBACK_FAIL": "undo failed",
    "INTERRUPTED": "interrupted",
}  # fmt: skip


def checkpoints(number):
    """What is recorded by so many checkpoints of a function."""
    return [(at, {f"v{at % 2}": at * 10, "text": "x" * at, "raw": b"\0" * at}) for at in range(1, number + 1)]


def normal_action(shape, choice):
    """(checkpoints, whether it calls the inner sequence, the node or EXIT that it names; None: it fails)."""
    if choice is None:
        return [], False, "EXIT"
    number, what, where = choice % 3, choice // 3 % 8, choice // 24
    to = {4: "EXIT", 5: None}.get(what, shape.nodes[where % len(shape.nodes)])
    return checkpoints(number), what >= 6 and shape.inner is not None, to


def rollback_action(shape, choice):
    """(checkpoints, whether it calls the inner sequence, the node that it names, "own", or None: it fails)."""
    if choice is None:
        return [], False, "own"
    number, what, where = choice % 2, choice // 2 % 8, choice // 16
    to = {5: shape.nodes[where % len(shape.nodes)], 6: None}.get(what, "own")
    return checkpoints(number), what == 7 and shape.inner is not None, to


def policy_action(shape, choice, kind):
    """None for the default policy's answer, else (verdict, node)."""
    if choice is None:
        return None
    what, where = choice % 8, choice // 8
    if choice == 255:
        return "panic", None
    if what == 4 and kind != "undone":
        return "current", None
    if what == 6 and where % 4 == 0:
        return "fail", None
    return {5: ("previous", None), 7: ("proceed", shape.nodes[where % len(shape.nodes)])}.get(what)


class RealWorld:
    """Builds a hafta.Sequence whose functions do what the tape says, and write down what they see."""

    def __init__(self, shape, tape, said, *, asynchronous=False):
        self.shape, self.tape, self.said, self.asynchronous = shape, tape, said, asynchronous
        self.inner = shape.inner and RealWorld(shape.inner, tape, said, asynchronous=asynchronous).sequence
        self.sequence = hafta.Sequence(shape.name)
        for name in shape.nodes:
            node = self.sequence.node(name=name, durable=name in shape.durable)(self._played(self._begin_normal))
            if name in shape.rollbacks:
                node.rollback(self._played(self._begin_rollback))
            if name in shape.policies:
                node.policy(self._policy)

    def _played(self, begin):
        """Return a function that does what the tape says, or the same as a coroutine function."""

        def act(run, *checkpoint):
            work, calls, to = begin(run, *checkpoint)
            for value, state in work:
                run.checkpoint(value, **state)
            return calls, to

        def plain(run, *checkpoint):
            calls, to = act(run, *checkpoint)
            if calls:
                run.call(self.inner)
            return self._end(run, to)

        async def awaiting(run, *checkpoint):
            calls, to = act(run, *checkpoint)
            if calls:
                await run.call(self.inner)
            return self._end(run, to)

        return awaiting if self.asynchronous else plain

    def _begin_normal(self, run):
        self.said.append(("normal", run.node.name, run.attempt, run.recorded, run.state))
        return normal_action(self.shape, self.tape.next())

    def _begin_rollback(self, run, checkpoint):
        self.said.append(("rollback", run.node.name, run.attempt, checkpoint, run.state))
        return rollback_action(self.shape, self.tape.next())

    @staticmethod
    def _end(run, to):
        if to is None:
            return run.fail("the tape says so")
        if to == "EXIT":
            return hafta.EXIT
        return run.node if to == "own" else to

    def _policy(self, run, event):
        kind = KINDS[event.kind.name]
        self.said.append(("policy", event.node.name, kind, event.attempt, event.checkpoint, dict(event.state)))
        answer = policy_action(self.shape, self.tape.next(), kind)
        return hafta.default_policy(run, event) if answer is None else verdict(*answer)
