"""What the parent counts: replacements, crashes in a row (in the hold-off's file, too), and how the last one died."""

from __future__ import annotations

from hafta.death import HANG, TIMEOUT
from hafta.service.holdoff import UNCOUNTED, Holdoff, Row, delay
from hafta.service.warm.ladder import FINAL, crashed, is_last, rung
from hafta.service.warm.table import Event

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hafta.death import Death


class Tally:
    """The counts of one service. The row of crashes continues the one that the file has from the parent before."""

    def __init__(self, holdoff: Holdoff) -> None:
        self.holdoff = holdoff
        self.row = Row(0, 0.0)
        self.ready = False  # whether a worker ever was
        self.replaced = 0
        self.last: Death | None = None  # of a worker
        self.why: Death | None = None  # what the parent ends the worker for
        self.status = ""  # what the worker says that it is doing
        self.reloading = False  # whether the overlord waits to hear that a reload is over

    def begin(self, now: float) -> Event:
        """Count the start of the parent; return whether its first worker may begin at once."""
        crashes, seconds = self.holdoff.begin(now)
        self.row = Row(crashes, now)
        return Event.HOLD if seconds else Event.REPLACE

    def take_over(self, replaced: int, crashes: int, now: float) -> None:
        """Go on with the counts of the parent before a reload."""
        self.row = Row(crashes, now)
        self.ready = self.reloading = True
        self.replaced = replaced

    @property
    def hold(self) -> float:
        """How many seconds the next worker waits."""
        seconds = delay(self.row.crashes)
        return max(UNCOUNTED, seconds) if self.holdoff.trouble else seconds

    def died(self, death: Death, now: float, *, retiring: bool, ladder: int) -> Event:
        """Count a death, and return what follows."""
        row = crashed(self.row, now)
        event = rung(death, row, ready=self.ready, retiring=retiring, ladder=ladder)
        counts = death.signal or death.status or death.why in {HANG, TIMEOUT}
        if counts and event is not Event.END:
            self.row = row
        self.last, self.why = death, None
        return event

    def given_up(self, ladder: int) -> bool:
        """Tell whether the parent ends because of too many crashes in a row."""
        return self.ready and is_last(self.row.crashes + 1, ladder) and self.crashed

    @property
    def crashed(self) -> bool:
        """Whether the last worker ended by a crash."""
        last = self.last
        return last is not None and bool(last.signal or last.status not in FINAL)

    def began(self, now: float) -> None:
        """Note that a worker begins: its run counts from here."""
        self.row = Row(self.row.crashes, now)
        if self.last is not None:
            self.replaced += 1
            self.holdoff.save(self.row)

    def forget(self) -> None:
        """Forget how the last worker died."""
        self.last = None

    def ended_well(self) -> bool:
        """Tell whether the service ends as it should; then the row of crashes ends, too."""
        well = self.last is None or not (self.last.signal or self.last.status)
        if well:
            self.holdoff.end()
        return well
