"""Processes that die, in both drivers and with both stores."""

import hafta
from hafta.stores import FileStore, MemoryStore
from hafta.stores.codec import position
from hafta.testing import FakeRuntime


class Died(BaseException):
    """The process is gone: whatever raises this, nothing more is recorded."""


class SleeplessRuntime(FakeRuntime):
    """Whoever sleeps here, dies."""

    def sleep(self, seconds):
        raise Died

    async def asleep(self, seconds):
        raise Died


class Lives:
    """One record, and the processes that it goes through. `said` is what all of them wrote down, in order."""

    def __init__(self, store, *, asynchronous):
        self._store, self.asynchronous = store, asynchronous
        self.said = []
        self.runtime = FakeRuntime()

    @property
    def store(self):
        """The store as the process of now has it."""
        return FileStore(self._store.directory) if isinstance(self._store, FileStore) else self._store

    def run(self, sequence, data=None, *, runtime=None, **durable):
        """Run one process to its end."""
        self.runtime = runtime = runtime or FakeRuntime()
        durable = {"store": self.store, **durable}
        if self.asynchronous:
            return runtime.run_async(sequence.call_async(data, runtime=runtime, **durable))
        return sequence.call(data, runtime=runtime, **durable)

    def die(self, sequence, data=None, **durable):
        """Run a process that dies; what it says is forgotten."""
        try:
            result = self.run(sequence, data, **durable)
        except Died:
            return
        raise AssertionError(f"it did not die: {result}")

    def run_until_it_sleeps(self, sequence, **durable):
        """Run a process that dies when it first sleeps."""
        self.die(sequence, runtime=SleeplessRuntime(), **durable)

    def record(self, name):
        """What is on record: the levels, innermost last; none if there is nothing to resume."""
        saved = self.store.peek(name).saved
        return () if saved is None else position(saved.frame, saved.body).levels

    def events(self, name):
        """What the process of now reported under this name."""
        return [event for event in self.runtime.events if name == event.NAME]


class Program:
    """A sequence of nodes in a row whose functions do what a test says, and write down what they are given.

    `does` maps (node, function) to a list of actions, one for each run over all processes; afterwards they succeed.
    An action is "die", "fail", "stop", another node's name, or a function of the run.
    """

    def __init__(self, lives, *nodes, durable=(), plain=(), policies=(), name="steps", version="", inner=()):
        self.lives, self.does, self.nodes = lives, {}, nodes
        self.sequence = hafta.Sequence(name, version=version)
        self.inner = dict(inner)
        for at, node in enumerate(nodes):
            following = nodes[at + 1] if at + 1 < len(nodes) else hafta.EXIT
            declared = self.sequence.node(name=node, durable=node in durable)(self._normal(node, following))
            if node not in plain:
                declared.rollback(self._rollback(node))
            if node in policies:
                declared.policy(self._policy(node))

    def say(self, node, *actions, function="normal"):
        """Let the next runs of a function do this."""
        self.does.setdefault((node, function), []).extend(actions)
        return self

    def _normal(self, node, following):
        def normal(run):
            self.lives.said.append((node, run.attempt))
            return self._act(run, node, "normal", following)

        return normal

    def _rollback(self, node):
        def rollback(run, checkpoint):
            self.lives.said.append((f"undo {node}", checkpoint, run.state))
            return self._act(run, node, "rollback", run.node)

        return rollback

    def _policy(self, node):
        def policy(run, event):
            self.lives.said.append((f"ask {node}", event.kind.name, event.attempt))
            answer = self._act(run, node, "policy", None)
            return hafta.default_policy(run, event) if answer is None else answer

        return policy

    def _act(self, run, node, function, following):
        waiting = self.does.get((node, function))
        action = waiting.pop(0) if waiting else None
        if callable(action):
            answer = action(run)
            return following if answer is None else answer
        if action == "die":
            raise Died
        if action == "stop":
            raise KeyboardInterrupt
        if action == "fail":
            return run.fail(f"{node} fails")
        return following if action is None else action


def at(checkpoint, then=None, **state):
    """An action: set this checkpoint, then do the other thing."""

    def act(run):
        run.checkpoint(checkpoint, **state)
        if then == "die":
            raise Died
        if then == "stop":
            raise KeyboardInterrupt
        return run.fail("it says so") if then == "fail" else then

    return act


def make_store(kind, directory):
    return MemoryStore() if kind == "memory" else FileStore(str(directory))
