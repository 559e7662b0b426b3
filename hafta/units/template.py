"""A template whose instances are made while the overlord runs: one for each connection (Accept=yes)."""

from __future__ import annotations

from hafta.frozen import Frozen
from hafta.units.read import read_unit
from hafta.units.specifiers import Specifiers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hafta.units.roots import Roots
    from hafta.units.unit import Unit
    from hafta.units.unitfile import Entry


class Template(Frozen):
    """What its files say, read once: no file is opened for a connection.

    `sample` is an instance that stands for all: they run as its account, and need what it needs.
    """

    entries: tuple[Entry, ...]
    roots: Roots
    sample: Unit

    def instance(self, name: str) -> Unit:
        """Return the unit of this name. Raises UnitError if the name makes a value wrong."""
        unit = read_unit(self.entries, Specifiers(name, self.sample.file, self.roots))
        return unit.replace(needs=self.sample.needs, account=self.sample.account)
