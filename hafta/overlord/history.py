"""When each unit changed its state, when its main process began and ended, and which run of the unit this is.

It is what systemd remembers of a unit besides its state, for those who ask (control/). Nothing is decided by it.
"""

from __future__ import annotations

import os
import time

from hafta.frozen import Frozen
from hafta.overlord.table import RESTING, UP, State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hafta.overlord.runner import Runner
    from hafta.units.conditions import Verdict
    from hafta.units.restart import Outcome


class Moment(Frozen):
    """A moment by both clocks, in microseconds; 0 is never."""

    real: int = 0
    monotonic: int = 0

    @classmethod
    def now(cls) -> Moment:
        """Return this one."""
        return cls(time.time_ns() // 1000, time.monotonic_ns() // 1000)


NEVER = Moment()


class Story:
    """What has happened to one unit last. `times` has systemd's names for the moments of changes."""

    def __init__(self) -> None:
        self.invocation = ""  # 32 hex digits: this run of the unit, as $INVOCATION_ID tells it
        self.times: dict[str, Moment] = {}
        self.main = 0  # the main process whose times these are
        self.outcome: Outcome | None = None
        self.errno = 0  # what ERRNO= has said
        self.condition = self.assertion = False  # whether those that were tried last were met
        self.monitored: Mapping[str, str] = {}  # the variables that describe the end of the unit that has started it

    def at(self, name: str) -> Moment:
        """Return a moment by its name."""
        return self.times.get(name, NEVER)

    def moved(self, before: State, after: State, moment: Moment) -> None:
        """Note a change of state."""
        happened = {
            "StateChange": True,
            "InactiveExit": before in RESTING and after not in RESTING,
            "ActiveEnter": after in UP and before not in UP,
            "ActiveExit": before in UP and after not in UP,
            "InactiveEnter": after in RESTING,
        }
        self.times.update({name: moment for name, is_so in happened.items() if is_so})

    def judged(self, verdict: Verdict) -> None:
        """Note whether the conditions were met, and, only if they were, the assertions."""
        self.condition, self.times["Condition"] = verdict.is_assert or not verdict.why, Moment.now()
        if self.condition:
            self.assertion, self.times["Assert"] = not verdict.why, self.times["Condition"]

    def note_main(self, runner: Runner, moment: Moment) -> None:
        """Note that another main process has begun, or that it has ended."""
        if runner.main not in {0, self.main}:
            self.main, self.outcome = runner.main, None
            self.times.update({"ExecMainStart": moment, "ExecMainExit": NEVER})
        elif self.main and not runner.main and self.at("ExecMainExit") is NEVER:
            self.outcome = runner.machine.outcome
            self.times["ExecMainExit"] = moment


class History:
    """The stories of all units. `listeners` hear each change of a state: the runner, and the state before."""

    def __init__(self) -> None:
        self._stories: dict[str, Story] = {}
        self.listeners: list[Callable[[Runner, State], None]] = []

    def of(self, name: str) -> Story:
        """Return a unit's story."""
        return self._stories.setdefault(name, Story())

    def forget(self, name: str) -> None:
        """Forget a unit's story."""
        self._stories.pop(name, None)

    def begin(self, name: str) -> None:
        """Begin a new run of a unit."""
        story = self.of(name)
        story.invocation, story.errno = os.urandom(16).hex(), 0

    def note(self, runner: Runner, before: State, state: State) -> None:
        """Note what an event has changed."""
        story, moment = self.of(runner.name), Moment.now()
        story.note_main(runner, moment)
        if state is before:
            return
        story.moved(before, state, moment)
        for listener in self.listeners:
            listener(runner, before)
