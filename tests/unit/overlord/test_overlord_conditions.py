"""Units whose conditions are not met: skipped and no failure; assertions fail; nothing waits for an answer."""

import os
import time

import pytest
from overlord_harness import ROOT

from hafta.overlord import inquiry
from hafta.overlord.inquiry import Inquiries
from hafta.process.loop import Loop
from hafta.units.conditions import Condition, Verdict
from hafta.units.unit import Unit

UNIT = Unit("a.service", "f", conditions=(Condition("PathExists", "/net"),))


@pytest.fixture
def loop():
    loop = Loop(lambda _: None, lambda _: None)
    yield loop
    loop.close()


@pytest.fixture
def inquiries(loop, monkeypatch):
    monkeypatch.setattr(inquiry, "is_far", lambda _: True)
    return Inquiries(loop)


@pytest.mark.parametrize("verdict", [Verdict(), Verdict("no"), Verdict("no", is_assert=True)])
def test_an_answer_that_may_take_long_comes_from_a_child(loop, inquiries, monkeypatch, verdict):
    monkeypatch.setattr(inquiry, "judge", lambda *_: verdict)
    answers = []
    assert inquiries.ask(UNIT, answers.append) is None
    while not answers:
        loop.turn()
    assert answers == [verdict]
    assert os.wait()[1] == 0


def test_an_answer_that_does_not_come_is_not_waited_for(loop, inquiries, monkeypatch):
    monkeypatch.setattr(inquiry, "judge", lambda *_: time.sleep(1000))
    monkeypatch.setattr(inquiry, "PATIENCE", 0.2)
    answers = []
    assert inquiries.ask(UNIT, answers.append) is None
    while not answers:
        loop.turn()
    assert answers[0].why == "its conditions cannot be found out within 0.2 s: a file system does not answer"
    monkeypatch.setattr(inquiry, "PATIENCE", 1000.0)
    held = inquiries.ask(UNIT, answers.append)
    assert held == Verdict("its conditions cannot be found out: a file system does not answer"), "one child is enough"
    os.wait()
    assert inquiries.ask(UNIT, answers.append) is None, "it has ended: a new one may ask"
    loop.turn()


def test_a_child_that_dies_is_an_answer(loop, inquiries, monkeypatch):
    monkeypatch.setattr(inquiry, "judge", lambda *_: os.abort())
    answers = []
    assert inquiries.ask(UNIT, answers.append) is None
    while not answers:
        loop.turn()
    assert answers == [Verdict("its conditions cannot be found out")]
    os.wait()


def test_whatever_goes_wrong_concerns_the_unit_alone(inquiries, monkeypatch):
    def fork():
        raise BlockingIOError("no more processes")

    monkeypatch.setattr(os, "fork", fork)
    found = inquiries.ask(UNIT, lambda _: None)
    assert found == Verdict("its conditions cannot be found out: no more processes")


FAR = """
import sys, time
from hafta.overlord import inquiry
from hafta.overlord.program import main, use_utf8

use_utf8()
judge = inquiry.judge


def slow(conditions, asserts):
    if any("hangs" in condition.parameter for condition in conditions):
        time.sleep(1000)
    return judge(conditions, asserts)


inquiry.is_far, inquiry.judge = lambda _: True, slow
sys.exit(main())
"""


def test_a_file_system_that_does_not_answer_holds_nobody_up(place):
    with open(place.file("far.py"), "w") as file:
        file.write(FAR)
    place.service("met", "/bin/echo met", "Type=oneshot", unit=["ConditionPathExists=/etc"])
    place.service("unmet", "/bin/echo unmet", "Type=oneshot", unit=["ConditionPathExists=!/etc"])
    place.service("stuck", "/bin/echo stuck", unit=["ConditionPathExists=/hangs"])
    place.service("after", "/bin/echo after", unit=["After=stuck.service"])
    overlord = place.start(
        *("met", "unmet", "stuck", "after"), module="far", environ={"PYTHONPATH": f"{ROOT}:{place.path}"}
    )
    overlord.wait_for(r"\| met")
    overlord.wait_for("Unit unmet.service is skipped")
    assert not overlord.find(r"\| (after|stuck)"), "the order holds"
    assert overlord.stop() == 0, "the answer is not waited for"
    assert not overlord.find(r"\| (after|stuck|unmet)$")
