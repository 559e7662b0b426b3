"""The worker's side of the rule Health: asking the service how it is, without a thread.

The worker asks in `run.progress()`, checkpoints and waits, at most as often as the rule says, once it is ready. It
writes the answer into the page; the parent reads that when it looks at its rules. A judgement that does not come back
is a hang like any other: the beat is not renewed meanwhile.
"""

from __future__ import annotations

from hafta.engine.words import describe
from hafta.service.warm.beat import NEVER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hafta.service.warm.beat import Page
    from hafta.service.warm.rules import Health


class Checkup:
    """Asks one service how it is."""

    __slots__ = ("_asks", "_due", "_page", "_rule")

    def __init__(self, rule: Health, page: Page) -> None:
        self._rule = rule
        self._page = page
        self._due = NEVER
        self._asks = False  # what it asks may show progress, and comes here again

    def begin(self) -> None:
        """Ask from now on: the worker is ready."""
        self._due = 0.0

    def ask(self, now: float) -> None:
        """Ask if it is time to. What the judgement raises is its answer; a stop is let through."""
        if now < self._due or self._asks:
            return
        self._asks = True
        try:
            self._page.say_health(self._answer())
        finally:
            self._asks = False
        self._due = now + self._rule.every

    def _answer(self) -> str:
        try:
            answer: object = self._rule.check()
        except Exception as error:
            return f"cannot judge: {describe(error)}"
        if answer is None or isinstance(answer, str):
            return answer or ""
        return f"cannot judge: it answered {answer!r}, which is not text"
