"""The world outside of the processes: what nodes have begun, and what was acknowledged to them. It judges.

It knows nothing of records. After any crashes and stops it holds that

1. what had begun is rolled back before it begins again, once, with the last checkpoint and state that were acknowledged
   or the ones that were being recorded, and never with those of another node;
2. what had ended, and was followed by something, neither begins again nor is undone, unless five failures of what
   follows lead back to it, or it is local;
3. failures count if they happened; one that a stop met may be lost, and a stop that is not on record as one may count;
4. a node is not undone before the inner sequence that was interrupted in it: it calls that again first;
5. the caller's values (`keep`) count once what each node has done.
"""

import hafta

LIMIT = 5


class Broken(BaseException):
    """The world is not as it should be. Not a failure of a node."""


class Step:
    """What a node does, and what the world knows of it."""

    def __init__(self, name, *, durable=True, checkpoints=0, fails=0, undo_fails=0, refuse=0, inner=None, delay=0.0):
        self.name, self.durable, self.checkpoints, self.inner = name, durable, checkpoints, inner
        self.fails, self.undo_fails, self.refuse, self.delay = fails, undo_fails, refuse, delay
        self.said = [(0, {})]  # the checkpoints and states that its rollback function may be given
        self.row = 0  # failures in a row, those that happened
        self.status = None  # "begun", "ended", "undoing", "undone"; None: it has not begun, or is as if it had not
        self.process = 0  # in which one it has begun, or was undone
        self.leads_back = False  # whether its rollback function has failed
        self.count = 0  # what the caller's values say of it
        self.before = {}  # ... and of the inner sequence, when it began


class World:
    """One sequence of nodes in a row, and what became of them over all processes."""

    def __init__(self, name, *steps):
        self.name, self.steps = name, steps
        self.process = self.lost = self.extra = 0  # failures that may be lost, or counted without having happened
        self.pending = None  # what has ended and was followed by nothing yet
        self.keeps = True  # whether the caller's values are taken back when they are to be
        self.outer = None
        self.is_called = False  # by the step that it is the inner sequence of
        self.fresh = False  # no durable node has done anything in this process; one may be on record as begun
        for step in steps:
            if step.inner is not None:
                step.inner.outer = self, step

    @property
    def top(self):
        return self if self.outer is None else self.outer[0].top

    def every(self):
        """Return all steps, the inner ones too."""
        return [one for step in self.steps for one in (step, *(step.inner.every() if step.inner else ()))]

    def is_done(self):
        """Tell whether each durable node has ended."""
        return all(step.status == "ended" for step in self.steps if step.durable)

    def is_amid(self):
        """Tell whether it is neither over nor as if it had not begun."""
        known = {step.status for step in self.steps if step.durable}
        return not known <= {None, "undone"} and not self.is_done()

    def next_process(self, *, stopped):
        """Note how a process ended: asked to stop, and that is on record, or in another way."""
        self.process += 1
        self.fresh = True
        self.lost += 1
        self.extra += not stopped

    def hold(self, is_so, what):
        if not is_so:
            raise Broken(f"process {self.top.process}: {what}")

    # What the functions of nodes do

    def begin(self, run, step):
        """Look whether it may begin. Returns whether it only runs again, as local nodes do in a new process."""
        waits = step.status == "begun" and step.inner is not None and step.inner.is_called
        again = self._follow(run, step, waits=waits)
        if step.durable:
            low, high = step.row - self.top.lost, step.row + self.top.extra
            self.hold(waits or step.status in {None, "undone"}, f"{step.name} begins, but it is {step.status}")
            self.hold(low <= run.attempt <= high, f"{step.name}: attempt {run.attempt}, not {low} to {high}")
        self.hold(step.name not in run.data["there"], f"{step.name} begins twice in one process")
        self.hold(waits or (run.recorded, run.state) == (0, {}), f"{step.name} has {run.recorded} {run.state}")
        for before in self.steps[: self.steps.index(step)]:
            there = before.status == "ended" if before.durable else before.name in run.data["there"]
            self.hold(there, f"{step.name} begins, but {before.name} is {before.status}")
        self.top.fresh = self.top.fresh and (waits or not step.durable)
        if not waits:
            step.said = [(0, {})]
            step.before = {one: one.count for one in step.inner.every()} if step.inner else {}
        step.status, step.process = "begun", self.top.process
        run.data["there"].add(step.name)
        run.data["keep"][step.name] = run.data["keep"].get(step.name, 0) + 1
        return again

    def say(self, run, step, at):
        """Set a checkpoint."""
        word = f"{step.name}{at}"
        step.said.append((at, {**run.state, word: at}))
        run.checkpoint(at, **{word: at})
        del step.said[:-1]  # acknowledged: nothing older will do

    def returned(self):
        """Note that its call has returned."""
        self._settle()
        self.is_called = False

    def fails(self, step):
        """Tell whether it fails this time."""
        failing = step.fails > 0
        step.fails -= failing
        step.row += failing
        return failing

    def end(self, step, *, again):
        """Note that it ends with success."""
        step.status = "ended"
        if not again:
            self.top.pending = step

    def undo(self, run, step, checkpoint):
        """Look whether it may be rolled back."""
        top = self.top
        was_followed = step.status == "ended" and top.pending is not step
        repeated = top.fresh and step.status in {None, "undoing", "undone"}
        self._follow(run, step, undoing=True)
        if step.durable:
            if was_followed:
                self._may_lead_back(self.steps[self.steps.index(step) + 1])
            self.hold(repeated or step.status in {"begun", "ended"}, f"{step.name} is undone, but it is {step.status}")
        self.hold((checkpoint, run.state) in step.said, f"{step.name}: {checkpoint}, {run.state} not in {step.said}")
        if step.inner is not None:
            self.hold(not step.inner.is_amid(), f"{step.name} is undone before what was interrupted in it")
            step.inner.is_called = False
            for one in step.inner.every():
                one.status, one.row, one.said = None, 0, [(0, {})]
        top.fresh = top.fresh and not step.durable
        step.status, step.process = "undoing", top.process
        run.data["there"].discard(step.name)

    def undone(self, step):
        """Note that it has been rolled back. Returns whether that fails this time."""
        failing = step.undo_fails > 0
        step.undo_fails -= failing
        step.leads_back = step.leads_back or failing
        step.status = "undone"
        step.said.append((0, {}))  # of the next attempt, on record before that begins
        return failing

    # How it judges

    def _follow(self, run, step, *, undoing=False, waits=False):
        """See that something follows what has ended, if it does, and hold the caller's values against it."""
        top, keep = self.top, run.data["keep"]
        pending, again = top.pending, False
        if undoing and pending is step:
            step.status, top.pending = "begun", None  # its end was not recorded, or its policy has refused it
        elif pending is not None and not undoing and not step.durable:
            if keep.get(pending.name, 0) > pending.count:
                top._settle()
            elif pending is step:
                top.pending = None
        elif not waits:
            top._settle()
        if not undoing and not step.durable:
            again = step.count > 0
        self._hold_counts(keep, step, undoing=undoing)
        return again

    def _hold_counts(self, keep, step, *, undoing):
        """Hold the caller's values: what a function that has not ended has changed counts only inside of it."""
        running, world = set(), self
        while world.outer is not None:
            world, outer = world.outer
            running.add(outer)
        want = {}
        for one in self.top.every():
            want.setdefault(one, one.count + (one in running))
            if one not in running and (one.status == "begun" or one is self.top.pending):
                want |= one.before
        if undoing and step.status == "begun":
            for one, count in step.before.items():
                one.count = count
        for one, count in want.items() if self.top.keeps else ():
            what = f"{keep} where {step.name} {'is undone' if undoing else 'begins'}, not {one.name} {count}"
            self.hold(one is self.top.pending or keep.get(one.name, 0) == count, what)

    def _settle(self):
        step, self.top.pending = self.top.pending, None
        if step is not None:
            step.count, step.row = step.count + 1, 0

    def _may_lead_back(self, following):
        led = following.row + self.top.extra >= LIMIT or following.leads_back
        self.hold(led, "an earlier node is undone, though nothing has led back to it")
        following.status, following.row, following.leads_back = None, 0, False


def build(world, *, asynchronous=False):
    """Return the sequence whose functions ask this world."""
    sequence = hafta.Sequence(world.name)
    for number, step in enumerate(world.steps):
        following = world.steps[number + 1].name if number + 1 < len(world.steps) else hafta.EXIT
        inner = build(step.inner, asynchronous=asynchronous) if step.inner else None
        make = _asynchronous if asynchronous else _plain
        normal, rollback = make(world, step, inner, following)
        node = sequence.node(name=step.name, durable=step.durable)(normal)
        node.rollback(rollback)
        if step.delay or step.refuse:
            node.policy(_policy(step))
    return sequence


def _plain(world, step, inner, following):
    def normal(run):
        again = world.begin(run, step)
        for at in range(1, step.checkpoints + 1):
            world.say(run, step, at)
        if inner is not None:
            step.inner.is_called = True
            run.call(inner, run.data)
            step.inner.returned()
        return _end(world, step, again, run, following)

    def rollback(run, checkpoint):
        world.undo(run, step, checkpoint)
        if step.checkpoints:
            world.say(run, step, 9)
        return run.fail("undo") if world.undone(step) else run.node

    return normal, rollback


def _asynchronous(world, step, inner, following):
    from asyncio import sleep

    async def normal(run):
        again = world.begin(run, step)
        for at in range(1, step.checkpoints + 1):
            world.say(run, step, at)
            await sleep(0)
        if inner is not None:
            step.inner.is_called = True
            await run.call(inner, run.data)
            step.inner.returned()
        return _end(world, step, again, run, following)

    async def rollback(run, checkpoint):
        world.undo(run, step, checkpoint)
        if step.checkpoints:
            world.say(run, step, 9)
            await sleep(0)
        return run.fail("undo") if world.undone(step) else run.node

    return normal, rollback


def _end(world, step, again, run, following):
    if not again and world.fails(step):
        return run.fail(f"{step.name} fails")
    world.end(step, again=again)
    return following


def _policy(step):
    def policy(run, event):
        if event.kind is hafta.NORMAL_SUCCESS and step.refuse:
            step.refuse -= 1
            return hafta.ROLL_BACK_CURRENT
        verdict = hafta.default_policy(run, event)
        return verdict.after(step.delay) if step.delay else verdict

    return policy
