"""Reading our unit files in tests: as lists, because a key such as SystemCallFilter= may stand twice."""

from pathlib import Path

UNITS = Path(__file__).parents[3] / "units"
SERVICES = ("hafta-server.service", "hafta-client.service", "hafta-client@.service")
METRICS = ("hafta-metrics.service", "hafta-metrics.timer")


def read(name):
    """Return (section, key) -> values in their order."""
    found = {}
    section = ""
    for line in (UNITS / name).read_text().splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault((section, key), []).append(value)
    return found


def seconds(unit, section, key):
    """Return a time span that the units write as bare seconds."""
    (value,) = unit[section, key]
    return float(value)


def comments(name):
    """Return the comments of a unit as one line of text."""
    lines = (UNITS / name).read_text().splitlines()
    return " ".join(line.removeprefix("#").strip() for line in lines if line.startswith("#"))
