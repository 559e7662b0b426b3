"""All rules, by code."""

from __future__ import annotations

from hafta.check.files import FILES
from hafta.check.journal import JOURNAL
from hafta.check.machine import MACHINE
from hafta.check.records import RECORDS
from hafta.check.relations import RELATIONS
from hafta.check.restart import RESTART
from hafta.check.sequences import SEQUENCES
from hafta.check.shield import SHIELD
from hafta.check.start import START
from hafta.check.storage import STORAGE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hafta.check.rule import Rule

UNIT, MACHINES, SEQUENCE, RECORD = KINDS = ("unit", "machine", "sequence", "record")
#: Rules by what they are about, in the order of their codes.
BY_KIND: dict[str, tuple[Rule, ...]] = {
    UNIT: (*START, *RESTART, *STORAGE, *JOURNAL, *RELATIONS, *SHIELD, *FILES),
    MACHINES: MACHINE,
    SEQUENCE: SEQUENCES,
    RECORD: RECORDS,
}
RULES: dict[str, Rule] = {rule.code: rule for rules in BY_KIND.values() for rule in rules}
