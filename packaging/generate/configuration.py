"""The configuration file of each service: every setting, explained and commented out, so that it changes nothing."""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING

import programs

from hafta.settings import help_default

if TYPE_CHECKING:
    from pathlib import Path

    from hafta.settings import Program, Setting

#: The settings with which a service ends by itself. Its unit has Restart=always, and a clean end begins a new row of
#: crashes: systemd would start it again at once, for ever, and nothing would hold that back.
ENDING = {"count", "once"}

HEAD = """\
# Settings of {unit}; `systemctl restart {name}` takes them over.
# A line that begins with # changes nothing; what it shows is the default, and so is an empty value.
# See {name}(1) and {unit}(8).
"""


def files(root: Path) -> dict[str, str]:
    """Return config/NAME -> text."""
    return {
        f"config/{program.name}": text(program, unit_defaults(root, program.name))
        for program in programs.services(root)
    }


def unit_defaults(root: Path, name: str) -> dict[str, str]:
    """Return the variables that the unit itself sets, as the system's manager expands them."""
    unit = (root / "units" / f"{name}.service").read_text()
    pairs = re.findall(r"^Environment=(HAFTA_\w+)=(.*)$", unit, flags=re.MULTILINE)
    return {variable: value.replace("%t", "/run") for variable, value in pairs}


def text(program: Program, defaults: dict[str, str]) -> str:
    """Return the whole file."""
    head = HEAD.format(unit=f"{program.name}.service", name=program.name)
    return "\n".join([head, *(_setting(setting, defaults) for setting in offered(program))])


def offered(program: Program) -> list[Setting]:
    """Return the settings that make sense for a service that is always restarted."""
    return [setting for setting in program.settings if setting.name not in ENDING]


def _setting(setting: Setting, defaults: dict[str, str]) -> str:
    shown = _shown(setting, defaults)
    sentence = setting.help[0].upper() + setting.help[1:] + ("" if shown else help_default(setting))
    words = textwrap.fill(f"{sentence}.", 100, initial_indent="# ", subsequent_indent="# ")
    return f"{words}\n#{setting.variable}={shown}\n"


def _shown(setting: Setting, defaults: dict[str, str]) -> str:
    if setting.variable in defaults:
        return defaults[setting.variable]
    if not setting.metavar:
        return "yes" if setting.default else "no"
    if setting.default is None:
        return ""  # an empty value means: as shipped
    return setting.shown_default or str(setting.default)
