"""Examples of rules as units: the lines of an example take the place of those of a unit without any finding."""

import os
import re

from hafta.check.reading import merged
from hafta.check.rules import BY_KIND, UNIT
from hafta.units.roots import Roots
from hafta.units.specifiers import Specifiers
from hafta.units.write import Around, Wanted, unit_text

ROOTS = Roots("/run", "/var/lib", "/var/cache", "/var/log", "/etc")
#: What `hafta unit --run-as feed feed:feed` prints.
CLEAN = unit_text(
    Wanted(
        "feed", "A feed", ("/usr/bin/python3", "-m", "hafta.service", "feed:feed"), is_sequence=True, watchdog=10.0,
        around=Around(user="feed"),
    )
)  # fmt: skip


def with_lines(example, text=CLEAN):
    """Return a unit in which these lines take the place of those of the same names; `# no NAME=` takes them out."""
    found = {"Unit": [], "Service": []}
    section = "Service"
    for line in example.splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        else:
            found[section].append(line)
    for section, lines in found.items():
        names = {re.match(r"(?:# no )?(\w+)=", line)[1] for line in lines}
        head, body = f"[{section}]\n", text.split(f"[{section}]\n")[1].split("\n[")[0]
        kept = [line for line in body.splitlines() if line.partition("=")[0] not in names]
        text = text.replace(head + body, head + "\n".join([*(line for line in lines if line[:1] != "#"), *kept]))
    return text


def unit_of(tmp_path, text, name="feed.service", **seen):
    """Return a unit of this text as the rules see it, without systemd's tools."""
    file = tmp_path / name
    file.write_bytes(os.fsencode(text))
    unit = merged(name, (str(file),), Specifiers(name, str(file), ROOTS))
    return unit.replace(seen=unit.seen.replace(**seen))


def findings(unit):
    """Return what all rules of units find in one."""
    return [one for rule in BY_KIND[UNIT] for one in rule.findings(UNIT, unit.name, unit)]


def codes(unit):
    """Return the codes of it; without what `hafta run` does not act on, which other examples have, too."""
    return {one.code for one in findings(unit)} - {"HC034"}
