"""A service that judges itself: in its worker, where it shows progress, and without a thread."""

import re
from pathlib import Path

import pytest
from processes import Child, JournalChild
from warm_support import worker

from hafta.service.warm.beat import Page
from hafta.service.warm.health import Checkup
from hafta.service.warm.rules import Health, health_of

PAGE = Path(__file__).parents[3] / "docs" / "warm.md"


def program_of_the_page():
    section = PAGE.read_text().partition("\n## Rules\n")[2].partition("\n## ")[0]
    return re.search(r"```python\n(.*?)```", section, re.DOTALL)[1]


def test_the_example_of_the_page_is_replaced_for_its_health():
    with JournalChild(program_of_the_page(), "--standby=0") as child:
        entry = child.wait_entry("rule-broken")
        assert re.fullmatch(r"health: [0-9]+ pages wait", entry["HAFTA_REASON"])
        entry = child.wait_entry("worker-replaced")
        assert entry["HAFTA_REASON"].startswith("broke a rule: health: ")
        assert entry["HAFTA_CRASHES"] == "0"
        assert child.stop()[0] == 0


def test_the_example_s_other_rule_judges_threads():
    names = {}
    exec(program_of_the_page().partition("sys.exit(")[0], names)
    seen = type("Seen", (), {"pid": "self"})
    assert names["Threads"](0).broken(seen) == f"threads: {len(list(Path('/proc/self/task').iterdir()))} (limit 0)"
    assert names["Threads"](1000).broken(seen) == ""


#: What a judgement does -> what the parent reads.
ANSWERS = {
    "says nothing": (lambda: None, ""),
    "is content": (lambda: "", ""),
    "says what is wrong": (lambda: "the queue\nis full", "the queue is full"),
    "raises": (lambda: 1 / 0, "cannot judge: ZeroDivisionError: division by zero"),
    "answers something else": (lambda: True, "cannot judge: it answered True, which is not text"),
    "talks too much": (lambda: "x" * 1000, "x" * 400),
}


@pytest.mark.parametrize("what", ANSWERS)
def test_what_the_judgement_says_is_what_the_parent_reads(what):
    check, read = ANSWERS[what]
    page = Page()
    page.say_health("old")
    checkup = Checkup(Health(check), page)
    checkup.ask(5.0)
    assert page.read_health() == "old"
    checkup.begin()
    checkup.ask(5.0)
    assert page.read_health() == read
    page.clear()
    assert page.read_health() == ""


def test_it_is_asked_as_often_as_the_rule_says_and_never_from_within():
    page, asked = Page(), []

    def check():
        asked.append(None)
        checkup.ask(100.0)  # it may show progress

    checkup = Checkup(Health(check, every=2.0), page)
    checkup.begin()
    for now in (1.0, 2.0, 2.9, 3.0, 4.9, 5.1):
        checkup.ask(now)
    assert len(asked) == 3


def test_a_stop_goes_through_it():
    def stops():
        raise SystemExit

    checkup = Checkup(Health(stops), Page())
    checkup.begin()
    with pytest.raises(SystemExit):
        checkup.ask(1.0)


#: A node that waits; the judgement of the first worker does `{health}`, that of the next ones is content.
WAITS = """
import os, sys, time
import hafta, hafta.service
from hafta.service.warm.rules import Health

feed = hafta.Sequence("feed")

@feed.node
def work(run):
    print(f"work {os.getpid()}", flush=True)
    run.sleep(600)

def health():
    if not os.path.exists(os.environ["FLAG"]):
        open(os.environ["FLAG"], "w").close()
        {health}

sys.exit(hafta.service.run(feed, warm=True, rules={rules}))
"""


def program(health, rules="[Health(health, at_once=True)]"):
    return WAITS.replace("{health}", health).replace("{rules}", rules)


@pytest.mark.parametrize(
    ("health", "told"),
    [
        ("return 'all is lost'", "the last one broke a rule: health: all is lost"),
        ("time.sleep(600)", "the last one hung in work: no progress for "),
        ("os.abort()", "the last one was killed by SIGABRT in work"),
    ],
)
def test_it_is_asked_in_a_wait_and_one_that_does_not_come_back_is_a_hang(health, told, tmp_path):
    with Child(program(health), "--deadline=0.3", FLAG=str(tmp_path / "flag")) as child:
        first = worker(child)
        assert worker(child) != first
        child.wait_told(told)


def test_two_judgements_are_one_line_and_status_2(tmp_path):
    with Child(program("pass", "[Health(health), Health(health)]"), FLAG=str(tmp_path)) as child:
        stderr = child.process.stderr
        assert child.wait_line("Health", stderr).endswith("error: rules= has 2 of Health")
        assert child.wait_line("", stderr).endswith("give one, whose function judges all of the service")
        assert child.process.wait() == 2
    with pytest.raises(TypeError, match=r"^Health takes a function that says what is wrong, not 'x'$"):
        Health("x")
    assert health_of([]) is None
