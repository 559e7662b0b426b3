"""Mistakes of the program are no failures: they say what is wrong, and nothing is rolled back."""

import pytest

import hafta
from hafta import EXIT


def fail(run):
    return run.fail("again")


def error(run):
    raise ValueError("again")


def node(run):
    return run.node


@pytest.mark.parametrize(
    ("first_end", "second_end", "then"),
    [
        (fail, lambda run: run.success("work"), "returned work"),  # the tutorial's own normalInit
        (fail, node, "returned work"),
        (lambda run: run.success(EXIT), node, "returned work"),
        (lambda run: run.success(EXIT), fail, "failed with 'again'"),
        (fail, error, "failed with ValueError('again')"),
    ],
)
def test_ending_twice_in_any_way_is_an_error_of_the_program(call, first_end, second_end, then):
    sequence = hafta.Sequence("twice")
    sequence.node(name="work")(lambda run: (first_end(run), second_end(run))[1])
    with pytest.raises(hafta.IllegalMove) as caught:
        call(sequence)
    assert caught.value.message == f"node work already ended, and then also {then}"
    assert caught.value.hint == "return, or call run.success() or run.fail(), once"


def test_ending_without_returning_it_is_enough(call):
    sequence = hafta.Sequence("once")
    sequence.node(name="work")(lambda run: run.success(EXIT) and None)
    assert call(sequence)


def test_a_normal_function_that_returns_nothing_is_an_error_of_the_program(call):
    sequence = hafta.Sequence("nothing")
    sequence.node(name="work")(lambda run: None)
    with pytest.raises(hafta.IllegalMove) as caught:
        call(sequence)
    assert caught.value.message == "node work of sequence nothing returned nothing"
    assert caught.value.hint == "return the next node, EXIT, or run.fail(reason)"


def test_an_error_of_the_program_in_an_inner_sequence_is_no_failure_of_the_outer_node(call):
    inner, outer = hafta.Sequence("inner"), hafta.Sequence("outer")
    inner.node(name="deep")(lambda run: "nowhere")

    @outer.node
    def caller(run):
        inner.call()

    with pytest.raises(hafta.IllegalMove, match=r"^node deep returned 'nowhere', which is not a node"):
        call(outer)


def fails(run, event):
    raise ZeroDivisionError


MISTAKE = hafta.IllegalMove("two at once", "one after the other")


@pytest.mark.parametrize(
    ("raised", "policy", "passes"),
    [
        (ExceptionGroup("tasks", [OSError(), ExceptionGroup("more", [MISTAKE])]), None, MISTAKE),
        (SystemExit(3), None, SystemExit),
        (ValueError("no"), fails, ZeroDivisionError),
    ],
    ids=["a mistake within a group, as a TaskGroup raises it", "no exception of the program", "raised by a policy"],
)
def test_what_is_no_failure_passes_through_and_nothing_is_rolled_back(call, raised, policy, passes):
    sequence, undone = hafta.Sequence("stopped"), []

    @sequence.node(policy=policy)
    def work(run):
        raise raised

    work.rollback(lambda run, checkpoint: undone.append(checkpoint))
    with pytest.raises((hafta.IllegalMove, SystemExit, ZeroDivisionError)) as caught:
        call(sequence)
    assert passes in {caught.value, caught.type}
    assert undone == []


@pytest.mark.parametrize("status", [0, 0.0, False, 1])
def test_an_exit_status_is_not_a_success_where_nodes_have_no_numbers(call, status):
    """As in `return os.system(...)`: only the nodes of a node list have numbers, and there 0 stands for EXIT."""
    sequence = hafta.Sequence("job")

    @sequence.node
    def copy(run):
        return status

    with pytest.raises(hafta.IllegalMove, match=rf"^node copy returned {status!r}, which is not a node"):
        call(sequence)
