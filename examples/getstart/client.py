"""The tutorial's client: reads the pipe, and when something goes wrong, rolls back and tries again."""

import os
import time
from enum import IntEnum
from types import SimpleNamespace

import hafta

PIPE = os.environ.get("PIPE", "simple.pipe")
READ_FAILED = "the server has closed the pipe"


class CP(IntEnum):
    CLEAR = 0
    RECEIVED = 1


client = hafta.Sequence("client")


@client.node
def init(run):
    run.data.pipe = open(PIPE, "rb", buffering=0)  # waits for a server; an exception is a failure
    return get_work


@init.rollback
def wait_for_server(run, checkpoint):
    print("Open failed! Perhaps the server died?")
    time.sleep(1)
    return init


@init.policy
def never_give_up(run, event):
    if event.kind is hafta.NORMAL_FAIL:
        return hafta.ROLL_BACK_CURRENT
    return hafta.default_policy(run, event)


@client.node
def get_work(run):
    for reads in range(1, 26):
        run.checkpoint(CP.CLEAR)
        record = run.data.pipe.read(26)
        if len(record) != 26:
            return run.fail(READ_FAILED)
        run.checkpoint(CP.RECEIVED)
        if record[:1] != b"A":
            return run.fail(record[:1].decode())
        print(f"{reads} successful read(s)")
    return hafta.EXIT


@get_work.rollback
def say_what_it_was(run, checkpoint):
    if checkpoint == CP.RECEIVED:
        print("Some bad data")
    elif checkpoint != CP.CLEAR:
        run.panic(f"invalid checkpoint {checkpoint}")
    return get_work


@get_work.policy
def reopen_if_the_server_died(run, event):
    if event.kind is hafta.NORMAL_FAIL:
        if event.reason == READ_FAILED:
            run.data.pipe.close()
            return hafta.ROLL_BACK_PREVIOUS
        print(f"policy_data = {event.reason}")
    return hafta.default_policy(run, event)


if __name__ == "__main__":
    result = client.call(SimpleNamespace())
    print(f"Sequence was: {result}")
