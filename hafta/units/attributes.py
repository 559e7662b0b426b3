"""What a process gets between fork and exec, besides its user, its limits and its directories (systemd.exec(5))."""

from __future__ import annotations

from hafta.frozen import Frozen
from hafta.units import capabilities, scheduling

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Attributes(Frozen):
    """None, and no CPU at all, leave a thing as the overlord has it. Capabilities and secure bits are bits."""

    ambient: int | None = None
    bounding: int | None = None
    secure_bits: int = 0
    no_new_privileges: bool = False
    nice: int | None = None
    oom_score: int | None = None
    io: tuple[int, int] | None = None  # class, priority
    cpu: tuple[int, int, bool] | None = None  # policy, priority, whether children have the default one again
    affinity: tuple[int, ...] = ()
    timer_slack: int | None = None  # nanoseconds


#: Of a unit that asks for nothing: the usual case, which a start recognises at no price.
PLAIN = Attributes()


def gather(values: dict[str, Any], *, dynamic: bool) -> Attributes:
    """Take what belongs here out of the values of a unit. DynamicUser= forbids new privileges, too."""
    taken = {name: values.pop(name) for name in Attributes._fields if name in values}
    resets_on_fork = bool(values.pop("resets_on_fork", False))
    for name, initial in (("ambient", 0), ("bounding", capabilities.ALL)):
        if name in taken:
            taken[name] = capabilities.merged(taken[name], initial)
    taken["io"] = scheduling.io_together(taken.get("io", ()))
    cpu = scheduling.cpu_together(taken.get("cpu", ()))
    taken["cpu"] = (*cpu, resets_on_fork) if cpu else None
    if dynamic:
        taken["no_new_privileges"] = True
    found = Attributes(**taken)
    return PLAIN if found == PLAIN else found
