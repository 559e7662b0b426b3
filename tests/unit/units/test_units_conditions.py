"""What a list of conditions means, how it is read, and which conditions may have to wait for a server."""

import os
import time
from itertools import pairwise

import pytest

from hafta.units import conditions
from hafta.units.checks import far
from hafta.units.checks.compare import order_of_versions
from hafta.units.checks.table import CHECKS
from hafta.units.conditions import KINDS, Condition, Verdict, judge, unmet
from hafta.units.unitfile import UnitError

#: Conditions (t: met, f: not met, e: cannot be found out; | and ! as written) -> why not.
LISTS = """
-                       | met
t                       | met
f                       | f is not met
!t                      | !t is not met
!f                      | met
t t                     | met
t f f                   | f is not met
e                       | e cannot be found out
!e                      | !e cannot be found out
|t                      | met
|f                      | |f is not met
|f |t                   | met
|t |f                   | met
|f |f                   | none of |f, |f is met
|!t |e                  | none of |!t, |e is met
|e |t                   | met
t |f                    | |f is not met
f |t                    | f is not met
|!f t                   | met
"""
ROWS = [tuple(part.strip() for part in line.split(" | ", 1)) for line in LISTS.strip().splitlines()]


def condition(word):
    mark = word.strip("tfe")
    return Condition("CPUs", word[-1], trigger="|" in mark, negate="!" in mark)


@pytest.mark.parametrize(("given", "expected"), ROWS)
def test_a_list_of_conditions(monkeypatch, given, expected):
    def check(parameter):
        if parameter == "e":
            raise ValueError("no idea")
        return parameter == "t"

    monkeypatch.setitem(CHECKS, "CPUs", check)
    found = unmet([condition(word) for word in given.split() if word != "-"], "Condition")
    shown = found.replace("ConditionCPUs=", "").removesuffix(": no idea")
    assert (shown or "met") == expected


def test_each_kind_has_a_check():
    assert set(CHECKS) == set(KINDS)
    assert len(KINDS) == 33


def test_marks_are_read_and_specifiers_resolved(files):
    unit = files.one("", "ConditionPathExists=|!%t//x/\nConditionUser=| ! %p\nAssertPathExists=/a")
    path = Condition("PathExists", "/run/x", trigger=True, negate=True)
    assert unit.conditions == (path, Condition("User", "x", trigger=True, negate=True))
    assert unit.asserts == (Condition("PathExists", "/a"),)
    assert str(path) == "PathExists=|!/run/x"


def test_an_empty_value_drops_all_conditions_before_it_but_no_assertion(files):
    unit = files.one("", "ConditionPathExists=/a\nAssertUser=x\nConditionUser=\nConditionHost=y")
    assert unit.conditions == (Condition("Host", "y"),)
    assert unit.asserts == (Condition("User", "x"),)
    assert files.one("", "AssertUser=x\nAssertHost=").asserts == ()


@pytest.mark.parametrize("value", ["etc", "!etc", "| /etc", "/a/../b", "/%z", f"/{'a' * 256}", "|"])
def test_a_path_must_be_absolute(files, value):
    with pytest.raises(UnitError, match="ConditionPathExists"):
        files.one("", f"ConditionPathExists={value}")


def test_conditions_are_found_out_at_the_start_and_come_before_assertions(files, tmp_path):
    here = tmp_path / "here"
    unit = files.one("", f"AssertPathExists={here}\nConditionPathExists=!/nowhere")
    assert judge(unit.conditions, unit.asserts) == Verdict(f"AssertPathExists={here} is not met", is_assert=True)
    here.touch()
    assert judge(unit.conditions, unit.asserts) == Verdict()
    unit = files.one("", "AssertPathExists=/nowhere\nConditionPathExists=/nowhere")
    assert judge(unit.conditions, unit.asserts) == Verdict("ConditionPathExists=/nowhere is not met")


def test_no_condition_waits_for_the_other_end_of_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    before = time.monotonic()
    for kind in conditions.PATHS:
        unmet([Condition(kind, str(tmp_path / "pipe"))], "Condition")
    assert time.monotonic() - before < 20


#: Each version is older than the one below it.
VERSIONS = "~ 1~rc1 1~rc1.1 1 1-a 1-1 1^1 1.a 1.1 1.01.1 1.2 1a 2 10 010.1".split()  # noqa: SIM905 - a row reads best


def test_versions_are_ordered_as_their_specification_says():
    assert {order_of_versions(older, newer) for older, newer in pairwise(VERSIONS)} == {-1}
    assert {order_of_versions(newer, older) for older, newer in pairwise(VERSIONS)} == {1}
    assert order_of_versions("1.00", "1.0") == order_of_versions("a_b", "a+b") == 0


def test_a_long_version_costs_no_more_than_its_length():
    text = "1." * 20_000
    before = time.process_time()
    assert order_of_versions(text, text + "1") == -1
    assert time.process_time() - before < 5


#: Path -> whether it leads over the server that is mounted at /net and, by a link, from LINK.
PATHS = [
    ("/net", True),
    ("/net/x", True),
    ("/network", False),
    ("LINK", True),
    ("LINK/x", True),
    ("LINK/../x", True),
    ("NEAR/x", False),
    ("LOOP/x", False),
    ("/home/far", True),
]


@pytest.mark.parametrize(("path", "expected"), PATHS)
def test_a_path_that_leads_over_a_server_is_known_without_going_there(tmp_path, path, expected):
    for name, target in (("LINK", "/net/deep"), ("NEAR", "."), ("LOOP", "LOOP")):
        (tmp_path / name).symlink_to(target)
    found = {"/": "overlay", "/net": "nfs4", "/home": "autofs"}
    assert far.leads_far(path if path.startswith("/") else f"{tmp_path}/{path}", found) is expected


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("PathExists", "/net/x", True),
        ("PathExists", "/etc", False),
        ("PathExistsGlob", "/*/x", True),
        ("PathExistsGlob", "/etc/*", False),
        ("Host", "/net", False),
    ],
)
def test_which_conditions_may_wait(monkeypatch, kind, value, expected):
    monkeypatch.setattr(far, "mounts", lambda: [("/", "ext4"), ("/net", "fuse.sshfs")])
    assert far.is_far([Condition(kind, value)]) is expected
    monkeypatch.setattr(far, "mounts", lambda: [("/", "ext4"), ("/proc", "proc")])
    assert not far.is_far([Condition(kind, value)])
