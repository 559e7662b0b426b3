"""Every point at which a stop may come: each line of hafta, and each instruction after which CPython looks for signals.

CPython calls signal handlers where a function begins or goes on, where a loop goes round, and after a call. By name, in
the versions from 3.11: RESUME, JUMP_BACKWARD, CALL, CALL_FUNCTION_EX and what a specializing interpreter makes of them.
"""

import contextlib
import dis
import os
import sys
from itertools import pairwise

import hafta

ROOT = os.path.dirname(hafta.__file__) + os.sep
#: The rooms that are left alone: what the tests themselves use; and the stores, which have such tests themselves.
_NOT = (ROOT + "testing" + os.sep, ROOT + "stores" + os.sep)
_LOOKS = ("RESUME", "JUMP_BACKWARD", "CALL")
_DOES_NOT = ("CALL_INTRINSIC", "JUMP_BACKWARD_NO_INTERRUPT")

_after = {}  # code: the offsets of instructions that follow such a one
_never = {}  # code: those at which nothing is raised


def after_signal_checks(code):
    """Return the offsets of the instructions before which a signal handler may have been called."""
    if code not in _after:
        looks = {op for name, op in dis.opmap.items() if name.startswith(_LOOKS) and not name.startswith(_DOES_NOT)}
        steps = list(dis.get_instructions(code))
        follow = {then.offset for one, then in pairwise(steps) if one.opcode in looks}
        follow |= {one.argval for one in steps if one.opname == "JUMP_BACKWARD"}
        _after[code] = frozenset(follow - never(code))
    return _after[code]


def never(code):
    """Return the offsets at which CPython never raises what a signal handler raises, though a line may begin there.

    Where a `with` block has ended well and __exit__ is about to be called: it is raised within the block, or in
    __exit__. Where a coroutine goes on after an `await`: it is raised in the innermost one.
    """
    if code not in _never:
        steps = list(dis.get_instructions(code))
        _never[code] = leaves_a_with(steps) | goes_on(steps)
    return _never[code]


def goes_on(steps):
    resumed = {"SEND", "YIELD_VALUE", "JUMP_BACKWARD_NO_INTERRUPT"}
    found = {one.offset for one in steps if one.opname in resumed or (one.opname == "RESUME" and one.arg % 4 > 1)}
    return found | {then.offset for one, then in pairwise(steps) if one.offset in found}


def leaves_a_with(steps):
    none = [one.opname == "LOAD_CONST" and one.argval is None for one in steps]
    return {steps[n].offset for n in range(len(steps) - 3) if all(none[n : n + 3]) and "CALL" in steps[n + 3].opname}


class Points:
    """Counts the points that a call passes, and raises at number `at`. `only`: a function that says which frames."""

    def __init__(self, at=None, stop=KeyboardInterrupt, only=lambda _code: True):
        self.at, self.stop, self.only = at, stop, only
        self.passed = []  # (function, line, offset) of each point
        self.cut = None
        self.where = "nowhere"
        self._before = None

    @contextlib.contextmanager
    def watch(self):
        """Count, and raise, in here."""
        before = sys.gettrace()
        sys.settrace(self._call)
        try:
            yield self
        finally:
            sys.settrace(before)

    def _call(self, frame, _event, _argument):
        name = frame.f_code.co_filename
        if not name.startswith(ROOT) or name.startswith(_NOT) or not self.only(frame.f_code):
            return None
        frame.f_trace_opcodes = True
        return self._step

    def _step(self, frame, event, _argument):
        if event == "line":
            if frame.f_lasti not in never(frame.f_code):
                self._point(frame)
        elif event == "opcode" and frame.f_lasti in after_signal_checks(frame.f_code):
            here = (frame, frame.f_lasti)
            if here != self._before:
                self._point(frame)
        return self._step

    def _point(self, frame):
        self._before = (frame, frame.f_lasti)
        if self.at is None:
            self.passed.append((frame.f_code, frame.f_lineno, frame.f_lasti))
            return
        self.at -= 1
        if self.at == 0:
            self._before, self.cut = None, frame.f_code
            self.where = f"{frame.f_code.co_qualname}, line {frame.f_lineno}, offset {frame.f_lasti}"
            raise self.stop


def sampled(passed):
    """Return the numbers of the points to try: the first and the last time that a call passes each place."""
    first, last = {}, {}
    for number, place in enumerate(passed, 1):
        first.setdefault(place, number)
        last[place] = number
    return sorted({*first.values(), *last.values()})
