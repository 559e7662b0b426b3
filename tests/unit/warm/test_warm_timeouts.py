"""A warm parent keeps the time of every plain function: its node fails with NodeTimeout in the next process."""

import pytest
from processes import Child

#: One durable node and a sequence that it may call. Each function says what it does; `{...}` is put in by a test.
PROGRAM = """
import os, sys, time
import hafta, hafta.service

feed, inner = hafta.Sequence("feed"), hafta.Sequence("inner")

def spin(run):
    while True:  # it makes progress all the time: no watchdog would ever find it
        run.progress()

@inner.node
def slow(run):
    print("slow", run.attempt, flush=True)
    spin(run)

@inner.node
def quick(run):
    return hafta.EXIT

@feed.node({options})
def work(run):
    print("work", run.attempt, flush=True)
    run.checkpoint(1)
    if run.attempt:
        run.sleep(600)
    {work}
    return hafta.EXIT

@work.rollback
def undo(run, checkpoint):
    is_first = not isinstance(run.reason, hafta.NodeTimeout)
    print("undo", checkpoint, type(run.reason).__name__, getattr(run.reason, "cause", None), flush=True)
    {undo}

def decide(run, event):
    reason = event.reason
    print("asked", event.kind.name, type(reason).__name__, isinstance(reason, hafta.NodeTimeout), flush=True)
    {decide}
    return hafta.ROLL_BACK_CURRENT if event.to is None else hafta.proceed(event.to)
{more}
sys.exit(hafta.service.run(feed, warm=True, checkpoints=hafta.service.state_checkpoints()))
"""


def program(options="", *, work="pass", undo="pass", decide="pass", judged=True):
    more = "work.policy(decide)" if judged else ""
    parts = {"options": options, "work": work, "undo": undo, "decide": decide, "more": more}
    text = PROGRAM
    for name, part in parts.items():
        text = text.replace(f"{{{name}}}", part)
    return text


FAILS = "raise OSError('x')"
STORIES = {
    "a normal function": (
        program("timeout=0.3", work="spin(run)"),
        ["work 0", "asked INTERRUPTED TimedOut True",
         "undo 1 TimedOut took too long in work: longer than its timeout of 0.3 s"],
    ),
    "a rollback function": (
        program("rollback_timeout=0.3", work=FAILS, undo="is_first and spin(run)"),
        ["work 0", "asked NORMAL_FAIL OSError False", "undo 1 OSError None", "asked INTERRUPTED TimedOut True",
         "undo 1 TimedOut took too long in work: longer than its rollback_timeout of 0.3 s", "asked ROLLBACK_SUCCESS"],
    ),
    "a rollback function on the way back": (
        program("rollback_timeout=0.3", work=FAILS, undo="is_first and spin(run)",
                decide="return hafta.FAIL_SEQUENCE if event.kind is hafta.NORMAL_FAIL else hafta.ROLL_BACK_CURRENT"),
        ["work 0", "asked NORMAL_FAIL OSError False", "undo 1 OSError None",
         "undo 1 TimedOut took too long in work: longer than its rollback_timeout of 0.3 s"],
    ),
    "a policy": (
        program("policy_timeout=0.3", work=FAILS, decide="event.kind is hafta.NORMAL_FAIL and spin(run)"),
        ["work 0", "asked NORMAL_FAIL OSError False", "asked INTERRUPTED TimedOut True",
         "undo 1 TimedOut took too long in work: longer than its policy_timeout of 0.3 s", "asked ROLLBACK_SUCCESS",
         "work 1"],
    ),
    "a node in a sequence that it calls": (
        program("timeout=0.3", work="run.call(inner)"),
        ["work 0", "slow 0", "asked INTERRUPTED TimedOut True",
         "undo 1 TimedOut took too long in work: longer than its timeout of 0.3 s, in slow of sequence inner"],
    ),
    "a call of a sequence": (
        program("timeout=60", work="run.call(inner, start='quick', timeout=0.1); run.call(inner, timeout=0.3)"),
        ["work 0", "slow 0", "asked INTERRUPTED TimedOut True",
         "undo 1 TimedOut took too long in work: longer than the time of its call, 0.3 s, in slow of sequence inner"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", STORIES)
def test_what_does_not_return_in_time_is_undone_in_the_next_process(what, tmp_path):
    text, lines = STORIES[what]
    with Child(text, "--standby=0", STATE_DIRECTORY=str(tmp_path)) as child:
        for line in lines:
            assert child.wait_line(" ").startswith(line)


def test_what_returns_in_time_is_left_alone(tmp_path):
    """Neither the time of a function that is over, nor that of a call, counts for what comes after it."""
    options = "timeout=60, rollback_timeout=0.3, policy_timeout=0.3"
    again = "run.sleep(1) if event.kind is hafta.NORMAL_SUCCESS else None"
    text = program(options, work="run.call(inner, start='quick', timeout=0.2); time.sleep(0.4)", decide="pass")
    text = text.replace("def decide", "def unused").replace("\nwork.policy(decide)", f"\n# {again}")
    with Child(text, "--once", STATE_DIRECTORY=str(tmp_path)) as child:
        assert child.wait_line("Sequence was") == "Sequence was: feed succeeded"
        assert child.process.wait() == 0
        assert not [line for line in child.told if "replaced" in line]


@pytest.mark.parametrize("option", ["timeout", "rollback_timeout", "policy_timeout"])
def test_a_cold_service_says_which_times_only_the_watchdog_keeps(option, tmp_path):
    with Child(program(f"{option}=60"), "--warm=no", STATE_DIRECTORY=str(tmp_path)) as child:
        assert child.wait_line("only").startswith(f"{option}=60 of node work: without a warm parent (--warm), only the")
