"""What the start, the end and the failure of a unit ask of others."""

from types import SimpleNamespace

import pytest

from hafta.errors import UsageError
from hafta.overlord.conflicts import settle_conflicts
from hafta.overlord.control.verbs import Verbs
from hafta.overlord.manager import Manager
from hafta.overlord.relations import Relations, monitored
from hafta.overlord.table import State
from hafta.units.conditions import Verdict
from hafta.units.restart import Outcome
from hafta.units.unit import Needs, Unit


def units(text):
    """Make units of lines `name kind=other,other ...`."""
    found = {}
    for line in text.strip().splitlines():
        name, *words = line.split()
        needs = {kind: tuple(others.split(",")) for kind, others in (word.split("=") for word in words)}
        found[name] = Unit(name, "f", needs=Needs(**needs), stop_when_unneeded=name.startswith("lazy"))
    return found


class FakeRunner:
    """A unit that is up, and notes what happens to it."""

    def __init__(self, unit):
        self.unit = unit
        self.main = 0
        self.name = unit.name
        self.state = State.ACTIVE
        self.can_reload = not unit.name.endswith(".target")
        self.events = []
        self.waits_for_empty = False

    def handle(self, event):
        self.events.append(event)


def manager(text):
    found = units(text)
    made = Manager(found, lambda _: None, lambda *_: Verdict())
    made.runners.update({name: FakeRunner(unit) for name, unit in found.items()})
    return made


#: Units, what is asked for -> what is left, or the error.
CONFLICTS = [
    ("a conflicts=b\nb", "a", "a b", "b is pulled in by nobody"),
    ("t wants=a,b\na conflicts=b\nb", "t", "a t", "neither is required: who is named goes"),
    ("t wants=b requires=a\na conflicts=b\nb", "t", "a t", "one is required"),
    ("t wants=a requires=b\na conflicts=b\nb", "t", "b t", "the one that is named is required"),
    ("t wants=a,c,b\na conflicts=b\nb\nc requires=b", "t", "a t", "who requires it goes along"),
    ("t wants=a,b\na conflicts=b\nb wants=c\nc", "t", "a t", "what only it pulls in goes along"),
    ("t wants=a,b\na conflicts=b\nb conflicts=a", "t", "a t", "each names the other"),
    ("t wants=a\na conflicts=shutdown", "t", "a t", "what is not run"),
    ("a on_failure=b\nb conflicts=a", "a", "a b", "b starts later, and then stops a"),
    ("t requires=a,b\na conflicts=b\nb", "t", "error", "both are required"),
    ("a conflicts=b\nb", "a b", "error", "both are asked for"),
]


@pytest.mark.parametrize(("text", "given", "left", "why"), CONFLICTS)
def test_of_two_units_in_conflict_only_one_is_run(text, given, left, why):
    if left == "error":
        with pytest.raises(UsageError, match=r"^a conflicts with b, and both are required$"):
            settle_conflicts(units(text), given.split())
        return
    found, notes = settle_conflicts(units(text), given.split())
    if why == "b is pulled in by nobody":
        assert notes == []
    assert sorted(found) == left.split(), why
    assert len(notes) == (0 if set(found) == set(units(text)) else 1)


def test_relations_are_known_from_both_sides():
    found = Relations(
        units(
            """
            a conflicts=b,x stops=c reloads=b upholds=d on_failure=e on_success=f,x
            b reloaded_by=c stopped_by=a
            c reloads=d
            d
            e
            f wants=lazy
            lazy reloads=a
            """
        )
    )
    assert (found.conflicting("a"), found.conflicting("b")) == (("b",), ("a",))
    assert found.stopped_with("a") == ("c", "b")
    assert (found.upheld("a"), found.upholders("d"), found.upholders("a")) == (("d",), ("a",), ())
    assert (found.handlers("a", failed=True), found.handlers("a", failed=False)) == (("e",), ("f",))
    assert (found.unneeded_after("f"), found.pulling("lazy")) == (("lazy",), ("f",))
    assert found.reloaded_with("lazy") == ["lazy", "a", "b"]
    assert found.reloaded_with("c") == ["c", "b", "d"]


@pytest.mark.parametrize(
    ("outcome", "code", "status"),
    [(Outcome(3), "exited", "3"), (Outcome(0, 15), "killed", "TERM"), (Outcome(0, 6, dumped=True), "dumped", "ABRT")],
)
def test_what_a_handler_is_told(outcome, code, status):
    assert monitored("a.service", "exit-code", outcome, "0f") == {
        "MONITOR_UNIT": "a.service",
        "MONITOR_SERVICE_RESULT": "exit-code",
        "MONITOR_INVOCATION_ID": "0f",
        "MONITOR_EXIT_CODE": code,
        "MONITOR_EXIT_STATUS": status,
    }
    assert set(monitored("a.service", "dependency", None, "")) == {"MONITOR_UNIT", "MONITOR_SERVICE_RESULT"}


def test_a_reload_goes_on_to_what_is_named_if_that_can_reload():
    found = manager(
        """
        t.target reloads=a,b
        a
        b
        c reloaded_by=a
        d reloaded_by=a
        """
    )
    found.runners["d"].can_reload = False
    found.runners["b"].state = State.INACTIVE
    assert found.reload("t.target") == ""
    assert found.runners["a"].events == found.runners["c"].events == []
    found.settle()
    assert [name for name, runner in found.runners.items() if runner.events] == ["a", "c"]
    assert found.reload("b") == "b is not active"


@pytest.mark.parametrize(
    ("verb", "state", "directive"),
    [
        ("start", State.INACTIVE, "RefuseManualStart"),
        ("restart", State.INACTIVE, "RefuseManualStart"),
        ("restart", State.ACTIVE, "RefuseManualStart"),
        ("stop", State.ACTIVE, "RefuseManualStop"),
    ],
)
def test_a_unit_that_refuses_requests_refuses_those_of_the_control_socket(verb, state, directive):
    runner = FakeRunner(Unit("a.service", "f", refuse_manual_start=True, refuse_manual_stop=True))
    runner.state = state
    look = SimpleNamespace(find=lambda _: runner, find_running=lambda _: runner)
    fault = Verbs(None, None, set(), None).do(verb, look, "a.service")
    assert fault.parameters["message"].endswith(f"may be requested by dependency only ({directive}=yes)")
