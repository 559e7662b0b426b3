"""Each directive that is honoured has a place in what is known of a unit."""

from hafta.units import attributes, folders
from hafta.units.directives import DIRECTIVES
from hafta.units.streams import Standard
from hafta.units.unit import Commands, Needs, Unit

#: What is read into something with another name.
OTHERS = """
type restart remain limit_interval limit_burst success prevent force timeout resets_on_fork
user group groups dynamic_user description permissions_start_only
"""


def test_every_directive_names_a_field_that_exists():
    others = {*OTHERS.split(), *(f"exec {each}" for each in Commands._fields)}
    others |= {f"standard {each}" for each in Standard._fields}
    others |= {each.field for name, each in DIRECTIVES["Service"].items() if name.startswith("Limit")}
    others |= {f"{kind}_{what}" for kind in folders.Directories._fields for what in ("directory", "mode")}
    fields = {*Unit._fields, *Needs._fields, *attributes.Attributes._fields, *others}
    assert {each.field for section in ("Unit", "Service") for each in DIRECTIVES[section].values()} <= fields
