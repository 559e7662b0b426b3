"""A function that cannot be called as a node calls it is refused at the line that declares it."""

import functools
import re

import pytest

import hafta
from hafta import EXIT, NORMAL, POLICY, ROLLBACK
from hafta.policies import Attempts


def work(run):
    return EXIT


def undo(run):
    return EXIT


async def work_of_two(run, other):
    return EXIT


def needs_keyword(run, *, pipe):
    return EXIT


def shows_all(run, extra, last=0, *more, key, other=1, **rest):
    return EXIT


def only_keyword(run, checkpoint, *, retries):
    return EXIT


def decide(event):
    return EXIT


def nothing():
    return EXIT


def steps(run):
    yield EXIT


async def more_steps(run):
    yield EXIT


class Worker:
    def work(self, run):
        return EXIT

    def undo(self, run, checkpoint):
        return EXIT

    def decide(self, run, event):
        return EXIT

    @staticmethod
    def help(run):
        return EXIT

    @classmethod
    def make(cls, run):
        return EXIT

    def __call__(self, run, *args):
        return EXIT


def as_node(function):
    hafta.Sequence("s").node(name="n")(function)


def as_rollback(function):
    hafta.Sequence("s").node(name="n")(work).rollback(function)


def as_policy(function):
    hafta.Sequence("s").node(name="n")(work).policy(function)


def as_option(function):
    hafta.Sequence("s").node(name="n", policy=function)(work)


def listed(kind):
    return lambda function: hafta.Sequence.from_nodes("s", [(1, NORMAL, work), (1, kind, function)])


def as_orphaned(function):
    hafta.Sequence("s").orphaned(function)


REFUSED = [
    (as_node, nothing, "normal function of node n", "(run)", "()"),
    (as_node, work_of_two, "normal function of node n", "(run)", "(run, other)"),
    (as_node, needs_keyword, "normal function of node n", "(run)", "(run, *, pipe)"),
    (as_node, shows_all, "normal function of node n", "(run)", "(run, extra, last=..., *more, key, other=..., **rest)"),
    (as_node, Worker().undo, "normal function of node n", "(self, run)", "(self, run, checkpoint)"),
    (as_rollback, undo, "rollback function of node n", "(run, checkpoint)", "(run)"),
    (as_rollback, Worker().work, "rollback function of node n", "(self, run, checkpoint)", "(self, run)"),
    (as_rollback, only_keyword, "rollback function of node n", "(run, checkpoint)", "(run, checkpoint, *, retries)"),
    (as_policy, decide, "policy of node n", "(run, event)", "(event)"),
    (as_option, decide, "policy of node n", "(run, event)", "(event)"),
    (as_option, Attempts(3).refine.__func__, "policy of node n", "(run, event)", "(self, event, verdict)"),
    (listed(ROLLBACK), undo, "rollback function of node work", "(run, checkpoint)", "(run)"),
    (listed(POLICY), decide, "policy of node work", "(run, event)", "(event)"),
    (as_orphaned, decide, "orphaned function of sequence s", "(run, event)", "(event)"),
]  # fmt: skip


@pytest.mark.parametrize(("declare", "function", "what", "wanted", "given"), REFUSED)
def test_what_cannot_be_called_is_refused_with_what_it_is_and_where_it_stands(declare, function, what, wanted, given):
    name, code = function.__name__, function.__code__
    where = f"{code.co_filename}, line {code.co_firstlineno}"
    message = f"the {what} must look like {name}{wanted}, not {name}{given} of {where}"
    with pytest.raises(TypeError, match=f"^{re.escape(message)}"):
        declare(function)


def test_a_plain_method_is_pointed_to_the_classes():
    with pytest.raises(TypeError, match=r"not work\(self, run\) of .*; for methods, use hafta\.Steps$"):
        as_node(Worker.work)


@pytest.mark.parametrize("function", [steps, more_steps])
def test_a_generator_function_is_refused(function):
    with pytest.raises(TypeError, match=rf"must not yield: {function.__name__}\(run\) of .* is a generator function$"):
        as_node(function)


@pytest.mark.parametrize(("declare", "kind"), [(as_node, "normal function"), (as_rollback, "rollback function")])
def test_what_is_not_a_function_is_refused(declare, kind):
    with pytest.raises(TypeError, match=f"^the {kind} of node n is a function, not 5$"):
        declare(5)


def test_a_node_that_is_refused_is_not_there():
    sequence = hafta.Sequence("s")
    with pytest.raises(TypeError):
        sequence.node(nothing)
    assert (sequence.nodes, sequence.targets) == ({}, {EXIT: EXIT})


def with_default(run, pipe="simple.pipe", *, retries=3):
    return EXIT


def with_anything(*args, **kwargs):
    return EXIT


@functools.wraps(nothing)
def wrapped(*args):
    return EXIT


@pytest.mark.parametrize(
    ("declare", "function"),
    [
        *((as_node, one) for one in (work, Worker().work, Worker.help, Worker.make, with_default, wrapped)),
        *((as_rollback, one) for one in (Worker().undo, with_default, with_anything)),
        *((as_policy, one) for one in (hafta.default_policy, Worker().decide, Attempts(3), with_anything)),
    ],
)  # fmt: skip
def test_what_can_be_called_is_taken(declare, function):
    declare(function)


@pytest.mark.parametrize("function", [functools.partial(undo), Worker(), print, staticmethod(nothing), dict])
@pytest.mark.parametrize("declare", [as_node, as_rollback])
def test_what_nothing_cheap_can_judge_is_let_pass(declare, function):
    declare(function)
