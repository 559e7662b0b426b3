"""What the next process does with what a dead one had begun: docs/durable-rules.md, section 2."""

import pytest
from durable_stories import Story, stories
from durable_support import Program, at, judged

import hafta
from hafta.durable import codec
from hafta.engine.resume import NEXT

PREVIOUS = hafta.ROLL_BACK_PREVIOUS
CURRENT = hafta.ROLL_BACK_CURRENT

DEATHS = {
    "the rollback function runs with the last checkpoint and state that were recorded": Story(
        "work", {"work": (at(1, path="/a"), at(2, "die", offset=7))}, "die",
        whole="work 0, undo work 2 path='/a' offset=7, work 1",
    ),
    "each death is one more failure in a row": Story(
        "work", {"work": ["fail", "die", "fail", "die"]}, *["die"] * 2,
        whole="work 0, undo work 0 {}, work 1, undo work 0 {}, work 2, undo work 0 {}, work 3, undo work 0 {}, work 4",
    ),
    "the fifth death in a row goes back to the previous node": Story(
        "first* second", {"first": at(3, path="/a"), "second": [at(1, "die")] * 5}, *["die"] * 5,
        says="undo second 1 {}, undo first 3 path='/a', first 0, second 0",
    ),
    "a first node that kills five processes fails the sequence": Story(
        "work", {"work": ["die"] * 9}, *["die"] * 5, failed=("work", r"process \d+ died in it", 5),
    ),
    "a policy is asked with INTERRUPTED and has its way": Story(
        "work? repair", {"work": at(1, "die"), "ask work": hafta.proceed("repair")}, "die",
        whole="work 0, ask work INTERRUPTED 1, undo work 1 {}, repair 0",
    ),
    "to fail the sequence is an answer to a death and rolls back first": Story(
        "work?", {"work": at(1, "die"), "ask work": hafta.FAIL_SEQUENCE}, "die",
        whole="work 0, ask work INTERRUPTED 1, undo work 1 {}", failed=("work", "died in it", 1),
    ),
    "a policy that panics at each death is asked with a growing count": Story(
        "work?", {"work": "die", "ask work": [hafta.PANIC] * 3}, "die", *["panic"] * 3,
        whole="work 0, ask work INTERRUPTED 1, ask work INTERRUPTED 2, ask work INTERRUPTED 3, ask work INTERRUPTED 4,"
        " undo work 0 {}, ask work ROLLBACK_SUCCESS 4, work 4, ask work NORMAL_SUCCESS 4",
    ),
    "a policy that kills its process is counted, too": Story(
        "work?", {"work": "die", "ask work": ["die"] * 3}, *["die"] * 4, first="ask work INTERRUPTED 4",
    ),
    "died between nodes, nothing is rolled back": Story(
        "first* second", {}, "die asleep", policies={"first": judged(hafta.NORMAL_SUCCESS, delay=5)}, doing=NEXT,
        whole="first 0, second 0",
    ),
    "died between failures, the count goes on": Story(
        "work", {"work": ["fail", "fail"]}, "die asleep",
        policies={"work": judged(hafta.ROLLBACK_SUCCESS, delay=5, attempt=2)}, says="work 2",
    ),
    "died in a rollback function, it runs again with the checkpoint that it had reached": Story(
        "work", {"work": at(5, "fail", path="/a"), "undo work": at(4, "die")}, "die",
        whole="work 0, undo work 5 path='/a', undo work 4 path='/a', work 2",
    ),
    "died in a rollback function, it runs again whatever the verdict: nothing is left half undone": Story(
        "first* work?", {"first": at(9), "work": at(5, "fail"), "undo work": "die", "ask work": [None, PREVIOUS]},
        "die",
        first="ask work INTERRUPTED 2, undo work 5 {}, undo first 9 {}",
    ),
    "died in the rollback function of the last attempt, it runs again": Story(
        "first* work", {"first": at(9), "work": [at(5, "fail")] * 4, "undo work": [None, None, None, "die"]}, "die",
        first="undo work 5 {}, undo first 9 {}",
    ),
    "a rollback function that kills nine processes is given up: 5 failures in a row, 5 deaths of an unwinding": Story(
        "first* work", {"first": at(9), "work": at(5, "fail"), "undo work": ["die"] * 20}, *["die"] * 9,
        first="undo first 9 {}",
    ),
    "died while unwinding, the function runs again and no policy is asked": Story(
        "first* work?", {"first": at(9), "work": at(5, "fail"), "ask work": PREVIOUS, "undo work": at(6, "die")}, "die",
        first="undo work 6 {}, undo first 9 {}",
    ),
    "died while unwinding towards another node, that node comes next": Story(
        "work? other", {"work": "fail", "ask work": hafta.proceed("other"), "undo work": "die"}, "die",
        says="undo work 0 {}, other 0",
    ),
    "an unwinding that kills five processes is given up": Story(
        "first* work?", {"first": at(9), "work": at(5, "fail"), "ask work": PREVIOUS, "undo work": ["die"] * 5},
        *["die"] * 5, first="undo first 9 {}",
    ),
    "deaths in one unwinding do not count in the next": Story(
        "first* work?",
        {
            "first": at(9), "work": ["fail"] * 2, "ask work": [PREVIOUS] * 2,
            "undo work": [*["die"] * 4, None, *["die"] * 4],
        },
        *["die"] * 8, first="undo work 0 {}",
    ),
    "after a resumed unwinding the next one rolls back as ever": Story(
        "work? other?",
        {
            "work": "fail", "ask work": hafta.proceed("other"), "undo work": "die",
            "other": at(2, "fail"), "ask other": hafta.proceed("work"),
        },
        "die", has="undo other 2 {}",
    ),
    "a mistake of the program leaves the record as it was": Story(
        "work", {"work": at(4, "nowhere")}, "mistake", whole="work 0, undo work 4 {}, work 1",
    ),
    "after the end of an interrupted call nothing is left of it": Story(
        "first second", {"second": "die"}, "die", says="first 0, undo second 0 {}, second 1",
    ),
}  # fmt: skip

RERUNS = {
    "process-local nodes on the stack run again in order, durable ones do not": Story(
        "open lock* read order* pay", {"pay": at(1, "die")}, "die", says="open 0, read 0, undo pay 1 {}, pay 1",
    ),
    "what a node that runs again names is ignored": Story(
        "open work", {"open": [None, hafta.EXIT], "work": "die"}, "die",
        whole="open 0, work 0, open 0, undo work 0 {}, work 1",
    ),
    "a node that names itself has run again when it names another": Story(
        "open work", {"open": [None, "open", "open"], "work": "die"}, "die",
        says="open 0, open 0, open 0, undo work 0 {}, work 1",
    ),
    "rolling back goes on across a death with each node's own checkpoint and state": Story(
        "open order* pay",
        {
            "open": [at(1, handle=1), at(2, handle=2)], "order": at(3, number=7), "undo order": "fail",
            "pay": [at(4, "die", amount=5), *[at(5, "fail", amount=6)] * 4],
        },
        "die",
        first="open 0, undo pay 4 amount=5, pay 1, undo pay 5 amount=6, pay 2, undo pay 5 amount=6, pay 3,"
        " undo pay 5 amount=6, pay 4, undo pay 5 amount=6, undo order 3 number=7, undo open 2 handle=2",
    ),
    "a node that fails when it runs again is retried by its own policy": Story(
        "open? work", {"open": [None, at(1, "fail"), "fail"], "work": "die"}, "die",
        says="open 0, ask open NORMAL_FAIL 1, undo open 1 {}, ask open ROLLBACK_SUCCESS 1, open 1,"
        " ask open NORMAL_FAIL 2, undo open 0 {}, ask open ROLLBACK_SUCCESS 2, open 2, ask open NORMAL_SUCCESS 2,"
        " undo work 0 {}, work 1",
    ),
    "a rollback that names an earlier node reruns from there": Story(
        "connect login work", {"login": [None, "fail"], "undo login": "connect", "work": "die"}, "die",
        says="connect 0, login 0, undo login 0 {}, connect 0, login 0, undo work 0 {}, work 1",
    ),
    "a death while nodes run again counts as one of the interrupted node": Story(
        "open work", {"open": [None, "die", "die"], "work": at(1, "die")}, *["die"] * 3,
        says="open 0, undo work 1 {}, work 3",
    ),
    "five deaths while nodes run again unwind the interrupted node without them, but before the one that may need them":
    Story(
        "open lock* work", {"open": [None, *["die"] * 5], "lock": at(3), "work": at(1, "die")}, *["die"] * 6,
        says="undo work 1 {}, open 0, undo lock 3 {}, lock 0, work 0",
    ),
    "five deaths while nodes run again before an unwinding goes on unwind without them": Story(
        "open lock* work?",
        {
            "open": [None, *["die"] * 5], "lock": at(3), "work": at(1, "fail"), "ask work": PREVIOUS,
            "undo work": "die",
        },
        *["die"] * 6, first="undo work 1 {}, open 0, undo lock 3 {}",
    ),
    "what can never run again ends the sequence: 5 deaths before work, 5 before lock, 5 as its own failures": Story(
        "open lock* work", {"open": [None, *["die"] * 50], "work": "die"}, *["die"] * 16,
        says="undo open 0 {}", failed=("open", "died in it", 5),
    ),
    "a retry-for-ever policy is overruled by five deaths while nodes run again": Story(
        "open work", {"open": [None, *["die"] * 5], "work": "die"}, *["die"] * 6,
        policies={"work": judged(hafta.INTERRUPTED, CURRENT)}, first="undo work 0 {}, undo open 0 {}, open 0",
    ),
    "a node that had not begun is not rolled back when rerunning is given up": Story(
        "open work", {"open": [None, *["die"] * 5]}, "die asleep", *["die"] * 5,
        policies={"open": judged(hafta.NORMAL_SUCCESS, delay=5)}, says="undo open 0 {}, open 0, work 0",
    ),
}  # fmt: skip


@stories(DEATHS | RERUNS)
def test_what_the_next_process_does(lives, story):
    story.check(lives)


def test_the_event_carries_who_died_and_how_long_ago_and_only_failures_of_this_process(lives):
    seen = []
    program = Program(lives, "work", does={"work": ["fail", at(4, "die", step=3)]})
    program.sequence.nodes["work"].policy(lambda run, event: (seen.append(event), hafta.default_policy(run, event))[1])
    lives.die(program.sequence)
    seen.clear()
    result = lives.run(program.sequence)
    event = seen[0]
    assert (event.kind, event.attempt, event.checkpoint, event.state) == (hafta.INTERRUPTED, 2, 4, {"step": 3})
    assert isinstance(event.reason, hafta.Interrupted)
    assert event.reason.pid > 0
    assert 0 <= event.reason.age < 60
    assert event.failures == event.history
    assert [failure.kind for failure in event.failures] == [hafta.INTERRUPTED]
    assert (result.ok, [failure.reason for failure in result.history]) == (True, [event.reason])
    assert [event.at - event.since for event in seen] == [0, 0, 0]  # the time of a deadline has begun again


def test_unwinding_towards_a_node_by_its_number_is_resumed(lives):
    function, program = hafta.Function, Program(lives, "one", "two", does={"one": "fail", "undo one": "die"})
    one, two = program.sequence.nodes.values()
    nodes = [
        (1, function.NORMAL, one.normal_function), (1, function.ROLLBACK, one.rollback_function),
        (1, function.POLICY, judged(hafta.NORMAL_FAIL, hafta.proceed(2))), (2, function.NORMAL, two.normal_function),
    ]  # fmt: skip
    sequence = hafta.Sequence.from_nodes("numbered", nodes)
    lives.die(sequence)
    assert lives.run(sequence)
    assert lives.told == "one 0, undo one 0 {}, undo one 0 {}, two 0"


def test_failures_of_nodes_that_run_again_are_told_and_counted_with_all_others(lives):
    does = {"open": [None, "fail", "fail"], "lock": [None, "fail"], "work": ["die", "fail"]}
    program = Program(lives, "open", "lock", "work", does=does)
    own = []

    @program.sequence.nodes["work"].policy
    def judge(run, event):
        own.append([failure.node for failure in event.failures])
        return hafta.default_policy(run, event)

    lives.die(program.sequence)
    result = lives.run(program.sequence)
    assert [failure.node for failure in result.history] == ["work", "open", "open", "lock", "work"]
    assert result.failures == len(lives.events("rolled-back")) == 5
    assert own[0] == ["work"]


@pytest.mark.parametrize("away", ["work", hafta.EXIT, None])
def test_where_nodes_cannot_run_again_the_call_fails_the_record_stays_and_no_death_is_counted(lives, away):
    """Since the rollback function leads elsewhere; or with None, since the node fails five times."""
    fails, undo = (["fail"] * 15, []) if away is None else (["fail"] * 3, [away] * 3)
    does = {"open": [None, *fails], "undo open": undo, "work": at(1, "die", path="/a")}
    program = Program(lives, "open", "work", does=does)
    lives.die(program.sequence)
    for _ in range(3):
        result = lives.run(program.sequence)
        assert (result.ok, result.node, result.reason) == (False, "open", "open fails")
        assert away is not None or result.attempt == 5
    lives.said.clear()
    assert lives.run(program.sequence)
    assert lives.told == "open 0, undo work 1 path='/a', work 1"


def test_the_age_of_a_record_from_before_a_reboot_is_by_the_wall_clock(lives):
    program = Program(lives, "work", does={"work": at(1, "die")})
    lives.die(program.sequence)
    saved = lives.store.peek("steps").saved
    before = codec.position(saved.frame, saved.body)
    old = before.replace(boot="another", boottime=before.boottime + 10_000, entered=before.entered - 3600)
    with lives.store.claim("steps") as claim:
        claim.enter(codec.frame(old))
        claim.write(saved.body)
    assert lives.run(program.sequence)
    (event,) = lives.events("resumed")
    assert 3600e6 <= event.age_usec < 3700e6


def test_a_start_node_counts_only_when_there_is_nothing_to_resume(lives):
    program = Program(lives, "first*", "second", does={"second": "die"})
    lives.die(program.sequence)
    lives.said.clear()
    assert lives.run(program.sequence, start="first")
    assert lives.run(program.sequence, start="second")
    assert lives.run(program.sequence)
    assert lives.told == "undo second 0 {}, second 1, second 0, first 0, second 0"


def test_every_resume_is_reported(lives):
    program = Program(lives, "open", "work", does={"work": at(7, "die")})
    lives.die(program.sequence, instance="a")
    assert lives.events("resumed") == []
    assert lives.run(program.sequence, instance="a")
    (event,) = lives.events("resumed")
    assert (event.sequence, event.node, event.checkpoint, event.attempt, event.instance) == ("steps", "work", 7, 1, "a")
    assert event.age_usec >= 0
    (rolled,) = lives.events("rolled-back")
    assert "died in it" in rolled.reason


def test_a_call_that_cannot_start_gives_its_claim_up(lives):
    program = Program(lives, "work")
    for _ in range(2):
        with pytest.raises(hafta.IllegalMove, match="nowhere"):
            lives.run(program.sequence, start="nowhere")
    assert lives.run(program.sequence)
