"""What a demonstration shows, the explanation of each, and how often it was seen.

The table matches the lines that a person reads, not something behind them: what is explained is what stands there.
"""

from __future__ import annotations

import re

from hafta.frozen import Frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


class Lesson(Frozen):
    """One kind of thing to see."""

    name: str
    pattern: str
    text: str
    counted: str = ""  # the word for them at the end; empty: they are not counted there


LESSONS = (
    Lesson(
        "ready",
        r"Unit hafta-client\.service is ready",
        "Both services have said READY. They speak systemd's protocol; here the embedded overlord listens.",
    ),
    Lesson(
        "read",
        r" successful read\(s\)",
        "The client goes through the nodes of its sequence. A checkpoint says how far a node has come.",
        "good reads",
    ),
    Lesson(
        "rolled back",
        r"rolled back node get_work .*next node get_work: BadData",
        "Bad data: the node failed. Its rollback function ran with the last checkpoint; the policy said: try again.",
        "bad records, rolled back and tried again",
    ),
    Lesson(
        "previous node",
        r"rolled back node get_work .*next node open_pipe",
        "Trying again is not enough here: the policy goes back one node, which opens the pipe again.",
        "returns to the previous node",
    ),
    Lesson(
        "killed",
        r"was killed by signal 9 ",
        "A process is dead. Its unit says Restart=always, and the overlord starts it again at once.",
        "processes killed",
    ),
    Lesson(
        "exited",
        r"process \d+ exited with status [1-9]",
        "The server handles no error: a reader that goes away ends it. That, too, is the overlord's work.",
        "processes ended by an error",
    ),
    Lesson(
        "resumed",
        r"Sequence client resumes",
        "The client had recorded each checkpoint. For the new process the death is one more failure of that node: it"
        " rolls back, and goes on with what it had counted.",
        "sequences resumed where they were",
    ),
    Lesson(
        "hung",
        r"missed its watchdog",
        "A process that hangs does not die. This one no longer fed its watchdog: it is killed and started again.",
        "hangs found by the watchdog",
    ),
    Lesson("restarted", r"Unit \S+ restarts ", "", "restarts"),
)
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class Lessons:
    """Reads every line; explains the first of each kind; counts."""

    def __init__(self) -> None:
        self._patterns = [(lesson, re.compile(lesson.pattern)) for lesson in LESSONS]
        self.seen = dict.fromkeys((lesson.name for lesson in LESSONS), 0)

    def heed(self, line: str) -> Iterator[str]:
        """Read a line; give the explanation if its kind is new."""
        text = _COLOUR.sub("", line)
        for lesson, pattern in self._patterns:
            if pattern.search(text):
                self.seen[lesson.name] += 1
                if lesson.text and self.seen[lesson.name] == 1:
                    yield lesson.text

    def counts(self) -> Iterator[str]:
        """Give what was seen, and how often."""
        for lesson in LESSONS:
            if lesson.counted and self.seen[lesson.name]:
                yield f"  {lesson.counted:<40} {self.seen[lesson.name]:>5}"
