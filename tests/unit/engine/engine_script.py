"""Random sequences: what their functions do is read from a tape of bytes, by our code and by the naive model.

When the tape is at its end, normal functions exit, rollback functions name their own node and policies are the default
one: so every call ends.
"""

from naive_model import Illegal, Naive, Panic

import hafta

NORMAL, ROLLBACK, POLICY = "normal", "rollback", "policy"
ILLEGAL = {
    NORMAL: ("unknown", "nothing", "twice", "twice at once", "raise after the end", "verdict"),
    ROLLBACK: ("unknown", "twice", "twice at once", "raise after the end", "verdict"),
}


class Shape:
    """How many nodes a sequence has, which are durable, and which functions each has; made from two numbers."""

    def __init__(self, name, size, bits, inner=None):
        self.name, self.inner = name, inner
        self.nodes = [f"{name}{number}" for number in range(size)]
        self.durable = self._with(bits)
        self.rollbacks = self._with(bits >> 4 | bits >> 8)
        self.policies = self._with(bits >> 12)
        kinds = (NORMAL, ROLLBACK, POLICY) if bits >> 16 & 1 else (NORMAL,)
        self.coroutines = {(node, kind) for node in self._with(bits >> 17) for kind in kinds}

    def _with(self, bits):
        return {node for at, node in enumerate(self.nodes) if bits >> at & 1}

    def __repr__(self):
        return (
            f"<{self.name}: {self.nodes}, durable {sorted(self.durable)}, rollback {sorted(self.rollbacks)},"
            f" policy {sorted(self.policies)}, async {sorted(self.coroutines)}, inner {self.inner}>"
        )


class Tape:
    """The choices, one after the other."""

    def __init__(self, choices):
        self._choices = iter(choices)

    def next(self):
        return next(self._choices, None)


def node_of(shape, number):
    return shape.nodes[number % len(shape.nodes)]


def normal_action(shape, choice):
    """What a normal function does: (what, where or why, checkpoint or None)."""
    if choice is None:
        return "success", "EXIT", None
    what, number = choice % 16, choice // 16
    if what == 0 and number > 12:
        return "success", "EXIT", number
    if what <= 4:
        return ("success", "return", "name", "success")[what - 1], node_of(shape, number), (None, number)[what // 4]
    if what == 13 and shape.inner:
        return "call", node_of(shape, number), None
    if what == 15 and number == 15:
        return "illegal", None, None
    return ("raise" if what % 2 else "fail"), f"reason {number}", (None, number)[what > 9]


def rollback_action(shape, choice):
    """What a rollback function does, in the same form."""
    if choice is None:
        return "return", None, None
    what, number = choice % 16, choice // 16
    if what <= 9:
        return ("return", "own")[what % 2], None, (None, number)[what > 7]
    if what <= 11:
        return ("success", "name")[what - 10], node_of(shape, number), None
    if what == 12:
        return "success", "EXIT", None
    if what == 15 and number == 15:
        return "illegal", None, None
    return ("raise" if what % 2 else "fail"), f"undo reason {number}", (None, number)[what == 14]


def policy_answer(shape, choice, kind):
    """What a policy answers: None for the default policy's answer, "illegal", or a verdict of the naive model."""
    if choice is None or choice == 255:
        return choice and "illegal"
    what, number = choice % 16, choice // 16
    answers = {
        9: "current" if kind != "ROLLBACK_SUCCESS" or number == 15 else None,
        10: "previous",
        11: "fail" if number < 4 else None,
        12: "exit" if number < 4 else None,
        13: "proceed",
        15: "panic" if number == 14 else None,
    }
    if answers.get(what) is None:
        return None
    where = node_of(shape, number) if what == 13 else None
    return answers[what], where, number / 2 if number % 2 else 0


class ModelWorld:
    """Plays the functions for the naive model."""

    def __init__(self, shape, tape, said):
        self.shape, self.tape, self.said = shape, tape, said

    def call(self):
        model = Naive(self.shape.name, self.shape.nodes[0], self, self.said)
        return model, model.call()

    def normal(self, model):
        self.said.append((NORMAL, model.node))
        what, value = self._act(model, normal_action(self.shape, self.tape.next()))
        if what == "fail":
            return what, value
        if what != "call":
            return "success", value
        inner, how = ModelWorld(self.shape.inner, self.tape, self.said).call()
        if how == "failed":
            node, _, attempt, _, reason = inner.blame
            self.said.append(("failed", inner.name, node, attempt))
            return "fail", ("result", inner.name, node, reason, attempt, len(inner.failures))
        return "success", value

    def rollback(self, model):
        if model.node not in self.shape.rollbacks:
            return "success", model.node
        self.said.append((ROLLBACK, model.node, model.checkpoint))
        what, value = self._act(model, rollback_action(self.shape, self.tape.next()))
        if what == "fail":
            return what, value
        return "success", model.node if value is None else value

    def policy(self, model, kind, to, reason):
        if model.node not in self.shape.policies:
            return None
        history = [failure for failure in model.failures if failure[0] == model.node]
        self.said.append(
            (POLICY, model.node, kind, to, reason, model.count, model.checkpoint, model.state, list(model.row), history)
        )
        answer = policy_answer(self.shape, self.tape.next(), kind)
        if answer == "illegal":
            raise Illegal
        return answer

    def _act(self, model, action):
        """Set the checkpoint; return what else is done: "fail" however it fails."""
        what, value, checkpoint = action
        if checkpoint is not None:
            model.checkpoint = checkpoint
            model.state = {**model.state, f"at{checkpoint % 3}": checkpoint}
        if what == "illegal":
            self.tape.next()
            raise Illegal
        return "fail" if what == "raise" else what, value


def expect(shape, choices):
    """Run the naive model: what was said, and how it ended."""
    said = []
    world = ModelWorld(shape, Tape(choices), said)
    try:
        model, how = world.call()
    except Illegal:
        return said, "illegal"
    except Panic as panic:
        return said, ("panic", panic.reason)
    if how == "done":
        return said, ("done", len(model.failures))
    node, _, attempt, _, reason = model.blame
    said.append(("failed", model.name, node, attempt))
    return said, ("result", model.name, node, reason, attempt, len(model.failures))


def plain(reason):
    """A reason as the model has it."""
    if isinstance(reason, hafta.Result):
        return "result", reason.sequence, reason.node, plain(reason.reason), reason.attempt, reason.failures
    return str(reason) if isinstance(reason, Exception) else reason


class RealWorld:
    """Builds a hafta.Sequence whose functions do the same, and write down what they see."""

    def __init__(self, shape, tape, said, *, asynchronous):
        self.shape, self.tape, self.said, self.asynchronous = shape, tape, said, asynchronous
        self.inner = shape.inner and RealWorld(shape.inner, tape, said, asynchronous=asynchronous).sequence
        self.sequence = hafta.Sequence(shape.name)
        for name in shape.nodes:
            self._add(name)

    def _add(self, name):
        calls = self.inner is not None
        node = self.sequence.node(name=name)(self._normal_await if calls and self.asynchronous else self._normal_plain)
        if name in self.shape.rollbacks:
            node.rollback(self._kind(self._rollback, name, ROLLBACK))
        if name in self.shape.policies:
            node.policy(self._kind(self._policy, name, POLICY))
        node.normal_function = self._kind(node.normal_function, name, NORMAL)

    def _kind(self, function, name, kind):
        if not self.asynchronous or (name, kind) not in self.shape.coroutines or function == self._normal_await:
            return function

        async def coroutine(*args):
            return function(*args)

        return coroutine

    def _normal_plain(self, run):
        action = self._begin(run)
        if action[0] == "call":
            run.call(self.inner)
        return self._do(run, action)

    async def _normal_await(self, run):
        action = self._begin(run)
        if action[0] == "call":
            await run.call(self.inner)
        return self._do(run, action)

    def _begin(self, run):
        self.said.append((NORMAL, run.node.name))
        return normal_action(self.shape, self.tape.next())

    def _rollback(self, run, checkpoint):
        self.said.append((ROLLBACK, run.node.name, checkpoint))
        return self._do(run, rollback_action(self.shape, self.tape.next()), ROLLBACK)

    def _do(self, run, action, kind=NORMAL):
        what, value, checkpoint = action
        if checkpoint is not None:
            run.checkpoint(checkpoint, **{f"at{checkpoint % 3}": checkpoint})
        if what == "illegal":
            return self._misbehave(run, kind)
        if what == "fail":
            return run.fail(value)
        if what == "raise":
            raise ValueError(value)
        target = hafta.EXIT if value == "EXIT" else value and self.sequence.nodes[value]
        if what == "own":
            return run.node
        if what == "success":
            return run.success(target)
        return value if what == "name" else target

    def _misbehave(self, run, kind):
        ways = ILLEGAL[kind]
        way = ways[(self.tape.next() or 0) % len(ways)]
        if way == "unknown":
            return "nowhere"
        if way == "verdict":
            return hafta.ROLL_BACK_CURRENT
        if way == "nothing":
            return None
        run.fail("first end")
        if way == "raise after the end":
            raise ValueError("second end")
        return run.node if way == "twice" else run.success(run.node)

    def _policy(self, run, event):
        kind = event.kind.name
        to = event.to if event.to is None or event.to is not hafta.EXIT else "EXIT"
        self.said.append(
            (
                POLICY, event.node.name, kind, to and str(to), plain(event.reason), event.attempt, event.checkpoint,
                dict(event.state), [entry(failure) for failure in event.failures],
                [entry(failure) for failure in event.history],
            )
        )  # fmt: skip
        answer = policy_answer(self.shape, self.tape.next(), kind)
        if answer is None:
            return hafta.default_policy(run, event)
        return "no verdict" if answer == "illegal" else verdict(*answer)


def entry(failure):
    """A failure as the model has it."""
    return failure.node, failure.kind.name, failure.attempt, failure.checkpoint, plain(failure.reason)


def agree(said, expected):
    """Both say the same; the first difference is what a person wants to see."""
    for at, (one, other) in enumerate(zip(said, expected, strict=False)):
        assert (at, one) == (at, other)
    assert said[len(expected) :] == expected[len(said) :]


VERDICTS = {
    "current": hafta.ROLL_BACK_CURRENT, "previous": hafta.ROLL_BACK_PREVIOUS, "fail": hafta.FAIL_SEQUENCE,
    "exit": hafta.EXIT, "panic": hafta.PANIC,
}  # fmt: skip


def verdict(what, where, delay=0):
    return (hafta.proceed(where) if what == "proceed" else VERDICTS[what]).after(delay)
