"""What `hafta demo` can be told."""

from __future__ import annotations

from hafta import exits
from hafta.settings import Program, Setting, number, on_or_off, switch

PROGRAM = Program(
    "hafta demo",
    "Show what HAFTA does: a server, a client, bad data, kills, a hang; each explained when it is first seen.",
    (
        Setting("explain", on_or_off, True, "say what is seen, the first time", "on|off", "on", scope="demo"),
        Setting("faults", on_or_off, True, "kill and stop the services now and then", "on|off", "on", scope="demo"),
        Setting("for", number, 0.0, "stop after this many seconds; 0: at Ctrl-C", "SECONDS", "0", scope="demo"),
        Setting("debug", switch, default=False, help="show the traceback of an error"),
    ),
    (exits.OK, exits.FAILED, exits.USAGE, exits.SYSTEM),
)
