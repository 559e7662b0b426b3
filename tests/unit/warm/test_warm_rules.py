"""Rules: a worker over a limit is replaced at a safe place, and that is no crash."""

import pytest
from processes import Child, JournalChild
from warm_support import worker

from hafta.service.warm.rules import Age, Growth, Health, Memory, OpenFiles, Rule, Seen, first_broken

MIB = 1 << 20
FINE = {"pid": 7, "age": 100.0, "memory": 50 * MIB, "files": 10}

#: A rule, what is seen, and what it says.
JUDGED = [
    (Memory(60 * MIB), {}, ""),
    (Memory(60 * MIB), {"memory": 70 * MIB}, "memory: 70 MiB (limit 60 MiB)"),
    (Age(100), {}, ""),
    (Age(99.5), {}, "age: 100 s (limit 99.5 s)"),
    (OpenFiles(16), {"files": 16}, ""),
    (OpenFiles(16), {"files": 17}, "open files: 17 (limit 16)"),
    (Health(str), {}, ""),
    (Health(str), {"health": "the queue is full"}, "health: the queue is full"),
]


@pytest.mark.parametrize(("rule", "seen", "says"), JUDGED)
def test_a_rule_judges(rule, seen, says):
    assert rule.broken(Seen(**{**FINE, **seen})) == says


def test_growth_counts_from_a_settled_worker_and_for_each_one_anew():
    rule = Growth(10 * MIB, after=60)
    look = lambda **seen: rule.broken(Seen(**{**FINE, **seen}))
    assert look(age=1.0, memory=10 * MIB) == ""
    assert look(age=60.0, memory=50 * MIB) == ""
    assert look(age=61.0, memory=60 * MIB) == ""
    assert look(age=62.0, memory=61 * MIB) == "growth: 11 MiB (limit 10 MiB)"
    assert look(pid=8, age=61.0, memory=90 * MIB) == ""


class Broken(Rule):
    def broken(self, seen):
        return 1 / 0


def test_the_first_broken_rule_counts_and_one_that_raises_is_named():
    seen, age, fault = Seen(**FINE), Age(1), Broken()
    assert first_broken([Memory(60 * MIB), age, Age(2)], seen) == (age, "age: 100 s (limit 1 s)")
    assert first_broken([fault], seen) == (fault, "Broken cannot judge: ZeroDivisionError: division by zero")
    assert first_broken([], seen) is None


@pytest.mark.parametrize("wrong", [lambda: Memory(1), lambda: Age(0), lambda: OpenFiles(3), lambda: Growth("1")])
def test_a_limit_that_is_none_is_refused(wrong):
    with pytest.raises(ValueError, match=r"^a limit of .+ is a number of [0-9]+ or more, not "):
        wrong()


PROGRAM = """
import os, sys, time
import hafta, hafta.service
import hafta.service.warm.rules as rules

rules.EVERY = 0.1
import hafta.service.warm.parent as parent
parent.EVERY = 0.1
parent.PATIENCE = {patience}
feed = hafta.Sequence("feed")

@feed.node
def work(run):
    print(f"work {{os.getpid()}}", flush=True)
    files = [open(os.devnull) for _ in range(40)] if not os.path.exists(os.environ["FLAG"]) else []
    open(os.environ["FLAG"], "w").close()
    run.sleep({sleep})
    print(f"done {{os.getpid()}}", flush=True)
    return hafta.EXIT

sys.exit(hafta.service.run(feed, warm=True, rules=[rules.OpenFiles(30, at_once={at_once})]))
"""


def test_a_worker_over_a_limit_goes_after_its_sequence_and_it_is_no_crash(tmp_path):
    program = PROGRAM.format(patience=60, sleep=0.6, at_once=False)
    more = {"FLAG": str(tmp_path / "flag"), "RUNTIME_DIRECTORY": str(tmp_path)}
    with JournalChild(program, **more) as child:
        first = worker(child)
        entry = child.wait_entry("rule-broken")
        assert entry["HAFTA_REASON"].startswith("open files: 4")
        assert child.wait_line("done ") == f"done {first}"
        assert worker(child) != first
        entry = child.wait_entry("worker-replaced")
        assert entry["HAFTA_REASON"].startswith("broke a rule: open files: ")
        assert entry["HAFTA_CRASHES"] == "0"
        assert child.stop()[0] == 0


@pytest.mark.parametrize(("at_once", "patience"), [(True, 60), (False, 0.2)])
def test_one_that_comes_to_no_safe_place_is_asked_to_stop(at_once, patience, tmp_path):
    with Child(PROGRAM.format(patience=patience, sleep=600, at_once=at_once), FLAG=str(tmp_path / "flag")) as child:
        first = worker(child)
        assert worker(child) != first
        child.wait_told("1 replaced, the last one broke a rule: open files")
        assert child.stop()[0] == 0
