"""A second, naive telling of the rules: from the design, in the simplest style, sharing no code with hafta.

A node is its name. An ending is ("success", where) or ("fail", why). A verdict is (what, where, seconds), `what` being
one of proceed, exit, current, previous, fail, panic. A failure is (node, kind, attempt, checkpoint, reason).
"""


class Illegal(Exception):
    """A move against the rules."""


class Panic(Exception):
    """The process would end here."""

    def __init__(self, reason):
        super().__init__(reason)
        self.reason = reason


class Naive:
    """One call. `world` plays the functions of the nodes; `said` is where everything that happens is written down."""

    def __init__(self, name, first, world, said):
        self.name, self.world, self.said = name, world, said
        self.stack = []  # of (node, checkpoint, state), the newest last
        self.node = first
        self.count = 0
        self.checkpoint, self.state = 0, {}
        self.failures = []  # all
        self.row = []  # the consecutive ones of the current node
        self.blame = None  # the failure that is being dealt with
        self.rolled_back = None  # the rollback that is to be told when it is known where control goes

    def call(self):
        what = "normal"
        while what not in {"done", "failed"}:
            what = self.normal() if what == "normal" else self.roll_back()
        return what

    # The functions of the current node

    def normal(self):
        how, value = self.world.normal(self)
        if how == "success":
            verdict = self.ask("NORMAL_SUCCESS", value, None)
            if verdict[0] in {"proceed", "exit"}:
                self.stack.append((self.node, self.checkpoint, self.state))
                self.forget_row()
                return self.go(verdict, "NORMAL_SUCCESS", None)
            self.blame = self.note("NORMAL_SUCCESS", "its policy refused its success")
            return self.undo(verdict, "NORMAL_SUCCESS", None)
        self.count += 1
        self.blame = self.note("NORMAL_FAIL", value)
        verdict = self.ask("NORMAL_FAIL", None, value)
        return self.undo(verdict, "NORMAL_FAIL", value)

    def undo(self, verdict, kind, reason):
        """Leave a failed attempt: in place, or by unwinding and then doing what the verdict says."""
        asked = (kind, reason, self.count, self.checkpoint)
        if verdict[0] == "panic":
            self.step(*asked, self.node, "panicked")
            self.wait(verdict)
            raise Panic(self.blame[4])
        self.step(*asked, self.node, self.node)
        self.wait(verdict)
        if verdict[0] == "current":
            return "rollback"
        self.begin_rollback(unwinding=True)
        how, value = self.world.rollback(self)
        if how == "fail":
            self.note("ROLLBACK_FAIL", value)
        self.end_rollback(how, value)
        what = self.carry_out(verdict)
        self.tell_rollback(what)
        return what

    def roll_back(self):
        self.begin_rollback(unwinding=False)
        how, value = self.world.rollback(self)
        self.end_rollback(how, value)
        if how == "success":
            verdict = self.ask("ROLLBACK_SUCCESS", value, self.blame[4])
            if verdict[0] == "current":
                raise Illegal("there is nothing left to roll back")
            return self.go(verdict, "ROLLBACK_SUCCESS", None)
        self.blame = self.note("ROLLBACK_FAIL", value)
        verdict = self.ask("ROLLBACK_FAIL", None, value)
        return self.go(verdict, "ROLLBACK_FAIL", value)

    # What follows

    def go(self, verdict, kind, reason):
        """Do what the verdict says where nothing is left to undo, and tell of it."""
        before = (kind, reason, self.count_asked, self.checkpoint, self.node)
        if verdict[0] == "panic":
            what = "panicked"
        elif verdict[0] == "current":
            what = "rollback"
        else:
            what = self.carry_out(verdict)
        self.step(*before, self.where(what))
        self.tell_rollback(what)
        self.wait(verdict)
        if what == "panicked":
            raise Panic(self.blame[4])
        return what

    def carry_out(self, verdict):
        what, where, _ = verdict
        if what == "exit":
            return "done"
        if what == "proceed":
            if where != self.node:
                self.forget_row()
            self.stack = [visit for visit in self.stack if visit[0] != where]
            self.node, self.checkpoint, self.state = where, 0, {}
            return "normal"
        if what == "previous" and self.stack:
            self.node, self.checkpoint, self.state = self.stack.pop()
            self.forget_row()
            return "rollback"
        return "failed"

    def forget_row(self):
        self.count, self.row = 0, []

    # Asking

    def ask(self, kind, to, reason):
        self.count_asked = self.count
        return self.world.policy(self, kind, to, reason) or self.default(kind, to)

    def wait(self, verdict):
        if verdict[2]:
            self.said.append(("slept", verdict[2]))

    def default(self, kind, to):
        if kind in {"NORMAL_SUCCESS", "ROLLBACK_SUCCESS"}:
            return ("exit", None, 0) if to == "EXIT" else ("proceed", to, 0)
        if kind == "ROLLBACK_FAIL" or self.count >= 5:
            return ("previous", None, 0)
        return ("current", None, 0)

    # Writing down

    def note(self, kind, reason):
        failure = (self.node, kind, self.count, self.checkpoint, reason)
        self.failures.append(failure)
        self.row.append(failure)
        return failure

    def where(self, what):
        return what if what in {"done", "failed", "panicked"} else self.node

    def step(self, kind, reason, count, checkpoint, node, following):
        self.said.append(("step", self.name, node, kind, count, checkpoint, reason, following))

    def begin_rollback(self, unwinding):
        self.rolled_back = [self.name, self.node, self.checkpoint, self.count, unwinding, self.blame[4]]

    def end_rollback(self, how, value):
        if how == "fail":
            self.rolled_back[5] = value
        self.rolled_back = [how == "success", *self.rolled_back]

    def tell_rollback(self, what):
        if self.rolled_back:
            self.said.append(("rolled back", *self.rolled_back, self.where(what)))
        self.rolled_back = None
