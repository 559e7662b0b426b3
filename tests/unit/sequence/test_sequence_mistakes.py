"""Mistakes of the program are no failures: they say what is wrong, and nothing is rolled back."""

import pytest

import hafta
from hafta import (
    EXIT,
)


def test_ending_twice_by_forgetting_a_return_is_an_error_of_the_program(call):
    """The tutorial's own normalInit: HC_NormalFail without return, then HC_NormalSuccess."""
    sequence = hafta.Sequence("tutorial")

    @sequence.node
    def init(run):
        run.fail("open failed")
        return run.success("get_work")

    @sequence.node
    def get_work(run):
        return EXIT

    with pytest.raises(hafta.IllegalMove) as caught:
        call(sequence)
    assert caught.value.message == "node init has ended already; then came success naming get_work"
    assert caught.value.hint == "end a function once"


@pytest.mark.parametrize(
    ("first_end", "second_end", "message"),
    [
        ("fail", "return", "node work has ended already; then came success naming work"),
        ("success", "return", "node work has ended already; then came success naming work"),
        ("success", "fail", "node work has ended already; then came failure 'again'"),
        ("fail", "raise", "node work has ended already; then came failure ValueError('again')"),
    ],
)
def test_ending_twice_in_any_way_is_an_error_of_the_program(call, first_end, second_end, message):
    sequence = hafta.Sequence("twice")

    @sequence.node
    def work(run):
        if first_end == "fail":
            run.fail("no")
        else:
            run.success(EXIT)
        if second_end == "fail":
            return run.fail("again")
        if second_end == "raise":
            raise ValueError("again")
        return work

    with pytest.raises(hafta.IllegalMove) as caught:
        call(sequence)
    assert caught.value.message == message


def test_ending_without_returning_it_is_enough(call):
    sequence = hafta.Sequence("once")

    @sequence.node
    def work(run):
        run.success(EXIT)

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

    with pytest.raises(hafta.IllegalMove, match=r"^node deep named 'nowhere', which is no node of the sequence$"):
        call(outer)


def test_an_error_of_the_program_within_a_group_is_no_failure_either(call):
    """As a TaskGroup raises what its tasks raise."""
    mistake, rolled_back = hafta.IllegalMove("two at once", "one after the other"), []
    sequence = hafta.Sequence("tasks")

    @sequence.node
    def work(run):
        raise ExceptionGroup("tasks", [OSError("broken"), ExceptionGroup("more", [mistake])])

    work.rollback(lambda run, checkpoint: rolled_back.append(checkpoint))
    with pytest.raises(hafta.IllegalMove) as caught:
        call(sequence)
    assert caught.value is mistake
    assert rolled_back == []


def test_what_is_no_exception_of_the_program_passes_through(call):
    sequence, undone = hafta.Sequence("stopped"), []

    @sequence.node
    def work(run):
        raise SystemExit(3)

    @work.rollback
    def _(run, checkpoint):
        undone.append(checkpoint)

    with pytest.raises(SystemExit):
        call(sequence)
    assert undone == []


def test_what_a_policy_raises_is_no_failure_of_its_node(call):
    sequence, undone = hafta.Sequence("judge"), []

    @sequence.node
    def work(run):
        return run.fail("no")

    @work.rollback
    def _(run, checkpoint):
        undone.append(checkpoint)

    @work.policy
    def _(run, event):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        call(sequence)
    assert undone == []
