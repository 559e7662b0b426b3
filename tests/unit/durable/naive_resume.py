"""A naive model of durable calls, written from docs/durable-rules.md: an object for a sequence, a dict for the record.

It shares nothing with hafta/: what is recorded is a list of plain dicts, a process is a Python call, a crash an
exception. It plays the functions from the tape of durable_script and writes down what they would see.
"""

import copy

from durable_script import normal_action, policy_action, rollback_action

FIVE = 5
NEXT = {"normal": "between", "rollback": "back"}  # what the record says while that has not begun


class Crash(BaseException):
    pass


class Stop(BaseException):
    """Somebody asks the process to stop."""


class Panic(BaseException):
    pass


class Disk:
    """The record, and where the process of now is cut: before or after the n-th write; stopped there if negative."""

    def __init__(self):
        self.record = None
        self.cut = None
        self.passed = 0

    def write(self, record):
        self._point()
        self.record = copy.deepcopy(record)
        self._point()

    def _point(self):
        self.passed += 1
        if self.passed == self.cut:
            raise Crash
        if -self.passed == self.cut:
            raise Stop


class Process:
    """One process: what is shared by the sequences that run in it."""

    def __init__(self, disk, tape, said):
        self.disk, self.tape, self.said = disk, tape, said
        self.chain = []
        self.stopped = False

    def run(self, shape):
        """Call the sequence: "done" or "failed"."""
        record = self.disk.record
        return Naive(shape, self).call(record)


class Naive:
    """One sequence of a call."""

    def __init__(self, shape, process, *, alone=None):
        self.shape, self.process, self.alone = shape, process, alone
        self.node, self.count, self.checkpoint, self.state = None, 0, 0, {}
        self.stack = []  # [node, checkpoint, state]
        self.word, self.about, self.then, self.deaths = None, None, None, 0
        self.tries, self.agains, self.pending = None, 0, []
        self.stopped = self.silent = self.owes = False
        self.begun = True  # what is on record
        self.todo = None

    # What is recorded

    def level(self):
        return {
            "name": self.shape.name, "node": self.node, "word": self.word, "count": self.count, "then": self.then,
            "checkpoint": self.checkpoint, "state": self.state, "stack": self.stack, "deaths": self.deaths,
            "tries": self.tries, "again": self.agains if self.pending else None, "stopped": self.stopped,
        }  # fmt: skip

    def record(self, word):
        """Record that this is about to begin, or is next: it has not begun until it is on record."""
        if not self.silent and self in self.process.chain:
            self.begun, self.word = False, word
            self.write()
            self.begun, self.about = True, self.node

    def write(self):
        self.process.stopped = False
        self.process.disk.write([one.level() for one in self.process.chain] + self.pending)

    # A call from its beginning to its end

    def call(self, levels):
        self.process.chain.append(self)
        try:
            nodes = self.resume(levels) if levels else self.begin()
            if not self.take_up(nodes):
                return self.stays()
            how = self.go()
            if how == "not taken up":
                return self.stays()
        except Stop:
            self.stops()
            raise
        except BaseException:
            self.process.chain.remove(self)
            raise
        self.process.chain.remove(self)
        self.ends()
        return how

    def ends(self):
        """Nothing is left to resume, or the outer node goes on; a stop at that moment does not undo that."""
        outer = self.process.chain
        said = [one.level() for one in outer] or None
        try:
            self.process.disk.write(said)
        except Stop:
            self.process.disk.write(said)
            raise

    def stops(self):
        """What is going on is to be undone, but is no failure. What a policy has decided stays decided."""
        if not self.process.stopped:
            if self.todo in {"done", "failed"}:
                self.process.chain.remove(self)
                self.ends()
                return
            self.settle()
            self.stopped = True
            self.write()
            self.process.stopped = True
        self.process.chain.remove(self)

    def settle(self):
        begun = self.begun and self.word == self.todo and self.about == self.node
        if self.todo in NEXT and not begun:
            self.word = NEXT[self.todo]
        elif self.todo == "unwind":
            self.word = "unwind"

    def stays(self):
        """Taking up has failed: the record stays, and the next process does not count it."""
        self.stopped = True
        self.write()
        self.process.stopped = True
        self.process.chain.remove(self)
        return "failed"

    def begin(self):
        self.node = self.shape.nodes[0]
        self.todo = "normal"
        return []

    # Resume (docs/durable-rules.md, section 2)

    def resume(self, levels):
        mine, inner = levels[0], levels[1:]
        self.node, self.count, self.checkpoint = mine["node"], mine["count"], mine["checkpoint"]
        self.state, self.stack = dict(mine["state"]), copy.deepcopy(mine["stack"])
        self.word, self.about, self.then, self.deaths = mine["word"], mine["node"], mine["then"], mine["deaths"]
        tries, again = mine["tries"], mine["again"]
        if not mine["stopped"]:
            tries, again = self.count_death(tries, again, inner)
        self.process.said.append(("resumed", self.shape.name, self.node, self.count, self.checkpoint))
        if (tries or 0) >= FIVE:
            return self.give_up()
        if inner and (again or 0) < FIVE and self.deaths < FIVE:
            self.todo = {"between": "normal", "back": "rollback"}.get(self.word, self.word)
            self.pending, self.agains = inner, again or 0
            return self.local(tries or 0)
        if self.word == "unwind":
            self.todo = "unwound" if self.deaths >= FIVE else "unwind"
        else:
            self.todo = {"between": "normal", "back": "rollback"}.get(self.word, "interrupted")
        return self.local(tries or 0)

    def count_death(self, tries, again, inner):
        """The death counts where it was; a stop does not count."""
        if tries is not None:
            self.count += 1
            return tries + 1, again
        if inner and again is None:
            return None, 0  # it counts in the inner sequence
        if inner:
            again += 1
        if self.word == "unwind":
            self.deaths += 1
        elif self.word in {"normal", "rollback"}:
            self.count += 1
        return None, again

    def give_up(self):
        """Five processes have died taking up: leave this node for the previous one."""
        if self.word == "between":  # nothing to undo
            self.previous()
            self.word, self.about = "back", self.node
            return self.local(0)
        if self.word != "unwind":
            self.then, self.deaths = ("previous", None), 0
        self.todo = "unwound" if self.word == "unwind" and self.deaths >= FIVE else "unwind"
        self.owes = True
        return []

    def local(self, tries):
        """Which nodes are to be taken up; recorded before they are."""
        if self.todo in {"done", "failed"}:
            return []
        nodes = [node for node, _, _ in self.stack if node not in self.shape.durable]
        if nodes:
            self.tries = tries
            self.write()
            self.silent = True
        elif self.todo == "interrupted" and self.node in self.shape.policies:
            self.write()
        return nodes

    def take_up(self, nodes):
        at = 0
        while at < len(nodes):
            alone = Naive(self.shape, self.process, alone=nodes[at])
            alone.node, alone.todo = nodes[at], "normal"
            how, left_for = alone.go(), alone.left_for
            if how == "taken up":
                for visit in self.stack:
                    if visit[0] == nodes[at]:
                        visit[1:] = [alone.checkpoint, alone.state]
                at += 1
            elif how == "left" and left_for in nodes[:at]:
                at = nodes.index(left_for)
            else:
                return False
        self.silent, self.tries = False, None
        return True

    # The classic rules

    left_for = None

    def go(self):
        """Run on until it ends: how."""
        while True:
            if self.todo == "unwind":
                self.rollback("unwind")
                self.todo = "unwound"
            if self.todo == "unwound":
                self.carry_out(*self.then)
            else:
                self.decide(*self.function())
            self.moved()
            if self.owes:
                self.owes = False
                if not self.take_up(self.local(0)):
                    return "not taken up"
            if self.todo in {"done", "failed", "taken up", "left"}:
                return self.todo

    def function(self):
        """Run the function that is next: what its policy is asked about."""
        if self.todo == "normal":
            return self.normal()
        return self.rollback("rollback") if self.todo == "rollback" else ("interrupted", None)

    def normal(self):
        self.record("normal")
        self.process.said.append(("normal", self.node, self.count, self.checkpoint, dict(self.state)))
        work, calls, to = normal_action(self.shape, self.process.tape.next())
        if self.act(work, calls) and to is not None:
            return "success", to
        self.count += 1
        return "fail", None

    def rollback(self, word):
        self.record(word)
        if self.node not in self.shape.rollbacks:
            if self.pending:
                self.pending = []
                return "undo failed", None
            return "undone", self.node
        self.process.said.append(("rollback", self.node, self.count, self.checkpoint, dict(self.state)))
        work, calls, to = rollback_action(self.shape, self.process.tape.next())
        if self.act(work, calls) and to is not None:
            return "undone", self.node if to == "own" else to
        return "undo failed", None

    def act(self, work, calls):
        """Set the checkpoints, call the inner sequence; False if that fails, or one that waits is left out."""
        for checkpoint, state in work:
            self.checkpoint, self.state = checkpoint, {**self.state, **state}
            if not self.silent and self in self.process.chain:
                self.write()
        if calls and self.inner() == "failed":
            self.pending = []
            return False
        left_out, self.pending = bool(self.pending), []
        return not left_out

    def inner(self):
        if self.silent or self not in self.process.chain:
            unrecorded = Process(Disk(), self.process.tape, self.process.said)
            return unrecorded.run(self.shape.inner)
        levels, self.pending, self.agains = self.pending, [], 0
        return Naive(self.shape.inner, self.process).call(levels)

    def decide(self, kind, to):
        verdict, to = self.verdict(kind, to)
        if verdict == "panic":
            raise Panic
        if verdict == "current":
            self.todo = "rollback"
        elif kind == "success" and verdict in {"proceed", "exit"}:
            self.stack = [*(visit for visit in self.stack if visit[0] != self.node)]
            self.stack.append([self.node, self.checkpoint, self.state])
            self.carry_out(verdict, to, fresh=True)
        elif kind in {"undone", "undo failed"}:
            self.carry_out(verdict, to)
        else:
            self.then, self.todo, self.deaths = (verdict, to), "unwind", 0

    def verdict(self, kind, to):
        answer = None
        if self.node in self.shape.policies:
            self.process.said.append(("policy", self.node, kind, self.count, self.checkpoint, dict(self.state)))
            answer = policy_action(self.shape, self.process.tape.next(), kind)
        if answer is not None:
            return answer
        if kind in {"success", "undone"}:
            return ("exit", None) if to == "EXIT" else ("proceed", to)
        return ("previous", None) if kind == "undo failed" or self.count >= FIVE else ("current", None)

    def carry_out(self, verdict, to, *, fresh=False):
        if verdict == "proceed":
            self.enter(to, fresh=fresh)
        elif verdict == "exit":
            self.todo = "taken up" if self.alone and fresh else "left" if self.alone else "done"
        elif verdict == "previous":
            self.previous()
        else:
            self.todo = "failed"

    def enter(self, to, *, fresh):
        if self.alone and to != self.node:
            self.left_for, self.todo = to, "taken up" if fresh else "left"
            return
        if to != self.node or fresh:
            self.count = 0
        self.stack = [visit for visit in self.stack if visit[0] != to]
        self.node, self.checkpoint, self.state = to, 0, {}
        self.todo = "normal"

    def previous(self):
        if self.stack and not self.alone:
            self.node, self.checkpoint, self.state = self.stack.pop()
            self.state = dict(self.state)
            self.count, self.todo = 0, "rollback"
        else:
            self.todo = "failed"

    def moved(self):
        """Where control goes is on record with the beginning of the function there: here nobody waits before it."""
        if not self.alone and not self.silent:
            if self.todo in NEXT:
                self.word, self.begun = NEXT[self.todo], False
            elif self.todo == "unwind":
                self.word = "unwind"
