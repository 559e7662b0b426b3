"""A shop whose every order is packed and paid exactly once: sequences, real files and undo, made to be killed.

An outer sequence takes one order after the other and calls an inner one for it: pack its items (a file for each), pay
(a line in the till). The bank refuses the first payment, so that without a kill, too, one is undone, and what was
packed for it. Local nodes open what the others need. Whatever kills it, at the end each order is packed once, paid
once, and there is nothing else.
"""

from __future__ import annotations

import os
import random
import signal
import time

import hafta
from hafta.policies import Attempts
from hafta.runtime import Runtime
from hafta.stores import FileStore

ORDERS = ("anna", "bert")
ITEMS = ("book", "lamp")


class Data:
    """What dies with the process. `settle` brings what was done to the disk, where that is wanted."""

    def __init__(self, folder, settle=lambda *_paths: None):
        self.folder = folder
        self.settle = settle
        self.till = None
        self.order = ""


def settle(*paths):
    """Bring what was done to files and directories to the disk."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)


def make_folder(folder, refusals=1):
    """Make the world: shelves to take from, parcels to put into, a till, a bank that refuses the first payments."""
    for order in ORDERS:
        os.makedirs(f"{folder}/shelf/{order}")
        for item in ITEMS:
            with open(f"{folder}/shelf/{order}/{item}", "w") as file:
                file.write(item)
    os.makedirs(f"{folder}/parcels")
    os.close(os.open(f"{folder}/till", os.O_CREAT | os.O_WRONLY, 0o600))
    with open(f"{folder}/refusals", "w") as file:
        file.write("x" * refusals)
    return folder


def shop():
    """Return the outer sequence."""
    outer = hafta.Sequence("shop", version="1")
    order = one_order()

    @outer.node
    def open_till(run):
        run.data.till = os.open(f"{run.data.folder}/till", os.O_WRONLY | os.O_APPEND)
        return serve

    @outer.node(durable=True)
    def serve(run):
        for number in range(run.state.get("number", 0), len(ORDERS)):
            run.checkpoint(1, number=number)
            run.data.order = ORDERS[number]
            run.call(order, run.data)
        run.checkpoint(1, number=len(ORDERS))
        return close

    @serve.rollback
    def serve_again(_run, _checkpoint):
        return serve  # from the first order on: one that is paid is not packed again

    @outer.node
    def close(run):
        os.close(run.data.till)
        return hafta.EXIT

    return outer


def one_order():
    """Return the inner sequence."""
    inner = hafta.Sequence("order", version="1")
    inner.node(name="look_up")(lambda run: hafta.EXIT if run.data.order in paid(run.data.folder) else pack)
    pack = inner.node(name="pack", durable=True)(pack_items)
    pack.rollback(unpack_items)
    pay = inner.node(name="pay", durable=True, policy=Attempts(1))(put_in_till)  # what is not paid is unpacked
    pay.rollback(take_from_till)
    return inner


def pack_items(run):
    """Move the items from the shelf into a parcel."""
    order, folder = run.data.order, run.data.folder
    run.checkpoint(1, order=order)
    os.mkdir(f"{folder}/parcels/{order}")
    for item in ITEMS:
        run.progress()
        os.rename(f"{folder}/shelf/{order}/{item}", f"{folder}/parcels/{order}/{item}")
    run.data.settle(f"{folder}/parcels", f"{folder}/parcels/{order}", f"{folder}/shelf/{order}")
    return "pay"


def unpack_items(run, checkpoint):
    """Move them back."""
    if checkpoint:
        order, folder = run.state["order"], run.data.folder
        parcel = f"{folder}/parcels/{order}"
        for item in os.listdir(parcel) if os.path.isdir(parcel) else ():
            os.rename(f"{parcel}/{item}", f"{folder}/shelf/{order}/{item}")
            run.progress()
        if os.path.isdir(parcel):
            os.rmdir(parcel)
        run.data.settle(f"{folder}/parcels", f"{folder}/shelf/{order}")


def put_in_till(run):
    """Write a line, in two pieces."""
    run.checkpoint(1, size=os.fstat(run.data.till).st_size)
    for part in (run.data.order, "\n"):
        run.progress()
        os.write(run.data.till, part.encode())
        ask_bank(run.data.folder)
    run.data.settle(f"{run.data.folder}/till")
    return hafta.EXIT


def ask_bank(folder):
    """Raise as long as the bank refuses."""
    if left := os.path.getsize(f"{folder}/refusals"):
        os.truncate(f"{folder}/refusals", left - 1)
        raise PermissionError("the bank refuses")


def take_from_till(run, checkpoint):
    """Cut off what was written."""
    if checkpoint:
        os.truncate(f"{run.data.folder}/till", run.state["size"])
        run.data.settle(f"{run.data.folder}/till")


def paid(folder):
    """The orders in the till: whole lines."""
    with open(f"{folder}/till") as till:
        return till.read().split("\n")[:-1]


def is_served(folder, result):
    """Everything is packed and paid once."""
    assert result, str(result)
    assert paid(folder) == list(ORDERS)
    assert sorted(os.listdir(f"{folder}/parcels")) == sorted(ORDERS)
    for order in ORDERS:
        assert sorted(os.listdir(f"{folder}/parcels/{order}")) == sorted(ITEMS)
        assert os.listdir(f"{folder}/shelf/{order}") == []


def nothing_is_lost(folder):
    """Each item is on its shelf or in its parcel, and nothing is paid twice."""
    for order in ORDERS:
        parcel = f"{folder}/parcels/{order}"
        there = os.listdir(f"{folder}/shelf/{order}") + (os.listdir(parcel) if os.path.isdir(parcel) else [])
        assert sorted(there) == sorted(ITEMS)
    lines = paid(folder)
    assert lines == list(ORDERS)[: len(lines)]


def kill_at_random(folder, level, most):
    """Run it in child processes that are killed after at most so many seconds: how many were, before it ended.

    Three at most, the next one is left alone: with a payment refused that makes four failures, and of five in a row a
    rollback function may be given up.
    """
    for kills in range(4):
        pid = os.fork()
        if pid == 0:
            _be_the_child(folder, level)
        if kills < 3:
            time.sleep(random.random() * most)
            os.kill(pid, signal.SIGKILL)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        nothing_is_lost(folder)
        if status == 0:
            return kills
        assert status == -signal.SIGKILL, f"the process ended with {status}"
    raise AssertionError("nobody killed the last one")


def _be_the_child(folder, level):
    status = 3
    try:
        serve(folder, level=level)
        status = 0
    finally:
        os._exit(status)


def serve(folder, *settle, store=None, level="process", on_error="fail"):
    """Serve all customers, and look whether all is well."""
    checkpoints = hafta.Checkpoints(store or FileStore(f"{folder}/state"), level=level, on_error=on_error)
    is_served(folder, shop().call(Data(folder, *settle), runtime=Runtime(), checkpoints=checkpoints))
