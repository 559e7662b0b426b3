"""The directives of [Unit] that name other units, or say how they may be asked for, and how systemd shows them."""

from hafta.units.directives import NAMES

#: They are not generated: old names of two others, and a text that says nothing to a reader of units.
OTHER_NAMES = {"PropagateReloadTo", "PropagateReloadFrom", "Description"}
RELATED = [name for name in NAMES if name not in OTHER_NAMES]
FLAGS = {
    "StopWhenUnneeded": "stop_when_unneeded",
    "RefuseManualStart": "refuse_manual_start",
    "RefuseManualStop": "refuse_manual_stop",
}


def _related(name, field):
    return lambda d, u: (set(d.values(name)) - {"system.slice"}, set(getattr(u.needs, field)) - {u.name})


def _flag(name, field):
    return lambda d, u: (d.values(name), ["yes" if getattr(u, field) else "no"])


COMPARED_RELATIONS = {name: _related(name, NAMES[name]) for name in RELATED if name != "After"}
COMPARED_RELATIONS |= {name: _flag(name, field) for name, field in FLAGS.items()}
