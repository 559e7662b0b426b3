"""Stories: what each process does, how it ends, and what the next one says. A table of them is a test."""

import re

import pytest
from durable_support import Program

import hafta
from hafta.engine.resume import RUNS

STOPPED = RUNS.replace(stopped=True)


class Story:
    """Processes that end in these `ways`, and one that comes to its end.

    nodes, does: a Program of them; `inner`, `deep`: of sequences that "call" calls, one in the other; `other`: what
    "call other" calls.
    policies: by their nodes, of nodes whose policy says nothing.
    says: what the last process says; `whole`: what all of them say; `first`: how the last one begins; `has`: what is
    among it. doing: what the record says that goes on before the last process runs. rolled: words of the reason of the
    first rollback that the last one reports. resumed: its events "resumed": node, attempt, checkpoint.
    failed: (node, a pattern of its reason, attempt) if the sequence fails; kept: whether that leaves the record.
    """

    def __init__(
        self, nodes, does, *ways, says=None, whole=None, first="", has="", inner="", deep="", other="", policies=(),
        doing=None, rolled="", resumed=None, failed=None, kept=False,
    ):  # fmt: skip
        self.programs = [(name, each) for name, each in (("deep", deep), ("inner", inner)) if each]
        self.programs.append(("outer" if inner else "steps", nodes))
        self.other = other
        self.does, self.ways, self.policies = does, ways, dict(policies)
        self.expected = says, whole, first, has
        self.doing, self.reported, self.end = doing, (rolled, resumed), (failed, kept)

    def build(self, lives):
        """Return the outermost sequence."""
        program, other = None, self.other and Program(lives, *self.other.split(), does=self.does, name="other")
        for name, nodes in self.programs:
            program = Program(lives, *nodes.split(), does=self.does, name=name, inner=program, other=other)
            for node, policy in self.policies.items():
                if node in program.sequence.nodes:
                    program.sequence.nodes[node].policy(policy)
        return program.sequence

    def check(self, lives):
        """Play it."""
        sequence = self.build(lives)
        lives.ends(sequence, *self.ways)
        assert self.doing is None or lives.doing(sequence.name) == self.doing
        said, lives.said = lives.said, []
        result = lives.run(sequence)
        failed, kept = self.end
        assert (None if result else (result.node, result.attempt)) == (failed and (failed[0], failed[2]))
        assert failed is None or re.search(failed[1], str(result.reason))
        assert failed is None or isinstance(result.reason, hafta.Interrupted) is ("died in it" in failed[1])
        assert bool(lives.record(sequence.name)) is kept
        self._check_said(said, lives)
        self._check_events(lives)

    def _check_said(self, before, lives):
        says, whole, first, has = self.expected
        told = lives.told
        assert says is None or told == says
        assert f"{told}, ".startswith(f"{first}, " if first else "")
        assert f", {has}, " in f", {told}, " or not has
        lives.said = before + lives.said
        assert whole is None or lives.told == whole

    def _check_events(self, lives):
        rolled, resumed = self.reported
        if rolled:
            assert rolled in lives.events("rolled-back")[0].reason
        if resumed is not None:
            assert [(event.node, event.attempt, event.checkpoint) for event in lives.events("resumed")] == resumed


def stories(table):
    """A test of each story of a table, by its promise."""
    return pytest.mark.parametrize("story", table.values(), ids=table)
