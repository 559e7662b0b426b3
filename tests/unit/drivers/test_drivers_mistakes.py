"""A mistake of the program is reported once for each place, with file and line."""

import functools
import json
import textwrap

import pytest

import hafta
from hafta.drivers.mistakes import PLACES, Mistakes
from hafta.journal.events import MistakeFound
from hafta.runtime import Runtime
from hafta.testing import FakeRuntime


def work(run):
    """The function of a node."""


def work_undone(run, checkpoint):
    """Its rollback function."""


def misspelt(run):
    return get_wrok  # noqa: F821 - that is the mistake


def imports(run):
    import hafta_that_is_not_there  # noqa: F401


def adds(run):
    return 1 + "1"


def looks_up(run):
    return run.date


def asks_a_library(run):
    return json.loads(5)


def misuses_hafta(run):
    MistakeFound()  # its TypeError is raised in hafta/frozen.py


def divides(run):
    return 1 / 0


def of_another_file(source):
    names = {}
    exec(compile(textwrap.dedent(source), "/srv/another.py", "exec"), names)
    return names["other"]


def raised_by(function, *args):
    try:
        function(*args)
    except Exception as error:
        return error
    raise AssertionError


def found(function, error, runtime=None):
    """Report it; return the places that the journal was told."""
    runtime = runtime or FakeRuntime()
    Mistakes(runtime).look_at(function, error)
    return [(event.file, event.line, event.function, event.reason) for event in runtime.events]


def line_in(function):
    return function.__code__.co_firstlineno + 1


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (misspelt, "NameError: name 'get_wrok' is not defined"),
        (imports, "ModuleNotFoundError: No module named 'hafta_that_is_not_there'"),
        (adds, "TypeError: unsupported operand type(s) for +: 'int' and 'str'"),
        (looks_up, "AttributeError: 'NoneType' object has no attribute 'date'"),
        (misuses_hafta, "TypeError: MistakeFound needs ['file', 'line', 'function', 'reason']"),
    ],
)
def test_a_mistake_is_reported_with_its_place_and_the_last_line_of_the_traceback(function, reason):
    error = raised_by(function, None)
    expected = [(__file__, line_in(function), function.__name__, reason)]
    assert found(function, error) == expected
    assert found(Runs(function), error) == found(functools.partial(function), error) == expected


class Runs:
    """As a method stands behind a node of a class."""

    def __init__(self, function):
        self.__func__ = function


@pytest.mark.parametrize("function", [asks_a_library, divides])
def test_what_may_be_about_the_data_is_not_reported(function):
    assert found(function, raised_by(function, None)) == []


def test_an_error_that_was_never_raised_has_no_place():
    assert found(work, TypeError("made by hand")) == []


def test_a_name_that_is_missing_in_another_file_is_a_mistake_and_a_wrong_type_there_is_not():
    name = of_another_file("def other(run):\n    return nowhere")
    kind = of_another_file("def other(run):\n    return 1 + ''")
    assert found(work, raised_by(name, None)) == [
        ("/srv/another.py", 2, "other", "NameError: name 'nowhere' is not defined")
    ]
    assert found(work, raised_by(kind, None)) == []
    assert found(print, raised_by(adds, None)) == []


def test_each_place_is_reported_once_whatever_it_says():
    runtime = FakeRuntime()
    for userdata in (None, "text", 5):
        found(looks_up, raised_by(looks_up, userdata), runtime)
    found(misspelt, raised_by(misspelt, None), runtime)
    assert [event.line for event in runtime.events] == [line_in(looks_up), line_in(misspelt)]


def test_places_are_bounded():
    runtime = FakeRuntime()
    source = "\n".join(f"def f{number}(run): return nowhere" for number in range(PLACES + 5))
    names = {}
    exec(compile(source, "/srv/many.py", "exec"), names)
    for number in range(PLACES + 5):
        found(work, raised_by(names[f"f{number}"], None), runtime)
    assert len(runtime.events) == len(runtime.mistakes) == PLACES


def test_the_members_of_a_group_are_looked_at():
    group = ExceptionGroup(
        "tasks", [OSError(), ExceptionGroup("more", [raised_by(adds, None)]), raised_by(misspelt, None)]
    )
    assert [reason.partition(":")[0] for *_, reason in found(adds, group)] == ["TypeError", "NameError"]


def test_a_group_without_end_ends():
    deep = raised_by(adds, None)
    for _ in range(20):
        deep = ExceptionGroup("deep", [deep])
    assert found(adds, deep) == []


def test_an_error_that_cannot_be_shown_is_shown_by_its_type():
    class Silent(TypeError):
        def __str__(self):
            raise ValueError

    def silent(run):
        raise Silent

    assert [reason for *_, reason in found(silent, raised_by(silent, None))] == ["Silent: (its text cannot be shown)"]


def test_reporting_never_raises():
    class Broken(FakeRuntime):
        def report(self, event):
            raise OSError

    Mistakes(Broken()).look_at(adds, raised_by(adds, None))


def test_plain_runtimes_share_what_was_reported_and_tests_do_not():
    assert Runtime().mistakes is Runtime().mistakes
    assert FakeRuntime().mistakes is not FakeRuntime().mistakes


@pytest.mark.parametrize("rolling_back", [False, True])
def test_a_call_reports_the_mistakes_of_the_function_that_has_failed(rolling_back):
    """A wrong type counts only where it was raised in the file of that function, so the two have different ones."""
    sequence, runtime = hafta.Sequence("mistaken"), FakeRuntime()
    undo = of_another_file("def other(run, checkpoint):\n    return 1 + '1'")
    node = sequence.node(divides if rolling_back else adds)
    node.rollback(undo if rolling_back else work_undone)
    assert not sequence.call(runtime=runtime)
    places = [(event.file, event.line) for event in runtime.events if isinstance(event, MistakeFound)]
    assert places == [("/srv/another.py", 2) if rolling_back else (__file__, line_in(adds))]
