"""Frozen values: their fields are declared by annotations."""

import copy
import pickle

import pytest

from hafta.frozen import Frozen


class Point(Frozen):
    """A point for tests."""

    x: int
    y: int = 0
    _hidden: int = 7


class Labelled(Point):
    """A point with a name; `y` has another default."""

    label: str = "none"
    y: int = 1


def test_values_are_given_by_position_or_name_and_fields_of_the_base_come_first():
    assert Point(1, 2) == Point(x=1, y=2) == Point(1, y=2)
    assert (Point(1).y, Point(1).values()) == (0, (1, 0))
    assert (Point._fields, Labelled._fields) == (("x", "y"), ("x", "y", "label"))
    assert Labelled(1).values() == (1, 1, "none")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (Point, r"Point needs \['x'\]"),
        (lambda: Point(1, 2, 3), "Point takes 2 values, got 3"),
        (lambda: Point(1, x=1), r"Point got \['x'\] twice"),
        (lambda: Point(1, z=1), r"Point has no field \['z'\]"),
        (lambda: Point(1).replace(z=1), r"Point has no field \['z'\]"),
    ],
)
def test_values_that_do_not_fit_are_named(make, message: str):
    with pytest.raises(TypeError, match=message):
        make()


def test_nothing_can_be_changed():
    point = Point(1)
    with pytest.raises(AttributeError, match="Point is frozen: cannot set x"):
        point.x = 2
    with pytest.raises(AttributeError, match="Point is frozen: cannot delete x"):
        del point.x
    assert point == Point(1)


def test_equal_means_same_type_and_values():
    assert Point(1, 1) != Labelled(1)
    assert Point(1) != (1, 0)
    assert len({Point(1), Point(1), Point(2)}) == 2
    assert repr(Point(1, 2)) == "Point(x=1, y=2)"


def test_a_copy_may_differ():
    assert Point(1).replace(y=5) == Point(1, 5)
    assert copy.copy(Point(1)) == copy.deepcopy(Point(1)) == pickle.loads(pickle.dumps(Point(1))) == Point(1)
