"""What a call gives back: true or false, where and why, and a sentence."""

import copy
import errno
import pickle

import pytest

import hafta
from hafta import Interrupted, exits
from hafta.durable.position import SequencePosition
from hafta.engine.failures import KEPT
from hafta.engine.resume import RUNS
from hafta.engine.words import Failure, describe
from hafta.result import SequenceFailed
from hafta.testing import FakeRuntime


def failing(reason, times=100, name="reader"):
    sequence = hafta.Sequence(name)
    left = [times]

    @sequence.node
    def work(run):
        left[0] -= 1
        if left[0] < 0:
            return hafta.EXIT
        run.checkpoint(2)
        if isinstance(reason, BaseException):
            raise reason
        return run.fail(reason)

    return sequence


@pytest.mark.parametrize(
    ("times", "sentence"),
    [(0, "reader succeeded"), (1, "reader succeeded after 1 failure"), (3, "reader succeeded after 3 failures")],
)
def test_a_success_says_what_it_overcame(times, sentence):
    result = failing("no", times).call(runtime=FakeRuntime())
    assert result
    assert result.check() is result
    assert str(result) == sentence
    assert (result.node, result.reason, result.failures, len(result.history)) == (None, None, times, times)


@pytest.mark.parametrize(
    ("reason", "times", "shown"),
    [
        ("no", 0, "<Result of reader: ok, 0 failures>"),
        ("no", 1, "<Result of reader: ok, 1 failure>"),
        ("two\nlines", 9, "<Result of reader: failed at node work, attempt 5, 5 failures: two lines>"),
        (
            ValueError(80 * "x"),
            9,
            f"<Result of reader: failed at node work, attempt 5, 5 failures: ValueError: {65 * 'x'}...>",
        ),
    ],
)
def test_its_repr_is_one_short_line(reason, times, shown):
    assert repr(failing(reason, times).call(runtime=FakeRuntime())) == shown


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        (101, "101"),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "/tmp/simple"),
         "[Errno 2] No such file or directory: '/tmp/simple'"),
        (ValueError("bad\n  data"), "ValueError: bad data"),
        (ValueError(), "ValueError"),
        (OSError(), "OSError"),
        ("two\nlines", "two lines"),
        (None, "None"),
    ],
)  # fmt: skip
def test_a_failure_says_where_how_often_and_why(reason, told):
    result = failing(reason).call(runtime=FakeRuntime())
    assert not result
    assert str(result) == f"reader failed at node work, attempt 5: {told}"
    assert (result.node, result.attempt, result.failures) == ("work", 5, 5)
    assert result.reason is reason


def test_the_history_tells_each_failure_with_its_checkpoint_and_time():
    sequence, runtime = hafta.Sequence("reader"), FakeRuntime(clock=100)

    @sequence.node
    def work(run):
        run.sleep(1)
        run.checkpoint(4)
        return run.fail("no")

    @work.rollback
    def _(run, checkpoint):
        return None if run.attempt < 2 else run.fail("cannot undo")

    result = sequence.call(runtime=runtime)
    assert result.history == (
        Failure("work", hafta.NORMAL_FAIL, 1, 4, "no", 101.0),
        Failure("work", hafta.NORMAL_FAIL, 2, 4, "no", 102.0),
        Failure("work", hafta.ROLLBACK_FAIL, 2, 4, "cannot undo", 102.0),
    )
    assert [str(failure) for failure in result.history] == [
        "work, attempt 1: no",
        "work, attempt 2: no",
        "rolling back work, attempt 2: cannot undo",
    ]
    assert result.duration == 2
    assert str(result) == "reader failed at node work, attempt 2: cannot undo"


def test_the_history_keeps_the_newest_failures_and_counts_all():
    sequence = failing("no", 250)
    sequence.nodes["work"].policy(
        lambda run, event: hafta.default_policy(run, event) if event.reason is None else hafta.ROLL_BACK_CURRENT
        if event.kind is hafta.NORMAL_FAIL else hafta.proceed("work")
    )  # fmt: skip
    result = sequence.call(runtime=FakeRuntime())
    assert (result.failures, len(result.history)) == (250, KEPT)
    assert result.history[-1].attempt == 250
    assert result.history[0].attempt == 250 - KEPT + 1


def test_checking_a_failure_raises_an_error_that_reads_the_same():
    result = failing("no").call(runtime=FakeRuntime())
    with pytest.raises(hafta.SequenceFailed) as caught:
        result.check()
    assert str(caught.value) == "reader failed at node work, attempt 5: no"
    assert caught.value.hint == "the journal has the history: journalctl HAFTA_SEQUENCE=reader"
    assert caught.value.status == exits.FAILED
    assert caught.value.reported
    assert caught.value.result is result


def test_a_sequence_that_fails_is_reported_once():
    runtime = FakeRuntime()
    failing("no").call(runtime=runtime)
    told = [event.message() for event in runtime.events if event.NAME == "sequence-failed"]
    assert told == ["Sequence reader failed at node work, attempt 5: no"]


class Unspeakable(Exception):
    def __str__(self):
        return self.text  # which it never got


def test_a_reason_that_cannot_be_told_in_words_is_told_by_its_type():
    runtime = FakeRuntime()
    result = failing(Unspeakable()).call(runtime=runtime)
    assert str(result) == "reader failed at node work, attempt 5: Unspeakable, whose text cannot be shown"
    assert runtime.events[0].reason == "Unspeakable, whose text cannot be shown"


def test_describing_a_system_error_without_a_text_names_its_type():
    assert describe(OSError()) == "OSError"
    assert describe(TimeoutError()) == "TimeoutError"
    assert describe(TimeoutError("own")) == "TimeoutError: own"
    assert describe(ConnectionResetError(errno.ECONNRESET, "reset")) == f"[Errno {errno.ECONNRESET}] reset"


def test_a_group_of_exceptions_is_told_with_its_first_three():
    inner = ExceptionGroup("inner", [KeyError("k")])
    group = ExceptionGroup("in tasks", [ValueError("v"), OSError(2, "missing"), inner, TypeError("t")])
    assert describe(group) == (
        "ExceptionGroup: in tasks (4 sub-exceptions): ValueError: v; [Errno 2] missing;"
        " ExceptionGroup: inner (1 sub-exception): KeyError: 'k'"
    )


def orphaned():
    position = SequencePosition("reader", "1", ("work",), "work", RUNS)
    return hafta.Orphaned("reader", position, "2", [])


@pytest.mark.parametrize(
    "error",
    [
        hafta.IllegalMove("wrong", "do it right"),
        hafta.StoreError("held", "wait", kind="held"),
        SequenceFailed(failing("no").call(runtime=FakeRuntime())),
        Interrupted(17, 0.5, stopped=False),
        orphaned(),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("again", [copy.copy, lambda error: pickle.loads(pickle.dumps(error))], ids=["copy", "pickle"])
def test_errors_reach_other_processes_as_they_are(error, again):
    other = again(error)
    assert type(other) is type(error)
    assert (str(other), other.args, vars(other)) == (str(error), error.args, vars(error))
