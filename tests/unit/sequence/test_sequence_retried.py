"""One function that is retried, without a sequence."""

import asyncio
import gc
import inspect
import re
import weakref

import pytest

import hafta
from hafta.policies import Attempts, Backoff, FailSequence, On
from hafta.testing import FakeRuntime

THRICE = Attempts(3) | Backoff(1, jitter=0)


class Line:
    """A line that is busy a number of times."""

    def __init__(self, busy):
        self.busy = busy
        self.dialled = []

    def dial(self, number, *, area=0):
        """Dial."""
        self.dialled.append((number, area))
        if len(self.dialled) <= self.busy:
            raise TimeoutError(f"busy {len(self.dialled)}")
        return f"{area}/{number}"


def plain(line):
    @hafta.retried(THRICE)
    def dial(number: int, *, area: int = 0) -> str:
        """Dial."""
        return line.dial(number, area=area)

    return dial


def awaited(line, seconds=0, run=asyncio.run):
    @hafta.retried(THRICE)
    async def dial(number: int, *, area: int = 0) -> str:
        """Dial."""
        await asyncio.sleep(seconds)
        return line.dial(number, area=area)

    return lambda *args, **kwargs: run(dial(*args, **kwargs))


def awaited_on_its_clock(line):
    return awaited(line, 0.5, lambda dialling: hafta.runtime.current().run_async(dialling))


@pytest.mark.parametrize("make", [plain, awaited, awaited_on_its_clock])
def test_it_gives_the_value_of_the_attempt_that_went_well(make):
    line = Line(busy=2)
    with FakeRuntime() as runtime:
        assert make(line)(7, area=3) == "3/7"
    assert line.dialled == [(7, 3)] * 3
    assert [(event.NAME, event.sequence, event.node) for event in runtime.events] == [
        *[("rolled-back", "dial", "dial")] * 2,
        ("recovered", "dial", "dial"),
    ]
    assert runtime.slept == [1, 2]


@pytest.mark.parametrize("make", [plain, awaited])
def test_it_raises_the_exception_of_the_last_attempt_as_it_is(make):
    line = Line(busy=9)
    with FakeRuntime() as runtime, pytest.raises(TimeoutError, match=r"^busy 3$") as caught:
        make(line)(7)
    assert (caught.value.__cause__, caught.value.__suppress_context__) == (None, False)
    assert caught.traceback[-1].name == "dial"
    assert [event.NAME for event in runtime.events] == ["rolled-back"] * 3 + ["sequence-failed"]


def test_the_cause_of_the_exception_stays_its_cause():
    @hafta.retried(Attempts(1))
    def read():
        raise OSError("broken") from ValueError("why")

    with FakeRuntime(), pytest.raises(OSError, match="broken") as caught:
        read()
    assert str(caught.value.__cause__) == "why"


def test_what_an_attempt_held_is_let_go_of_with_the_exception():
    class Socket:
        pass

    held = []

    @hafta.retried(Attempts(2))
    def read():
        socket = Socket()
        held.append(weakref.ref(socket))
        raise OSError("broken")

    gc.disable()
    try:
        with FakeRuntime(), pytest.raises(OSError, match="broken") as caught:
            read()
        assert held[0]() is None
        caught.value.__traceback__ = None
        del caught
        assert held[1]() is None
    finally:
        gc.enable()


def test_it_is_a_method_where_it_stands_in_a_class():
    class Modem(Line):
        @hafta.retried(Attempts(2))
        def call(self, number):
            return self.dial(number)

        @classmethod
        @hafta.retried(Attempts(2))
        def make(cls):
            return cls(1)

        @staticmethod
        @hafta.retried(Attempts(2))
        def about():
            return "modem"

    with FakeRuntime():
        modem = Modem.make()
        assert modem.call(5) == "0/5"
    assert modem.dialled == [(5, 0)] * 2
    assert Modem.about() == "modem"


def test_its_name_signature_and_docstring_stay():
    dial = plain(Line(0))
    assert (dial.__name__, dial.__doc__) == ("dial", "Dial.")
    assert str(inspect.signature(dial)) == "(number: int, *, area: int = 0) -> str"
    assert inspect.iscoroutinefunction(hafta.retried(THRICE)(asyncio.sleep))


def test_a_call_within_a_call_and_in_several_tasks_each_have_their_own_arguments():
    @hafta.retried(Attempts(2))
    async def double(number, left=1):
        await asyncio.sleep(0)
        return 2 * number if not left else await double(number, left - 1)

    async def all_of_them():
        return await asyncio.gather(*map(double, range(5)))

    with FakeRuntime():
        assert asyncio.run(all_of_them()) == [0, 2, 4, 6, 8]


def test_within_a_node_it_waits_and_reports_as_that_does_and_names_the_place_of_the_function_itself():
    sequence, runtime, said = hafta.Sequence("outer"), FakeRuntime(), []
    dial = plain(Line(busy=1))
    sequence.node(name="work")(lambda run: run.data.append(dial(1)) or hafta.EXIT)
    assert sequence.call(said, runtime=runtime)
    assert said == ["0/1"]
    assert runtime.slept == [1]
    assert [(event.sequence, event.code[0]) for event in runtime.events] == [("dial", __file__)]
    assert runtime.progresses >= 1


def test_a_test_forces_its_failures_by_its_name():
    line = Line(0)
    with FakeRuntime() as runtime:
        runtime.force("dial", TimeoutError("no answer"), times=2)
        assert plain(line)(1) == "0/1"
    assert runtime.forced == {}
    assert len(line.dialled) == 1


def test_it_has_the_name_that_it_is_given():
    read = hafta.retried(Attempts(1), name="reader")(lambda: 1 / 0)
    with FakeRuntime() as runtime, pytest.raises(ZeroDivisionError):
        read()
    assert {(event.sequence, event.node) for event in runtime.events} == {("reader", "reader")}


def test_a_sequence_that_failed_in_it_is_raised_with_its_own_result():
    inner = hafta.Sequence("inner")
    inner.node(name="n")(lambda run: run.fail("no"))

    @hafta.retried(FailSequence(Exception))
    def work():
        return inner.call().check()

    with FakeRuntime(), pytest.raises(hafta.SequenceFailed, match=r"^inner failed at node n, attempt 5: no$"):
        work()


def test_a_policy_may_end_it_well_without_a_value():
    read = hafta.retried(On(OSError, hafta.EXIT))(Line(1).dial)
    with FakeRuntime():
        assert read(1) is None


def test_what_is_not_an_exception_of_the_program_passes_through():
    attempts = []

    @hafta.retried(THRICE)
    def work():
        attempts.append(1)
        raise KeyboardInterrupt

    with FakeRuntime(), pytest.raises(KeyboardInterrupt):
        work()
    assert attempts == [1]


def test_a_coroutine_that_a_plain_function_returns_is_a_mistake():
    async def work():
        """Never begun."""

    def read():
        return work()

    with FakeRuntime(), pytest.raises(hafta.IllegalMove, match=r"^read returned a coroutine") as caught:
        hafta.retried(THRICE)(read)()
    assert caught.value.hint == "put @hafta.retried on the `async def` itself"


def steps():
    yield 1


async def more_steps():
    yield 1


def one(url):
    """Decorated without a policy."""


@pytest.mark.parametrize(
    ("policy", "function", "message"),
    [
        (Attempts, one, "the policy of @hafta.retried is the class Attempts: give an instance of it"),
        (3, one, "the policy of @hafta.retried is a function, or one of hafta.policies, not 3"),
        (one, one, "the policy of @hafta.retried must look like one(run, event), not one(url) of "),
        (THRICE, 5, "@hafta.retried is for a function, not 5: a classmethod goes above it"),
        (THRICE, steps, "@hafta.retried is not for a generator function: steps"),
        (THRICE, more_steps, "@hafta.retried is not for a generator function: more_steps"),
    ],
)
def test_what_cannot_be_retried_is_refused_where_it_is_declared(policy, function, message):
    with pytest.raises(TypeError, match=f"^{re.escape(message)}"):
        hafta.retried(policy)(function)
