"""Processes that die, in both drivers and with both stores."""

import contextlib

import pytest

import hafta
from hafta.durable.codec import position
from hafta.errors import StoreError
from hafta.service.held import HeldStore
from hafta.stores import FileStore, MemoryStore
from hafta.testing import FakeRuntime, ProcessEnded


class Died(BaseException):
    """The process is gone: whatever raises this, nothing more is recorded."""


class Asleep(FakeRuntime):
    """A process that ends with `end` when it first sleeps."""

    def __init__(self, end):
        super().__init__()
        self.end = end

    def sleep(self, seconds):
        raise self.end

    async def asleep(self, seconds):
        raise self.end


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

    def run(self, sequence, data=None, *, runtime=None, start=None, **durable):
        """Run one process to its end."""
        self.runtime = runtime = runtime or FakeRuntime()
        checkpoints = hafta.Checkpoints(durable.pop("store", self.store), **durable)
        how = {"runtime": runtime, "checkpoints": checkpoints, **({"start": start} if start else {})}
        if self.asynchronous:
            return runtime.run_async(sequence.call_async(data, **how))
        return sequence.call(data, **how)

    def ends(self, sequence, *ways, **how):
        """Run processes, each of which ends in one of these ways: see `WAYS`."""
        for way in ways:
            raised, runtime = WAYS[way]
            with pytest.raises(raised):
                self.run(sequence, **{"runtime": runtime and runtime(), **how})

    def die(self, sequence, **how):
        """Run a process that dies."""
        self.ends(sequence, "die", **how)

    def refused(self, program, **how):
        """Return the StoreError that a call raises."""
        with pytest.raises(StoreError) as caught:
            self.run(program.sequence, **how)
        return caught.value

    @property
    def told(self):
        """What was said, as the tables of stories have it: "work 0, undo work 2 path='/a', work 1"."""
        return ", ".join(" ".join(map(_word, said)) for said in self.said)

    def record(self, name):
        """What is on record: the sequences, innermost last; none if there is nothing to resume."""
        saved = self.store.peek(name).saved
        return () if saved is None else position(saved.frame, saved.body).sequences

    def doing(self, name):
        """What goes on in the innermost sequence, as the record says it."""
        return self.record(name)[-1].doing

    def events(self, name):
        """What the process of now reported under this name."""
        return [event for event in self.runtime.events if name == event.NAME]


def _word(value):
    if isinstance(value, dict):
        return " ".join(f"{name}={one!r}" for name, one in value.items()) or "{}"
    return str(value)


#: How a process ends: what is raised out of its call, and the runtime that it has for that.
WAYS = {
    "die": (Died, None),
    "die asleep": (Died, lambda: Asleep(Died)),
    "stop": (KeyboardInterrupt, None),
    "stop asleep": (KeyboardInterrupt, lambda: Asleep(KeyboardInterrupt)),
    "panic": (ProcessEnded, None),
    "mistake": (hafta.IllegalMove, None),
}


class Program:
    """A sequence of nodes in a row whose functions do what a test says, and write down what they are given.

    "first*" is a durable node, "work?" has a policy that is written down. `does` maps what a function is called in what
    is said ("work", "undo work", "ask work") to a list of actions, one for each run over all processes; afterwards they
    succeed. An action is "die", "fail", "stop", "call" or "call other" (the programs `inner` and
    `other`), another node's name, a function of the
    run, or several of these in a row. One word stands for a list of it.
    """

    def __init__(self, lives, *nodes, does=(), name="steps", version="", inner=None, other=None):
        self.lives, self.does = lives, {}
        self.calls = {"call": inner, "call other": other}
        self.sequence = hafta.Sequence(name, version=version)
        names = [node.rstrip("*?") for node in nodes]
        for marked, node, following in zip(nodes, names, [*names[1:], hafta.EXIT], strict=True):
            declared = self.sequence.node(name=node, durable="*" in marked)(self._normal(node, following))
            declared.rollback(self._rollback(node))
            if "?" in marked:
                declared.policy(self._policy(node))
        for what, actions in dict(does).items():
            if what.split()[-1] in names or what in names:
                self.say(what, *(actions if isinstance(actions, list) else [actions]))

    @property
    def inner(self):
        return self.calls["call"]

    def say(self, what, *actions):
        """Let the next runs of a function do this."""
        self.does.setdefault(what, []).extend(actions)
        return self

    def _normal(self, node, following):
        def normal(run):
            self.lives.said.append((node, run.attempt))
            answer = self._next(run, node)
            return following if answer is None else answer

        normal.__name__ = node
        return normal

    def _rollback(self, node):
        def rollback(run, checkpoint):
            self.lives.said.append((f"undo {node}", checkpoint, run.state))
            return self._next(run, f"undo {node}")

        return rollback

    def _policy(self, node):
        def policy(run, event):
            self.lives.said.append((f"ask {node}", event.kind.name, event.attempt))
            answer = self._next(run, f"ask {node}")
            return hafta.default_policy(run, event) if answer is None else answer

        return policy

    def _next(self, run, what):
        waiting = self.does.get(what)
        return self._act(run, waiting.pop(0)) if waiting else None

    def _act(self, run, action):
        if isinstance(action, tuple):
            return [self._act(run, one) for one in action][-1]
        if isinstance(action, str) and action in self.calls:
            run.call(self.calls[action].sequence)
            return None
        return action(run) if callable(action) else act(run, action)


def act(run, action):
    """Do what a word says."""
    if action == "die":
        raise Died
    if action == "stop":
        raise KeyboardInterrupt
    return run.fail(f"{run.node.name} fails") if action == "fail" else action


def at(checkpoint, then=None, **state):
    """An action: set this checkpoint, then do the other thing."""

    def set_it(run):
        run.checkpoint(checkpoint, **state)
        return act(run, then)

    return set_it


def judged(kind, verdict=None, *, delay=0, attempt=None):
    """A policy that answers this kind of event (of this attempt) with a verdict, or late with the default one."""

    def policy(run, event):
        default = hafta.default_policy(run, event)
        meant = event.kind is kind and attempt in {None, event.attempt}
        return (verdict or default).after(delay) if meant else default

    return policy


@contextlib.contextmanager
def claimed_or_held(store, held):
    """Give a store whose claims each call makes, or one that keeps them from call to call, as a service has it."""
    keeping = HeldStore(store)
    try:
        yield keeping if held else store
    finally:
        keeping.release()


def power(store, _data):
    """Return checkpoints for crash_everywhere that are synced."""
    return hafta.Checkpoints(store, level="power")


def make_store(kind, directory):
    return MemoryStore() if kind == "memory" else FileStore(str(directory))
