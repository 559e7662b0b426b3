"""Making a sequence: from decorators or from a node list, and what is refused."""

import functools
import re
from enum import IntEnum

import pytest

import hafta
from hafta import NORMAL, POLICY, ROLLBACK
from hafta.policies import Attempts
from hafta.testing import FakeRuntime


class Step(IntEnum):
    EXIT = 0
    INIT = 1
    GET_WORK = 2


def init(run):
    return run.success(Step.GET_WORK)


def get_work(run):
    return run.success(Step.EXIT)


def undo_init(run, checkpoint):
    return run.success(Step.INIT)


def judge_work(run, event):
    return hafta.default_policy(run, event)


LIST = [
    (Step.INIT, NORMAL, init),
    (Step.GET_WORK, NORMAL, get_work),
    (Step.INIT, ROLLBACK, undo_init),
    (Step.GET_WORK, POLICY, judge_work),
]


def table(sequence):
    """All that makes a sequence behave as it does, but for the numbers, which decorators do not give."""
    return {
        name: (
            node.name, node.normal_function, node.rollback_function, node.policy_function, node.timeout, node.durable,
            node.plain,
        )
        for name, node in sequence.nodes.items()
    }  # fmt: skip


def test_a_node_list_and_decorators_make_the_same_sequence():
    listed = hafta.Sequence.from_nodes("reader", LIST)
    decorated = hafta.Sequence("reader")
    decorated.node(init).rollback(undo_init)
    decorated.node(get_work).policy(judge_work)
    assert type(listed) is type(decorated)
    assert table(listed) == table(decorated)
    assert list(listed.nodes) == list(decorated.nodes) == ["init", "get_work"]
    assert repr(listed) == repr(decorated) == "<sequence reader: init, get_work>"
    assert all(node.home is listed.targets for node in listed.nodes.values())
    assert all(node.home is decorated.targets for node in decorated.nodes.values())


def test_the_order_of_a_node_list_does_not_matter_but_for_the_first_normal_function():
    shuffled = hafta.Sequence.from_nodes("reader", [LIST[3], LIST[2], LIST[0], LIST[1]])
    assert list(shuffled.nodes) == ["init", "get_work"]
    assert table(shuffled) == table(hafta.Sequence.from_nodes("reader", LIST))


SHUFFLED = [(Step.GET_WORK, POLICY, judge_work), (Step.INIT, NORMAL, init), (Step.GET_WORK, NORMAL, get_work)]


@pytest.mark.parametrize(
    ("nodes", "start", "path"),
    [
        (SHUFFLED, None, ["init", "get_work"]),  # the first normal function, though another node's policy comes before
        *((LIST, start, ["init", "get_work"]) for start in (None, 1, Step.INIT, "init")),
        (LIST, Step.GET_WORK, ["get_work"]),
    ],
)
def test_a_call_starts_where_it_says_or_at_the_first_normal_function(nodes, start, path):
    runtime = FakeRuntime()
    assert hafta.Sequence.from_nodes("reader", nodes).call(start=start, runtime=runtime)
    assert runtime.path == path


def test_nodes_with_plain_numbers_are_named_after_their_normal_functions():
    sequence = hafta.Sequence.from_nodes("reader", [(1, NORMAL, init), (2, NORMAL, get_work)])
    assert [(node.name, node.id) for node in sequence.nodes.values()] == [("init", 1), ("get_work", 2)]
    assert sequence.call(runtime=FakeRuntime())


def test_zero_is_a_node_if_the_list_says_so_and_the_exit_then_has_its_own_name_only():
    def begin(run):
        return 0

    def end(run):
        return hafta.EXIT

    with pytest.raises(ValueError, match=r"^sequence zero already has a node begin$"):
        hafta.Sequence.from_nodes("zero", [(0, NORMAL, begin), (5, NORMAL, begin)])
    runtime = FakeRuntime()
    assert hafta.Sequence.from_nodes("zero", [(5, NORMAL, begin), (0, NORMAL, end)]).call(runtime=runtime)
    assert runtime.path == ["begin", "end"]


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ((Step.INIT, NORMAL, get_work), "node <Step.INIT: 1> of sequence reader has two normal functions"),
        ((Step.INIT, ROLLBACK, undo_init), "node <Step.INIT: 1> of sequence reader has two rollback functions"),
        ((Step.GET_WORK, POLICY, judge_work), "node <Step.GET_WORK: 2> of sequence reader has two policy functions"),
        ((7, ROLLBACK, undo_init), "node 7 of sequence reader has no normal function"),
        ((7, POLICY, judge_work), "node 7 of sequence reader has no normal function"),
        ((7, "normal", init), "node 7 of sequence reader: 'normal' is not NORMAL, ROLLBACK or POLICY"),
        ((7, NORMAL, init), "sequence reader already has a node init"),
    ],
)
def test_a_wrong_node_list_says_what_is_wrong(extra, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        hafta.Sequence.from_nodes("reader", [*LIST, extra])


def test_a_node_is_declared_with_and_without_arguments():
    sequence = hafta.Sequence("s")
    plain = sequence.node(init)
    named = sequence.node(name="other", timeout=3, durable=True, policy=judge_work)(init)
    assert (plain.name, plain.timeout, plain.durable, plain.policy_function, plain.plain) == (
        "init", None, False, None, True,
    )  # fmt: skip
    assert (named.name, named.timeout, named.durable, named.policy_function, named.plain) == (
        "other", 3, True, judge_work, False,
    )  # fmt: skip
    assert (str(named), repr(named)) == ("other", "<node other>")


def test_a_node_has_one_function_of_each_kind_which_stays_as_it_is_and_a_name_of_its_own():
    sequence = hafta.Sequence("s")
    node = sequence.node(init)
    assert node.rollback(undo_init) is undo_init
    assert node.policy(judge_work) is judge_work
    with pytest.raises(ValueError, match=r"^node init has a rollback function already$"):
        node.rollback(undo_init)
    with pytest.raises(ValueError, match=r"^node init has a policy already$"):
        node.policy(judge_work)
    with pytest.raises(ValueError, match=r"^sequence s already has a node init$"):
        sequence.node(init)


@pytest.mark.parametrize("name", ["", "two\nlines", "\x00", 5])
def test_names_can_be_printed(name):
    with pytest.raises(ValueError, match=rf"^a sequence needs a printable name, not {re.escape(repr(name))}$"):
        hafta.Sequence(name)
    if name:
        with pytest.raises(ValueError, match=rf"^a node needs a printable name, not {re.escape(repr(name))}$"):
            hafta.Sequence("s").node(name=name)(init)


def test_a_function_without_a_name_needs_one_for_its_node():
    nameless = functools.partial(init)
    with pytest.raises(ValueError, match=r" has no name for its node: give it one with name=$"):
        hafta.Sequence("s").node(nameless)
    assert hafta.Sequence("s").node(name="init")(nameless).name == "init"


def test_a_sequence_without_nodes_cannot_be_called_and_a_closed_one_has_let_go_of_everything():
    closed = hafta.Sequence.from_nodes("empty", LIST)
    closed.close()
    assert (closed.nodes, closed.targets) == ({}, {})
    for sequence in (closed, hafta.Sequence("empty")):
        with pytest.raises(hafta.IllegalMove, match=r"^sequence empty has no node$") as caught:
            sequence.call()
        assert caught.value.hint == "declare one with @sequence.node; a closed sequence has none"


def test_one_sequence_is_called_many_times_and_within_itself():
    sequence = hafta.Sequence("countdown")

    @sequence.node
    def count(run):
        if run.data:
            run.call(sequence, run.data - 1)
        return hafta.EXIT

    runtime = FakeRuntime()
    assert all(sequence.call(3, runtime=runtime) for _ in range(2))
    assert len(runtime.path) == 8


@pytest.mark.parametrize("which", [None, "normal", "rollback", "policy"])
def test_a_sequence_is_asynchronous_if_any_of_its_functions_is(which):
    async def coroutine(run, *args):
        return hafta.EXIT

    def function(run, *args):
        return hafta.EXIT

    normal, rollback, policy = (coroutine if kind == which else function for kind in ("normal", "rollback", "policy"))
    sequence = hafta.Sequence("s")
    node = sequence.node(name="n")(normal)
    node.rollback(rollback)
    node.policy(policy)
    assert sequence.is_async is (which is not None)


def test_methods_may_be_the_functions_of_a_node():
    class Worker:
        async def work(self, run):
            return hafta.EXIT

    sequence = hafta.Sequence("s")
    sequence.node(Worker().work)
    assert sequence.is_async
    assert sequence.call(runtime=FakeRuntime())


POLICY_IS = "the policy of node init is a function, or one of hafta.policies, not "


@pytest.mark.parametrize(
    ("given", "kind", "message"),
    [
        ({"policy": Attempts}, TypeError, "the policy of node init is the class Attempts: give an instance of it"),
        ({"policy": 5}, TypeError, f"{POLICY_IS}5"),
        *(
            ({"timeout": given}, ValueError, f"the timeout of node init is more than 0 seconds, not {given!r}")
            for given in (0, -1, float("nan"), "5")
        ),
        ({"requires": "disk"}, ValueError, "what node init requires is \"host\" or nothing, not 'disk'"),
        ({"deadline": 0.01}, ValueError, "the deadline of node init is 0.05 s or more, not 0.01"),
    ],
)
def test_what_is_no_policy_or_timeout_is_refused_where_it_is_declared(given, kind, message):
    sequence = hafta.Sequence("s")
    with pytest.raises(kind, match=f"^{re.escape(message)}$"):
        sequence.node(**given)(init)
    assert sequence.nodes == {}


def test_what_is_no_policy_is_refused_by_the_decorator_and_in_a_node_list_too():
    with pytest.raises(TypeError, match=f"^{POLICY_IS}<panic>$"):
        hafta.Sequence("s").node(init).policy(hafta.PANIC)
    with pytest.raises(TypeError, match=f"^{POLICY_IS}7$"):
        hafta.Sequence.from_nodes("s", [(1, NORMAL, init), (1, POLICY, 7)])


@pytest.mark.parametrize("version", [2, (1, 2), None])
def test_a_version_that_is_no_text_is_refused(version):
    with pytest.raises(TypeError, match=r"^the version of sequence feed is text, not "):
        hafta.Sequence("feed", version=version)
