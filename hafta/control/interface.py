"""The interface of the control socket as varlink describes it. What is added later is optional: the name stays."""

from __future__ import annotations

from hafta.control.wire import INTERFACE, SERVICE
from hafta.version import VERSION

DESCRIPTION = """\
# The embedded overlord of HAFTA. Properties have systemd's names and meanings (org.freedesktop.systemd1(5)); spans and
# times are in microseconds, 0 means never, 18446744073709551615 that there is no end.
interface hafta.Overlord

# The overlord itself.
method Describe() -> (properties: object)

# Units, one reply each: those that are named, else all that are run. With `properties`, only these.
method List(units: ?[]string, properties: ?[]string) -> (properties: object)

# What came of it for one unit. `job` is what has begun, `result` how it ended: done, failed, canceled, dependency,
# assert, or queued if nobody waited. `why` is the Result of a unit that failed. `error` is one of the errors below.
type Outcome (unit: ?string, job: ?string, result: ?string, why: ?string, error: ?string, message: ?string)

# A verb: start, stop, restart, try-restart, reload, reload-or-restart, try-reload-or-restart. With `wait` the answer
# comes when all that has begun is over.
method Do(verb: string, units: []string, wait: ?bool) -> (jobs: []Outcome)

# Send a signal to all processes of units, or to their main process.
method Kill(units: []string, signal: ?int, whom: ?(all, main)) -> (jobs: []Outcome)

# Forget that units have failed, and how often they have been started.
method ResetFailed(units: ?[]string) -> (jobs: []Outcome)

# Read all unit files again. What has changed counts from the next start of a unit on. A unit whose files cannot be read
# any more stays as it was; `problems` says why.
method Reread() -> (changed: []string, problems: []string)

# Note in the event log that a drill of a unit (hafta-drill(1)) begins, and how many microseconds it may last; or,
# without `limit_usec`, that it has ended. What happens to the unit in between does not count as a failure.
method Drill(unit: string, drill: string, limit_usec: ?int) -> ()

# There is no such unit.
error NoSuchUnit (unit: string, message: string)

# The unit is not run here.
error NotLoaded (unit: string, message: string)

# The unit is masked.
error Masked (unit: string, message: string)

# The unit's file has what is not understood, or not done here.
error BadSetting (unit: string, message: string)

# The unit has nothing that this verb could do.
error NotApplicable (unit: string, message: string)

# The unit is not active.
error Inactive (unit: string, message: string)

# It cannot be done; the message says why.
error Failed (unit: string, message: string)

# More clients than the overlord serves at a time.
error Busy ()

# Only root and the user of the overlord may ask.
error PermissionDenied ()
"""

INFO = {
    "vendor": "HAFTA",
    "product": "embedded overlord",
    "version": VERSION,
    "url": "",
    "interfaces": [SERVICE, INTERFACE],
}
