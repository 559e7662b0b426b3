"""A naive model: a machine and a unit that live second by second, know what they are, and write what systemd writes."""

import random

from observe_support import BEGIN, IDS, SECOND, UNIT, fields_of, run_of

from hafta.observe.entry import Raw
from hafta.observe.kinds import Kind
from hafta.observe.shown import Shown

FOREVER = [f"{number:032x}" for number in range(1000)]


class World:
    """One random history. `truth[second]` is the class; `raws` is the journal; None stands for an entry of others."""

    def __init__(self, seed):
        self.chance = random.Random(seed)
        self.is_252 = self.chance.random() < 0.5
        self.is_container = self.chance.random() < 0.3
        self.user = 1000 if self.chance.random() < 0.2 else None
        self.now, self.zero, self.boot, self.runs, self.restarts, self.ahead = 0, -50, 0, 0, 0, 0
        self.state, self.truth, self.raws, self.others, self.times = "stopped", [], [], [], []
        self.others_write()

    def write(self, word, *rest):
        """Write an entry of this second, as the wall clock stands."""
        self.add(fields_of(word, rest, UNIT, self.user))

    def add(self, fields):
        self.raws.append(self.raw(fields))
        self.times.append(self.now)

    def raw(self, fields):
        fields = {name: value for name, value in fields.items() if value}
        boot = FOREVER[7] if self.is_container else FOREVER[self.boot]
        zero = -50 if self.is_container else self.zero
        lag = self.chance.choice((0, 0, 0, 1_500_000)) if fields.get("MESSAGE") == "rolled-back" else 0
        wall = BEGIN + (self.now + self.ahead) * SECOND
        fields["_SOURCE_REALTIME_TIMESTAMP"] = str(wall)
        return Raw(fields, wall + lag, (self.now - zero) * SECOND + lag, boot)

    def others_write(self):
        """Somebody else writes: the source finds it as the last entry before the journal begins again."""
        self.others.append((len(self.raws), self.raw({"MESSAGE": "a line"})))

    def live(self, seconds):
        """Let time pass; the unit works, if it is up."""
        for _ in range(seconds):
            if self.state == "up" and self.chance.random() < 0.2:
                self.write("rolled-back", self.run, "HAFTA_NUMBER=0")
            if self.chance.random() < 0.3:
                self.others_write()
            self.truth.append(self.state)
            self.now += 1

    @property
    def run(self):
        return f"r{self.runs}"

    def some(self):
        return self.chance.randint(1, 4)

    # What may happen while it is up or stopped.

    def start(self):
        """Start it by hand, or at boot; sometimes it fails first, and is restarted."""
        self.runs += 1
        self.restarts = 0
        self.write("SG", self.run)
        self.live(self.some())
        if self.chance.random() < 0.2:
            self.write("EX", self.run, "exited", "1")
            self.write("UF", self.run, "exit-code")
            self.write("FS", self.run, "failed")
            self.restart()
        else:
            self.ready()

    def ready(self):
        self.write("SD", self.run)
        self.state = "up"

    def restart(self):
        """systemd waits, starts it again; the service holds itself back; the start may fail again, or be refused."""
        self.state = "held"
        self.live(self.some())
        self.restarts += 1
        self.write("RS", self.run, str(self.restarts))
        if self.is_252:
            self.write("ST", self.run, "restart")
        self.state = "down"
        if self.chance.random() < 0.1:
            self.write("limit", self.run)
            self.write("UF", self.run, "signal")
            self.write("FS", self.run, "failed")
            self.live(self.some())
            self.start()
            return
        self.live(1)
        self.runs += 1
        self.write("SG", self.run)
        self.live(self.some())
        if self.chance.random() < 0.2:
            self.write("service-held-back", self.run)
            self.state = "held"
            self.live(self.some())
        if self.chance.random() < 0.2:
            self.write("EX", self.run, "killed", "9")
            self.write("UF", self.run, "signal")
            self.write("FS", self.run, "failed")
            self.restart()
        elif self.chance.random() < 0.05:
            self.write("DE", self.run)
            self.write("ST", self.run, "stop")
            self.state = "stopped"
        else:
            self.ready()

    def die(self):
        """The main process ends, in one of many ways."""
        way = self.chance.choice(("killed", "exited", "dumped", "hang", "clean"))
        if way == "hang":
            self.write("hung", self.run)
            self.state = "down"
            self.live(self.some())
            # The time from the first sign to the end is no part of the wait for the restart.
        if way == "clean":
            self.write("service-stopped" if self.user else "DE", self.run)
        else:
            self.write("EX", self.run, way if way in ("exited", "dumped") else "killed", "6")
            self.write("UF", self.run, "watchdog" if way == "hang" else "signal")
        self.restart()

    def stop(self):
        self.write("SP", self.run, "stop")
        self.state = "stopped"
        self.live(self.some())
        if not self.user:
            self.write("DE", self.run)
        self.write("ST", self.run, "stop")

    def restart_by_hand(self):
        self.write("SP", self.run, "stop")
        self.state = "stopped"
        self.live(self.some())
        self.write("ST", self.run, "restart")
        self.start()

    def reboot(self):
        self.write("SHUTDOWN")
        if self.state == "up":
            self.write("SP", self.run, "stop")
            self.state = "machine"
            self.live(1)
            self.write("ST", self.run, "stop")
        self.live(1)
        self.write("NOJOURNAL")
        self._boot()

    def power_cut(self):
        if self.state == "up":
            self.live(self.some())
            self.state = "machine"
        self._boot()

    def _boot(self):
        self.live_off(self.some())
        if not self.is_container:
            self.boot, self.zero = self.boot + 1, self.now
        self.live_off(1)
        self.write("JOURNAL")
        self.live(1)
        if self.state == "machine":
            self.start()

    def live_off(self, seconds):
        self.truth += [self.state] * seconds
        self.now += seconds

    def journald_dies(self):
        self.write("JOURNAL")
        self.add({
            **fields_of("EX", ("j1", "killed", "9")), "UNIT": "systemd-journald.service", "_PID": "1",
            "_SYSTEMD_UNIT": "init.scope",
        })  # fmt: skip

    def journald_restarts(self):
        self.write("NOJOURNAL")
        self.live(self.some())
        self.write("JOURNAL")

    def clock_is_set(self):
        self.ahead += self.chance.choice((-3600, -2, 2, 7200))
        self.others_write()  # what sets it says so

    def somebody_lies(self):
        fields = fields_of(self.chance.choice(("SP", "SD")), (f"evil{self.now}", "stop"), UNIT, self.user)
        self.add({**fields, "_PID": "4711", "_SYSTEMD_UNIT": "evil.service", "_SYSTEMD_USER_UNIT": ""})

    def run_on(self, moves):
        """Let so many things happen."""
        anytime = (
            self.clock_is_set,
            self.somebody_lies,
            self.journald_dies,
            self.journald_restarts,
            self.reboot,
            self.power_cut,
        )
        for _ in range(moves):
            self.live(self.chance.randint(3, 30))
            if self.chance.random() < 0.3:
                self.chance.choice(anytime)()
            elif self.state == "up":
                self.chance.choice((self.die, self.die, self.die, self.stop, self.restart_by_hand))()
            elif self.state == "stopped":
                self.start()
        self.live(5)
        return self

    def shown(self):
        """Return what the manager says in the end."""
        active = {"up": "active", "down": "activating", "held": "activating"}.get(self.state, "inactive")
        since = max((second for second, was in enumerate(self.truth) if was != self.state), default=-1) + 1
        return Shown(active, run_of(self.run) if active == "active" else "", BEGIN + since * SECOND)

    def is_managers(self, raw):
        """Tell whether the manager says so of the unit, but for two kinds: see hafta/observe/fold.py."""
        of_unit = raw.fields.get("UNIT" if self.user is None else "USER_UNIT") == UNIT
        two = (IDS[Kind.RESTARTING], IDS[Kind.STOPPING])
        return of_unit and raw.fields.get("_PID") != "4711" and raw.fields.get("MESSAGE_ID") not in two

    def last_before(self, place):
        """Return what anybody wrote last before this entry."""
        return next(raw for written, raw in reversed(self.others) if written <= place)
