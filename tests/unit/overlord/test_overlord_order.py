"""Who waits for whom, and which cycles are broken where."""

import pytest

from hafta.overlord.cycles import break_cycles
from hafta.overlord.order import LATER, NOW, Order
from hafta.overlord.table import State
from hafta.units.unit import Needs, Unit
from hafta.units.unitfile import UnitError


def unit(name, **needs):
    return Unit(name, "f", needs=Needs(**{key: tuple(value.split()) for key, value in needs.items()}))


def order(*units):
    return Order({unit.name: unit for unit in units})


def test_before_is_after_seen_from_the_other_side():
    assert order(unit("a", before="b c y"), unit("b"), unit("c", after="b x")).sequence == ["a", "b", "c"]


def test_a_target_comes_after_what_it_pulls_in_unless_that_comes_after_it():
    found = order(unit("t.target", wants="a b x"), unit("a"), unit("b", after="t.target"))
    assert found.sequence == ["a", "t.target", "b"]
    plain = unit("t.target", wants="a").replace(default_dependencies=False)
    assert order(plain, unit("a")).sequence == ["t.target", "a"]


CYCLES = [
    # units, given, what is left out and what is left
    ("a after=b; b after=a; x wants=a,b", "x", "ordering cycle: a after b after a: b is left out", "a x"),
    ("a requires=b after=b; b wants=c; c after=a before=b", "a", "a after b after c after a: c is left out", "a b"),
    ("x wants=a,d; a after=b; b after=a wants=e; e; d requires=b", "x", "a after b after a: b is left out", "x a"),
    (
        "x wants=a; a after=c; b after=a; c after=b requires=b; y wants=c",
        "x y",
        "c after b after a: b is left out",
        "x a y",
    ),
]


@pytest.mark.parametrize(("text", "given", "note", "left"), CYCLES)
def test_of_a_cycle_the_unit_that_closes_it_is_left_out_with_what_requires_it(text, given, note, left):
    found, (said,) = break_cycles(made_of(text), given.split())
    assert note in said
    assert " ".join(found) == left
    assert sorted(Order(found).sequence) == sorted(found)


def made_of(text):
    """Make units of `name kind=other,other ...; ...`."""
    lines = [line.split() for line in text.split(";")]
    needs = {name: dict(word.split("=") for word in words) for name, *words in lines}
    return {
        name: unit(name, **{kind: others.replace(",", " ") for kind, others in found.items()})
        for name, found in needs.items()
    }


def test_a_cycle_of_units_that_are_all_required_is_an_error():
    units = made_of("x wants=z; a after=c requires=b; b after=a requires=c; c after=b,x; z")
    with pytest.raises(UnitError) as caught:
        break_cycles(units, ["a", "x"])
    assert caught.value.message == "ordering cycle: a after c after b after a"
    assert caught.value.hint == "remove one After= or Before= of these units"


def test_a_long_chain_is_no_work():
    units = made_of(";".join(f"u{at} after=u{at + 1} requires=u{at + 1}" for at in range(3000)) + ";u3000")
    assert break_cycles(units, ["u0"]) == (units, [])


STARTS = [
    ("after", State.START, NOW, LATER),
    ("after", State.START_PRE, NOW, LATER),
    ("after", State.ACTIVE, NOW, NOW),
    ("requires", State.RELOAD_NOTIFY, NOW, NOW),
    ("after", State.FAILED, NOW, NOW),
    ("after", State.AUTO_RESTART, NOW, NOW),
    ("requires", State.ACTIVE, NOW, NOW),
    ("requires", State.START, NOW, LATER),
    ("requires", State.AUTO_RESTART, NOW, LATER),
    ("binds_to", State.STOPPING, NOW, LATER),
    ("requires", State.FAILED, NOW, "a"),
    ("binds_to", State.INACTIVE, NOW, "a"),
]


@pytest.mark.parametrize(("kind", "state", "alone", "ordered"), STARTS)
def test_who_may_start_when(kind, state, alone, ordered):
    states = {"a": state, "b": State.INACTIVE}
    if kind != "after":
        assert order(unit("a"), unit("b", **{kind: "a"})).may_start("b", (), states, ()) == alone
    assert order(unit("a"), unit("b", **{"after": "a"} | {kind: "a"})).may_start("b", (), states, ()) == ordered


def test_a_start_waits_for_one_that_still_waits_and_not_for_a_oneshot_that_is_done():
    found = order(unit("a"), unit("b", after="a", requires="a"))
    states = {"a": State.INACTIVE, "b": State.INACTIVE}
    assert found.may_start("b", {"a", "b"}, states, ()) == LATER
    assert found.may_start("b", {"b"}, states, {"a"}) == NOW


def test_stops_wait_for_those_that_came_after():
    found = order(unit("a"), unit("b", after="a"))
    assert not found.may_stop("a", {"a": State.ACTIVE, "b": State.STOPPING})
    assert found.may_stop("a", {"a": State.ACTIVE, "b": State.FAILED})
    assert found.may_stop("b", {"a": State.ACTIVE, "b": State.ACTIVE})


def test_dependents_are_told_apart():
    found = order(
        unit("a"), unit("r", requires="a"), unit("b", binds_to="a"), unit("p", part_of="a"), unit("w", wants="a")
    )
    assert found.dependents("a") == ["r", "b", "p"]
    assert found.bound_to("a") == ["b"]
