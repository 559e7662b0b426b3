"""What a storm of kills has done to a warm service, judged by what it wrote down (warm_program.py)."""

from __future__ import annotations


class Judge:
    """Reads the lines in their order. `visits`, `undone`: how many there were; `faults`: what must not be."""

    def __init__(self) -> None:
        self.visits = self.undone = 0
        self.faults: list[str] = []
        self._visit = ""  # the newest one
        self._acknowledged = 0  # its newest checkpoint that was
        self._state = "over"  # of that visit: runs, ended, undoing, undone, over
        self._undoer = ""  # the process that undoes it
        self._last = ""  # the process that wrote about it last
        self._gone: set[str] = set()  # processes in whose place another one has worked

    def read(self, line: str) -> None:
        """Judge the next line."""
        what, *about, who = line.split()
        if what == "two":
            self.faults.append(f"two workers: {line}")
            return
        if who != self._last:
            self._gone.add(self._last)
            self._last = who
        if who in self._gone:
            self.faults.append(f"a process that another one has replaced goes on: {line}")
        getattr(self, f"_{what}")(line, *about)

    def _begin(self, line: str, visit: str) -> None:
        if self._state in {"runs", "undoing"}:
            self.faults.append(f"visit {self._visit} was never undone: {line}")
        self.visits += 1
        self._visit, self._acknowledged, self._state = visit, 0, "runs"

    def _step(self, line: str, visit: str, step: str) -> None:
        if (visit, self._state) != (self._visit, "runs"):
            self.faults.append(f"a step of a visit that does not run: {line}")
        self._acknowledged = int(step)

    def _end(self, line: str, visit: str) -> None:
        if (visit, self._state) != (self._visit, "runs"):
            self.faults.append(f"an end of a visit that does not run: {line}")
        self._state = "ended"

    def _undo(self, line: str, visit: str, step: str) -> None:
        """It may begin again where a process died in it, or before its success was recorded: never in the same one."""
        if visit != self._visit:  # the process died between the first checkpoint and its line
            self._begin(line, visit)
        elif self._state in {"undoing", "undone"} and self._undoer == self._last:
            self.faults.append(f"undone twice by one process: {line}")
        if int(step) < self._acknowledged:
            self.faults.append(f"checkpoint {self._acknowledged} was lost: {line}")
        self._state, self._undoer = "undoing", self._last

    def _undone(self, line: str, visit: str) -> None:
        if (visit, self._state, self._undoer) != (self._visit, "undoing", self._last):
            self.faults.append(f"an undoing that has not begun: {line}")
        self.undone += 1
        self._state = "undone"
