"""The ledger of a durable call: every move of the machine that matters is recorded before it is carried out.

Invariant: at any moment the newest record says what is to be undone if the process dies now. So a normal function is on
record before it begins, a checkpoint when run.checkpoint() returns, a rollback function before it begins, and the way
to the next function only when nothing of the one before is left to undo. docs/durable.md says what of it is synced.

What a record says of a sequence, in this order, all but the word optional:

    taking-up N    nodes of its stack were being taken up; N processes had died of that in a row
    stopped        somebody had asked the process to stop: no failure is counted
    again N        the function was re-entered, for the sequence that had been interrupted in it, whose levels follow; N
                   processes had died before it called that sequence
    WORD           between, normal: the normal function was next, or had begun
                   back, rollback: the rollback function was next, or had begun
                   unwind N ACT [NODE]: it had begun while unwinding, N processes had died in it; what follows is ACT
                   ended: there is nothing to resume
"""

from __future__ import annotations

import sys

from hafta.engine.machine import Phase
from hafta.errors import HaftaError, StoreError
from hafta.stores.codec import Level, Visit
from hafta.stores.codec import body as encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hafta.drivers.book import Book
    from hafta.engine.machine import Machine
    from hafta.engine.node import Node
    from hafta.engine.words import Verdict
    from hafta.sequence import Sequence
    from hafta.stores.codec import Position

    OnError = Callable[[StoreError], bool]
    Entry = tuple[int, dict[str, Any] | None]  # of the machine's stack

BETWEEN, NORMAL, BACK, ROLLBACK, UNWIND, ENDED = "between", "normal", "back", "rollback", "unwind", "ended"
TAKING_UP, STOPPED, AGAIN = "taking-up", "stopped", "again"

_OVER = frozenset({Phase.DONE, Phase.FAILED})


class Ledger:
    """What one sequence records of itself."""

    def __init__(self, book: Book, sequence: Sequence, machine: Machine, instance: str) -> None:
        self.book = book
        self.instance = instance
        self.position: Position | None = None  # what was resumed
        self.pending: tuple[Level, ...] = ()  # inner sequences that were interrupted inside of the current function
        self.agains = 0  # processes that died in it before it called them
        self.tries: int | None = None  # while nodes are taken up: processes that died of that
        self.deaths = 0  # processes that died in the unwinding that goes on
        self.word = BETWEEN
        self.silent = False  # while nodes are taken up, what they do is not what was interrupted
        self.keep = False  # whether the record outlives the call
        self._stopped = False
        self._sequence = sequence
        self._machine = machine
        self._nodes = tuple(sequence.nodes)
        self._visits: dict[Node, tuple[Entry, Visit]] = {}
        self._at: Node | None = None  # the node that the newest record is about
        book.chain.append(self)

    def running(self) -> None:
        """Record that the normal function of the current node is about to run."""
        self._say(NORMAL, sync=self.book.power)

    def undoing(self) -> None:
        """Record that the rollback function of the current node is about to run."""
        machine = self._machine
        self._say(self.unwinding(machine.then) if machine.phase is Phase.UNWIND else ROLLBACK, sync=self.book.power)

    def moved(self) -> None:
        """Record that nothing is left to undo of the function before, and which one is next."""
        machine = self._machine
        self.deaths = 0
        if machine.phase is Phase.NORMAL:
            self._say(BETWEEN, sync=False)
        elif machine.phase is Phase.ROLLBACK and machine.node is not self._at:
            self._say(BACK, sync=False)

    def checkpoint(self, value: int, state: dict[str, Any], sync: bool) -> None:  # by position: the hot path
        """Record a checkpoint."""
        book = self.book
        if book.in_force is not self:
            if not self.silent and self in book.chain:
                book.turn(sync=sync or book.power)
        elif book.keep or book.in_trouble:
            book.write(value, state, sync or book.power)
        else:  # what write() does, without the price of a call
            try:
                book.put(encode(value, state, book.room), sync or book.power)
            except StoreError as error:
                book.trouble(error)

    def taking_up(self, word: str, tries: int) -> None:
        """Record that nodes are about to be taken up, before what was interrupted is dealt with."""
        self.word, self.tries = word, tries
        self.book.turn(sync=self.book.power)
        self.book.in_force = None
        self.silent = True

    def taken_up(self) -> None:
        """Go on with what was interrupted: the nodes are taken up."""
        self.silent, self.tries = False, None

    def resumes(self, word: str, *, deaths: int) -> None:
        """Take over what the record says; it is recorded again with the first move."""
        self.word, self.deaths, self._at = word, deaths, self._machine.node

    def persist(self) -> None:
        """Record what was resumed, with the deaths that it has now."""
        self.book.turn(sync=self.book.power)

    def unwinding(self, then: Verdict) -> str:
        """Return the word for a rollback function that runs while unwinding."""
        to = "" if then.to is None else f" {self._sequence.targets[then.to]}"
        return f"{UNWIND} {self.deaths} {then.act.name}{to}"

    def level(self) -> Level:
        """Return the record of this sequence."""
        machine, sequence = self._machine, self._sequence
        if self.word == ENDED:
            return Level(sequence.name, sequence.version, self._nodes, machine.node.name, ENDED)
        visits = tuple([self._visit(node, entry) for node, entry in machine.stack.items()])
        return Level(
            sequence.name, sequence.version, self._nodes, machine.node.name, self._phase(), machine.attempt,
            int(machine.checkpoint), machine.state or {}, visits,
        )  # fmt: skip

    @property
    def name(self) -> str:
        """The name of the sequence."""
        return self._sequence.name

    @property
    def records(self) -> bool:
        """Whether what its functions call now is recorded: not what policies call, nor nodes that are taken up."""
        return not self.silent and self in self.book.chain and self._machine.phase is not Phase.ASK

    def resumed_in(self, name: str) -> tuple[tuple[Level, ...], int]:
        """Return what the inner sequence of this name, which is being called, is to resume; empty: nothing.

        And the count that put_back() needs.
        Raises HaftaError, a failure of the node, if it is another one that was interrupted.
        """
        if self.pending and self.pending[0].sequence != name:
            hint = "skip by run.state what is done, or give each inner sequence a node of its own"
            raise HaftaError(f"{self._left()}, but {name}", hint)
        taken = self.pending, self.agains
        self.pending, self.agains = (), 0
        return taken

    def put_back(self, pending: tuple[Level, ...], agains: int, error: BaseException) -> None:
        """Keep what an inner sequence could not resume: that is no failure of this one, and the call cannot go on."""
        book = self.book
        del book.chain[book.chain.index(self) + 1 :]
        self.pending, self.agains = pending, agains
        if book.fatal is None and isinstance(error, Exception):
            self._stop()
            book.fatal = error

    def left_out(self) -> str:
        """Return why a function fails that ends without resuming the inner sequence that was interrupted in it."""
        left = self._left()
        self.pending = ()
        return left

    def _left(self) -> str:
        left = self.pending[0]
        return f"the inner sequence {left.sequence} was interrupted in node {left.node}, and has not been called again"

    def failing(self) -> None:
        """Note that a function fails: what undoes it undoes what it had called, too.

        Raises what the call cannot go on from: that is no failure of the function, whatever it made of it.
        """
        if self.book.fatal is not None:
            raise self.book.fatal
        self.pending = ()

    def leave(self, error: BaseException | None) -> None:
        """Leave the record as the next call should find it. May be called again when it was cut off itself."""
        if self in self.book.chain and self._machine.phase is not Phase.IDLE:
            if error is None and not self.keep:
                self._end()
            elif error is None or _asked_to_stop(error):
                self._stop()
        self.drop()

    def drop(self) -> None:
        """Be part of the book no more, nor those that ran inside of this."""
        chain = self.book.chain
        if self in chain:
            del chain[chain.index(self) :]
            self.book.in_force = None

    def _end(self) -> None:
        """Record that this sequence has ended: nothing to resume, or the outer node goes on."""
        book = self.book
        if self is not book.chain[0]:
            self.drop()
            book.turn(sync=book.power)
        elif book.keep:
            self._say(ENDED, sync=book.power)
        else:
            book.end()

    def _stop(self) -> None:
        """Record that somebody asked the process to stop: what it was doing is to be undone, but is no failure."""
        machine = self._machine
        if self.book.stopped:
            return  # the sequence inside of this one has
        if machine.phase in _OVER:
            self._end()
            return
        if machine.phase is not Phase.ASK:
            self._settle()
        self._stopped = True
        self.book.stop()

    def _settle(self) -> None:
        """Say what the policy has decided, even if the function that comes next has not begun."""
        machine, moved = self._machine, self._machine.node is not self._at
        if machine.phase is Phase.NORMAL and (moved or self.word != NORMAL):
            self.word = BETWEEN
        elif machine.phase is Phase.ROLLBACK and (moved or self.word != ROLLBACK):
            self.word = BACK
        elif machine.phase is Phase.UNWIND:
            self.word = self.unwinding(machine.then)

    def _say(self, word: str, *, sync: bool) -> None:
        if self.silent or self not in self.book.chain:
            return
        self._at = None  # until it is on record: a signal handler may end the call at any point
        self.word = word
        self.book.turn(sync=sync)
        self._at = self._machine.node

    def _visit(self, node: Node, entry: Entry) -> Visit:
        """Return the record of a visited node; the same one as long as it stands on the stack."""
        kept = self._visits.get(node)
        if kept is None or kept[0] is not entry:
            checkpoint, state = entry
            self._visits[node] = kept = (entry, Visit(node.name, int(checkpoint), state or {}))
        return kept[1]

    def _phase(self) -> str:
        if self.tries is None and not self._stopped and not self.pending:
            return self.word  # the usual case
        parts = [f"{TAKING_UP} {self.tries}"] if self.tries is not None else []
        if self._stopped:
            parts.append(STOPPED)
        if self.pending:
            parts.append(f"{AGAIN} {self.agains}")
        return " ".join((*parts, self.word))


def _asked_to_stop(error: BaseException) -> bool:
    """Whether this is no failure but somebody's wish: SIGTERM to a service, Ctrl-C, sys.exit(), a cancelled task."""
    if isinstance(error, (KeyboardInterrupt, SystemExit)):
        return True
    asyncio = sys.modules.get("asyncio")
    return asyncio is not None and isinstance(error, asyncio.CancelledError)
