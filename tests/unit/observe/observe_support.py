"""Journals of tests: entries as systemd, journald and services write them, from one line each."""

from hafta.observe.closing import close
from hafta.observe.entry import Raw, Reading
from hafta.observe.fold import Fold
from hafta.observe.kinds import OF_UNITS, Kind, events
from hafta.observe.timeline import Timeline

UNIT = "a.service"
BEGIN = 1_795_000_000_000_000  # 2026-11-18
SECOND = 1_000_000
IDS = {kind: number for number, kind in OF_UNITS.items()}
EVENTS = {event.NAME: number for number, event in events().items()}
BOOTS = ("b0" * 16, "b1" * 16, "b2" * 16)

#: Word: kind and priority.
WORDS = {
    "SG": (Kind.STARTING, 6), "SD": (Kind.STARTED, 6), "FS": (Kind.START_FAILED, 3), "EX": (Kind.EXITED, 4),
    "UF": (Kind.FAILED, 4), "DE": (Kind.DEACTIVATED, 6), "RS": (Kind.RESTARTING, 6), "SP": (Kind.STOPPING, 6),
    "ST": (Kind.STOPPED, 6), "OO": (Kind.OUT_OF_MEMORY, 5),
}  # fmt: skip
MACHINE = {
    "JOURNAL": ("f77379a8490b408bbe5f6940505a777b", "systemd-journald.service"),
    "NOJOURNAL": ("d93fb3c9c24d451a97cea615ce59c00b", "systemd-journald.service"),
    "SHUTDOWN": ("98268866d1d54a499c4e98921d93bc40", "systemd-logind.service"),
    "SLEEP": ("6bbd95ee977941e497c48be27c254128", "systemd-suspend.service"),
    "AWAKE": ("8811e6df2a8e40f58a94cea26f8ebf14", "systemd-suspend.service"),
}
TEXTS = {
    "hung": "{unit}: Watchdog timeout (limit 1s)!",
    "kill": "{unit}: Sent signal SIGKILL to main process 12 (a) on client request.",
    "limit": "{unit}: Start request repeated too quickly.",
}


def run_of(name):
    """Return the invocation that a short name stands for."""
    return "" if name == "-" else (name.encode().hex() + "0" * 32)[:32]


def fields_of(word, rest, unit=UNIT, user=None):
    """Return the fields of what a word and its arguments stand for."""
    named, invoked = ("UNIT", "INVOCATION_ID") if user is None else ("USER_UNIT", "USER_INVOCATION_ID")
    manager = {"_PID": "1", "_SYSTEMD_UNIT": "init.scope"}
    if user is not None:
        manager = {"_PID": "77", "_SYSTEMD_UNIT": f"user@{user}.service", "_SYSTEMD_USER_UNIT": "init.scope"}
    if word in MACHINE:
        number, home = MACHINE[word]
        return {"MESSAGE_ID": number, "_SYSTEMD_UNIT": home, "MESSAGE": word}
    if word in TEXTS:
        run, *_ = rest
        return {**manager, named: unit, invoked: run_of(run), "MESSAGE": TEXTS[word].format(unit=unit)}
    if word in EVENTS:
        run, *more = rest
        own = {"_SYSTEMD_UNIT": unit} if user is None else {
            "_SYSTEMD_UNIT": f"user@{user}.service", "_SYSTEMD_USER_UNIT": unit,
        }  # fmt: skip
        found = {**own, "_SYSTEMD_INVOCATION_ID": run_of(run), "MESSAGE_ID": EVENTS[word], "HAFTA_EVENT": word}
        return {**found, "_UID": "998", "_PID": "12", "MESSAGE": word, **dict(pair.split("=", 1) for pair in more)}
    kind, priority = WORDS[word]
    run, *more = rest
    found = {**manager, named: unit, invoked: run_of(run), "MESSAGE_ID": IDS[kind], "PRIORITY": str(priority)}
    found["MESSAGE"] = {"SD": "Started A.", "FS": "Failed to start A."}.get(word, f"{unit}: {kind.value}")
    return {**found, **_more(word, more)}


def _more(word, more):
    if word == "EX":
        code, status, *command = more
        return {"EXIT_CODE": code, "EXIT_STATUS": status, "COMMAND": command[0] if command else "ExecStart"}
    if word == "SD" and more:
        return {"MESSAGE": " ".join(more)}
    names = {"UF": "UNIT_RESULT", "RS": "N_RESTARTS", "FS": "JOB_RESULT", "ST": "JOB_TYPE", "SP": "JOB_TYPE"}
    return {names[word]: more[0]} if more else {}


class Story:
    """Lines `SECONDS WORD RUN ...`; `boot N [SECONDS]` begins a boot, whose monotonic clock was 0 then."""

    def __init__(self, text, unit=UNIT, user=None, begin=0.0):
        self.timeline = Timeline()
        self.reading = Reading(self.timeline, user)
        self.user = user
        self.raws = list(self._raws(text, unit))
        self.first = BEGIN + round(begin * SECOND)

    def _raws(self, text, unit):
        boot, zero = BOOTS[0], -100.0  # the first boot began before
        for line in filter(None, map(str.strip, text.replace(";", "\n").splitlines())):
            at, word, *rest = line.split()
            if word == "boot":
                boot, zero = BOOTS[int(rest[0])], float(at)
                continue
            wall = BEGIN + round(float(at) * SECOND)
            fields = fields_of(word, rest, unit, self.user)
            yield Raw(
                {key: value for key, value in fields.items() if value}, wall, round((float(at) - zero) * SECOND), boot
            )

    def history(self, end, shown=None, unit=UNIT):
        """Fold it all."""
        fold = Fold(unit, self.first, is_user=self.user is not None)
        for raw in self.raws:
            fold.feed(self.reading.entry(raw))
        return close(fold, self.first, BEGIN + round(end * SECOND), shown, self.timeline.sleeps)


def spoken(history, parts=False):
    """Return the spans in a line: `0 unknown, 1 up, 10.1 down`."""
    said = [
        (span.begin, f"{span.what.value}{f' ({span.part})' if parts and span.part else ''}") for span in history.spans
    ]
    changes = [said[place] for place in range(len(said)) if not place or said[place][1] != said[place - 1][1]]
    return ", ".join(f"{(begin - BEGIN) / SECOND:g} {what}" for begin, what in changes)


def failures(history):
    """Return cause, outcome and whether it counts, of each outage."""
    return [
        f"{one.cause}{'' if one.is_failure else ' (start)'} -> {one.given_up or one.outcome or 'open'}"
        for one in history.outages
    ]
